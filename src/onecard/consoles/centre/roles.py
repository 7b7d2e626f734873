"""The roles of the management centre and the capabilities each carries: one table, written to Django's groups."""

from enum import StrEnum

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from onecard.consoles.centre.models import StaffAccount


class Can(StrEnum):
    """A capability; every page asks for exactly one. What it carries in the services stands in permissions.py."""

    VIEW_DIRECTORY = "view_directory"
    CHANGE_DIRECTORY = "change_directory"
    VIEW_ACCOUNTS = "view_accounts"
    CHANGE_ACCOUNTS = "change_accounts"
    VIEW_TRANSACTIONS = "view_transactions"
    VIEW_SETTLEMENT = "view_settlement"
    RUN_SETTLEMENT = "run_settlement"
    VIEW_CARDS = "view_cards"
    CHANGE_CARDS = "change_cards"
    VIEW_STOCK = "view_stock"
    CHANGE_STOCK = "change_stock"
    VIEW_BATCHES = "view_batches"
    RUN_BATCHES = "run_batches"
    VIEW_HOLDERS = "view_holders"
    CHANGE_HOLDERS = "change_holders"
    VIEW_CHIP = "view_chip"
    DECIDE_CHIP = "decide_chip"
    VIEW_DEVICES = "view_devices"
    CHANGE_DEVICES = "change_devices"
    VIEW_ROLLOUTS = "view_rollouts"
    RUN_ROLLOUTS = "run_rollouts"
    VIEW_KEYS = "view_keys"
    MANAGE_KEYS = "manage_keys"
    KEY_CUSTODIAN = "key_custodian"
    VIEW_AUDIT = "view_audit"
    MANAGE_STAFF = "manage_staff"
    OWN_TOKENS = "own_tokens"
    MANAGE_TOKENS = "manage_tokens"


CAPABILITY_NAMES: dict[Can, str] = {
    Can.VIEW_DIRECTORY: "See operators, units, merchants, terminals, lines and card types",
    Can.CHANGE_DIRECTORY: "Change operators, units, merchants, terminals, lines and card types",
    Can.VIEW_ACCOUNTS: "See accounts, purses, cards and statements",
    Can.CHANGE_ACCOUNTS: "Freeze and release accounts and cards",
    Can.VIEW_TRANSACTIONS: "Search transactions",
    Can.VIEW_SETTLEMENT: "See settlement runs and sheets",
    Can.RUN_SETTLEMENT: "Cut the day and settle",
    Can.VIEW_CARDS: "See cards and their whole life",
    Can.CHANGE_CARDS: "Report lost, replace, extend, return and settle cards",
    Can.VIEW_STOCK: "See the stock of blank and finished cards",
    Can.CHANGE_STOCK: "Order, receive, hand over, return and scrap cards",
    Can.VIEW_BATCHES: "See issuing batches",
    Can.RUN_BATCHES: "Make issuing batches and personalise cards",
    Can.VIEW_HOLDERS: "See cardholders",
    Can.CHANGE_HOLDERS: "Register, change and load cardholders",
    Can.VIEW_CHIP: "See the quarantine desk",
    Can.DECIDE_CHIP: "Release and refuse at the quarantine desk",
    Can.VIEW_DEVICES: "See devices, their states and alarms",
    Can.CHANGE_DEVICES: "Register, move and configure devices, see to alarms",
    Can.VIEW_ROLLOUTS: "See releases, roll-outs and their progress",
    Can.RUN_ROLLOUTS: "Plan, approve, start, pause and cancel roll-outs",
    Can.VIEW_KEYS: "See the status of keys, ceremonies, requests and SAMs",
    Can.MANAGE_KEYS: "Run key ceremonies, ask for and approve acts on keys, manage SAMs",
    Can.KEY_CUSTODIAN: "Hold and enter one's own key component",
    Can.VIEW_AUDIT: "Read the audit log",
    Can.MANAGE_STAFF: "Manage the staff and their roles",
    Can.OWN_TOKENS: "Issue and revoke tokens for one's own programs",
    Can.MANAGE_TOKENS: "See and revoke everybody's tokens",
}
"""Names of the rows in Django's table of permissions; nobody reads them on a page."""


class Role(StrEnum):
    """A role; the value is the group's name in the database."""

    ADMINISTRATOR = "administrator"
    FINANCE = "finance"
    VIEWER = "operator-viewer"
    CARD_DESK = "card-desk"
    KEY_OFFICER = "key-officer"


ROLE_NAMES: dict[Role, str | Promise] = {
    Role.ADMINISTRATOR: _("Administrator"),
    Role.FINANCE: _("Finance"),
    Role.VIEWER: _("Operations (read only)"),
    Role.CARD_DESK: _("Card desk"),
    Role.KEY_OFFICER: _("Key officer"),
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
            Can.VIEW_CARDS,
            Can.VIEW_STOCK,
            Can.VIEW_BATCHES,
            Can.VIEW_HOLDERS,
            Can.VIEW_CHIP,
            Can.DECIDE_CHIP,
            Can.VIEW_AUDIT,
            Can.OWN_TOKENS,
        }
    ),
    Role.VIEWER: frozenset(
        {
            Can.VIEW_DIRECTORY,
            Can.VIEW_TRANSACTIONS,
            Can.VIEW_SETTLEMENT,
            Can.VIEW_DEVICES,
            Can.VIEW_ROLLOUTS,
            Can.VIEW_STOCK,
            Can.VIEW_BATCHES,
            Can.OWN_TOKENS,
        }
    ),
    Role.CARD_DESK: frozenset(
        {
            Can.VIEW_DIRECTORY,
            Can.VIEW_ACCOUNTS,
            Can.VIEW_TRANSACTIONS,
            Can.VIEW_CARDS,
            Can.CHANGE_CARDS,
            Can.VIEW_STOCK,
            Can.CHANGE_STOCK,
            Can.VIEW_BATCHES,
            Can.RUN_BATCHES,
            Can.VIEW_HOLDERS,
            Can.CHANGE_HOLDERS,
            Can.OWN_TOKENS,
        }
    ),
    Role.KEY_OFFICER: frozenset({Can.VIEW_DIRECTORY, Can.VIEW_KEYS, Can.MANAGE_KEYS, Can.KEY_CUSTODIAN, Can.OWN_TOKENS}),
}


def allowed(request: HttpRequest, capability: Can) -> bool:
    """Whether who is signed in carries a capability."""
    return request.user.is_active and request.user.is_staff and request.user.has_perm(f"centre.{capability}")


def sync_roles() -> None:
    """Make the groups and their permissions what the table above says; running it again changes nothing."""
    content_type = ContentType.objects.get_for_model(StaffAccount)
    permissions = {
        capability: Permission.objects.get_or_create(
            content_type=content_type, codename=str(capability), defaults={"name": CAPABILITY_NAMES[capability]}
        )[0]
        for capability in Can
    }
    for role, capabilities in ROLE_CAPABILITIES.items():
        group, _created = Group.objects.get_or_create(name=str(role))
        group.permissions.set(permissions[capability] for capability in capabilities)
