"""The operator tree: operators, units, merchants, card types, meal periods, and the constraints PostgreSQL keeps on them.

Rules held here: O1 (64 second-level operators, 255 attached units), O2 (holder cap, card types), O3 (states), P1. The counters
are kept by the triggers in `sql/limits.sql`; what needs more than one row is in `sql/rules.sql`. Change rows through `api.py`.
"""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from onecard.services.operators.choices import (
    Application,
    IssuingMode,
    MerchantState,
    OperatorStatus,
    PurseOrder,
    SettlementMode,
    UnitState,
)

MAX_CHILDREN = 64
MAX_UNITS = 255
MAX_UNIT_ID = 99_999
MAX_FEE_PER_MILLE = 1000


class Operator(models.Model):
    """The root operator (no parent) or a second-level one. The counters are the triggers'; writing them does nothing."""

    id = models.AutoField(primary_key=True)
    code = models.CharField(_("编码"), max_length=16, unique=True)
    name = models.CharField(_("名称"), max_length=100)
    name_en = models.CharField(_("英文名称"), max_length=100, blank=True, default="")
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("上级运营单位")
    )
    settlement_mode = models.CharField(
        _("结算方式"), max_length=12, choices=SettlementMode.choices, default=SettlementMode.UNIFIED
    )
    status = models.CharField(_("状态"), max_length=10, choices=OperatorStatus.choices, default=OperatorStatus.ACTIVE)
    holder_cap = models.IntegerField(_("持卡人上限"))
    holder_count = models.IntegerField(_("持卡人数"), default=0, editable=False)
    unit_count = models.IntegerField(_("直属单位数"), default=0, editable=False)
    child_count = models.IntegerField(_("下级运营单位数"), default=0, editable=False)
    created_at = models.DateTimeField(_("建立时间"), auto_now_add=True)

    class Meta:
        verbose_name = _("运营单位")
        verbose_name_plural = _("运营单位")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(Coalesce("parent", 0), condition=Q(parent__isnull=True), name="operator_one_root"),
            models.CheckConstraint(condition=Q(child_count__range=(0, MAX_CHILDREN)), name="operator_child_limit"),
            models.CheckConstraint(condition=Q(parent__isnull=True) | Q(child_count=0), name="operator_two_levels"),
            models.CheckConstraint(condition=Q(unit_count__range=(0, MAX_UNITS)), name="operator_unit_limit"),
            models.CheckConstraint(
                condition=Q(holder_count__gte=0, holder_count__lte=F("holder_cap")), name="operator_holder_cap"
            ),
            models.CheckConstraint(
                condition=~Q(status=OperatorStatus.CLOSED) | Q(unit_count=0, child_count=0, holder_count=0),
                name="operator_closed_empty",
            ),
            models.CheckConstraint(condition=Q(settlement_mode__in=SettlementMode.values), name="operator_settlement_mode"),
            models.CheckConstraint(condition=Q(status__in=OperatorStatus.values), name="operator_status"),
        )

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class Unit(models.Model):
    """An access unit (接入单位) of one operator. A closed unit is detached and no longer counts towards O1's 255."""

    id = models.AutoField(primary_key=True)
    operator = models.ForeignKey(Operator, models.PROTECT, related_name="units", verbose_name=_("运营单位"))
    code = models.CharField(_("编码"), max_length=16)
    name = models.CharField(_("名称"), max_length=100)
    state = models.CharField(_("状态"), max_length=14, choices=UnitState.choices, default=UnitState.APPLIED)
    resume_state = models.CharField(
        _("恢复后的状态"), max_length=14, choices=UnitState.choices, null=True, blank=True, editable=False
    )
    valid_from = models.DateTimeField(_("有效期起"), null=True, blank=True)
    valid_until = models.DateTimeField(_("有效期止"), null=True, blank=True)
    purse_order = models.SmallIntegerField(_("钱包选择"), choices=PurseOrder.choices, default=PurseOrder.PRIVATE)
    created_at = models.DateTimeField(_("申请时间"), auto_now_add=True)

    class Meta:
        verbose_name = _("接入单位")
        verbose_name_plural = _("接入单位")
        ordering = ("operator_id", "code")
        constraints = (
            models.UniqueConstraint(fields=("operator", "code"), name="unit_code"),
            models.UniqueConstraint(fields=("id", "operator"), name="unit_id_operator"),
            models.CheckConstraint(condition=Q(id__range=(1, MAX_UNIT_ID)), name="unit_id_range"),
            models.CheckConstraint(condition=Q(state__in=UnitState.values), name="unit_state"),
            models.CheckConstraint(
                condition=Q(state__in=(UnitState.APPLIED, UnitState.CLOSED))
                | Q(valid_from__isnull=False, valid_until__gt=F("valid_from")),
                name="unit_validity",
            ),
            models.CheckConstraint(
                condition=Q(state__in=(UnitState.SUSPENDED, UnitState.EXPIRED), resume_state__isnull=False)
                | (~Q(state__in=(UnitState.SUSPENDED, UnitState.EXPIRED)) & Q(resume_state__isnull=True)),
                name="unit_resume_state",
            ),
            models.CheckConstraint(condition=Q(purse_order__in=PurseOrder.values), name="unit_purse_order"),
        )

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class UnitApplication(models.Model):
    """One application a unit may use, from its opening on (O3)."""

    unit = models.ForeignKey(Unit, models.CASCADE, related_name="applications", verbose_name=_("接入单位"))
    application = models.CharField(_("应用"), max_length=16, choices=Application.choices)

    class Meta:
        verbose_name = _("单位应用")
        verbose_name_plural = _("单位应用")
        constraints = (models.UniqueConstraint(fields=("unit", "application"), name="unit_application"),)

    def __str__(self) -> str:
        return f"{self.unit_id} {self.application}"


class UnitCredential(models.Model):
    """The user name and the hashed one-time password made when a unit is opened (O3); the clear one is kept nowhere."""

    unit = models.OneToOneField(Unit, models.CASCADE, primary_key=True, related_name="credential", verbose_name=_("接入单位"))
    user_name = models.CharField(_("用户名"), max_length=40, unique=True)
    password_hash = models.CharField(_("密码散列"), max_length=200)
    must_change = models.BooleanField(_("须改密码"), default=True)
    issued_at = models.DateTimeField(_("生成时间"))

    class Meta:
        db_table = "unit_credential"
        verbose_name = _("单位用户")
        verbose_name_plural = _("单位用户")

    def __str__(self) -> str:
        return self.user_name


class Merchant(models.Model):
    """Takes payments: inside one unit, or public (公共商户, P1) of a unit or straight of an operator."""

    id = models.AutoField(primary_key=True)
    operator = models.ForeignKey(Operator, models.PROTECT, related_name="merchants", verbose_name=_("运营单位"))
    # The constraint is the composite (unit_id, operator_id) of sql/rules.sql: the operator is the unit's, and follows it.
    unit = models.ForeignKey(
        Unit, models.PROTECT, null=True, blank=True, related_name="merchants", db_constraint=False, verbose_name=_("接入单位")
    )
    name = models.CharField(_("名称"), max_length=100)
    public = models.BooleanField(_("公共商户"), default=False)
    state = models.CharField(_("状态"), max_length=10, choices=MerchantState.choices, default=MerchantState.ACTIVE)
    fee_per_mille = models.SmallIntegerField(_("手续费（千分比）"), default=0)
    fee_per_item_fen = models.IntegerField(_("每笔手续费（分）"), default=0)
    purse_order = models.SmallIntegerField(_("钱包选择"), choices=PurseOrder.choices, null=True, blank=True)
    created_at = models.DateTimeField(_("建立时间"), auto_now_add=True)

    class Meta:
        verbose_name = _("商户")
        verbose_name_plural = _("商户")
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(id__range=(1, 99_999_999)), name="merchant_id_range"),
            models.CheckConstraint(condition=Q(public=True) | Q(unit__isnull=False), name="merchant_needs_unit"),
            models.CheckConstraint(condition=Q(state__in=MerchantState.values), name="merchant_state"),
            models.CheckConstraint(
                condition=Q(fee_per_mille__range=(0, MAX_FEE_PER_MILLE), fee_per_item_fen__gte=0), name="merchant_fee_range"
            ),
            models.CheckConstraint(
                condition=Q(purse_order__isnull=True)
                | Q(public=True, purse_order=PurseOrder.PUBLIC)
                | Q(public=False, purse_order__in=PurseOrder.values),
                name="merchant_purse_order",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def mid(self) -> str:
        """DE42 of its terminals: 15 digits, from the id, so that it never changes."""
        return f"{self.pk:015d}"


class MealPeriod(models.Model):
    """A meal period (餐次) of a unit, in local time, end excluded; one that ends before it starts runs over midnight (P4)."""

    unit = models.ForeignKey(Unit, models.CASCADE, related_name="meal_periods", verbose_name=_("接入单位"))
    no = models.SmallIntegerField(_("序号"))
    name = models.CharField(_("名称"), max_length=20, blank=True, default="")
    start = models.TimeField(_("开始"))
    end = models.TimeField(_("结束"))

    class Meta:
        verbose_name = _("餐次")
        verbose_name_plural = _("餐次")
        ordering = ("unit_id", "no")
        constraints = (
            models.UniqueConstraint(fields=("unit", "no"), name="meal_period_no"),
            models.CheckConstraint(condition=Q(no__range=(1, 99)), name="meal_period_no_range"),
            models.CheckConstraint(condition=~Q(start=F("end")), name="meal_period_not_empty"),
        )

    def __str__(self) -> str:
        return f"{self.no} {self.name} {self.start}-{self.end}"


class CardType(models.Model):
    """A card type (卡种) and its limits in fen; 0 is no limit (O2, P4). The ledger's own copy is kept by a trigger."""

    id = models.AutoField(primary_key=True)
    code = models.CharField(_("编码"), max_length=16, unique=True)
    name = models.CharField(_("名称"), max_length=50)
    name_en = models.CharField(_("英文名称"), max_length=50, blank=True, default="")
    limit_txn_fen = models.BigIntegerField(_("单笔限额（分）"), default=0)
    limit_meal_fen = models.BigIntegerField(_("餐次限额（分）"), default=0)
    limit_day_fen = models.BigIntegerField(_("日限额（分）"), default=0)
    limit_balance_fen = models.BigIntegerField(_("余额上限（分）"), default=0)

    class Meta:
        verbose_name = _("卡种")
        verbose_name_plural = _("卡种")
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(limit_txn_fen__gte=0, limit_meal_fen__gte=0, limit_day_fen__gte=0, limit_balance_fen__gte=0),
                name="card_type_limits",
            ),
        )

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class OperatorCardType(models.Model):
    """O2: a card type an operator may use, and who issues its cards."""

    operator = models.ForeignKey(Operator, models.CASCADE, related_name="card_types", verbose_name=_("运营单位"))
    card_type = models.ForeignKey(CardType, models.PROTECT, related_name="operators", verbose_name=_("卡种"))
    issuing_mode = models.CharField(_("发卡方式"), max_length=8, choices=IssuingMode.choices, default=IssuingMode.UNIFIED)

    class Meta:
        verbose_name = _("运营单位卡种")
        verbose_name_plural = _("运营单位卡种")
        constraints = (
            models.UniqueConstraint(fields=("operator", "card_type"), name="operator_card_type"),
            models.CheckConstraint(condition=Q(issuing_mode__in=IssuingMode.values), name="operator_card_type_mode"),
        )

    def __str__(self) -> str:
        return f"{self.operator_id} {self.card_type_id} {self.issuing_mode}"
