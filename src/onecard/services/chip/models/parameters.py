"""What the checks of chip records measure by: one row for the platform, and a row for each card type that differs."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

_BYTES_4 = 0xFFFF_FFFF


class ChipParameter(models.Model):
    """The platform's figures, one row, made by the migration."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    max_counter_jump = models.IntegerField(_("卡片计数器最大跳跃"), default=300)
    max_age_days = models.IntegerField(_("记录最长天数"), default=90)
    max_future_s = models.IntegerField(_("允许超前秒数"), default=600)
    max_amount_fen = models.BigIntegerField(_("单笔上限（分）"), default=100_000)
    max_balance_fen = models.BigIntegerField(_("芯片余额上限（分）"), default=100_000)
    alarm_hole_hours = models.IntegerField(_("断号告警小时"), default=72)
    alarm_gray_hours = models.IntegerField(_("灰记录告警小时"), default=72)
    alarm_doubt_minutes = models.IntegerField(_("存疑圈存告警分钟"), default=30)
    alarm_quarantine_hours = models.IntegerField(_("待处理告警小时"), default=48)

    class Meta:
        verbose_name = _("芯片参数")
        verbose_name_plural = _("芯片参数")
        constraints = (
            models.CheckConstraint(condition=Q(id=1), name="chip_parameter_one"),
            models.CheckConstraint(
                condition=Q(
                    max_counter_jump__range=(1, 0xFFFF),
                    max_age_days__gte=1,
                    max_future_s__gte=0,
                    max_amount_fen__range=(1, _BYTES_4),
                    max_balance_fen__range=(1, _BYTES_4),
                    alarm_hole_hours__gte=1,
                    alarm_gray_hours__gte=1,
                    alarm_doubt_minutes__gte=1,
                    alarm_quarantine_hours__gte=1,
                ),
                name="chip_parameter_range",
            ),
        )

    def __str__(self) -> str:
        return "chip"


class ChipTypeLimit(models.Model):
    """The chip limits of one card type, where they differ from the platform's."""

    card_type = models.OneToOneField(
        "operators.CardType", models.PROTECT, primary_key=True, related_name="+", verbose_name=_("卡种")
    )
    max_amount_fen = models.BigIntegerField(_("单笔上限（分）"))
    max_balance_fen = models.BigIntegerField(_("芯片余额上限（分）"))

    class Meta:
        verbose_name = _("卡种芯片限额")
        verbose_name_plural = _("卡种芯片限额")
        constraints = (
            models.CheckConstraint(
                condition=Q(max_amount_fen__range=(1, _BYTES_4), max_balance_fen__range=(1, _BYTES_4)),
                name="chip_type_limit_range",
            ),
        )

    def __str__(self) -> str:
        return str(self.card_type_id)
