"""What a front-end decides by, as it stands in memory: the deny list, the unit's rules, its cards; and who has tapped of late."""

from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from onecard.fep.decide import refuses
from onecard.fep.records import DECIDED, Answer, Asked
from onecard.kernel.codes import Operation, Result
from onecard.protocol.cardindex import CardIndex
from onecard.protocol.cardset import parse_card_set
from onecard.protocol.offline import OfflineRules

RECENT_CARDS = 500
RECENT_US = 3600 * 1_000_000
FEW_CARDS = 20
"""A deny list with fewer new cards is never stopped by the guard; nor is a list by its share alone that newly refuses fewer."""
FEWEST_OF_MOST = 5
"""More than half of the recent cards stop a list already when they are these many: a small unit has no more."""
_BARRED = frozenset(range(Result.CARD_NOT_ACTIVE, Result.ACCOUNT_CLOSED + 1))


@dataclass(frozen=True, slots=True)
class DenyList:
    """A deny list decoded once: eight bytes a card, one binary search a look-up."""

    version: int
    _numbers: "array[int]"

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, card_no: object) -> bool:
        if not isinstance(card_no, int):
            return False
        place = bisect_left(self._numbers, card_no)
        return place < len(self._numbers) and self._numbers[place] == card_no

    def count_added(self, before: "DenyList") -> int:
        """How many cards it has that the list before has not."""
        return len(set(self._numbers).difference(before._numbers))


def read_deny_list(data: bytes) -> DenyList:
    """Raises InvalidInput."""
    cards = parse_card_set(data)
    return DenyList(cards.version, array("Q", cards))


@dataclass(frozen=True, slots=True)
class Lists:
    """The three together, as one decision sees them."""

    rules: OfflineRules
    cards: CardIndex | None
    denied: DenyList

    def refuse(self, card_no: int, now_us: int) -> bool:
        """Whether they keep a card out, whatever it asks for."""
        return refuses(card_no, rules=self.rules, cards=self.cards, denied=self.denied, now_us=now_us)


class RecentTaps:
    """The cards that tapped in the last hour, each once, at most the newest five hundred."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._cards: OrderedDict[int, int] = OrderedDict()
        self._expected: set[int] = set()
        """Those of them that the platform itself has refused, or that have nothing left by what was sold here: no surprise."""

    def note(self, card_no: int) -> None:
        """A card was shown."""
        self._cards[card_no] = self._now_us()
        self._cards.move_to_end(card_no)
        if len(self._cards) > RECENT_CARDS:
            gone, _ = self._cards.popitem(last=False)
            self._expected.discard(gone)

    def hear(self, asked: Sequence[Asked], answers: Sequence[Answer]) -> None:
        """What the platform has answered, to requests and to what was sold off line."""
        for one, answer in zip(asked, answers, strict=True):
            if one.card_no not in self._cards:
                continue
            approved = answer.code == Result.APPROVED
            if answer.code in _BARRED or (approved and one.op == Operation.ADVICE and answer.balance_fen <= 0):
                self._expected.add(one.card_no)
            elif approved and one.op in DECIDED:
                self._expected.discard(one.card_no)

    def against(self, old: Lists, new: Lists) -> str:
        """Why the new lists would be too much of a surprise; empty: they are not.

        A share alone says little of a small unit: it needs a number of cards behind it too, or to be more than half of them.
        """
        refused, recent = self._newly_refused(old, new)
        permille = old.rules.guard_permille
        too_many = refused >= FEW_CARDS and refused * 1000 > recent * permille
        most = refused >= FEWEST_OF_MOST and refused * 2 > recent
        if not (too_many or most):
            return ""
        if new.denied is not old.denied and new.denied.count_added(old.denied) < FEW_CARDS:
            return ""
        return f"would refuse {refused} of the last {recent} cards, more than {permille if too_many else 500} of 1000"

    def _newly_refused(self, old: Lists, new: Lists) -> tuple[int, int]:
        """How many of the recent cards the new lists keep out and the old do not, and how many recent cards there are."""
        now_us = self._now_us()
        recent = [card for card, at in self._cards.items() if now_us - at <= RECENT_US and card not in self._expected]
        return _count(card for card in recent if new.refuse(card, now_us) and not old.refuse(card, now_us)), len(recent)


def _count(cards: Iterable[int]) -> int:
    return sum(1 for _ in cards)
