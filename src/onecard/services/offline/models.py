"""What front-ends may decide off line (G3, I1), what was published of it, and what waits to be.

Change rows through `api.py`. Limits are in fen; null is no limit, 0 allows nothing.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

MAX_FEN = 10**9
_LIMIT = Q(per_transaction_fen__isnull=True) | Q(per_transaction_fen__range=(0, MAX_FEN))


class OfflinePolicy(models.Model):
    """The platform's own figures; one row."""

    one = models.BooleanField(primary_key=True, default=True)
    fallback_ms = models.IntegerField(_("联机等待（毫秒）"))
    guard_permille = models.SmallIntegerField(_("名单拒用比例（千分比）"))
    hold_over_cards = models.IntegerField(_("名单变更超过张数须人工发布"))
    hold_over_permille = models.SmallIntegerField(_("名单变更超过千分比须人工发布"))
    canary_permille = models.SmallIntegerField(_("名单先行前置机比例（千分比）"), default=10)
    canary_soak_s = models.IntegerField(_("名单先行时间（秒）"), default=4)

    class Meta:
        verbose_name = _("脱机参数")
        verbose_name_plural = _("脱机参数")
        constraints = (
            models.CheckConstraint(condition=Q(one=True), name="offline_policy_one"),
            models.CheckConstraint(condition=Q(fallback_ms__range=(100, 60_000)), name="offline_policy_fallback"),
            models.CheckConstraint(condition=Q(guard_permille__range=(1, 1000)), name="offline_policy_guard"),
            models.CheckConstraint(
                condition=Q(hold_over_cards__gte=0, hold_over_permille__range=(0, 1000)), name="offline_policy_hold"
            ),
            # A canary of nobody is none, and three soak times (canary.SILENT_SOAKS) have to leave a list its minute.
            models.CheckConstraint(
                condition=Q(canary_permille__range=(1, 1000), canary_soak_s__range=(1, 10)), name="offline_policy_canary"
            ),
        )

    def __str__(self) -> str:
        return f"{self.fallback_ms} ms, {self.guard_permille} ‰"


class CardLimit(models.Model):
    """What cards may do off line: of a unit or all, of a type or any, or cards not of the unit. The nearest row counts."""

    unit = models.ForeignKey(
        "operators.Unit", models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("接入单位")
    )
    card_type = models.ForeignKey(
        "operators.CardType", models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("卡种")
    )
    others = models.BooleanField(_("外单位卡"), default=False)
    offline = models.BooleanField(_("允许脱机"), default=False)
    per_transaction_fen = models.BigIntegerField(_("单笔限额（分）"), null=True, blank=True)
    per_meal_fen = models.BigIntegerField(_("餐次限额（分）"), null=True, blank=True)
    per_day_fen = models.BigIntegerField(_("日限额（分）"), null=True, blank=True)
    per_day_count = models.IntegerField(_("每日次数"), null=True, blank=True)
    meals_only = models.BooleanField(_("仅限餐次时间"), default=False)
    changed_by = models.CharField(_("经办人"), max_length=150)
    changed_at = models.DateTimeField(_("时间"))

    class Meta:
        verbose_name = _("卡种脱机限额")
        verbose_name_plural = _("卡种脱机限额")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("unit", "card_type", "others"), name="offline_card_limit", nulls_distinct=False),
            models.CheckConstraint(condition=Q(others=False) | Q(card_type__isnull=True), name="offline_card_limit_scope"),
            models.CheckConstraint(condition=_LIMIT, name="offline_card_limit_transaction"),
            models.CheckConstraint(
                condition=Q(per_meal_fen__isnull=True) | Q(per_meal_fen__range=(0, MAX_FEN)), name="offline_card_limit_meal"
            ),
            models.CheckConstraint(
                condition=Q(per_day_fen__isnull=True) | Q(per_day_fen__range=(0, MAX_FEN)), name="offline_card_limit_day"
            ),
            models.CheckConstraint(
                condition=Q(per_day_count__isnull=True) | Q(per_day_count__range=(0, 10_000)), name="offline_card_limit_count"
            ),
        )

    def __str__(self) -> str:
        return f"{self.unit_id or '*'} {'others' if self.others else self.card_type_id or '*'}"


class TerminalLimit(models.Model):
    """What a terminal may take off line: its own row, else its unit's, else that of all."""

    unit = models.ForeignKey(
        "operators.Unit", models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("接入单位")
    )
    terminal = models.ForeignKey(
        "devices.Terminal", models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("终端")
    )
    per_transaction_fen = models.BigIntegerField(_("单笔限额（分）"), null=True, blank=True)
    total_fen = models.BigIntegerField(_("未上传总额（分）"), null=True, blank=True)
    start_minute = models.SmallIntegerField(_("营业开始（分钟）"), default=0)
    end_minute = models.SmallIntegerField(_("营业结束（分钟）"), default=1440)
    changed_by = models.CharField(_("经办人"), max_length=150)
    changed_at = models.DateTimeField(_("时间"))

    class Meta:
        verbose_name = _("终端脱机限额")
        verbose_name_plural = _("终端脱机限额")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("unit", "terminal"), name="offline_terminal_limit", nulls_distinct=False),
            models.CheckConstraint(
                condition=Q(terminal__isnull=True) | Q(unit__isnull=True), name="offline_terminal_limit_scope"
            ),
            models.CheckConstraint(condition=_LIMIT, name="offline_terminal_limit_transaction"),
            models.CheckConstraint(
                condition=Q(total_fen__isnull=True) | Q(total_fen__range=(0, MAX_FEN)), name="offline_terminal_limit_total"
            ),
            models.CheckConstraint(
                condition=Q(start_minute__range=(0, 1439), end_minute__range=(0, 1440)) & ~Q(start_minute=F("end_minute")),
                name="offline_terminal_limit_hours",
            ),
        )

    def __str__(self) -> str:
        return f"{self.terminal_id or self.unit_id or '*'}"


class DoorAccess(models.Model):
    """Who passes a door off line, and when: a department with those below it, or everybody of the unit (I1)."""

    terminal = models.ForeignKey("devices.Terminal", models.CASCADE, related_name="+", verbose_name=_("终端"))
    department = models.ForeignKey(
        "people.Department", models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("部门")
    )
    start_minute = models.SmallIntegerField(_("开始（分钟）"), default=0)
    end_minute = models.SmallIntegerField(_("结束（分钟）"), default=1440)
    days = models.SmallIntegerField(_("星期"), default=127)
    """Bit 0 is Monday."""
    changed_by = models.CharField(_("经办人"), max_length=150)
    changed_at = models.DateTimeField(_("时间"))

    class Meta:
        verbose_name = _("门禁脱机规则")
        verbose_name_plural = _("门禁脱机规则")
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(start_minute__range=(0, 1439), end_minute__range=(0, 1440), days__range=(1, 127)),
                name="offline_door_times",
            ),
        )

    def __str__(self) -> str:
        return f"{self.terminal_id} {self.department_id or '*'}"


class DenyState(models.TextChoices):
    """How far a version of the deny list came."""

    CANARY = "canary", _("先行")
    OUT = "out", _("已全面下达")
    STOPPED = "stopped", _("已停止")


class DenyPublication(models.Model):
    """A version of the deny list that went out. The content of the newest and of the last named to all is kept."""

    version = models.BigIntegerField(_("版本"), primary_key=True)
    cards = models.IntegerField(_("张数"))
    added = models.IntegerField(_("新增"))
    removed = models.IntegerField(_("移除"))
    size_bytes = models.IntegerField(_("字节数"))
    content = models.BinaryField(null=True, editable=False)
    published_at = models.DateTimeField(_("发布时间"))
    released_by = models.CharField(_("发布人"), max_length=150, blank=True, default="")
    state = models.CharField(_("状态"), max_length=7, choices=DenyState.choices, default=DenyState.OUT)
    canary_lines = models.IntegerField(_("先行前置机"), default=0)
    decided_at = models.DateTimeField(_("决定时间"), null=True)
    """When it was stopped, or named to all after its canary."""
    reason = models.CharField(_("停止原因"), max_length=560, blank=True, default="")
    alarmed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("黑名单版本")
        verbose_name_plural = _("黑名单版本")
        ordering = ("-version",)
        constraints = (
            models.CheckConstraint(condition=Q(state__in=DenyState.values), name="offline_deny_state"),
            models.CheckConstraint(condition=~Q(state="stopped") | ~Q(reason=""), name="offline_deny_stopped_why"),
            models.UniqueConstraint(fields=("state",), condition=Q(state="canary"), name="offline_deny_one_canary"),
        )

    def __str__(self) -> str:
        return str(self.version)


class DenyHold(models.Model):
    """A change of the deny list too large to go out by itself; one row while there is one."""

    one = models.BooleanField(primary_key=True, default=True)
    since = models.DateTimeField(_("起始时间"))
    cards = models.IntegerField(_("张数"))
    added = models.IntegerField(_("新增"))
    removed = models.IntegerField(_("移除"))

    class Meta:
        verbose_name = _("待发布的黑名单")
        verbose_name_plural = _("待发布的黑名单")
        constraints = (models.CheckConstraint(condition=Q(one=True), name="offline_deny_hold_one"),)

    def __str__(self) -> str:
        return f"+{self.added} -{self.removed}"


class UnitFile(models.Model):
    """The rules or cards file of a unit that went out last."""

    unit = models.ForeignKey("operators.Unit", models.CASCADE, related_name="+", verbose_name=_("接入单位"))
    kind = models.CharField(_("类别"), max_length=5, choices=[("rules", _("规则")), ("cards", _("卡片"))])
    version = models.BigIntegerField(_("版本"))
    content_sha256 = models.BinaryField(editable=False)
    """Of the content as version 0: what is the same is not published again."""
    size_bytes = models.IntegerField(_("字节数"))
    published_at = models.DateTimeField(_("发布时间"))

    class Meta:
        verbose_name = _("单位脱机文件")
        verbose_name_plural = _("单位脱机文件")
        ordering = ("unit_id", "kind")
        constraints = (
            models.UniqueConstraint(fields=("unit", "kind"), name="offline_unit_file"),
            models.CheckConstraint(condition=Q(kind__in=("rules", "cards")), name="offline_unit_file_kind"),
        )

    def __str__(self) -> str:
        return f"{self.unit_id} {self.kind} {self.version}"


class Change(models.Model):
    """A signal that files have to be made anew; rows are only added, and merged into `DueFile` by the tick."""

    id = models.BigAutoField(primary_key=True)
    unit_id = models.IntegerField(null=True)
    """None: of every unit."""
    kind = models.CharField(max_length=5)

    class Meta:
        verbose_name = _("待生成的变更")
        verbose_name_plural = _("待生成的变更")
        constraints = (models.CheckConstraint(condition=Q(kind__in=("rules", "cards")), name="offline_change_kind"),)

    def __str__(self) -> str:
        return f"{self.unit_id} {self.kind}"


class DueFile(models.Model):
    """A file of a unit that is to be made anew."""

    unit_id = models.IntegerField()
    kind = models.CharField(max_length=5)
    since = models.DateTimeField()

    class Meta:
        verbose_name = _("待生成的文件")
        verbose_name_plural = _("待生成的文件")
        ordering = ("since", "unit_id")
        constraints = (models.UniqueConstraint(fields=("unit_id", "kind"), name="offline_due_file"),)

    def __str__(self) -> str:
        return f"{self.unit_id} {self.kind}"
