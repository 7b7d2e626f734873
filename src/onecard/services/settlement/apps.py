"""The Django app `settlement`."""

from django.apps import AppConfig


class SettlementConfig(AppConfig):
    name = "onecard.services.settlement"
    label = "settlement"
    verbose_name = "清分结算 Settlement"
