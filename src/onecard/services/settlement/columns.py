"""The columns of the settlement sheets: where each value comes from, and its heading in Chinese and English."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "count", "fen", "date"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the row's field, headings, and how it is written. `fen` is written in yuan with two decimals."""

    field: str
    zh: str
    en: str
    kind: Kind

    @property
    def heading(self) -> str:
        return f"{self.zh} {self.en}"


_PARTY = (
    Column("parent_id", "上级编号", "Parent", "text"),
    Column("party_id", "编号", "Id", "text"),
    Column("name", "名称", "Name", "text"),
    Column("business_date", "业务日期", "Business date", "date"),
)
_TRADE = (
    Column("transaction_count", "交易笔数", "Transactions", "count"),
    Column("zero_count", "零金额笔数", "Of no amount", "count"),
    Column("purchase_count", "消费笔数", "Purchases", "count"),
    Column("purchase_fen", "消费金额", "Purchases CNY", "fen"),
    Column("advice_count", "脱机消费笔数", "Offline purchases", "count"),
    Column("advice_fen", "脱机消费金额", "Offline purchases CNY", "fen"),
    Column("debt_fen", "欠款金额", "Of it debts CNY", "fen"),
    Column("void_count", "撤销笔数", "Voids", "count"),
    Column("void_fen", "撤销金额", "Voids CNY", "fen"),
    Column("refund_count", "退货笔数", "Refunds", "count"),
    Column("refund_fen", "退货金额", "Refunds CNY", "fen"),
    Column("reversal_count", "冲正笔数", "Reversals", "count"),
    Column("reversal_fen", "冲正金额", "Reversals CNY", "fen"),
    Column("gross_fen", "清分金额", "Gross CNY", "fen"),
)
_FEES = (
    Column("retained_fen", "留存单位金额", "Left with the unit CNY", "fen"),
    Column("fee_fen", "手续费", "Fee CNY", "fen"),
    Column("net_fen", "应付净额", "Net payable CNY", "fen"),
)
_SHARES = (
    Column("operator_fee_fen", "运营单位手续费", "Operator's fee CNY", "fen"),
    Column("root_fee_fen", "平台手续费", "Platform's fee CNY", "fen"),
)
_ISSUER = (
    Column("topup_count", "充值笔数", "Top-ups", "count"),
    Column("topup_fen", "充值净额", "Top-ups CNY", "fen"),
    Column("debt_made_fen", "新增欠款", "Debts made CNY", "fen"),
    Column("debt_repaid_fen", "收回欠款", "Debts repaid CNY", "fen"),
    Column("receivable_fen", "轧差应收", "Netting receivable CNY", "fen"),
    Column("payable_fen", "轧差应付", "Netting payable CNY", "fen"),
    Column("position_fen", "轧差净额", "Net position CNY", "fen"),
)

SHEET_COLUMNS: dict[str, tuple[Column, ...]] = {
    "terminal": _PARTY + _TRADE,
    "merchant": _PARTY + _TRADE + _FEES,
    "unit": _PARTY + _TRADE + _FEES,
    "operator": _PARTY + _TRADE + _FEES + _SHARES + _ISSUER,
    "platform": _PARTY + _TRADE + _FEES + _SHARES + _ISSUER,
    "netting": (
        Column("debtor_id", "应付运营单位", "Debtor", "text"),
        Column("creditor_id", "应收运营单位", "Creditor", "text"),
        Column("basis", "项目", "Basis", "text"),
        Column("transaction_count", "笔数", "Transactions", "count"),
        Column("amount_fen", "金额", "Amount CNY", "fen"),
    ),
}
SHEET_TITLES = {
    "platform": "平台 Platform",
    "operator": "运营单位 Operators",
    "unit": "单位 Units",
    "merchant": "商户 Merchants",
    "terminal": "终端 Terminals",
    "netting": "轧差 Netting",
}
"""Every sheet of a run, in the order of a workbook."""

TOTAL = "合计 Total"
