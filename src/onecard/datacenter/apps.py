"""The data centre as a Django app: it carries the ledger's tables into the one path of migrations."""

from django.apps import AppConfig


class DatacenterConfig(AppConfig):
    name = "onecard.datacenter"
    label = "datacenter"
    verbose_name = "数据中心"
