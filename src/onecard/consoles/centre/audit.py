"""The audit log (django-auditlog): who changed what in the management centre, when, and from where.

Rows are written by explicit calls in the transaction of the change, since services change rows in ways that Django's signals do
not see. Only the users themselves are watched by signal. The log is read-only on its page.
"""

from typing import Any

from auditlog.models import LogEntry
from auditlog.registry import auditlog
from django.contrib.auth import get_user_model
from django.db.models import Model
from django.http import HttpRequest

_NEVER = {"digest", "password", "password_hash", "certificate_sha256", "holder_count", "unit_count", "child_count"}


def watch_users() -> None:
    """Have every change of a user and of its roles leave a row; passwords and the time of signing in are left out."""
    auditlog.register(get_user_model(), exclude_fields=["password", "last_login"], m2m_fields={"groups"})


def record(request: HttpRequest, row: Model, act: str, **details: Any) -> None:
    """Write down an act on a row; `act` is a message key that the log's page translates."""
    LogEntry.objects.log_create(
        row, force_log=True, action=LogEntry.Action.UPDATE, actor=request.user, additional_data={"act": act, **details}
    )


def record_row(request: HttpRequest, before: Model | None, after: Model, *, act: str = "") -> None:
    """Write down a row as it was made or changed, field by field; nothing where nothing has changed."""
    if auditlog.contains(type(after)):
        return
    old, new = _values(before) if before else {}, _values(after)
    changes = {name: [old.get(name, "None"), value] for name, value in new.items() if old.get(name, "None") != value}
    if changes:
        LogEntry.objects.log_create(
            after,
            action=LogEntry.Action.UPDATE if before else LogEntry.Action.CREATE,
            changes=changes,
            actor=request.user,
            additional_data={"act": act} if act else None,
        )


def _values(row: Model) -> dict[str, str]:
    return {
        field.name: str(getattr(row, field.attname))
        for field in row._meta.concrete_fields
        if field.name not in _NEVER and not field.primary_key
    }
