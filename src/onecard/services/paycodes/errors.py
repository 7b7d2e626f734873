"""What the desk of held payments refuses, and which of the database's refusals stands behind it.

NotFound       UnknownHeld       no such held payment or decision
RuleViolated   AlreadySettled    it is settled, or a decision is open already
               NotPostable       the ledger cannot take the payment (unknown card, key used or undone since)
Forbidden      SamePerson        the second person has to be another one
"""

from contextlib import AbstractContextManager

from onecard.kernel.errors import NotFound
from onecard.services import twopeople
from onecard.services.twopeople import SamePerson


class UnknownHeld(NotFound):
    """No such row."""

    def __init__(self, number: int) -> None:
        super().__init__(f"无此待处理付款码交易或申请：{number}", f"no such held payment or decision: {number}")


class AlreadySettled(twopeople.AlreadySettled):
    """The payment is settled, or a decision about it is open already."""

    of_rule = "C4"


class NotPostable(twopeople.NotPostable):
    """The ledger refuses what two people have released."""

    of_rule = "C4"


def as_refusals() -> AbstractContextManager[None]:
    """Turns the database's refusals into ours."""
    kept = ("pay_code_decision_one_open", "pay_code_decision_kept", "pay_code_held_kept")
    return twopeople.refusals(same_person="pay_code_decision_two_people", settled=kept, error=AlreadySettled)


__all__ = ["AlreadySettled", "NotPostable", "SamePerson", "UnknownHeld", "as_refusals"]
