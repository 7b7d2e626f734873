"""Loads (圈存): money out of the account and into the chip, two writes that are never one. What is in doubt is a row with an age.

A chip proves itself by MAC1 with its online counter and balance, so the next INITIALIZE FOR LOAD settles the load before it:
counter + 1, it was written; the same counter, it was not, and the money goes back. A step is one transaction under the lane's
lock. To a chip that has not proved itself nothing is told and nothing is done.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import psycopg
from django.db import IntegrityError, OperationalError, transaction

from onecard.kernel.clock import from_epoch_us, to_epoch_us
from onecard.kernel.codes import Result
from onecard.kernel.errors import NotFound
from onecard.kernel.numbers import card_lane
from onecard.ledger import chip as ledger
from onecard.protocol.purse.proofs import Load as LoadProof
from onecard.protocol.purse.proofs import TransactionType, bcd_moment
from onecard.services.chip import settling
from onecard.services.chip.choices import DoubtKind, LoadState, SettledBy
from onecard.services.chip.models import CardState, Load, LoadDoubt
from onecard.services.chip.parameters import limits
from onecard.services.chip.raw import hold_lane, raw
from onecard.services.chip.records import has_form
from onecard.services.chip.steps import LoadReply, LoadRequest, Step
from onecard.services.chip.verify import CardFacts, Standing, find_cards

_ATTEMPTS = 5
_LOADS = (TransactionType.ED_LOAD, TransactionType.EP_LOAD)
_REPEATABLE = (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


class LoadVault(Protocol):
    """What a load asks of the vault, a card given by operator and number. Raises NotFound for a key that is not in force."""

    def mac1_ok(
        self, card: tuple[int, int], load: LoadProof, *, random: bytes, version: int, algorithm: int, mac1: bytes
    ) -> bool: ...
    def mac2(self, card: tuple[int, int], load: LoadProof, *, random: bytes, version: int, algorithm: int) -> bytes: ...
    def tac_ok(self, card: tuple[int, int], load: LoadProof, *, version: int, algorithm: int, tac: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class LoadChecks:
    """Where a load asks outside its own domain."""

    vault: LoadVault
    sams: Callable[[Iterable[int]], Mapping[int, Standing]]


def load_step(request: LoadRequest, *, checks: LoadChecks, now: datetime, business_date: date) -> LoadReply:
    """Takes one step of a load; any step may be repeated. Raises Unavailable where the vault is locked: then nothing was done."""
    if not _is_well_formed(request):
        return LoadReply(Result.FORMAT)
    steps = {Step.REQUEST: _request, Step.CONFIRM: _confirm, Step.NOT_WRITTEN: _not_written}
    work = _Work(request, checks, now.replace(microsecond=0), business_date)
    for attempt in range(_ATTEMPTS):
        try:
            with transaction.atomic():
                hold_lane(card_lane(request.card_no))
                return steps[Step(request.step)](work)
        except (IntegrityError, OperationalError, psycopg.Error) as error:
            cause = error if isinstance(error, psycopg.Error) else error.__cause__
            if attempt == _ATTEMPTS - 1 or not isinstance(cause, _REPEATABLE):
                raise
    raise AssertionError


@dataclass(frozen=True, slots=True)
class _Work:
    request: LoadRequest
    checks: LoadChecks
    now: datetime
    business_date: date

    @property
    def key(self) -> tuple[int, int]:
        return self.request.terminal_id, self.request.terminal_seq

    def found(self) -> Load | None:
        terminal_id, terminal_seq = self.key
        return Load.objects.filter(terminal_id=terminal_id, terminal_seq=terminal_seq).first()

    def proved(self, card: CardFacts) -> int:
        """0 where the chip's MAC1 fits, else why not."""
        request = self.request
        try:
            fits = self.checks.vault.mac1_ok(
                (card.operator_id, request.card_no), _proof(request), random=_bytes4(request.random), version=request.key_version,
                algorithm=request.algorithm, mac1=_bytes4(request.mac1),
            )  # fmt: skip
        except NotFound:
            return Result.KEY_VERSION
        return 0 if fits else Result.MAC1_WRONG


def _is_well_formed(request: LoadRequest) -> bool:
    return (
        request.step in tuple(Step)
        and request.transaction_type in _LOADS
        and 0 < request.amount_fen < 1 << 32
        and 0 <= request.old_balance_fen < 1 << 32
        and request.old_balance_fen + request.amount_fen < 1 << 32
        and 0 <= request.online_counter < 1 << 16
        and 0 <= request.sam_no < 1 << 48
        and request.terminal_seq > 0
        and 10**15 <= request.card_no < 10**16
        and has_form(request.key_version, request.algorithm, request.occurred_at_us)
    )


def _request(work: _Work) -> LoadReply:
    request = work.request
    earlier = work.found()
    if earlier is not None:
        return _again(work, earlier)
    card = find_cards([request.card_no]).get(request.card_no)
    if card is None:
        return LoadReply(Result.UNKNOWN_CARD)
    if code := _refusal(work, card):
        return LoadReply(code)
    taken = ledger.load_chip(
        raw(), work.key, request.card_no, amount_fen=request.amount_fen, occurred_at=from_epoch_us(request.occurred_at_us),
        business_date=work.business_date,
    )  # fmt: skip
    if taken.code != Result.APPROVED:
        return LoadReply(taken.code, balance_fen=taken.balance_fen)
    load = _write_down(work, card, taken)
    return _with_mac2(work, load)


def _refusal(work: _Work, card: CardFacts) -> int:
    """What speaks against a load before money is touched, the chip's proof first; 0 where nothing does."""
    request = work.request
    sam = work.checks.sams([request.sam_no]).get(request.sam_no)
    if sam is not None and not sam.works_in(request.terminal_id):
        return Result.SAM_BLOCKED
    if code := work.proved(card) or _settle_earlier(work, card):
        return code
    allowed = limits([card.card_type])[card.card_type]
    too_much = request.old_balance_fen + request.amount_fen > allowed.max_balance_fen
    return Result.LIMIT_BALANCE if too_much else 0


def _again(work: _Work, load: Load) -> LoadReply:
    """The same request: the same MAC2, and no second debit."""
    request = work.request
    same = (load.card_no, load.amount_fen, load.sam_no, load.online_counter, load.random, load.mac1) == (
        request.card_no, request.amount_fen, request.sam_no, request.online_counter, request.random, request.mac1,
    )  # fmt: skip
    if not same:
        return LoadReply(Result.KEY_CONFLICT)
    if load.state == LoadState.UNDONE:
        return LoadReply(Result.REVERSED)
    return _with_mac2(work, load)


def _with_mac2(work: _Work, load: Load) -> LoadReply:
    mac2 = work.checks.vault.mac2(
        (load.operator_id, load.card_no),
        proof_of(load),
        random=_bytes4(load.random),
        version=load.key_version,
        algorithm=load.algorithm,
    )
    return LoadReply(
        Result.APPROVED, int.from_bytes(mac2, "big"), to_epoch_us(load.host_time), load.balance_fen, load.transfer_id
    )


def _settle_earlier(work: _Work, card: CardFacts) -> int:
    """Brings the chip's history up to what it has just proved; 0 where nothing is left in doubt."""
    request = work.request
    state, _ = CardState.objects.get_or_create(
        card_no=request.card_no, defaults={"operator_id": card.operator_id, "account_no": card.account_no}
    )
    open_load = Load.objects.filter(card_no=request.card_no, state=LoadState.TAKEN).first()
    if open_load is not None:
        settled = settle_by_proof(open_load, work)
        if not settled:
            settling.open_doubt(
                DoubtKind.UNEXPLAINED, None, state, now=work.now, proved=(request.online_counter, request.old_balance_fen)
            )
    elif state.next_online is not None and request.online_counter != state.next_online:
        _doubt_counter(work, state)
    if LoadDoubt.objects.filter(card_no=request.card_no, settled_at__isnull=True).exists():
        return Result.LOAD_IN_DOUBT
    settling.note_proof(request.card_no, next_online=request.online_counter, expected_fen=request.old_balance_fen)
    return 0


def settle_by_proof(load: Load, work: "_Work") -> bool:
    """Settles a load by what the chip proves now; False where neither "written" nor "not written" explains it."""
    counter, balance = work.request.online_counter, work.request.old_balance_fen
    if counter == load.online_counter + 1 and balance <= load.old_balance_fen + load.amount_fen:
        settling.close_load(load, LoadState.WRITTEN, SettledBy.PROOF, now=work.now)
        return True
    if counter == load.online_counter and balance <= load.old_balance_fen:
        settling.give_back(load, SettledBy.PROOF, now=work.now, business_date=work.business_date)
        return True
    return False


def _doubt_counter(work: _Work, state: CardState) -> None:
    """The counter is not where our loads have brought it: a load that was given back was written after all, or worse."""
    request = work.request
    proved = (request.online_counter, request.old_balance_fen)
    undone = Load.objects.filter(
        card_no=request.card_no, state=LoadState.UNDONE, online_counter=request.online_counter - 1
    ).order_by("-id").first()  # fmt: skip
    if undone is not None and request.online_counter == (state.next_online or 0) + 1:
        if not settling.was_made_good(undone):
            settling.open_doubt(DoubtKind.GIVEN_BACK, undone, state, now=work.now, proved=proved)
        settling.note_proof(request.card_no, next_online=request.online_counter, expected_fen=request.old_balance_fen)
    else:
        settling.open_doubt(DoubtKind.UNEXPLAINED, None, state, now=work.now, proved=proved)


def _write_down(work: _Work, card: CardFacts, taken: ledger.LoadAnswer) -> Load:
    request = work.request
    load = Load.objects.create(
        terminal_id=request.terminal_id, terminal_seq=request.terminal_seq, card_no=request.card_no, operator_id=card.operator_id,
        amount_fen=request.amount_fen, transaction_type=request.transaction_type, sam_no=request.sam_no,
        old_balance_fen=request.old_balance_fen, online_counter=request.online_counter, key_version=request.key_version,
        algorithm=request.algorithm, random=request.random, mac1=request.mac1, host_time=work.now, balance_fen=taken.balance_fen,
        transfer_id=taken.transfer_id,
    )  # fmt: skip
    state = CardState.objects.get(pk=request.card_no)
    # From this moment on nobody knows: the doubt is there before MAC2 leaves, and its age counts from here.
    settling.open_doubt(DoubtKind.TAKEN, load, state, now=work.now, proved=(request.online_counter, request.old_balance_fen))
    return load


def _confirm(work: _Work) -> LoadReply:
    load = work.found()
    if load is None:
        return LoadReply(Result.NO_ORIGINAL)
    if (load.card_no, load.amount_fen) != (work.request.card_no, work.request.amount_fen):
        return LoadReply(Result.ORIGINAL_MISMATCH)
    done = LoadReply(Result.APPROVED, 0, to_epoch_us(load.host_time), load.balance_fen, load.transfer_id)
    if load.state in (LoadState.CONFIRMED, LoadState.WRITTEN) or settling.was_made_good(load):
        return done
    fits = _tac_fits(work, load)
    state = CardState.objects.get(pk=load.card_no)
    after = (load.online_counter + 1, load.old_balance_fen + load.amount_fen)
    if load.state == LoadState.UNDONE:
        return _confirm_undone(work, load, state, fits=fits)
    if not fits:
        settling.open_doubt(DoubtKind.TAC_WRONG, load, state, now=work.now, proved=after)
        return LoadReply(Result.TAC_WRONG)
    load.tac = work.request.tac
    settling.close_load(load, LoadState.CONFIRMED, SettledBy.PROOF, now=work.now)
    settling.note_proof(load.card_no, next_online=after[0], expected_fen=after[1])
    return done


def _confirm_undone(work: _Work, load: Load, state: CardState, *, fits: bool) -> LoadReply:
    """The money went back already. A TAC that proves nothing leaves no doubt: the chip's next MAC1 tells."""
    if not fits:
        return LoadReply(Result.TAC_WRONG)
    after = (load.online_counter + 1, load.old_balance_fen + load.amount_fen)
    settling.open_doubt(DoubtKind.GIVEN_BACK, load, state, now=work.now, proved=after)
    if state.next_online is None or state.next_online < after[0]:
        settling.note_proof(load.card_no, next_online=after[0], expected_fen=after[1])
    return LoadReply(Result.LOAD_IN_DOUBT)


def _tac_fits(work: _Work, load: Load) -> bool:
    """A TAC under a version that is no longer in force proves nothing: the load stays in doubt."""
    try:
        return work.checks.vault.tac_ok(
            (load.operator_id, load.card_no), proof_of(load), version=load.key_version, algorithm=load.algorithm,
            tac=_bytes4(work.request.tac),
        )  # fmt: skip
    except NotFound:
        return False


def _not_written(work: _Work) -> LoadReply:
    """The money goes back against a MAC1 of a later INITIALIZE that shows the counter unchanged."""
    load, request = work.found(), work.request
    if load is None:
        return LoadReply(Result.NO_ORIGINAL)
    given_back = LoadReply(Result.APPROVED, balance_fen=load.balance_fen + load.amount_fen, transfer_id=load.transfer_id)
    if load.state == LoadState.UNDONE and load.card_no == request.card_no:
        return given_back
    if load.state != LoadState.TAKEN or load.card_no != request.card_no:
        return LoadReply(Result.ORIGINAL_MISMATCH)
    if code := Result.MAC1_WRONG if request.random == load.random else work.proved(find_cards([load.card_no])[load.card_no]):
        return LoadReply(code)  # the request's own INITIALIZE proves nothing about what came after it
    if not settle_by_proof(load, work):
        state = CardState.objects.get(pk=load.card_no)
        settling.open_doubt(
            DoubtKind.UNEXPLAINED, None, state, now=work.now, proved=(request.online_counter, request.old_balance_fen)
        )
        return LoadReply(Result.LOAD_IN_DOUBT)
    settling.note_proof(load.card_no, next_online=request.online_counter, expected_fen=request.old_balance_fen)
    return LoadReply(Result.ORIGINAL_MISMATCH) if load.state == LoadState.WRITTEN else given_back


def proof_of(load: Load) -> LoadProof:
    """What MAC2 and TAC of a load are made over."""
    return LoadProof(
        load.amount_fen, load.transaction_type, load.sam_no, load.old_balance_fen, load.online_counter, bcd_moment(load.host_time)
    )


def _proof(request: LoadRequest) -> LoadProof:
    return LoadProof(
        request.amount_fen, request.transaction_type, request.sam_no, request.old_balance_fen, request.online_counter
    )


def _bytes4(number: int) -> bytes:
    return number.to_bytes(4, "big")
