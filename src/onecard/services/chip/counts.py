"""Where one chip stands: its shadow account, its counters, and whether everything has come home (asked before a pay-out)."""

from dataclasses import dataclass

from onecard.kernel.codes import Text
from onecard.ledger import balances
from onecard.services.chip.choices import HoleKind, RecordState
from onecard.services.chip.models import CardState, CounterHole, HeldRecord, LoadDoubt
from onecard.services.chip.raw import raw


@dataclass(frozen=True, slots=True)
class Standing:
    """A chip as the platform knows it. `balance_fen` is the ledger's, `expected_fen` what the newest record or load proved."""

    card_no: int
    balance_fen: int
    expected_fen: int
    next_counter: int
    next_online: int | None
    open_holes: int
    kept_records: int
    doubts: int


def standing(card_no: int) -> Standing:
    """One chip; zeros where it was never used."""
    purse, state = balances.chip_balance(raw(), card_no), CardState.objects.filter(pk=card_no).first()
    holes = CounterHole.objects.filter(kind=HoleKind.CARD, number=card_no, filled_at__isnull=True)
    return Standing(
        card_no,
        purse.balance_fen if purse else 0,
        state.expected_fen if state else 0,
        state.next_counter if state else 0,
        state.next_online if state else None,
        sum(hole.last - hole.first + 1 for hole in holes),
        HeldRecord.objects.filter(card_no=card_no, state=RecordState.OPEN).count(),
        LoadDoubt.objects.filter(card_no=card_no, settled_at__isnull=True).count(),
    )


def counters_complete(card_no: int, *, chip_counter: int | None = None, chip_balance_fen: int | None = None) -> list[Text]:
    """What stands against paying out what a chip holds; empty where its counters are complete.

    `chip_counter` and `chip_balance_fen` are what the chip itself says on a reader: INITIALIZE's offline sequence and its
    balance. Without them only what has come in is judged.
    """
    found, missing = standing(card_no), []
    if found.open_holes:
        missing.append(Text(f"脱机记录缺 {found.open_holes} 笔", f"{found.open_holes} offline records are missing"))
    if found.kept_records:
        missing.append(Text(f"有 {found.kept_records} 笔记录待处理", f"{found.kept_records} records wait for a decision"))
    if found.doubts:
        missing.append(Text("有圈存存疑", "a load is in doubt"))
    if chip_counter is not None and chip_counter != found.next_counter:
        missing.append(
            Text(
                f"卡内脱机序号 {chip_counter}，已收到至 {found.next_counter}",
                f"the chip counts {chip_counter}, records came in up to {found.next_counter}",
            )
        )
    if chip_balance_fen is not None and not missing and chip_balance_fen != found.balance_fen:
        missing.append(Text("卡内余额与账面不一致", "the chip's balance is not the ledger's"))
    return missing
