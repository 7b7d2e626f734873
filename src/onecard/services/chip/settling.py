"""How loads and their doubts end: by the chip's proof, or by two people. Within the caller's transaction, the lane held."""

from datetime import date, datetime

from onecard.kernel.codes import Result
from onecard.ledger import chip as ledger
from onecard.services.chip.choices import DoubtKind, LoadState, SettledBy
from onecard.services.chip.models import CardState, Decision, Load, LoadDoubt
from onecard.services.chip.raw import raw

_OF_THE_LOAD_ITSELF = (DoubtKind.TAKEN, DoubtKind.TAC_WRONG)


def open_doubt(kind: DoubtKind, load: Load | None, state: CardState, *, now: datetime, proved: tuple[int, int]) -> None:
    """A doubt about a chip, once while it is open; `proved` is its online counter and balance.

    That a load was given back and written after all is one doubt for ever (`was_made_good`): it moves money when it is settled.
    """
    if LoadDoubt.objects.filter(kind=kind, load=load, card_no=state.card_no, settled_at__isnull=True).exists():
        return
    LoadDoubt.objects.create(
        kind=kind, load=load, card_no=state.card_no, operator_id=state.operator_id, online_counter=proved[0],
        balance_fen=proved[1], opened_at=now,
    )  # fmt: skip


def was_made_good(load: Load) -> bool:
    """Whether people have settled that the load was given back and written after all. Nothing is done about it again."""
    return LoadDoubt.objects.filter(kind=DoubtKind.GIVEN_BACK, load=load, settled_at__isnull=False).exists()


def close_load(load: Load, state: LoadState, how: SettledBy, *, now: datetime, decision: Decision | None = None) -> None:
    """Settles a load whose money stays where it is, or went back already, and the doubts about it."""
    load.state, load.settled_at = state, now
    load.save(update_fields=["state", "settled_at", "tac"])
    for doubt in LoadDoubt.objects.filter(load=load, settled_at__isnull=True, kind__in=_OF_THE_LOAD_ITSELF):
        # A decision is about one doubt; the others of the same load end by it, as a consequence.
        own = how == SettledBy.PEOPLE and decision is not None and decision.subject_id == doubt.pk
        settle_doubt(
            doubt,
            SettledBy.PEOPLE if own else SettledBy.PROOF if how == SettledBy.PROOF else SettledBy.RULE,
            now=now,
            decision=decision if own else None,
        )


def give_back(load: Load, how: SettledBy, *, now: datetime, business_date: date, decision: Decision | None = None) -> None:
    """The chip was not written: the money goes back where it came from."""
    undone = ledger.undo_chip_load(
        raw(), (load.terminal_id, load.terminal_seq), load.card_no, occurred_at=now, business_date=business_date
    )
    assert undone.code == Result.APPROVED, f"load {load.pk} cannot be undone: {undone.code}"
    close_load(load, LoadState.UNDONE, how, now=now, decision=decision)


def settle_doubt(doubt: LoadDoubt, how: SettledBy, *, now: datetime, decision: Decision | None = None) -> None:
    """Closes a doubt."""
    doubt.settled_at, doubt.how, doubt.decision = now, how, decision
    doubt.save(update_fields=["settled_at", "how", "decision"])


def note_proof(card_no: int, *, next_online: int | None, expected_fen: int) -> None:
    """What a chip has just proved of itself; `next_online` None: believe the next proof, whatever it says."""
    CardState.objects.filter(pk=card_no).update(next_online=next_online, expected_fen=expected_fen)
