"""What can be said of chip records by themselves: SAM, key version, TAC, limits, times. Changes nothing.

What must be compared with other records of the same chip or SAM stands in `counters.py` and is asked under the lane's lock.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from django.db import connection

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.codes import Result
from onecard.protocol.purse.ciphers import Algorithm
from onecard.services.chip.choices import Reason
from onecard.services.chip.models import ChipParameter
from onecard.services.chip.parameters import Limits, limits
from onecard.services.chip.records import ChipRecord

CODES: dict[Reason, Result] = {
    Reason.KEY_CONFLICT: Result.KEY_CONFLICT,
    Reason.REVERSED: Result.REVERSED,
    Reason.MERCHANT: Result.MERCHANT_CLOSED,
    Reason.UNKNOWN_CARD: Result.UNKNOWN_CARD,
    Reason.PURSE: Result.PURSE_NOT_ALLOWED,
    Reason.AMOUNT_ABOVE_BALANCE: Result.AMOUNT_INVALID,
    Reason.AMOUNT_LIMIT: Result.LIMIT_TRANSACTION,
    Reason.BALANCE_LIMIT: Result.LIMIT_BALANCE,
    Reason.TAC_WRONG: Result.TAC_WRONG,
    Reason.COUNTER_USED: Result.COUNTER_IMPOSSIBLE,
    Reason.COUNTER_JUMP: Result.COUNTER_IMPOSSIBLE,
    Reason.BALANCE_CHAIN: Result.COUNTER_IMPOSSIBLE,
    Reason.SAM_SEQ_USED: Result.COUNTER_IMPOSSIBLE,
    Reason.TIME_FUTURE: Result.TIME_IMPLAUSIBLE,
    Reason.TIME_OLD: Result.TIME_IMPLAUSIBLE,
    Reason.SAM: Result.SAM_BLOCKED,
    Reason.KEY_VERSION: Result.KEY_VERSION,
    Reason.GRAY: Result.GRAY,
}
"""Every reason with its answer; a record gets the smallest of its reasons' codes."""

_COMES_IN_ALL_THE_SAME = frozenset((Result.UNIT_SUSPENDED, Result.UNIT_EXPIRED))
"""O4: money records that are on a device still come up."""
_DAY_US = 86_400_000_000
_ALGORITHMS = frozenset(int(algorithm) for algorithm in Algorithm)


class Standing(Protocol):
    """Where a SAM stands (services.keys)."""

    def works_in(self, terminal_id: int) -> bool:
        """Whether its records from this terminal are to be believed."""


class TacVault(Protocol):
    """What is asked of the vault: 0 the TAC fits, 1 it does not, 2 no such key, in the order of the columns."""

    def __call__(
        self, *, operator_id: Sequence[int], card_no: Sequence[int], key_version: Sequence[int], algorithm: Sequence[int],
        data: Sequence[bytes], tac: Sequence[int], sam_no: Sequence[int],
    ) -> Sequence[int]: ...  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checks:
    """Where the verification asks outside its own domain."""

    tacs: TacVault
    sams: Callable[[Iterable[int]], Mapping[int, Standing]]


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the ledger knows of a card."""

    account_no: int
    operator_id: int
    card_type: int


@dataclass(slots=True)
class Judged:
    """A record with what speaks against it so far."""

    record: ChipRecord
    card: CardFacts | None
    reasons: set[Reason] = field(default_factory=set)
    code: int = 0
    """The answer: the smallest code of the reasons, or the ledger's."""
    balance_fen: int = 0
    transfer_id: int = 0
    conflict_field: int = 0

    def weigh(self) -> int:
        """The smallest code of the reasons, with the directory's; 0 where nothing speaks against the record."""
        codes = [int(CODES[reason]) for reason in self.reasons]
        if self.record.precheck and self.record.precheck not in _COMES_IN_ALL_THE_SAME:
            codes.append(self.record.precheck)
        return min(codes, default=0)


def judge(records: Sequence[ChipRecord], *, checks: Checks, figures: ChipParameter, now: datetime) -> list[Judged]:
    """Every record with the reasons that it carries in itself. Raises Unavailable where the vault is locked."""
    cards = find_cards(record.card_no for record in records)
    allowed = limits({card.card_type for card in cards.values()}, figures)
    standing = checks.sams({record.sam_no for record in records})
    judged = []
    for record in records:
        card = cards.get(record.card_no)
        one = Judged(record, card)
        sam = standing.get(record.sam_no)
        if sam is None or not sam.works_in(record.terminal_id):
            one.reasons.add(Reason.SAM)
        if card is None:
            one.reasons.add(Reason.UNKNOWN_CARD)
        else:
            one.reasons |= _over_limits(record, allowed[card.card_type])
        one.reasons |= _out_of_time(record, figures, to_epoch_us(now))
        if record.gray:
            one.reasons.add(Reason.GRAY)
        judged.append(one)
    _check_tacs(judged, checks.tacs)
    return judged


def find_cards(card_numbers: Iterable[int]) -> dict[int, CardFacts]:
    """The cards that exist; one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT card_no, account_no, operator_id, card_type_id FROM ledger.card WHERE card_no = ANY (%s)",
            [list(set(card_numbers))],
        )
        return {card_no: CardFacts(*rest) for card_no, *rest in cursor.fetchall()}


def _over_limits(record: ChipRecord, allowed: Limits) -> set[Reason]:
    reasons = set()
    if record.amount_fen > record.balance_before_fen:
        reasons.add(Reason.AMOUNT_ABOVE_BALANCE)
    if record.amount_fen > allowed.max_amount_fen:
        reasons.add(Reason.AMOUNT_LIMIT)
    if record.balance_before_fen > allowed.max_balance_fen:
        reasons.add(Reason.BALANCE_LIMIT)
    return reasons


def _out_of_time(record: ChipRecord, figures: ChipParameter, now_us: int) -> set[Reason]:
    if record.occurred_at_us > now_us + figures.max_future_s * 1_000_000:
        return {Reason.TIME_FUTURE}
    if record.occurred_at_us < now_us - figures.max_age_days * _DAY_US:
        return {Reason.TIME_OLD}
    return set()


def _check_tacs(judged: Sequence[Judged], tacs: TacVault) -> None:
    """Asks the vault once for all records that have a proof and a card."""
    asked = []
    for one in judged:
        if one.record.algorithm not in _ALGORITHMS or not 1 <= one.record.key_version <= 255:
            one.reasons.add(Reason.KEY_VERSION)
        elif one.card is not None and not one.record.gray:
            asked.append((one, one.record, one.card))
    if not asked:
        return
    verdicts = tacs(
        operator_id=[card.operator_id for _, _, card in asked],
        card_no=[record.card_no for _, record, _ in asked],
        key_version=[record.key_version for _, record, _ in asked],
        algorithm=[record.algorithm for _, record, _ in asked],
        data=[record.tac_data() for _, record, _ in asked],
        tac=[record.tac for _, record, _ in asked],
        sam_no=[record.sam_no for _, record, _ in asked],
    )
    for (one, _, _), verdict in zip(asked, verdicts, strict=True):
        if verdict == 1:
            one.reasons.add(Reason.TAC_WRONG)
        elif verdict == 2:
            one.reasons.add(Reason.KEY_VERSION)
