"""Stock (C1): serial ranges in places, the documents that move them, and the claim of one blank for personalisation.

A known serial stands in exactly one place by construction: one exclusion constraint over all ranges of all places and types
(`sql/stock.sql`, ADR 0064). Ranges and levels are changed by the SQL functions only; movements are append-only.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from onecard.services.cards.choices import DocumentKind, PlaceKind

MAX_SERIAL = 10**16 - 1


class StockPlace(models.Model):
    """A place. One each of centre, work, issued and scrapped by the migration; suppliers by name; one an operator or unit."""

    id = models.AutoField(primary_key=True)
    kind = models.CharField(_("类别"), max_length=10, choices=PlaceKind.choices)
    name = models.CharField(_("名称"), max_length=60, blank=True, default="")
    operator = models.ForeignKey(
        "operators.Operator", models.PROTECT, null=True, blank=True, related_name="+", db_index=False, verbose_name=_("运营单位")
    )
    unit = models.ForeignKey(
        "operators.Unit", models.PROTECT, null=True, blank=True, related_name="+", db_index=False, verbose_name=_("接入单位")
    )

    class Meta:
        verbose_name = _("库位")
        verbose_name_plural = _("库位")
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(kind__in=PlaceKind.values), name="stock_place_kind"),
            models.UniqueConstraint(
                fields=("kind",),
                condition=Q(kind__in=(PlaceKind.CENTRE, PlaceKind.WORK, PlaceKind.ISSUED, PlaceKind.SCRAPPED)),
                name="stock_place_one",
            ),
            models.UniqueConstraint(fields=("name",), condition=Q(kind=PlaceKind.SUPPLIER), name="stock_place_supplier"),
            models.UniqueConstraint(fields=("operator",), condition=Q(kind=PlaceKind.OPERATOR), name="stock_place_operator"),
            models.UniqueConstraint(fields=("unit",), condition=Q(kind=PlaceKind.UNIT), name="stock_place_unit"),
            models.CheckConstraint(
                condition=Q(kind=PlaceKind.OPERATOR, operator__isnull=False, unit__isnull=True)
                | Q(kind=PlaceKind.UNIT, operator__isnull=True, unit__isnull=False)
                | (~Q(kind__in=(PlaceKind.OPERATOR, PlaceKind.UNIT)) & Q(operator__isnull=True, unit__isnull=True)),
                name="stock_place_owner",
            ),
        )

    def __str__(self) -> str:
        return self.name or str(PlaceKind(self.kind).label)


class StockRange(models.Model):
    """Serials `first`…`last` (both included) of one card type in one place. Cost of a move is O(ranges), not O(cards)."""

    id = models.BigAutoField(primary_key=True)
    place = models.ForeignKey(StockPlace, models.PROTECT, related_name="+", verbose_name=_("库位"))
    card_type = models.ForeignKey("operators.CardType", models.PROTECT, related_name="+", db_index=False, verbose_name=_("卡种"))
    first = models.BigIntegerField(_("起始序号"))
    last = models.BigIntegerField(_("终止序号"))

    class Meta:
        verbose_name = _("库存号段")
        verbose_name_plural = _("库存号段")
        ordering = ("place_id", "card_type_id", "first")
        constraints = (
            models.CheckConstraint(
                condition=Q(first__gte=1, last__gte=F("first"), last__lte=MAX_SERIAL), name="stock_range_order"
            ),
        )

    def __str__(self) -> str:
        return f"{self.place_id}: {self.first}-{self.last}"


class StockLevel(models.Model):
    """How many cards of a type lie in a place; also the row that movements of this type and place lock. Never below zero."""

    id = models.BigAutoField(primary_key=True)
    place = models.ForeignKey(StockPlace, models.PROTECT, related_name="levels", db_index=False, verbose_name=_("库位"))
    card_type = models.ForeignKey("operators.CardType", models.PROTECT, related_name="+", db_index=False, verbose_name=_("卡种"))
    quantity = models.BigIntegerField(_("数量"), default=0)

    class Meta:
        verbose_name = _("库存数量")
        verbose_name_plural = _("库存数量")
        ordering = ("place_id", "card_type_id")
        constraints = (
            models.UniqueConstraint(fields=("card_type", "place"), name="stock_level_place"),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="stock_level_enough"),
        )

    def __str__(self) -> str:
        return f"{self.place_id} {self.card_type_id}: {self.quantity}"


class StockDocument(models.Model):
    """One paper: who moved what from where to where, and why. `key` is the caller's idempotency key."""

    id = models.BigAutoField(_("单号"), primary_key=True)
    kind = models.CharField(_("类别"), max_length=10, choices=DocumentKind.choices)
    source = models.ForeignKey(StockPlace, models.PROTECT, related_name="+", db_index=False, verbose_name=_("来源"))
    target = models.ForeignKey(StockPlace, models.PROTECT, related_name="+", db_index=False, verbose_name=_("去向"))
    order = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="receipts", verbose_name=_("订货单"))
    actor = models.CharField(_("经手人"), max_length=150)
    reason = models.CharField(_("事由"), max_length=200, blank=True, default="")
    key = models.CharField(max_length=100, null=True, unique=True, editable=False)
    made_at = models.DateTimeField(_("时间"))

    class Meta:
        verbose_name = _("库存单据")
        verbose_name_plural = _("库存单据")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(kind__in=DocumentKind.values), name="stock_document_kind"),
            models.CheckConstraint(condition=Q(order__isnull=True) | Q(kind=DocumentKind.RECEIPT), name="stock_document_order"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class OrderLine(models.Model):
    """What was ordered of a card type, and how many of it have come; the CHECK holds a receipt above the order off."""

    id = models.BigAutoField(primary_key=True)
    document = models.ForeignKey(
        StockDocument, models.PROTECT, related_name="order_lines", db_index=False, verbose_name=_("订货单")
    )
    card_type = models.ForeignKey("operators.CardType", models.PROTECT, related_name="+", db_index=False, verbose_name=_("卡种"))
    quantity = models.BigIntegerField(_("订货数量"))
    received = models.BigIntegerField(_("已到数量"), default=0, editable=False)

    class Meta:
        verbose_name = _("订货明细")
        verbose_name_plural = _("订货明细")
        ordering = ("document_id", "card_type_id")
        constraints = (
            models.UniqueConstraint(fields=("document", "card_type"), name="order_line_type"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="order_line_quantity"),
            models.CheckConstraint(condition=Q(received__gte=0, received__lte=F("quantity")), name="order_line_received"),
        )

    def __str__(self) -> str:
        return f"{self.document_id}: {self.received}/{self.quantity}"


class StockMovement(models.Model):
    """One range moved by a document. Append-only: a place's ranges are the sum of its movements (`checks.py`)."""

    id = models.BigAutoField(primary_key=True)
    document = models.ForeignKey(StockDocument, models.PROTECT, related_name="movements", verbose_name=_("单据"))
    card_type = models.ForeignKey("operators.CardType", models.PROTECT, related_name="+", db_index=False, verbose_name=_("卡种"))
    source = models.ForeignKey(StockPlace, models.PROTECT, related_name="+", db_index=False, verbose_name=_("来源"))
    target = models.ForeignKey(StockPlace, models.PROTECT, related_name="+", db_index=False, verbose_name=_("去向"))
    first = models.BigIntegerField(_("起始序号"))
    last = models.BigIntegerField(_("终止序号"))

    class Meta:
        verbose_name = _("库存流水")
        verbose_name_plural = _("库存流水")
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=~Q(source=F("target")), name="stock_movement_moves"),
            models.CheckConstraint(condition=Q(last__gte=F("first")), name="stock_movement_order"),
        )

    def __str__(self) -> str:
        return f"{self.document_id}: {self.first}-{self.last}"


class Claim(models.Model):
    """A blank taken from its place for one personalisation: it lies in the place `work` until it is issued or given back."""

    serial = models.BigIntegerField(_("序号"), primary_key=True)
    card_type = models.ForeignKey("operators.CardType", models.PROTECT, related_name="+", db_index=False, verbose_name=_("卡种"))
    operator = models.ForeignKey(
        "operators.Operator", models.PROTECT, related_name="+", db_index=False, verbose_name=_("运营单位")
    )
    place = models.ForeignKey(StockPlace, models.PROTECT, related_name="+", db_index=False, verbose_name=_("取自"))
    job = models.CharField(_("作业"), max_length=100, blank=True, default="")
    actor = models.CharField(_("经手人"), max_length=150)
    claimed_at = models.DateTimeField(_("时间"))

    class Meta:
        verbose_name = _("制卡领用")
        verbose_name_plural = _("制卡领用")
        ordering = ("serial",)

    def __str__(self) -> str:
        return str(self.serial)
