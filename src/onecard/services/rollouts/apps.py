"""The Django app of roll-outs."""

from django.apps import AppConfig


class RolloutsConfig(AppConfig):
    """Roll-outs of firmware and data."""

    name = "onecard.services.rollouts"
    label = "rollouts"
    verbose_name = "远程升级"
    default_auto_field = "django.db.models.BigAutoField"
