"""The audit log, read only: who changed what, when, from where."""

from typing import Any

from auditlog.models import LogEntry
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from onecard.consoles.centre.roles import Can
from onecard.consoles.centre.tables.base import CentreAdmin, column

ACTIONS = {
    LogEntry.Action.CREATE: _("created"),
    LogEntry.Action.UPDATE: _("changed"),
    LogEntry.Action.DELETE: _("deleted"),
    LogEntry.Action.ACCESS: _("read"),
}
NAMES = {("purses", "account"): _("Account"), ("purses", "card"): _("Card")}
_SHOWN = 6


class AuditAdmin(CentreAdmin):
    """Rows of the log, newest first."""

    view_capability = Can.VIEW_AUDIT
    list_display = ("at", "who", "what", "table", "thing", "change_text")
    list_display_links = ("at",)
    list_filter = ("action",)
    search_fields = ("object_repr", "actor__username")
    fields = ("at", "who", "address", "what", "table", "thing", "all_changes")
    readonly_fields = fields
    ordering = ("-timestamp", "-id")
    list_select_related = ("actor", "content_type")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody writes here."""
        return False

    @column(_("Time"), ordering="timestamp")
    def at(self, entry: LogEntry) -> Any:
        """When."""
        from onecard.consoles.centre.formats import moment

        return moment(entry.timestamp)

    @column(_("Who"))
    def who(self, entry: LogEntry) -> str:
        """The user, or the platform itself."""
        return entry.actor.get_username() if entry.actor else gettext("the platform")

    @column(_("Act"))
    def what(self, entry: LogEntry) -> str:
        """What was done."""
        act = (entry.additional_data or {}).get("act")
        return gettext(act) if act else str(ACTIONS.get(entry.action, entry.action))

    @column(_("Kind of thing"))
    def table(self, entry: LogEntry) -> str:
        """The table's name."""
        model = entry.content_type.model_class()
        own = NAMES.get((entry.content_type.app_label, entry.content_type.model))
        return str(own or (model._meta.verbose_name if model else entry.content_type))

    @column(_("Object"), ordering="object_repr")
    def thing(self, entry: LogEntry) -> str:
        """The row's name as it was then."""
        return str(entry.object_repr)

    @column(_("From address"))
    def address(self, entry: LogEntry) -> str:
        """Where the request came from."""
        return entry.remote_addr or "–"

    @column(_("Changes"))
    def change_text(self, entry: LogEntry) -> str:
        """The first fields that changed."""
        changes = self._changes(entry)
        text = "; ".join(f"{name}: {old} → {new}" for name, old, new in changes[:_SHOWN])
        return text + (" …" if len(changes) > _SHOWN else "")

    @column(_("Changes"))
    def all_changes(self, entry: LogEntry) -> SafeString:
        """Every field that changed."""
        return format_html_join("", "<div>{}: {} → {}</div>", self._changes(entry))

    def _changes(self, entry: LogEntry) -> list[tuple[str, str, str]]:
        model = entry.content_type.model_class()
        names = (
            {field.name: str(getattr(field, "verbose_name", field.name)) for field in model._meta.get_fields()} if model else {}
        )
        changes = []
        for name, change in (entry.changes_dict or {}).items():
            old, new = change if isinstance(change, list) and len(change) == 2 else ("", change)
            if isinstance(new, dict):
                old, new = "", f"{new.get('operation', '')} {', '.join(map(str, new.get('objects', [])))}"
            if str(old) != str(new) and not (entry.action == LogEntry.Action.CREATE and str(new) in ("None", "")):
                changes.append((names.get(name, name), "–" if str(old) in ("None", "") else str(old), str(new)))
        return changes
