"""What a front-end decides by, as it stands in memory: the deny list, the unit's rules, its cards; and who has tapped of late."""

from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from onecard.fep.decide import refuses
from onecard.protocol.cardindex import CardIndex
from onecard.protocol.cardset import parse_card_set
from onecard.protocol.offline import OfflineRules

RECENT_CARDS = 500
RECENT_US = 3600 * 1_000_000
FEWEST_REFUSED = 3
"""A list that newly refuses fewer cards than these is not stopped by the guard, however few cards have tapped."""


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

    def note(self, card_no: int) -> None:
        """A card was shown."""
        self._cards[card_no] = self._now_us()
        self._cards.move_to_end(card_no)
        if len(self._cards) > RECENT_CARDS:
            self._cards.popitem(last=False)

    def newly_refused(self, old: Lists, new: Lists) -> tuple[int, int]:
        """How many of the recent cards the new lists keep out and the old do not, and how many recent cards there are."""
        now_us = self._now_us()
        recent = [card for card, at in self._cards.items() if now_us - at <= RECENT_US]
        return _count(card for card in recent if new.refuse(card, now_us) and not old.refuse(card, now_us)), len(recent)


def _count(cards: Iterable[int]) -> int:
    return sum(1 for _ in cards)
