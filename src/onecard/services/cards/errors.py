"""What the card domain's constraints mean to people: a constraint's name becomes a rule and words in both languages.

RuleViolated    C1 stock, O2 issuing mode, C3 life, C5 card types' rules
InvalidInput    a duplicate, an unknown id, a value outside its range
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import django.db.utils
import psycopg

from onecard.kernel.errors import InvalidInput, NotFound, OneCardError, RuleViolated, Unavailable
from onecard.services.operators.api import Refusal, constraint_of, refusals

REFUSALS: Mapping[str, Refusal] = {
    "stock_one_place": Refusal(
        "C1", "序号已在其他库位：一张卡不能存在两次", "a serial is in a place already: no card exists twice"
    ),
    "stock_not_there": Refusal("C1", "该库位没有这些卡", "these cards are not in that place"),
    "stock_level_enough": Refusal("C1", "库存不足", "not enough cards in that place"),
    "stock_route": Refusal("C1", "单据不能这样走：来源与去向不符", "no such document goes from that place to this one"),
    "stock_order": Refusal(
        "C1", "无此订货单、供应商不符或该卡种未订货", "no such order of this supplier, or the type was not ordered"
    ),
    "stock_document_closed": Refusal("C1", "此单据不再移动库存", "the document moves nothing any more"),
    "stock_not_claimed": Refusal("C1", "该卡未领用", "the card has not been taken for personalisation"),
    "stock_other_operator": Refusal("C1", "该库位属于其他运营单位", "the place is another operator's"),
    "order_line_received": Refusal("C1", "到货超过订货数量", "more would be received than was ordered"),
    "order_line_type": Refusal(None, "同一卡种在订货单中重复", "a card type stands twice in the order"),
    "stock_type_not_allowed": Refusal("O2", "该运营单位不可使用此卡种", "the operator may not use this card type"),
    "stock_mode_unified": Refusal(
        "O2", "此卡种统一发卡：只能由市中心库发行", "unified issuing: cards are issued from the city centre"
    ),
    "stock_mode_local": Refusal(
        "O2",
        "此卡种独立配卡：只能由运营单位或接入单位自己的库发行",
        "local allocation: cards are issued from the operator's or unit's own stock",
    ),
    "card_rules_begun": Refusal("C5", "已生效的规则不能修改", "rules that have begun are not changed"),
    "card_rules_day": Refusal(None, "该卡种当日已有规则", "the card type has rules from that day already"),
    "card_rules_media": Refusal(None, "至少选择一种介质", "a card type needs a medium"),
    "card_rules_somebody": Refusal("C5", "须允许记名或不记名", "somebody must be allowed to have the card"),
    "card_rules_members_have_names": Refusal("C5", "限本单位人员的卡须实名", "cards for members are for people with names"),
    "card_rules_fees": Refusal(None, "费用或押金超出范围", "a fee or deposit is outside its range"),
    "card_rules_times": Refusal(
        None, "月数、天数、张数或分钟数超出范围", "months, days, count or minutes are outside their range"
    ),
    "stock_range_order": Refusal(None, "序号范围无效", "not a range of serials"),
    "card_serial": Refusal("C1", "该序号已发行", "that serial has been issued"),
    "cards_card_pkey": Refusal("C3", "卡号已存在", "the card number exists"),
    "card_pkey": Refusal("C3", "卡号已存在", "the card number exists"),
    "cards_card_replaces_id_key": Refusal("C3", "该卡已有补换的卡", "the card has been replaced already"),
    "purse_check": Refusal("C3", "余额不足", "the purse does not hold that much"),
    "account_debt_fen_check": Refusal("C3", "超过欠款", "more than is owed"),
    "card_deposit_deposit_fen_check": Refusal("C3", "超过该卡押金", "more than the deposit of the card"),
    "desk_amount": Refusal(None, "金额无效", "invalid amount"),
    "desk_leg": Refusal("C3", "柜台不能记此分录", "a desk may not post that"),
    "desk_undo": Refusal("C3", "该流水不能（再）撤销", "that transfer cannot be undone (again)"),
    "desk_account_frozen": Refusal("C3", "账户已冻结，不能付款", "the account is frozen: nothing is paid out of it"),
    "desk_account_closed": Refusal("C3", "账户已销户", "the account is closed"),
    "desk_legal_cap": Refusal("C5", "超过法定余额上限", "over the legal cap"),
    "desk_balance_limit": Refusal("C5", "超过余额上限", "over the balance limit"),
    "desk_deposit": Refusal("C3", "该卡无押金", "no deposit is held for the card"),
}


def rule_refusal(rule: str, zh: str, en: str) -> RuleViolated:
    """A refusal by a rule, which stands in front of the words."""
    return RuleViolated(f"{rule}：{zh}", f"{rule}: {en}", rule=rule)


def card_not_found(card_no: int) -> NotFound:
    """Also for a card that is not the asker's to see."""
    return NotFound(f"无此卡：{card_no}", f"no such card: {card_no}")


@contextmanager
def one_transaction() -> Iterator[None]:
    """A transaction (a savepoint in the caller's): all of it or nothing, with database errors in words.

    Raises RuleViolated and InvalidInput for constraints, NotFound where the ledger knows no such row, and Unavailable where
    PostgreSQL ended a deadlock: trying again helps.
    """
    try:
        with refusals(REFUSALS):
            yield
    except InvalidInput as refused:
        raise _of_ledger(refused) or refused from refused.__cause__
    except django.db.utils.Error as error:
        raise _in_words(error) or error from error


def _of_ledger(refused: InvalidInput) -> RuleViolated | None:
    """The ledger's own refusals have words and no constraint: an account that is not settled."""
    cause = refused.__cause__.__cause__ if refused.__cause__ else None
    if not isinstance(cause, psycopg.Error) or cause.sqlstate != "23514" or cause.diag.constraint_name:
        return None
    zh, _, en = (cause.diag.message_primary or "").partition(" / ")
    return rule_refusal("C3", zh, en) if en else None


def _in_words(error: django.db.utils.Error) -> OneCardError | None:
    cause = error.__cause__
    if not isinstance(cause, psycopg.Error):
        return None
    zh, _, en = (cause.diag.message_primary or "").partition(" / ")
    if cause.sqlstate in {"40P01", "40001", "55P03"}:
        return Unavailable("数据库忙，请重试", "the database is busy, try again")
    if cause.sqlstate == "P0002":
        return NotFound(zh, en or zh)
    return None


__all__ = ["REFUSALS", "card_not_found", "constraint_of", "one_transaction", "rule_refusal"]
