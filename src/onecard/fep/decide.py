"""What a front-end answers by itself while the line is down (G3, P4, I1): pure, in the order of precedence of `Result`.

Whoever calls keeps the counters of `Spent` and writes them with the record, in one transaction of the journal.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from onecard.kernel.codes import Operation, Result
from onecard.kernel.numbers import is_card_no, is_qr_card_no
from onecard.protocol.cardindex import CardEntry, CardIndex
from onecard.protocol.lease import Step
from onecard.protocol.native import MAX_AMOUNT_FEN
from onecard.protocol.offline import OfflineRules, local_time
from onecard.protocol.paycode import PayCode, PayCodeError, parse_code

CODE_TOLERANCE_S = 30
"""By how much the front-end's clock and that of the platform that issued a payment code may differ."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a terminal asks for: PURCHASE, or HOLD with the amount to reserve."""

    op: Operation
    terminal_id: int
    card_no: int
    amount_fen: int
    pay_code: bytes = b""
    """As read from the customer's QR code; empty: a card was shown."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What this front-end has approved off line already. Days and meals are those of `SpendingKey`."""

    card_day_fen: int = 0
    card_day_count: int = 0
    card_meal_fen: int = 0
    terminal_fen: int = 0
    """Of the terminal's records that the platform has not acknowledged."""
    card_seen: bool = False
    """Whether the card was approved here before, on line or off."""
    code_used: bool = False
    """Whether the payment code was taken here before."""


@dataclass(frozen=True, slots=True)
class SpendingKey:
    """Under what the amounts of a purchase are counted. A meal belongs to the day it is asked about on."""

    card_no: int
    day: date
    meal: int


def spending_key(card_no: int, rules: OfflineRules, now_us: int) -> SpendingKey:
    """By the front-end's clock, not the terminal's: a terminal set to yesterday has no limits of its own."""
    return SpendingKey(card_no, local_time(now_us).date(), rules.meal_at(now_us))


def decide(
    request: Purchase,
    *,
    rules: OfflineRules,
    cards: CardIndex | None,
    denied: Container[int],
    spent: Spent,
    lease_step: Step,
    now_us: int,
    code_keys: Mapping[int, bytes] | None = None,
) -> Result:
    """APPROVED, or the first reason against it. `code_keys` are the public keys payment codes are believed under.

    BUSY means that the terminal's share of unacknowledged money is used up: it can sell again when the line is back.
    """
    if request.op not in (Operation.PURCHASE, Operation.HOLD):
        raise ValueError(f"{request.op!r} is not decided here")
    entry = cards.get(request.card_no) if cards else None
    reasons = (
        _standing(request, rules, lease_step, spent.card_seen, now_us),
        _card(request.card_no, entry, rules, denied, now_us),
        _limits(request, entry, rules, spent, now_us),
        _code(request, code_keys or {}, spent, now_us),
        _terminal_limits(request, entry, rules, spent),
    )
    return min((reason for group in reasons for reason in group), default=Result.APPROVED)


def decide_access(
    terminal_id: int,
    card_no: int,
    *,
    rules: OfflineRules,
    cards: CardIndex | None,
    denied: Container[int],
    card_seen: bool,
    lease_step: Step,
    now_us: int,
) -> Result:
    """Whether a card opens a door now (I1). TERMINAL_NOT_ALLOWED: not at this door, or not at this time."""
    entry = cards.get(card_no) if cards else None
    if lease_step >= Step.NO_SALES or (lease_step >= Step.NO_NEW_CARDS and not card_seen):
        return Result.UNIT_EXPIRED
    if entry is None:
        return Result.UNKNOWN_CARD
    local = local_time(now_us)
    reasons = list(_standing_of_card(card_no, entry, denied, local.date()))
    if not any(door.admits(entry.groups, local) for door in rules.doors.get(terminal_id, ())):
        reasons.append(Result.TERMINAL_NOT_ALLOWED)
    return min(reasons, default=Result.APPROVED)


def refuses(card_no: int, *, rules: OfflineRules, cards: CardIndex | None, denied: Container[int], now_us: int) -> bool:
    """Whether the lists by themselves keep a card out, whatever it asks for: a new list is measured by it before it is taken."""
    entry = cards.get(card_no) if cards else None
    return any(True for _ in _card(card_no, entry, rules, denied, now_us))


def read_code(data: bytes) -> PayCode | None:
    """A payment code; None when the bytes are none."""
    try:
        return parse_code(data)
    except PayCodeError:
        return None


def _standing(request: Purchase, rules: OfflineRules, step: Step, card_seen: bool, now_us: int) -> Iterator[Result]:
    hours = rules.terminal(request.terminal_id).hours
    if hours and not any(window.contains(local_time(now_us)) for window in hours):
        yield Result.TERMINAL_NOT_ALLOWED
    if step >= Step.NO_SALES or (step >= Step.NO_NEW_CARDS and not card_seen):
        yield Result.UNIT_EXPIRED


def _card(card_no: int, entry: CardEntry | None, rules: OfflineRules, denied: Container[int], now_us: int) -> Iterator[Result]:
    if not is_card_no(card_no):
        yield Result.UNKNOWN_CARD
    yield from _standing_of_card(card_no, entry, denied, local_time(now_us).date())
    if not rules.card_type(entry.card_type_id if entry else None).offline:
        yield Result.PURSE_NOT_ALLOWED if entry else Result.UNKNOWN_CARD


def _standing_of_card(card_no: int, entry: CardEntry | None, denied: Container[int], today: date) -> Iterator[Result]:
    if entry and entry.valid_until and entry.valid_until < today:
        yield Result.CARD_EXPIRED
    if card_no in denied:
        yield Result.CARD_DENIED


def _limits(request: Purchase, entry: CardEntry | None, rules: OfflineRules, spent: Spent, now_us: int) -> Iterator[Result]:
    rule, amount = rules.card_type(entry.card_type_id if entry else None), request.amount_fen
    meal = rules.meal_at(now_us)
    if not 0 < amount <= MAX_AMOUNT_FEN:
        yield Result.AMOUNT_INVALID
    if _over(amount, rule.per_transaction_fen):
        yield Result.LIMIT_TRANSACTION
    if (rule.meals_only and not meal) or (meal and _over(spent.card_meal_fen + amount, rule.per_meal_fen)):
        yield Result.LIMIT_MEAL
    if _over(spent.card_day_fen + amount, rule.per_day_fen) or _over(spent.card_day_count + 1, rule.per_day_count):
        yield Result.LIMIT_DAY


def _terminal_limits(request: Purchase, entry: CardEntry | None, rules: OfflineRules, spent: Spent) -> Iterator[Result]:
    rule = rules.terminal(request.terminal_id)
    if rule.own_cards_only and entry is None:
        yield Result.PURSE_NOT_ALLOWED
    if _over(request.amount_fen, rule.per_transaction_fen):
        yield Result.LIMIT_TRANSACTION
    if _over(spent.terminal_fen + request.amount_fen, rule.total_fen):
        yield Result.BUSY


def _code(request: Purchase, keys: Mapping[int, bytes], spent: Spent, now_us: int) -> Iterator[Result]:
    if not request.pay_code:
        if is_qr_card_no(request.card_no):
            yield Result.CODE_INVALID  # a QR card pays with a code or not at all
        return
    code = read_code(request.pay_code)
    if code is None or code.body.card_no != request.card_no or not code.is_signed(keys):
        yield Result.CODE_INVALID
        return
    if request.amount_fen > code.body.offline_limit_fen:
        yield Result.LIMIT_TRANSACTION
    if not code.body.accepted_at(now_us // 1_000_000, tolerance_s=CODE_TOLERANCE_S):
        yield Result.CODE_EXPIRED
    if spent.code_used:
        yield Result.CODE_USED


def _over(amount: int, limit: int | None) -> bool:
    return limit is not None and amount > limit
