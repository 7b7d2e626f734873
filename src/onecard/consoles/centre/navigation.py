"""The side bar of the centre: what a role may not open it does not see."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from onecard.consoles.centre.roles import Can, allowed

Label = str | Promise


def _item(title: Label, icon: str, view: str, capability: Can | None = None) -> dict[str, Any]:
    item: dict[str, Any] = {"title": title, "icon": icon, "link": reverse(f"admin:{view}")}
    if capability is not None:
        item["permission"] = _asks(capability)
    return item


def _asks(capability: Can) -> Callable[[HttpRequest], bool]:
    return lambda request: allowed(request, capability)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups and pages, in the order of a working day: watch, organise, look up, settle, check."""
    return [
        {
            "items": [
                _item(_("Home"), "monitoring", "index"),
                _item(_("Operator tree"), "account_tree", "centre_tree", Can.VIEW_DIRECTORY),
            ]
        },
        {
            "title": _("Money"),
            "items": [
                _item(_("Transactions"), "receipt_long", "centre_transactions", Can.VIEW_TRANSACTIONS),
                _item(_("Accounts"), "account_balance_wallet", "centre_accounts", Can.VIEW_ACCOUNTS),
                _item(_("Settlement runs"), "balance", "centre_runs", Can.VIEW_SETTLEMENT),
                _item(_("Deny list"), "block", "centre_deny_list", Can.VIEW_ACCOUNTS),
                _item(_("Quarantine desk"), "fact_check", "centre_desk", Can.VIEW_CHIP),
                _item(_("Quarantine"), "report", "centre_quarantine", Can.VIEW_TRANSACTIONS),
            ],
        },
        {
            "title": _("Cards and cardholders"),
            "items": [
                _item(_("Cards"), "credit_card", "centre_cards", Can.VIEW_CARDS),
                _item(_("Payment codes"), "qr_code_2", "centre_paycodes", Can.VIEW_ACCOUNTS),
                _item(_("Cardholders"), "badge", "centre_holders", Can.VIEW_HOLDERS),
                _item(_("Bulk loading"), "upload_file", "centre_loads", Can.CHANGE_HOLDERS),
                _item(_("Departments"), "lan", "centre_departments", Can.VIEW_HOLDERS),
                _item(_("Issuing batches"), "print", "centre_batches", Can.VIEW_BATCHES),
                _item(_("Card stock"), "inventory_2", "centre_stock", Can.VIEW_STOCK),
                _item(_("Card types and rules"), "rule", "centre_card_types", Can.VIEW_DIRECTORY),
                _item(_("Legal caps"), "gavel", "centre_caps", Can.VIEW_HOLDERS),
            ],
        },
        {
            "title": _("Devices"),
            "items": [
                _item(_("Device status"), "monitor_heart", "centre_devices", Can.VIEW_DEVICES),
                _item(_("Device alarms"), "notifications_active", "centre_alarms", Can.VIEW_DEVICES),
                _item(_("Device registry"), "devices", "centre_registry", Can.VIEW_DEVICES),
                _item(_("Device parameters"), "tune", "centre_templates", Can.VIEW_DEVICES),
                _item(_("Roll-outs"), "system_update_alt", "centre_rollouts", Can.VIEW_ROLLOUTS),
                _item(_("Deciding off line"), "cloud_off", "centre_offline", Can.VIEW_DEVICES),
            ],
        },
        {
            "title": _("Keys"),
            "items": [
                _item(_("Key status"), "vpn_key", "centre_keys", Can.VIEW_KEYS),
                _item(_("Key ceremonies"), "groups", "centre_ceremonies", Can.VIEW_KEYS),
                _item(_("Dual control"), "how_to_reg", "centre_key_requests", Can.VIEW_KEYS),
                _item(_("SAMs"), "sim_card", "centre_sams", Can.VIEW_KEYS),
            ],
        },
        {
            "title": _("Organisation"),
            "items": [
                _item(_("Operators"), "corporate_fare", "operators_operator_changelist", Can.VIEW_DIRECTORY),
                _item(_("Units"), "apartment", "operators_unit_changelist", Can.VIEW_DIRECTORY),
                _item(_("Merchants"), "storefront", "operators_merchant_changelist", Can.VIEW_DIRECTORY),
                _item(_("Card types and limits"), "style", "operators_cardtype_changelist", Can.VIEW_DIRECTORY),
                _item(_("Terminals"), "point_of_sale", "devices_terminal_changelist", Can.VIEW_DIRECTORY),
                _item(_("Lines"), "lan", "devices_line_changelist", Can.VIEW_DIRECTORY),
                _item(_("Admission"), "admin_panel_settings", "centre_admission", Can.VIEW_DIRECTORY),
            ],
        },
        {
            "title": _("Administration"),
            "items": [
                _item(_("Staff"), "group", "auth_user_changelist", Can.MANAGE_STAFF),
                _item(_("Tokens of programs"), "key", "centre_stafftoken_changelist", Can.OWN_TOKENS),
                _item(_("Audit log"), "history", "auditlog_logentry_changelist", Can.VIEW_AUDIT),
            ],
        },
    ]
