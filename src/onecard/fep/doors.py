"""Doors of the unit (I1): readers on a bus ask here whether a card opens one, by the rules and lists that are kept."""

from collections.abc import Callable

from onecard.fep.decide import decide_access
from onecard.fep.desk import Moment
from onecard.kernel.codes import Result


class Doors:
    """`decide` is `Services.access`."""

    def __init__(self, moment: Callable[[], Moment]) -> None:
        self._moment = moment

    def decide(self, terminal_id: int, card_no: int) -> Result:
        """APPROVED, or the first reason against it."""
        moment = self._moment()
        if moment.cut_off is not None:
            return moment.cut_off
        lists = moment.lists
        # A door takes no card that is not in the unit's index, so every card it admits has been seen by the platform.
        return decide_access(
            terminal_id, card_no, rules=lists.rules, cards=lists.cards, denied=lists.denied, card_seen=True,
            lease_step=moment.step, now_us=moment.now_us,
        )  # fmt: skip
