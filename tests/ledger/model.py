"""What the ledger is to do, once more and slowly: a model in plain Python, record by record, sharing no line with the SQL."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from onecard.kernel.codes import Operation as Op
from onecard.kernel.codes import Result
from tests.ledger.bank import Record


class Place(NamedTuple):
    """Where money can stand: a purse of an account's unit, or a book."""

    kind: str  # purse, shop, funding, debt, hold
    number: int
    unit: int = 0


_SAME = ("card_no", "amount", "merchant")


@dataclass(eq=False)
class Leg:
    """One movement; `undone_by` are the movements that gave some of it back."""

    source: Place
    target: Place
    amount: int
    day: date
    undone_by: list["Leg"] = field(default_factory=list)

    @property
    def rest(self) -> int:
        """What has not been given back: givings-back that were themselves undone do not count."""
        return self.amount - sum(leg.amount - sum(again.amount for again in leg.undone_by) for leg in self.undone_by)


@dataclass
class Entry:
    """A record that was answered."""

    record: Record | None  # None: a reversal came in its place
    code: Result
    legs: list[Leg] = field(default_factory=list)
    reversed: bool = False


@dataclass
class Held:
    purse: Place
    leg: Leg
    amount: int
    shop: Place
    state: str = "open"  # open, committed, released, expired
    ends: datetime | None = None  # None: far in the future; else it has passed


@dataclass
class Holder:
    """An account as the model knows it."""

    card_no: int
    operator: int
    unified: bool
    units: tuple[int, ...]  # of its purses, 0 is the public one
    day_limit: int = 0
    owed: int = 0


@dataclass
class Refused(Exception):
    code: Result


class Model:
    """Purses, books, debts and keys of one lane and one terminal."""

    def __init__(self, holders: list[Holder]) -> None:
        self.holders = {holder.card_no: holder for holder in holders}
        self.money: dict[Place, int] = defaultdict(int)
        self.spent: dict[Place, tuple[date, int]] = {}
        self.keys: dict[int, Entry] = {}
        self.reversals: dict[int, Entry] = {}
        self.holds: dict[int, Held] = {}  # by the hold's sequence number
        self.quarantined: dict[int, bool] = {}  # whether it still waits for a person

    def post(self, record: Record) -> Result:
        known = (self.reversals if record.op == Op.REVERSAL else self.keys).get(record.seq)
        if known is not None and self._gives_way(known, record):
            known = None
        if known is not None:
            answer = self._again(known, record)
            if self._is_fact(record) and answer not in (Result.APPROVED, Result.REVERSED):
                self.quarantined.setdefault(record.seq, True)
            return answer
        entry = Entry(record, Result.APPROVED)
        try:
            holder = self.holders.get(record.card_no)
            if holder is None:
                raise Refused(Result.UNKNOWN_CARD)
            entry.legs = self._decide(holder, record)
        except Refused as refused:
            entry.code = refused.code
            if self._is_fact(record):
                self.quarantined.setdefault(record.seq, True)
        if record.op == Op.REVERSAL:
            self.reversals[record.seq] = entry
        else:
            self.keys[record.seq] = entry
        return entry.code

    @staticmethod
    def _is_fact(record: Record) -> bool:
        """What was sold already: refused, it waits for a person."""
        return record.op == Op.ADVICE or (record.op == Op.COMMIT and record.amount > 0)

    def expire(self, seq: int, ends: datetime, *, swept: bool) -> None:
        """A hold's time has run out at `ends`, which has passed; `swept`: its money is back in the purse."""
        held = self.holds[seq]
        if held.state == "open":
            held.ends = ends
            if swept:
                held.state = "expired"
                self._move(held.leg.target, held.purse, held.amount, held.leg.day, undoes=held.leg)
                self._forget(held.purse, held.amount, held.leg.day)

    @staticmethod
    def _again(known: Entry, record: Record) -> Result:
        if known.record is None:
            return Result.REVERSED
        first = known.record
        if first.op != record.op and not {first.op, record.op} <= {Op.PURCHASE, Op.ADVICE}:
            return Result.KEY_CONFLICT
        if any(getattr(first, name) != getattr(record, name) for name in _SAME):
            return Result.KEY_CONFLICT
        return Result.REVERSED if known.reversed else known.code

    @staticmethod
    def _gives_way(known: Entry, record: Record) -> bool:
        """A purchase that was refused on line, and made off line all the same (ADR 0071)."""
        first = known.record
        if first is None or (first.op, record.op) != (Op.PURCHASE, Op.ADVICE) or known.reversed:
            return False
        return known.code >= Result.TERMINAL_NOT_ALLOWED and all(getattr(first, n) == getattr(record, n) for n in _SAME)

    def _decide(self, holder: Holder, record: Record) -> list[Leg]:
        if record.op == Op.REVERSAL:
            return self._reverse(holder, record)
        if record.op in (Op.COMMIT, Op.RELEASE, Op.VOID, Op.REFUND):
            return self._follow(holder, record)
        if record.op == Op.TOPUP:
            return self._top_up(holder, record)
        if record.op == Op.ADVICE:
            return self._advice(holder, record)
        return self._pay(holder, record)

    # Money out of purses

    def _purses(self, holder: Holder, record: Record) -> list[Place]:
        """The purses that may be used, in the merchant's order (P2)."""
        public = Place("purse", holder.card_no)
        private = Place("purse", holder.card_no, record.unit)
        order = {1: [public], 2: [private], 3: [private, public], 4: [public, private]}[record.order]
        return [p for p in order if p.unit in holder.units and (p.unit > 0 or holder.unified)]

    def _pay(self, holder: Holder, record: Record) -> list[Leg]:
        if holder.owed:
            raise Refused(Result.CARD_DENIED)
        purses = self._purses(holder, record)
        if not purses:
            raise Refused(Result.PURSE_NOT_ALLOWED)
        if record.amount <= 0:
            raise Refused(Result.AMOUNT_INVALID)
        spent = sum(fen for day, fen in (self.spent.get(p, (date.min, 0)) for p in purses) if day >= record.day)
        if holder.day_limit and spent + record.amount > holder.day_limit:
            raise Refused(Result.LIMIT_DAY)
        if record.op == Op.HOLD:
            able = [p for p in purses if self.money[p] >= record.amount]
            if not able:
                raise Refused(Result.INSUFFICIENT_FUNDS)
            leg = self._spend(able[0], Place("hold", holder.operator), record.amount, record)
            self.holds[record.seq] = Held(able[0], leg, record.amount, Place("shop", record.merchant))
            return [leg]
        if sum(self.money[p] for p in purses) < record.amount:
            raise Refused(Result.INSUFFICIENT_FUNDS)
        legs, rest = self._take(purses, record)
        assert rest == 0
        return legs

    def _take(self, purses: list[Place], record: Record) -> tuple[list[Leg], int]:
        """Takes what there is, purse by purse; returns the legs and what is missing."""
        legs, rest = [], record.amount
        for purse in purses:
            part = min(rest, self.money[purse])
            if part > 0:
                legs.append(self._spend(purse, Place("shop", record.merchant), part, record))
                rest -= part
        return legs, rest

    def _spend(self, purse: Place, target: Place, amount: int, record: Record) -> Leg:
        day, before = self.spent.get(purse, (date.min, 0))
        if record.op not in (Op.ADVICE, Op.COMMIT) or day <= record.day:
            self.spent[purse] = (max(day, record.day), amount + (before if day >= record.day else 0))
        return self._move(purse, target, amount, record.day)

    def _advice(self, holder: Holder, record: Record) -> list[Leg]:
        if record.amount < 0:
            raise Refused(Result.AMOUNT_INVALID)
        purses = self._purses(holder, record)
        shop = Place("shop", record.merchant)
        if record.amount == 0 and purses:
            funded = [p for p in purses if self.money[p] > 0] or purses
            return [self._spend(funded[0], shop, 0, record)]
        legs, rest = self._take(purses, record)
        if rest or not legs:
            legs.append(self._move(Place("debt", holder.operator), shop, rest, record.day))
            holder.owed += rest
        return legs

    def _top_up(self, holder: Holder, record: Record) -> list[Leg]:
        purses = self._purses(holder, record)
        if not purses:
            raise Refused(Result.PURSE_NOT_ALLOWED)
        if record.amount <= 0:
            raise Refused(Result.AMOUNT_INVALID)
        funding, repaid = Place("funding", record.merchant), min(holder.owed, record.amount)
        legs = []
        if record.amount > repaid:
            legs.append(self._move(funding, purses[0], record.amount - repaid, record.day))
        if repaid:
            legs.append(self._move(funding, Place("debt", holder.operator), repaid, record.day))
            holder.owed -= repaid
        return legs

    # What follows or undoes another record

    def _follow(self, holder: Holder, record: Record) -> list[Leg]:
        if record.op in (Op.COMMIT, Op.REFUND) and record.amount <= 0:
            raise Refused(Result.AMOUNT_INVALID)
        original = self.keys.get(record.orig_seq)
        if original is None or original.record is None or original.code or original.reversed:
            raise Refused(Result.NO_ORIGINAL)
        first = original.record
        wanted = (Op.HOLD,) if record.op in (Op.COMMIT, Op.RELEASE) else (Op.PURCHASE, Op.ADVICE, Op.COMMIT)
        if first.card_no != record.card_no or first.merchant != record.merchant or first.op not in wanted:
            raise Refused(Result.ORIGINAL_MISMATCH)
        if record.op in (Op.COMMIT, Op.RELEASE):
            return self._end_hold(holder, self.holds[first.seq], record)
        if record.op == Op.VOID:
            if (record.amount > 0 and record.amount != first.amount) or first.day != record.day:
                raise Refused(Result.ORIGINAL_MISMATCH)
            if any(leg.rest < leg.amount for leg in self._paid(original)):
                raise Refused(Result.REFUND_EXCEEDS)
            return self._give_back(holder, original, None)
        if sum(leg.rest for leg in self._paid(original)) < record.amount:
            raise Refused(Result.REFUND_EXCEEDS)
        return self._give_back(holder, original, record.amount)

    def _end_hold(self, holder: Holder, held: Held, record: Record) -> list[Leg]:
        taken = record.amount if record.op == Op.COMMIT else 0
        in_time = held.ends is None or record.occurred < held.ends
        may = (in_time or not taken) if held.state == "open" else (in_time and taken > 0 and held.state == "expired")
        if not may:
            raise Refused(Result.HOLD_CLOSED)
        if taken > held.amount:
            raise Refused(Result.AMOUNT_INVALID)
        if held.state == "expired":
            held.state = "committed"
            return self._advice(holder, record)
        held.state = "committed" if taken else "released"
        legs = []
        if taken:
            legs.append(self._move(held.leg.target, held.shop, taken, record.day, undoes=held.leg))
        if held.amount > taken:
            legs.append(self._move(held.leg.target, held.purse, held.amount - taken, record.day, undoes=held.leg))
            self._forget(held.purse, held.amount - taken, held.leg.day)
        return legs

    def _reverse(self, holder: Holder, record: Record) -> list[Leg]:
        original = self.keys.get(record.seq)
        if original is None:
            self.keys[record.seq] = Entry(None, Result.REVERSED)
            return []
        first = original.record
        assert first is not None
        unknown = first.card_no != record.card_no and original.code == Result.UNKNOWN_CARD  # nothing moved, whoever it was
        if not unknown and (
            first.card_no != record.card_no or (record.amount > 0 and record.amount != first.amount) or first.op == Op.RELEASE
        ):
            raise Refused(Result.ORIGINAL_MISMATCH)
        legs: list[Leg] = []
        if not original.code:
            legs = self._undo(holder, original)
        original.reversed = True
        if first.op in (Op.ADVICE, Op.COMMIT) and original.code:
            self.quarantined[record.seq] = False
        return legs

    def _undo(self, holder: Holder, original: Entry) -> list[Leg]:
        first = original.record
        assert first is not None
        if first.op == Op.HOLD:
            held = self.holds[first.seq]
            if held.state == "committed":
                raise Refused(Result.HOLD_CLOSED)
            if held.state == "released":
                return []
            held.state = "released"
            self._forget(held.purse, held.amount, held.leg.day)
            return [self._move(held.leg.target, held.purse, held.amount, first.day, undoes=held.leg)]
        if first.op == Op.COMMIT:  # the hold stands again over what the shop still has
            held, leg = self.holds[first.orig_seq], original.legs[0]
            if leg.source.kind != "hold":  # it had come after the hold's end
                held.state = "expired"
                return self._give_back(holder, original, None)
            rest = leg.rest
            held.amount, held.state = rest, "open" if rest else "released"
            return [self._move(leg.target, leg.source, rest, first.day, undoes=leg)] if rest else []
        return self._give_back(holder, original, None)

    @staticmethod
    def _paid(original: Entry) -> list[Leg]:
        """The legs that paid; what a commit gave back to the holder stays there."""
        assert original.record is not None
        return original.legs[:1] if original.legs and original.legs[0].source.kind == "hold" else original.legs

    def _give_back(self, holder: Holder, original: Entry, amount: int | None) -> list[Leg]:
        """Gives back `amount` (None: all that is left) leg by leg, the last leg first."""
        made: list[Leg] = []
        left = amount
        for leg in reversed(self._paid(original)):
            part = leg.rest if left is None else min(leg.rest, left)
            if left is not None:
                left -= part
            if part == 0 and (left is not None or leg.amount > 0):
                continue
            made += self._back(holder, original, leg, part)
        return made

    def _back(self, holder: Holder, original: Entry, leg: Leg, part: int) -> list[Leg]:
        debt = Place("debt", holder.operator)
        day, made = leg.day, []
        if leg.target.kind == "purse":  # out of the purse as far as there is something in it, the rest is owed
            able = min(self.money[leg.target], part)
            if able:
                made.append(self._move(leg.target, leg.source, able, day, undoes=leg))
            if part > able:
                made.append(self._move(debt, leg.source, part - able, day, undoes=leg))
                holder.owed += part - able
            return made
        if leg.target.kind == "debt":
            holder.owed += part
            return [self._move(debt, leg.source, part, day, undoes=leg)]
        if leg.source.kind == "debt":
            off = min(holder.owed, part)
            if off or not part:
                made.append(self._move(leg.target, debt, off, day, undoes=leg))
                holder.owed -= off
            if part > off:
                purse = Place("purse", holder.card_no, min(holder.units))
                made.append(self._move(leg.target, purse, part - off, day, undoes=leg))
                self._forget(purse, part - off, day)
            return made
        if leg.source.kind == "hold":
            assert original.record is not None
            purse = self.holds[original.record.orig_seq].purse
        else:
            purse = leg.source
        self._forget(purse, part, day)
        return [self._move(leg.target, purse, part, day, undoes=leg)]

    def _forget(self, purse: Place, amount: int, day: date) -> None:
        """What comes back no longer counts to its day's limit."""
        at, fen = self.spent.get(purse, (date.min, 0))
        if at == day:
            self.spent[purse] = (at, max(fen - amount, 0))

    def _move(self, source: Place, target: Place, amount: int, day: date, *, undoes: Leg | None = None) -> Leg:
        self.money[source] -= amount
        self.money[target] += amount
        leg = Leg(source, target, amount, day)
        if undoes is not None:
            undoes.undone_by.append(leg)
        return leg
