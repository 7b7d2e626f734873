"""What the desk of held payments refuses, and which of the database's refusals stands behind it.

NotFound       UnknownHeld       no such held payment or decision
RuleViolated   AlreadySettled    it is settled, or a decision is open already
               NotPostable       the ledger cannot take the payment (unknown card, key used or undone since)
Forbidden      SamePerson        the second person has to be another one
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import IntegrityError

from onecard.kernel.codes import RESULT_TEXT, Result
from onecard.kernel.errors import Forbidden, NotFound, RuleViolated


class UnknownHeld(NotFound):
    """No such row."""

    def __init__(self, number: int) -> None:
        super().__init__(f"无此待处理付款码交易或申请：{number}", f"no such held payment or decision: {number}")


class AlreadySettled(RuleViolated):
    """The payment is settled, or a decision about it is open already."""

    def __init__(self) -> None:
        super().__init__("已处理，或已有待审批的申请", "it is settled, or a decision about it is open", rule="C4")


class NotPostable(RuleViolated):
    """The ledger refuses what two people have released."""

    def __init__(self, code: int) -> None:
        text = RESULT_TEXT[Result(code)]
        super().__init__(f"无法入账：{text.zh}", f"it cannot be posted: {text.en}", rule="C4")
        self.result = Result(code)


class SamePerson(Forbidden):
    """Who proposes does not approve."""

    def __init__(self) -> None:
        super().__init__("须由另一人审批", "another person has to approve")


@contextmanager
def as_refusals() -> Iterator[None]:
    """Turns the database's refusals into ours."""
    try:
        yield
    except IntegrityError as error:
        cause = error.__cause__
        name = cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None
        if name == "pay_code_decision_two_people":
            raise SamePerson from None
        if name in ("pay_code_decision_one_open", "pay_code_decision_kept", "pay_code_held_kept"):
            raise AlreadySettled from None
        raise
