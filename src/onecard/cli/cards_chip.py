"""What the desk's reader reads from a card in hand before its chip is paid out: offline counter and balance, both public."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from onecard.cli.cards_words import refusal

if TYPE_CHECKING:
    from onecard.terminal.reader.base import Reader


def reading(
    card_no: int, counter: int | None, balance: str | None, *, reader: str | None, folder: Path | None
) -> tuple[int | None, int | None]:
    """Counter and balance in fen: as typed, or read from the card where a reader is named; (None, None) where neither is given.

    Raises InvalidInput, CardUnusable, ChipRefused, and what the reader raises.
    """
    typed = counter is not None or balance is not None
    if (reader is not None) + (folder is not None) + typed > 1:
        raise refusal("读卡与手工输入只能选一种", "read the card, or type what it says: not both")
    if reader is None and folder is None:
        return counter, _fen(balance)
    seen = []
    for slot in _readers(reader, folder):
        found, *said = _read(slot)
        if found == card_no:
            return said[0], said[1]
        seen.append(str(found))
    there = "、".join(seen) or "-"
    raise refusal(f"读卡器上不是此卡（有 {there}）", f"that card is not on the reader (there is {there})")


def _fen(balance: str | None) -> int | None:
    from onecard.kernel.money import parse_yuan

    try:
        return None if balance is None else parse_yuan(balance)
    except ValueError:
        raise refusal(f"金额无效：{balance}", f"not an amount in yuan: {balance}") from None


def _readers(name: str | None, folder: Path | None) -> Iterator["Reader"]:
    """A PC/SC reader, or one after another the virtual cards of a folder that were issued."""
    if folder is None:
        from onecard.terminal.reader.pcsc import PcscReader

        yield PcscReader(name or "")
        return
    from onecard.terminal.card.virtual import VirtualCard
    from onecard.terminal.reader.local import LocalReader

    for path in sorted(folder.glob("*.card")):
        yield LocalReader(VirtualCard.open(path))


def _read(reader: "Reader") -> tuple[int, int, int]:
    """Card number (0: not an issued card of ours), offline counter and balance. INITIALIZE alone changes nothing on a card."""
    from onecard.protocol.purse import commands
    from onecard.terminal.chipcard import CardUnusable, open_card

    try:
        with open_card(reader) as card:
            balance = commands.parse_balance(card.ask(commands.get_balance(), "balance"))
            init = commands.PurchaseInit.parse(card.ask(commands.initialize_for_purchase(0, 0), "initialize"))
            return card.card_no, init.counter, balance
    except CardUnusable:
        return 0, 0, 0
