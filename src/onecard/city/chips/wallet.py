"""The chip cards in the city's pockets: each at one terminal at a time."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from onecard.city.chips.folder import ChipFolder

_LOOK_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Pocketed:
    """A card and where its chip's memory lies."""

    card_no: int
    path: Path


class Wallet:
    """All issued cards; new ones are found as the station makes them."""

    def __init__(self, folder: ChipFolder, rng: random.Random) -> None:
        self._folder = folder
        self._rng = rng
        self._cards: list[Pocketed] = []
        self._out: set[int] = set()
        self._looked_at = float("-inf")

    @contextmanager
    def draw(self) -> Iterator[Pocketed | None]:
        """Somebody comes with a card; None where no card is at hand."""
        if monotonic() - self._looked_at > _LOOK_EVERY_S:
            self._looked_at = monotonic()
            self._cards = [Pocketed(number, path) for number, path in self._folder.issued()]
        card = self._rng.choice(self._cards) if self._cards else None
        if card is None or card.card_no in self._out:
            yield None
            return
        self._out.add(card.card_no)
        try:
            yield card
        finally:
            self._out.discard(card.card_no)
