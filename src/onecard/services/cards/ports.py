"""What the card domain asks of the chip domain; a caller can hand in another answer."""

from collections.abc import Callable, Sequence

from onecard.kernel.codes import Text
from onecard.services.cards import books

ChipMissing = Callable[[int], Sequence[Text]]
"""What is still to come of a card's chip before its balance may be paid out; nothing where its counters are complete."""


def chip_missing(card_no: int) -> Sequence[Text]:
    """The chip domain's answer (P5). A card without a chip purse has nothing to wait for."""
    if books.chip_balance(card_no) is None:
        return ()
    from onecard.services.chip import api  # at the moment of asking: neither domain needs the other to be imported

    return api.counters_complete(card_no)


def chip_complete(card_no: int) -> bool:
    """Whether every record of the card's chip has come in."""
    return not chip_missing(card_no)
