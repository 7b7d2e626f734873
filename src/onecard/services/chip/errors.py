"""What the desk refuses, and which of the database's refusals stands behind it.

NotFound       UnknownSubject    no such record, doubt, hole or decision
RuleViolated   AlreadySettled    it is settled, or a decision is open already
               ChipInDoubt       a load of the chip is in doubt: that first
               AmountChanged     what is missing is no longer what was proposed
               NotPostable       the ledger cannot take the record (unknown card, key used by another record)
Forbidden      SamePerson        the second person has to be another one
"""

from contextlib import AbstractContextManager

from onecard.kernel.errors import NotFound, RuleViolated
from onecard.services import twopeople
from onecard.services.twopeople import SamePerson


class UnknownSubject(NotFound):
    """No such row."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"无此{what}：{number}", f"no such {what}: {number}")


class AlreadySettled(twopeople.AlreadySettled):
    """The row is settled, or a decision about it is open already."""

    of_rule = "P5"


class ChipInDoubt(RuleViolated):
    """A load of the chip is in doubt: the money that is missing may be in it."""

    def __init__(self) -> None:
        super().__init__("有圈存存疑，请先处理", "a load is in doubt: settle that first", rule="P5")


class AmountChanged(RuleViolated):
    """Records came in since the write-off was proposed."""

    def __init__(self) -> None:
        super().__init__("账面已变动，请撤回后重新申请", "the account has moved since: take it back and propose again", rule="P5")


class NotPostable(twopeople.NotPostable):
    """The ledger refuses what two people have released."""

    of_rule = "P5"


def as_refusals() -> AbstractContextManager[None]:
    """Turns the database's refusals into ours."""
    kept = ("chip_decision_one_open", "chip_record_kept", "chip_decision_kept", "chip_load_kept")
    return twopeople.refusals(same_person="chip_decision_two_people", settled=kept, error=AlreadySettled)


__all__ = ["AlreadySettled", "AmountChanged", "ChipInDoubt", "NotPostable", "SamePerson", "UnknownSubject", "as_refusals"]
