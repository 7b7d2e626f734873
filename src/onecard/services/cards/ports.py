"""What the card domain asks of the chip domain; a caller can hand in another answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from onecard.kernel.codes import Text
from onecard.services.cards import books


@dataclass(frozen=True, slots=True)
class ChipReading:
    """What the chip in hand says of itself on a reader: its offline counter (INITIALIZE FOR PURCHASE) and its balance."""

    counter: int
    balance_fen: int


ChipMissing = Callable[[int, ChipReading | None], Sequence[Text]]
"""What is still to come of a card's chip before its balance may be paid out; nothing where its counters are complete.

Without a reading only what has come in is judged: a record that a terminal has not sent yet leaves no hole where it is the last.
"""


def chip_missing(card_no: int, reading: ChipReading | None = None) -> Sequence[Text]:
    """The chip domain's answer (P5). A card without a chip purse has nothing to wait for."""
    if books.chip_balance(card_no) is None:
        return ()
    from onecard.services.chip import api  # at the moment of asking: neither domain needs the other to be imported

    if reading is None:
        return api.counters_complete(card_no)
    return api.counters_complete(card_no, chip_counter=reading.counter, chip_balance_fen=reading.balance_fen)


def chip_complete(card_no: int) -> bool:
    """Whether no record of the card's chip is known to be missing; what the chip itself says is not asked."""
    return not chip_missing(card_no)
