"""What a card type asks and costs (C5), dated, and how card numbers are built. Limits of spending stay in operators.CardType.

A row of rules holds from its day until the next row's day. One that has begun is never changed or deleted (`sql/rules.sql`): what
was promised when a card was reported lost or issued can be read years later.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from onecard.ledger.codes import Medium

MAX_FEE_FEN = 100_000_00
MAX_MONTHS = 1200
MAX_WAITING_DAYS = 3650


class CardTypeRules(models.Model):
    """The rules of one card type from a day on. Money in fen; months 0: no end; `max_per_holder` 0: any number."""

    id = models.BigAutoField(primary_key=True)
    card_type = models.ForeignKey("operators.CardType", models.PROTECT, related_name="+", db_index=False, verbose_name=_("卡种"))
    valid_from = models.DateField(_("生效日期"))
    anonymous_allowed = models.BooleanField(_("可不记名"), default=False)
    real_name_allowed = models.BooleanField(_("可记名"), default=True)
    members_only = models.BooleanField(_("限本单位人员"), default=False)
    media_mask = models.SmallIntegerField(_("介质"))
    public_purse = models.BooleanField(_("公共钱包"), default=True)
    private_purse = models.BooleanField(_("私有钱包"), default=False)
    chip_purse = models.BooleanField(_("芯片钱包"), default=False)
    deposit_fen = models.IntegerField(_("押金（分）"), default=0)
    deposit_back_when_lost = models.BooleanField(_("卡遗失也退押金"), default=False)
    issue_fee_fen = models.IntegerField(_("发卡费（分）"), default=0)
    replace_fee_fen = models.IntegerField(_("补卡费（分）"), default=0)
    exchange_fee_fen = models.IntegerField(_("换卡费（分）"), default=0)
    return_fee_fen = models.IntegerField(_("退卡费（分）"), default=0)
    validity_months = models.SmallIntegerField(_("有效月数"), default=0)
    waiting_days = models.SmallIntegerField(_("挂失等待天数"), default=0)
    loss_needs_registration = models.BooleanField(_("挂失须实名"), default=True)
    max_per_holder = models.SmallIntegerField(_("每人限持张数"), default=0)
    undo_minutes = models.IntegerField(_("可撤销分钟数"), default=30)
    created_by = models.CharField(_("制定人"), max_length=150)
    created_at = models.DateTimeField(_("制定时间"), auto_now_add=True)

    class Meta:
        verbose_name = _("卡种规则")
        verbose_name_plural = _("卡种规则")
        ordering = ("card_type_id", "-valid_from")
        constraints = (
            models.UniqueConstraint(fields=("card_type", "valid_from"), name="card_rules_day"),
            models.CheckConstraint(condition=Q(media_mask__range=(1, 30)), name="card_rules_media"),
            models.CheckConstraint(condition=Q(anonymous_allowed=True) | Q(real_name_allowed=True), name="card_rules_somebody"),
            models.CheckConstraint(
                condition=Q(members_only=False) | Q(anonymous_allowed=False), name="card_rules_members_have_names"
            ),
            models.CheckConstraint(
                condition=Q(
                    deposit_fen__range=(0, MAX_FEE_FEN),
                    issue_fee_fen__range=(0, MAX_FEE_FEN),
                    replace_fee_fen__range=(0, MAX_FEE_FEN),
                    exchange_fee_fen__range=(0, MAX_FEE_FEN),
                    return_fee_fen__range=(0, MAX_FEE_FEN),
                ),
                name="card_rules_fees",
            ),
            models.CheckConstraint(
                condition=Q(
                    validity_months__range=(0, MAX_MONTHS),
                    waiting_days__range=(0, MAX_WAITING_DAYS),
                    max_per_holder__gte=0,
                    undo_minutes__range=(0, 7 * 24 * 60),
                ),
                name="card_rules_times",
            ),
        )

    def __str__(self) -> str:
        return f"{self.card_type_id} {self.valid_from}"

    @property
    def media(self) -> frozenset[Medium]:
        """The media the type may be written on."""
        return frozenset(medium for medium in Medium if self.media_mask & 1 << medium.value)


def media_mask(media: "frozenset[Medium] | set[Medium] | tuple[Medium, ...]") -> int:
    """The stored form of a set of media: bit n for medium n."""
    return sum(1 << medium.value for medium in set(media))


class Numbering(models.Model):
    """How new numbers are built: over how many lanes accounts spread, and the issuer's digits where an operator has none."""

    one = models.BooleanField(primary_key=True, default=True)
    lanes = models.SmallIntegerField(_("通道数"), default=4)
    prefix = models.SmallIntegerField(_("发行机构前缀"), default=8800)

    class Meta:
        verbose_name = _("卡号规则")
        verbose_name_plural = _("卡号规则")
        constraints = (
            models.CheckConstraint(condition=Q(one=True), name="card_numbering_one"),
            models.CheckConstraint(condition=Q(lanes__range=(1, 64)), name="card_numbering_lanes"),
            models.CheckConstraint(condition=Q(prefix__range=(1000, 9999)), name="card_numbering_prefix"),
        )

    def __str__(self) -> str:
        return f"{self.lanes} {self.prefix}"


class IssuerPrefix(models.Model):
    """The first four digits of the cards of one operator."""

    operator = models.OneToOneField(
        "operators.Operator", models.CASCADE, primary_key=True, related_name="+", verbose_name=_("运营单位")
    )
    prefix = models.SmallIntegerField(_("发行机构前缀"))

    class Meta:
        verbose_name = _("发行机构前缀")
        verbose_name_plural = _("发行机构前缀")
        constraints = (models.CheckConstraint(condition=Q(prefix__range=(1000, 9999)), name="issuer_prefix_digits"),)

    def __str__(self) -> str:
        return f"{self.operator_id} {self.prefix}"
