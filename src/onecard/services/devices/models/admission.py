"""Admission (G2, O4): one-time codes, refused attempts, the leases of front-ends and the key that signs them, settings."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from onecard.services.devices.models.lines import Line
from onecard.services.devices.models.terminals import Terminal


class EnrolmentCode(models.Model):
    """A one-time code for a line or for a terminal behind a front-end. The code itself is nowhere, only its hash."""

    code_sha256 = models.BinaryField(_("代码摘要"), unique=True)
    line = models.ForeignKey(Line, models.CASCADE, null=True, related_name="codes", verbose_name=_("线路"))
    terminal = models.ForeignKey(Terminal, models.CASCADE, null=True, related_name="codes", verbose_name=_("终端"))
    made_by = models.CharField(_("签发人"), max_length=150)
    made_at = models.DateTimeField(_("签发时间"))
    expires_at = models.DateTimeField(_("有效期止"))
    withdrawn_at = models.DateTimeField(_("作废时间"), null=True)
    used_at = models.DateTimeField(_("使用时间"), null=True)
    used_from = models.CharField(_("使用地址"), max_length=64, blank=True, default="")
    key_sha256 = models.BinaryField(_("设备公钥摘要"), null=True)
    certificate = models.TextField(_("签发的证书"), blank=True, default="")

    class Meta:
        verbose_name = _("登记码")
        verbose_name_plural = _("登记码")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(line__isnull=True) ^ Q(terminal__isnull=True), name="enrolment_code_for_one"),
            models.CheckConstraint(
                condition=Q(used_at__isnull=True, key_sha256__isnull=True, certificate="")
                | Q(used_at__isnull=False, key_sha256__isnull=False, withdrawn_at__isnull=True) & ~Q(certificate=""),
                name="enrolment_code_used",
            ),
            # A newer code ends the older one: at most one opens a line or terminal at any time.
            models.UniqueConstraint(
                fields=("line",), condition=Q(used_at__isnull=True, withdrawn_at__isnull=True), name="enrolment_code_line_open"
            ),
            models.UniqueConstraint(
                fields=("terminal",),
                condition=Q(used_at__isnull=True, withdrawn_at__isnull=True),
                name="enrolment_code_terminal_open",
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk}"


class RefusedAttempt(models.Model):
    """Attempts of one day that are alike: who did not get in, from where, with which certificate."""

    day = models.DateField(_("日期"))
    address = models.CharField(_("地址"), max_length=64)
    reason = models.CharField(_("原因"), max_length=40)
    certificate_sha256 = models.BinaryField(_("证书指纹"))  # empty: none was shown
    certificate_der = models.BinaryField(_("证书"))
    subject = models.CharField(_("证书主体"), max_length=200, blank=True, default="")
    # Only where the platform's own authority signed the certificate: anybody can write a name into his own.
    line = models.ForeignKey(Line, models.SET_NULL, null=True, related_name="refusals", verbose_name=_("线路"))
    first_at = models.DateTimeField(_("首次"))
    last_at = models.DateTimeField(_("最近"), db_index=True)
    times = models.BigIntegerField(_("次数"))

    class Meta:
        verbose_name = _("被拒接入")
        verbose_name_plural = _("被拒接入")
        ordering = ("-last_at", "-id")
        constraints = (
            models.UniqueConstraint(fields=("day", "address", "reason", "certificate_sha256"), name="refused_attempt_alike"),
            models.CheckConstraint(condition=Q(times__gte=1), name="refused_attempt_times"),
        )

    def __str__(self) -> str:
        return f"{self.address} {self.reason}"


class LineLease(models.Model):
    """The newest lease of a front-end's line, as it was signed."""

    line = models.OneToOneField(Line, models.CASCADE, primary_key=True, related_name="lease", verbose_name=_("线路"))
    serial = models.BigIntegerField(_("序号"))
    issued_at = models.DateTimeField(_("签发时间"))
    renew_at = models.DateTimeField(_("应续签时间"))
    until = models.DateTimeField(_("依据的有效期止"))
    terms = models.IntegerField(_("依据的设置版本"))
    lease = models.BinaryField(_("租约"))
    signature = models.BinaryField(_("签名"))
    certificate_der = models.BinaryField(_("签名证书"))
    told = models.BooleanField(_("已通知续签"), default=False)

    class Meta:
        verbose_name = _("租约")
        verbose_name_plural = _("租约")
        constraints = (models.CheckConstraint(condition=Q(serial__gte=1), name="line_lease_serial"),)

    def __str__(self) -> str:
        return f"{self.line_id}/{self.serial}"


class LeaseKey(models.Model):
    """A key that leases are signed with, by its public half, and its certificate from the platform's authority."""

    public_sha256 = models.CharField(_("公钥摘要"), max_length=64, primary_key=True)
    issuer_sha256 = models.BinaryField(_("签发机构指纹"))
    certificate_der = models.BinaryField(_("证书"))
    not_after = models.DateTimeField(_("有效期止"))

    class Meta:
        verbose_name = _("租约签名密钥")
        verbose_name_plural = _("租约签名密钥")

    def __str__(self) -> str:
        return self.public_sha256[:12]


class AdmissionSettings(models.Model):
    """One row: where devices enrol, and how long a front-end may go on without the platform (hours since its lease)."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    gateway = models.CharField(_("登记地址"), max_length=260, blank=True, default="")
    renew_hours = models.PositiveIntegerField(_("租约续签间隔（小时）"), default=6)
    warn_hours = models.PositiveIntegerField(_("预警（小时）"), default=24)
    no_new_cards_hours = models.PositiveIntegerField(_("不接受新卡（小时）"), default=72)
    no_sales_hours = models.PositiveIntegerField(_("停止消费（小时）"), default=168)
    stop_hours = models.PositiveIntegerField(_("停止服务（小时）"), default=336)
    version = models.IntegerField(_("版本"), default=1)

    class Meta:
        verbose_name = _("接入设置")
        verbose_name_plural = _("接入设置")
        constraints = (
            models.CheckConstraint(condition=Q(id=1), name="admission_settings_one"),
            models.CheckConstraint(
                condition=Q(renew_hours__gte=1)
                & Q(warn_hours__gt=F("renew_hours"))
                & Q(no_new_cards_hours__gte=F("warn_hours"))
                & Q(no_sales_hours__gte=F("no_new_cards_hours"))
                & Q(stop_hours__gte=F("no_sales_hours"))
                & Q(stop_hours__lte=8784),
                name="admission_settings_order",
            ),
        )

    def __str__(self) -> str:
        return f"v{self.version}"
