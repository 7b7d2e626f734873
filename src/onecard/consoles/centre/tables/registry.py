"""Which tables the centre shows, and by which class."""

from auditlog.models import LogEntry
from django.contrib.auth.models import User
from unfold.sites import UnfoldAdminSite

from onecard.consoles.centre.models import StaffToken
from onecard.consoles.centre.tables import devices, directory, units
from onecard.consoles.centre.tables.audit import AuditAdmin
from onecard.consoles.centre.tables.staff import StaffAdmin
from onecard.consoles.centre.tables.tokens import TokenAdmin
from onecard.services.devices.models import Line, Terminal
from onecard.services.operators.models import CardType, Merchant, Operator, Unit


def register(site: UnfoldAdminSite) -> None:
    """Register every table on the site."""
    site.register(Operator, directory.OperatorAdmin)
    site.register(Unit, units.UnitAdmin)
    site.register(Merchant, directory.MerchantAdmin)
    site.register(CardType, directory.CardTypeAdmin)
    site.register(Terminal, devices.TerminalAdmin)
    site.register(Line, devices.LineAdmin)
    site.register(User, StaffAdmin)
    site.register(StaffToken, TokenAdmin)
    site.register(LogEntry, AuditAdmin)
