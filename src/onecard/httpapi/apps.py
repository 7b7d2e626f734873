"""The Django app of REST: it keeps the answers of calls that may be repeated."""

from django.apps import AppConfig


class HttpApiConfig(AppConfig):
    """REST by audience."""

    name = "onecard.httpapi"
    label = "httpapi"
    verbose_name = "REST"
    default_auto_field = "django.db.models.BigAutoField"
