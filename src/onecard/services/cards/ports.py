"""What the card domain asks of the chip domain; a caller can hand in another answer."""

from onecard.services.cards import books


def chip_complete(card_no: int) -> bool:
    """Whether every record of the card's chip has come in (P5). A card without a chip purse has none to wait for."""
    if books.chip_balance(card_no) is None:
        return True
    from onecard.services.chip import api  # chip asks nothing of us at import time, nor may we of it

    return bool(api.chip_complete(card_no))
