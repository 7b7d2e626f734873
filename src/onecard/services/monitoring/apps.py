"""The Django app of the monitoring domain."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MonitoringConfig(AppConfig):
    """Live figures."""

    name = "onecard.services.monitoring"
    label = "monitoring"
    verbose_name = _("实时监控")
    default_auto_field = "django.db.models.BigAutoField"
