"""Django's entry for the domain."""

from django.apps import AppConfig


class IssuingConfig(AppConfig):
    """制卡."""

    name = "onecard.services.issuing"
    label = "issuing"
    verbose_name = "制卡"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Old cards' time lines tell of the jobs that make their successors."""
        from onecard.services.issuing.timeline import register_teller

        register_teller()
