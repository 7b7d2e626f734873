"""The operator tree's tables: operators, merchants, card types (O1, O2, P1). Every change goes through services.operators."""

from typing import Any, ClassVar

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from onecard.consoles.centre import audit, formats
from onecard.consoles.centre.forms import ServiceForm, error_text
from onecard.consoles.centre.pages.base import needs, number
from onecard.consoles.centre.roles import Can
from onecard.consoles.centre.tables.base import CentreAdmin, column
from onecard.kernel.errors import OneCardError
from onecard.services.operators import api
from onecard.services.operators.choices import IssuingMode, OperatorStatus
from onecard.services.operators.models import CardType, Merchant, Operator, OperatorCardType

OPERATOR_COLOURS = {"active": "success", "suspended": "danger", "closed": "info"}


class OperatorForm(ServiceForm):
    """An operator."""

    fixed = ("code", "parent")

    class Meta:
        model = Operator
        fields = ("code", "name", "name_en", "parent", "settlement_mode", "holder_cap")

    def submit(self) -> Operator:
        """Make or change it."""
        values = self.cleaned_data
        common: dict[str, Any] = {name: values[name] for name in ("name_en", "settlement_mode", "holder_cap")}
        if self.instance.pk:
            return api.update_operator(self.instance.pk, name=values["name"], **common)
        parent = values["parent"]
        return api.create_operator(values["code"], values["name"], parent_id=parent.pk if parent else None, **common)


class OperatorAdmin(CentreAdmin):
    """Operators (O1, O2)."""

    scope = "pk"
    change_capability = Can.CHANGE_DIRECTORY
    form = OperatorForm
    fields = ("code", "name", "name_en", "parent", "settlement_mode", "holder_cap")
    autocomplete_fields = ("parent",)
    list_display = ("code", "name", "settlement_mode", "state", "units_used", "holders_used")
    list_display_links = ("code", "name")
    list_filter = ("settlement_mode", "status")
    search_fields = ("code", "name", "name_en")
    ordering = ("id",)
    change_form_outer_before_template = "centre/operator_actions.html"

    @column(_("State"), label=OPERATOR_COLOURS)
    def state(self, operator: Operator) -> tuple[str, str]:
        """The state, coloured."""
        return operator.status, operator.get_status_display()

    @column(_("Units"))
    def units_used(self, operator: Operator) -> str:
        """How many of the units it may have."""
        return f"{operator.unit_count} / {api.MAX_UNITS}"

    @column(_("Cardholders"))
    def holders_used(self, operator: Operator) -> str:
        """How many of the cardholders it may have."""
        return f"{formats.count(operator.holder_count)} / {formats.count(operator.holder_cap)}"

    def get_urls(self) -> list[URLPattern]:
        """The status buttons, before Django's catch-all."""
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/status/", view(self.set_status), name="centre_operator_status"),
            path("<int:pk>/card-types/", view(self.allow), name="centre_operator_card_type"),
            *super().get_urls(),
        ]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """The form with the card types the operator may use (O2)."""
        operator = kwargs.get("obj")
        if isinstance(operator, Operator):
            allowed = list(
                OperatorCardType.objects.filter(operator=operator).select_related("card_type").order_by("card_type_id")
            )
            others = CardType.objects.exclude(pk__in=[row.card_type_id for row in allowed]).order_by("id")
            context |= {"allowed_types": allowed, "other_types": others, "issuing_modes": IssuingMode.choices}
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response

    @method_decorator(needs(Can.CHANGE_DIRECTORY))
    @method_decorator(require_POST)
    def allow(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let an operator use a card type, or change who issues its cards (O2)."""
        card_type, mode = number(request.POST.get("card_type")) or 0, request.POST.get("issuing_mode", "")
        if mode not in IssuingMode.values or not CardType.objects.filter(pk=card_type).exists():
            return self.back(request, pk, failed=gettext("Choose a card type and who issues its cards."))
        before = OperatorCardType.objects.filter(operator_id=pk, card_type_id=card_type).first()
        try:
            with transaction.atomic():
                after = api.allow_card_type(pk, card_type, issuing_mode=mode)
                audit.record_row(request, before, after)
        except OneCardError as refusal:
            return self.back(request, pk, failed=error_text(refusal))
        return self.back(request, pk, done=gettext("Saved."))

    @method_decorator(needs(Can.CHANGE_DIRECTORY))
    @method_decorator(require_POST)
    def set_status(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Suspend, resume or close."""
        status = request.POST.get("status", "")
        if status not in OperatorStatus.values:
            return self.back(request, pk, failed=gettext("Unknown state."))
        return self.act(request, pk, lambda: api.set_operator_status(pk, status), act=gettext_noop("state changed"))


class MerchantForm(ServiceForm):
    """A merchant."""

    fixed = ("operator", "unit", "public")

    class Meta:
        model = Merchant
        fields = ("name", "operator", "unit", "public", "purse_order", "fee_per_mille", "fee_per_item_fen", "state")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["operator"].required = False  # a unit's merchant belongs to the unit's operator

    def submit(self) -> Merchant:
        """Make or change it."""
        values = self.cleaned_data
        common = {name: values[name] for name in ("purse_order", "fee_per_mille", "fee_per_item_fen")}
        if self.instance.pk:
            return api.update_merchant(self.instance.pk, name=values["name"], state=values["state"], **common)
        operator, unit = values["operator"], values["unit"]
        return api.create_merchant(
            values["name"],
            unit_id=unit.pk if unit else None,
            operator_id=operator.pk if operator else None,
            public=values["public"],
            **common,
        )


class MerchantAdmin(CentreAdmin):
    """Merchants: of a unit, or public (P1)."""

    scope = "operator_id"
    change_capability = Can.CHANGE_DIRECTORY
    form = MerchantForm
    fields = ("name", "operator", "unit", "public", "purse_order", "fee_per_mille", "fee_per_item_fen", "state")
    autocomplete_fields = ("operator", "unit")
    list_display = ("id", "name", "operator", "unit", "public", "fees", "coloured_state")
    list_display_links = ("id", "name")
    list_filter = ("public", "state", "operator")
    list_select_related = ("operator", "unit")
    search_fields = ("name", "unit__name")
    ordering = ("id",)

    @column(_("State"), label={"active": "success", "closed": "danger"})
    def coloured_state(self, merchant: Merchant) -> tuple[str, str]:
        """The state, coloured."""
        return merchant.state, merchant.get_state_display()

    @column(_("Fee"))
    def fees(self, merchant: Merchant) -> str:
        """Per mille and per item."""
        return f"{merchant.fee_per_mille}‰ + ¥{formats.yuan(merchant.fee_per_item_fen)}"


class CardTypeForm(ServiceForm):
    """A card type and its limits."""

    fixed = ("code", "name_en")

    class Meta:
        model = CardType
        fields = ("code", "name", "name_en", "limit_txn_fen", "limit_meal_fen", "limit_day_fen", "limit_balance_fen")
        help_texts: ClassVar = {"limit_txn_fen": _("In fen; 0 is no limit.")}

    def submit(self) -> CardType:
        """Make or change it."""
        values = self.cleaned_data
        limits = {name: values[name] for name in ("limit_txn_fen", "limit_meal_fen", "limit_day_fen", "limit_balance_fen")}
        if self.instance.pk:
            return api.update_card_type(self.instance.pk, name=values["name"], **limits)
        return api.create_card_type(values["code"], values["name"], name_en=values["name_en"], **limits)


class CardTypeAdmin(CentreAdmin):
    """Card types (C5) and their limits (P4)."""

    change_capability = Can.CHANGE_DIRECTORY
    form = CardTypeForm
    fields = ("code", "name", "name_en", "limit_txn_fen", "limit_meal_fen", "limit_day_fen", "limit_balance_fen")
    list_display = ("code", "name", "txn", "meal", "day", "balance")
    list_display_links = ("code", "name")
    search_fields = ("code", "name")
    ordering = ("id",)

    @column(_("Per transaction"))
    def txn(self, card_type: CardType) -> str:
        """The limit per transaction."""
        return _limit(card_type.limit_txn_fen)

    @column(_("Per meal period"))
    def meal(self, card_type: CardType) -> str:
        """The limit per meal period."""
        return _limit(card_type.limit_meal_fen)

    @column(_("Per day"))
    def day(self, card_type: CardType) -> str:
        """The limit per day."""
        return _limit(card_type.limit_day_fen)

    @column(_("Balance"))
    def balance(self, card_type: CardType) -> str:
        """The limit of the balance."""
        return _limit(card_type.limit_balance_fen)


def _limit(fen: int) -> str:
    return f"¥{formats.yuan(fen)}" if fen else gettext("no limit")
