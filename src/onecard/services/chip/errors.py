"""What the desk refuses, and which of the database's refusals stands behind it.

NotFound       UnknownSubject    no such record, doubt, hole or decision
RuleViolated   AlreadySettled    it is settled, or a decision is open already
               ChipInDoubt       a load of the chip is in doubt: that first
               AmountChanged     what is missing is no longer what was proposed
               NotPostable       the ledger cannot take the record (unknown card, key used by another record)
Forbidden      SamePerson        the second person has to be another one
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import IntegrityError

from onecard.kernel.codes import RESULT_TEXT, Result
from onecard.kernel.errors import Forbidden, NotFound, RuleViolated


class UnknownSubject(NotFound):
    """No such row."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"无此{what}：{number}", f"no such {what}: {number}")


class AlreadySettled(RuleViolated):
    """The row is settled, or a decision about it is open already."""

    def __init__(self, zh: str = "已处理，或已有待审批的申请", en: str = "it is settled, or a decision about it is open") -> None:
        super().__init__(zh, en, rule="P5")


class ChipInDoubt(RuleViolated):
    """A load of the chip is in doubt: the money that is missing may be in it."""

    def __init__(self) -> None:
        super().__init__("有圈存存疑，请先处理", "a load is in doubt: settle that first", rule="P5")


class AmountChanged(RuleViolated):
    """Records came in since the write-off was proposed."""

    def __init__(self) -> None:
        super().__init__("账面已变动，请撤回后重新申请", "the account has moved since: take it back and propose again", rule="P5")


class NotPostable(RuleViolated):
    """The ledger refuses what two people have released."""

    def __init__(self, code: int) -> None:
        text = RESULT_TEXT[Result(code)]
        super().__init__(f"无法入账：{text.zh}", f"it cannot be posted: {text.en}", rule="P5")
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
        if name == "chip_decision_two_people":
            raise SamePerson from None
        if name in ("chip_decision_one_open", "chip_record_kept", "chip_decision_kept", "chip_load_kept"):
            raise AlreadySettled from None
        raise
