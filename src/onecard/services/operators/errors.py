"""Turns the name of a database constraint into a refusal that names the rule and the number, in both languages.

RuleViolated    a limit or rule of the mission (O1, O2, O3, P1, P2)
InvalidInput    a duplicate code, an unknown id, a value outside its range
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import psycopg.errors
from django.db import DataError, IntegrityError, transaction

from onecard.kernel.errors import InvalidInput, OneCardError, RuleViolated
from onecard.services.operators.models import MAX_CHILDREN, MAX_UNITS


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a constraint means to people; without a rule it is merely bad input."""

    rule: str | None
    zh: str
    en: str
    limit: int | None = None

    def build(self) -> OneCardError:
        """The error to raise."""
        if self.rule is None:
            return InvalidInput(self.zh, self.en)
        return RuleViolated(f"{self.rule}：{self.zh}", f"{self.rule}: {self.en}", rule=self.rule, limit=self.limit)


REFUSALS: Mapping[str, Refusal] = {
    "operator_one_root": Refusal("O1", "只能有 1 个根运营单位", "there is one root operator only, 1", 1),
    "operator_child_limit": Refusal(
        "O1", f"二级运营单位最多 {MAX_CHILDREN} 个", f"at most {MAX_CHILDREN} second-level operators", MAX_CHILDREN
    ),
    "operator_two_levels": Refusal(
        "O1", "运营单位只有 2 级：上级须为根运营单位", "operators have 2 levels: the parent must be the root", 2
    ),
    "operator_unit_limit": Refusal(
        "O1",
        f"每个运营单位最多 {MAX_UNITS} 个直属接入单位",
        f"at most {MAX_UNITS} directly attached units per operator",
        MAX_UNITS,
    ),
    "operator_holder_cap": Refusal("O2", "超过持卡人上限", "over the cap on cardholders"),
    "operator_closed_empty": Refusal(
        "O1",
        "已撤销的运营单位不能有接入单位、下级或持卡人",
        "a closed operator has no units, operators below it or cardholders",
        0,
    ),
    "unit_transition": Refusal("O3", "接入单位状态不能这样变更", "the unit cannot go from this state to that one"),
    "unit_validity": Refusal(
        "O4", "已开通的接入单位须有有效期，且止晚于起", "an opened unit needs a validity period that ends after it begins"
    ),
    "merchant_needs_unit": Refusal("P1", "非公共商户须属于一个接入单位", "a merchant that is not public belongs to a unit"),
    "merchant_purse_order": Refusal("P1", "公共商户只能使用公共钱包", "a public merchant takes the public purse only"),
    "merchant_public_unified": Refusal(
        "P2", "独立结算的运营单位不能有公共商户", "an operator with independent settlement has no public merchants"
    ),
    "purse_order_independent": Refusal("P2", "独立结算只能使用私有钱包", "independent settlement takes the private purse only"),
    "settlement_mode_in_use": Refusal(
        "P2", "尚有使用公共钱包的单位或商户，不能改为独立结算", "units or merchants still take the public purse"
    ),
    "merchant_unit_operator": Refusal(None, "无此接入单位，或不属于该运营单位", "no such unit, or it is another operator's"),
    "holder_unit_operator": Refusal(
        "O2", "接入单位与持卡人须属于同一运营单位", "a cardholder and the unit belong to the same operator"
    ),
    "operator_card_type": Refusal(None, "该运营单位已有此卡种", "the operator has this card type already"),
    "unit_code": Refusal(None, "单位编码已存在", "the unit's code is taken"),
    "unit_id_range": Refusal(None, "接入单位编号已用尽（99999）", "unit ids are used up (99999)"),
    "merchant_fee_range": Refusal(None, "手续费超出范围（0–1000‰）", "the fee is outside its range (0 to 1000 per mille)"),
    "card_type_limits": Refusal(None, "限额不能为负", "a limit cannot be negative"),
}


def constraint_of(error: Exception) -> str:
    """The name of the constraint that a database error is about, or an empty text."""
    found = error if isinstance(error, psycopg.Error) else error.__cause__
    return (found.diag.constraint_name or "") if isinstance(found, psycopg.Error) else ""


@contextmanager
def refusals(more: Mapping[str, Refusal] | None = None) -> Iterator[None]:
    """A transaction (a savepoint inside another) in which constraint violations come out as RuleViolated or InvalidInput.

    Raises InvalidInput also for violations that have no words of their own: a duplicate, an id that is not there.
    """
    try:
        with transaction.atomic():
            yield
    # COPY goes around Django's cursor, so that psycopg's own errors come up as well.
    except (IntegrityError, DataError, psycopg.IntegrityError, psycopg.DataError) as error:
        name = constraint_of(error)
        refusal = (more or {}).get(name) or REFUSALS.get(name)
        if refusal is None:
            refusal = _in_general(error)
        raise refusal.build() from error


_KEY = re.compile(r"Key \((\w+)\)=")


def _in_general(error: Exception) -> Refusal:
    """Words for what has none of its own, with the field where the database names one; never the database's own sentence,
    which may hold what was typed."""
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    field, missing = "", isinstance(cause, psycopg.errors.ForeignKeyViolation)
    if isinstance(cause, psycopg.Error):
        found = _KEY.match(cause.diag.message_detail or "")
        field = cause.diag.column_name or (found[1] if found else "")
    zh, en = (f"（{field}）", f" ({field})") if field else ("", "")
    if missing:
        return Refusal(None, f"所指的对象不存在{zh}", f"what it refers to does not exist{en}")
    if isinstance(cause, psycopg.errors.UniqueViolation):
        return Refusal(None, f"已有相同的数据{zh}", f"there is one like it already{en}")
    return Refusal(None, f"数据超出允许的范围或格式{zh}", f"a value is outside what is allowed{en}")
