"""The roles of the management centre and the capabilities each carries: one table, written to Django's groups."""

from enum import StrEnum

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from onecard.consoles.centre.models import StaffAccount


class Can(StrEnum):
    """A capability; every page asks for exactly one."""

    VIEW_DIRECTORY = "view_directory"
    CHANGE_DIRECTORY = "change_directory"
    VIEW_ACCOUNTS = "view_accounts"
    CHANGE_ACCOUNTS = "change_accounts"
    VIEW_TRANSACTIONS = "view_transactions"
    VIEW_SETTLEMENT = "view_settlement"
    RUN_SETTLEMENT = "run_settlement"
    VIEW_AUDIT = "view_audit"
    MANAGE_STAFF = "manage_staff"


class Role(StrEnum):
    """A role; the value is the group's name in the database."""

    ADMINISTRATOR = "administrator"
    FINANCE = "finance"
    VIEWER = "operator-viewer"


ROLE_NAMES: dict[Role, str | Promise] = {
    Role.ADMINISTRATOR: _("Administrator"),
    Role.FINANCE: _("Finance"),
    Role.VIEWER: _("Operations (read only)"),
}

ROLE_CAPABILITIES: dict[Role, frozenset[Can]] = {
    Role.ADMINISTRATOR: frozenset(Can),
    Role.FINANCE: frozenset(
        {
            Can.VIEW_DIRECTORY,
            Can.VIEW_ACCOUNTS,
            Can.VIEW_TRANSACTIONS,
            Can.VIEW_SETTLEMENT,
            Can.RUN_SETTLEMENT,
            Can.VIEW_AUDIT,
        }
    ),
    Role.VIEWER: frozenset({Can.VIEW_DIRECTORY, Can.VIEW_TRANSACTIONS, Can.VIEW_SETTLEMENT}),
}


def allowed(request: HttpRequest, capability: Can) -> bool:
    """Whether who is signed in carries a capability."""
    return request.user.is_active and request.user.is_staff and request.user.has_perm(f"centre.{capability}")


def sync_roles() -> None:
    """Make the groups and their permissions what the table above says; running it again changes nothing."""
    content_type = ContentType.objects.get_for_model(StaffAccount)
    names = dict(StaffAccount._meta.permissions)
    permissions = {
        capability: Permission.objects.get_or_create(
            content_type=content_type, codename=str(capability), defaults={"name": names[str(capability)]}
        )[0]
        for capability in Can
    }
    for role, capabilities in ROLE_CAPABILITIES.items():
        group, _created = Group.objects.get_or_create(name=str(role))
        group.permissions.set(permissions[capability] for capability in capabilities)
