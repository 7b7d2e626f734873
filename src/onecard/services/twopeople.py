"""What desks refuse where one person proposes and another approves, and how the database's refusals become these.

RuleViolated   AlreadySettled    it is settled, or a decision is open already
               NotPostable       the ledger cannot take the record (unknown card, key used by another record)
Forbidden      SamePerson        the second person has to be another one
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import ClassVar

import psycopg
from django.db import IntegrityError

from onecard.kernel.codes import RESULT_TEXT, Result
from onecard.kernel.errors import Forbidden, RuleViolated


class AlreadySettled(RuleViolated):
    """The row is settled, or a decision about it is open already. A domain's own subclass names the rule."""

    of_rule: ClassVar[str] = ""

    def __init__(self, zh: str = "已处理，或已有待审批的申请", en: str = "it is settled, or a decision about it is open") -> None:
        super().__init__(zh, en, rule=self.of_rule)


class NotPostable(RuleViolated):
    """The ledger refuses what two people have released. A domain's own subclass names the rule."""

    of_rule: ClassVar[str] = ""

    def __init__(self, code: int) -> None:
        text = RESULT_TEXT[Result(code)]
        super().__init__(f"无法入账：{text.zh}", f"it cannot be posted: {text.en}", rule=self.of_rule)
        self.result = Result(code)


class SamePerson(Forbidden):
    """Who proposes does not approve."""

    def __init__(self) -> None:
        super().__init__("须由另一人审批", "another person has to approve")


@contextmanager
def refusals(*, same_person: str, settled: Collection[str], error: type[AlreadySettled]) -> Iterator[None]:
    """Turns violations of named constraints into SamePerson and `error`; others pass."""
    try:
        yield
    except IntegrityError as violation:
        cause = violation.__cause__
        name = cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None
        if name == same_person:
            raise SamePerson from None
        if name in settled:
            raise error from None
        raise
