"""The Django app of the cardholders."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """Cardholders."""

    name = "onecard.services.people"
    label = "people"
    verbose_name = "持卡人"
    default_auto_field = "django.db.models.BigAutoField"
