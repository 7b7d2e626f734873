"""The signed repository: metadata files, contents by their hash, and the automatic data in force.

Nothing here is trusted by a device for being here: it checks the signatures. Rows are written by `repository.py` alone.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Repository(models.Model):
    """The one repository; its row is locked by whoever changes it."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    platform_timestamp = models.BigIntegerField(_("平台数据的时间戳版本"), default=0)
    created_at = models.DateTimeField(_("建立时间"))

    class Meta:
        verbose_name = _("升级库")
        verbose_name_plural = _("升级库")
        constraints = (models.CheckConstraint(condition=Q(id=1), name="rollouts_one_repository"),)

    def __str__(self) -> str:
        return f"repository, timestamp {self.platform_timestamp}"


class Blob(models.Model):
    """A content, by its hash: firmware, a list, a tariff."""

    sha256 = models.BinaryField(_("散列"), primary_key=True, max_length=32)
    length = models.BigIntegerField(_("长度"))
    content = models.BinaryField(_("内容"))
    created_at = models.DateTimeField(_("存入时间"))

    class Meta:
        verbose_name = _("文件内容")
        verbose_name_plural = _("文件内容")

    def __str__(self) -> str:
        return bytes(self.sha256).hex()


class MetadataFile(models.Model):
    """A signed metadata file of a role; the newest version is in force, older ones serve clients under way."""

    role = models.CharField(_("角色"), max_length=40)
    version = models.BigIntegerField(_("版本"))
    content = models.BinaryField(_("内容"))
    expires_at = models.DateTimeField(_("有效期止"))
    created_at = models.DateTimeField(_("签发时间"))

    class Meta:
        verbose_name = _("签名元数据")
        verbose_name_plural = _("签名元数据")
        constraints = (
            models.UniqueConstraint(fields=("role", "version"), name="rollouts_metadata_version"),
            models.CheckConstraint(condition=Q(version__gt=0), name="rollouts_metadata_positive"),
            models.CheckConstraint(condition=Q(role__regex="^[a-z][a-z0-9-]*$"), name="rollouts_metadata_role"),
        )

    def __str__(self) -> str:
        return f"{self.version}.{self.role}.json"


class PublishedData(models.Model):
    """Automatic data and its version in force, which only grows (sql/repository.sql, sql/canary.sql).

    "deny", "rules/<unit>", "cards/<unit>", "parameters/<line>".
    """

    name = models.CharField(_("名称"), max_length=32, primary_key=True)
    version = models.BigIntegerField(_("版本"))
    previous = models.BigIntegerField(_("上一版本"), default=0)
    named = models.BigIntegerField(_("已全面下达的版本"), default=0)
    """What every line is named; 0: nothing yet. Below `version` while only the canary lines are named that."""
    published_at = models.DateTimeField(_("发布时间"))

    class Meta:
        verbose_name = _("自动下发数据")
        verbose_name_plural = _("自动下发数据")
        constraints = (
            models.CheckConstraint(
                condition=Q(name__regex="^(deny|(rules|cards|parameters)/[1-9][0-9]{0,17})$"), name="rollouts_data_name"
            ),
            models.CheckConstraint(condition=Q(version__gt=F("previous"), previous__gte=0), name="rollouts_data_order"),
            models.CheckConstraint(condition=Q(named__gte=0, named__lte=F("version")), name="rollouts_data_named"),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class DataTarget(models.Model):
    """One version of automatic data as a target of the repository, and the role that signs it."""

    path = models.CharField(_("路径"), max_length=80, primary_key=True)
    data = models.ForeignKey(PublishedData, models.CASCADE, related_name="targets", verbose_name=_("数据"))
    version = models.BigIntegerField(_("版本"))
    role = models.CharField(_("签名角色"), max_length=40, db_index=True)
    blob = models.ForeignKey(Blob, models.PROTECT, related_name="+", verbose_name=_("内容"))

    class Meta:
        verbose_name = _("自动下发数据版本")
        verbose_name_plural = _("自动下发数据版本")
        constraints = (models.UniqueConstraint(fields=("data", "version"), name="rollouts_data_target"),)

    def __str__(self) -> str:
        return self.path
