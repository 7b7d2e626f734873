"""What only other records can tell: counters used twice, jumps, balances that do not follow. Under the lane's lock.

The offline counter and the balance before are not under the TAC (standards 1.5): they are compared with the records beside them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from onecard.kernel.clock import from_epoch_us
from onecard.services.chip import holes
from onecard.services.chip.choices import HoleKind, Reason
from onecard.services.chip.models import CardState, Load, Purchase, SamState
from onecard.services.chip.records import ChipRecord
from onecard.services.chip.verify import Judged


class Used(NamedTuple):
    """A counter as a purchase has used it."""

    key: tuple[int, int]
    balance_before_fen: int
    amount_fen: int

    @property
    def left_fen(self) -> int:
        """What the chip held afterwards."""
        return self.balance_before_fen - self.amount_fen


@dataclass(slots=True)
class Chips:
    """The chips of a lane's batch as they stand, and as the batch moves them on."""

    next_counter: dict[int, int] = field(default_factory=dict)
    used: dict[tuple[int, int], Used] = field(default_factory=dict)
    sam_used: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    loads: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))


def read_chips(records: Sequence[ChipRecord]) -> Chips:
    """Four queries for the whole batch: how far its cards have counted, who used the counters at issue, and their loads."""
    cards = sorted({record.card_no for record in records})
    chips = Chips(next_counter=dict(CardState.objects.filter(pk__in=cards).values_list("card_no", "next_counter")))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.card_no, p.card_counter, p.terminal_id, p.terminal_seq, p.balance_before_fen, p.amount_fen"
            "  FROM unnest(%s::bigint[], %s::bigint[]) i(card, counter)"
            "  JOIN chip_purchase p ON p.card_no = i.card AND p.card_counter BETWEEN i.counter - 1 AND i.counter + 1"
            " WHERE NOT p.released",
            [[r.card_no for r in records], [r.card_counter for r in records]],
        )
        for card, counter, terminal, seq, before, amount in cursor.fetchall():
            chips.used[card, counter] = Used((terminal, seq), before, amount)
        cursor.execute(
            "SELECT p.sam_no, p.sam_seq, p.terminal_id, p.terminal_seq FROM unnest(%s::bigint[], %s::bigint[]) i(sam, seq)"
            "  JOIN chip_purchase p ON p.sam_no = i.sam AND p.sam_seq = i.seq WHERE NOT p.released",
            [[r.sam_no for r in records], [r.sam_seq for r in records]],
        )
        for sam, sam_seq, terminal, seq in cursor.fetchall():
            chips.sam_used[sam, sam_seq] = (terminal, seq)
    # A load that was undone counts too: that it was written after all is a doubt of its own, not the purchase's.
    for card, amount in Load.objects.filter(card_no__in=cards).order_by("id").values_list("card_no", "amount_fen"):
        chips.loads[card].append(amount)
    return chips


def compare(one: Judged, chips: Chips, *, max_jump: int) -> None:
    """Adds what other records say against this one, and takes it into `chips` where nothing is left against it."""
    record = one.record
    if record.card_counter > chips.next_counter.get(record.card_no, 0) + max_jump:
        one.reasons.add(Reason.COUNTER_JUMP)
    if record.gray:
        return  # without a proof it is compared when it is resolved, and proves nothing against others
    used = chips.used.get((record.card_no, record.card_counter))
    sam_user = chips.sam_used.get((record.sam_no, record.sam_seq))
    if used is not None and used.key != record.key:
        one.reasons.add(Reason.COUNTER_USED)
    if sam_user is not None and sam_user != record.key:
        one.reasons.add(Reason.SAM_SEQ_USED)
    if not _follows(record, chips):
        one.reasons.add(Reason.BALANCE_CHAIN)
    if one.weigh() == 0:
        chips.used[record.card_no, record.card_counter] = Used(record.key, record.balance_before_fen, record.amount_fen)
        chips.sam_used[record.sam_no, record.sam_seq] = record.key
        chips.next_counter[record.card_no] = max(chips.next_counter.get(record.card_no, 0), record.card_counter + 1)


def _follows(record: ChipRecord, chips: Chips) -> bool:
    """Whether the balance before fits the purchases right before and right after it, as far as they are in."""
    before = chips.used.get((record.card_no, record.card_counter - 1))
    after = chips.used.get((record.card_no, record.card_counter + 1))
    loads = chips.loads.get(record.card_no, [])
    left = record.balance_before_fen - record.amount_fen
    return (before is None or explained(record.balance_before_fen - before.left_fen, loads)) and (
        after is None or explained(after.balance_before_fen - left, loads)
    )


def explained(difference: int, loads: Sequence[int]) -> bool:
    """Whether the money that appeared between two purchases is nothing, or the sum of loads that follow one another."""
    if difference <= 0:
        return difference == 0
    for start in range(len(loads)):
        total = 0
        for amount in loads[start:]:
            total += amount
            if total >= difference:
                break
        if total == difference:
            return True
    return False


def note_posted(posted: Sequence[Judged], *, now: datetime, released: bool = False) -> None:
    """Writes the posted purchases down, moves their chips on, opens and fills the chips' holes."""
    if not posted:
        return
    Purchase.objects.bulk_create(_purchase(one, released=released) for one in posted)
    cards = _by_number((one.record.card_no, one.record.card_counter) for one in posted)
    _move_cards(posted, cards, now)


def note_sams(taken: Iterable[Judged], *, now: datetime) -> None:
    """Moves SAMs on by records that are posted. Any record may be noted again: nothing happens a second time.

    Not with the lanes: a terminal's sequence runs through the cards of all of them, and would be holes in each.
    """
    sams = _by_number((one.record.sam_no, one.record.sam_seq) for one in taken)
    if not sams:
        return
    states = _lock_sams(sams, now)
    for state in states:
        seqs, reached = sams[state.sam_no], state.next_seq
        state.next_seq, state.seen_at = max(reached, seqs[-1] + 1), now
        holes.take_in(HoleKind.SAM, state.sam_no, seqs, reached=reached, now=now)
    SamState.objects.bulk_update(states, ["next_seq", "seen_at"])


def _lock_sams(sams: Mapping[int, list[int]], now: datetime) -> list[SamState]:
    """SAMs serve cards of all lanes: their rows are made, then locked, in the order of their numbers: lanes wait and never cross.

    What a SAM counted before its first record came in was not ours: no hole.
    """
    made = [SamState(sam_no=sam, next_seq=seqs[0], seen_at=now) for sam, seqs in sorted(sams.items())]
    SamState.objects.bulk_create(made, ignore_conflicts=True)
    return list(SamState.objects.select_for_update().filter(pk__in=list(sams)).order_by("sam_no"))


def _by_number(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for number, counter in sorted(set(pairs)):
        found[number].append(counter)
    return found


def _move_cards(posted: Sequence[Judged], counters: dict[int, list[int]], now: datetime) -> None:
    newest = {one.record.card_no: one for one in sorted(posted, key=lambda one: one.record.card_counter)}
    known = CardState.objects.in_bulk(list(counters))
    states = []
    for card_no, seqs in counters.items():
        one = newest[card_no]
        assert one.card is not None
        operator = one.card.operator_id
        state = known.get(card_no) or CardState(card_no=card_no, operator_id=operator, account_no=one.card.account_no)
        reached, state.seen_at = state.next_counter, now
        if seqs[-1] + 1 > reached:
            state.next_counter = seqs[-1] + 1
            state.expected_fen = one.record.balance_before_fen - one.record.amount_fen
        states.append(state)
        holes.take_in(HoleKind.CARD, card_no, seqs, reached=reached, now=now, operator_id=operator)
    CardState.objects.bulk_create(
        states, update_conflicts=True, unique_fields=["card_no"], update_fields=["next_counter", "expected_fen", "seen_at"]
    )


def _purchase(one: Judged, *, released: bool) -> Purchase:
    record = one.record
    return Purchase(
        terminal_id=record.terminal_id, terminal_seq=record.terminal_seq, card_no=record.card_no,
        card_counter=record.card_counter, balance_before_fen=record.balance_before_fen, amount_fen=record.amount_fen,
        sam_no=record.sam_no, sam_seq=record.sam_seq, transaction_type=record.transaction_type, key_version=record.key_version,
        algorithm=record.algorithm, tac=record.tac, occurred_at=from_epoch_us(record.occurred_at_us),
        transfer_id=one.transfer_id, released=released,
    )  # fmt: skip
