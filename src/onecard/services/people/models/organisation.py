"""Departments (部门): the tree inside a unit (O5). That it stays one is held by `sql/organisation.sql`."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _


class Department(models.Model):
    """A department of a unit: a faculty, a class, a workshop."""

    id = models.AutoField(primary_key=True)
    unit = models.ForeignKey("operators.Unit", models.PROTECT, related_name="+", verbose_name=_("接入单位"))
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", db_constraint=False, verbose_name=_("上级部门")
    )
    name = models.CharField(_("名称"), max_length=60)
    code = models.CharField(_("编码"), max_length=20, blank=True, default="")

    class Meta:
        verbose_name = _("部门")
        verbose_name_plural = _("部门")
        ordering = ("unit_id", "id")
        constraints = (
            models.UniqueConstraint(fields=("id", "unit"), name="department_id_unit"),
            models.UniqueConstraint(fields=("unit", "code"), condition=~Q(code=""), name="department_code"),
            models.UniqueConstraint(F("unit"), Coalesce("parent", 0), F("name"), name="department_name"),
            models.CheckConstraint(condition=~Q(name="") & ~Q(name__contains="/"), name="department_plain_name"),
        )

    def __str__(self) -> str:
        return self.name
