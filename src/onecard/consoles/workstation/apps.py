"""The Django app of the unit's workstation: templates and static files."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkstationConfig(AppConfig):
    """No tables of its own."""

    name = "onecard.consoles.workstation"
    label = "workstation"
    verbose_name = _("Unit workstation")
