"""An operation on a card (C3), run from `life.TABLE`: state, status and list, stock, money and event in one transaction."""

from datetime import datetime
from typing import Any

from onecard.kernel.business_day import business_date
from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.codes import Text
from onecard.kernel.errors import InvalidInput, OneCardError
from onecard.kernel.money import format_yuan
from onecard.ledger.codes import CardStatus, Medium
from onecard.services.actors import Actor
from onecard.services.cards import books, issue, money, needs, permissions, ports, rules, stock
from onecard.services.cards.choices import DocumentKind, Operation, State
from onecard.services.cards.errors import one_transaction, rule_refusal
from onecard.services.cards.life import LIVE, STATUS, STOPPED, TABLE
from onecard.services.cards.locks import lock_card, lock_levels
from onecard.services.cards.models import Card, LifeEvent
from onecard.services.cards.needs import Details, Work

_SYSTEM = SystemClock()
_NOTHING = Details()


def operate(
    card_no: int,
    operation: Operation | str,
    *,
    actor: Actor,
    reason: str = "",
    key: str | None = None,
    details: Details = _NOTHING,
    clock: Clock = _SYSTEM,
    chip_missing: ports.ChipMissing = ports.chip_missing,
) -> LifeEvent:
    """Do an operation of `life.TABLE` with a card; the event says what moved (`cash_fen`: what the holder pays, below zero gets).

    The same `key` gives the first event again. ISSUE is `issue`, undoing is `undo`. Raises Forbidden, NotFound, InvalidInput and
    RuleViolated (C3: not in this state; C5: what the type's rules ask; C1, P5).
    """
    step = TABLE.get(Operation(operation))
    if step is None or step.operation is Operation.ISSUE:
        raise InvalidInput(f"此操作不在此处办理：{operation}", f"not an operation of this call: {operation}")
    at = clock.now()
    with one_transaction():
        card = lock_card(card_no)
        actor.require(step.permission, card.operator_id)
        if details.fee_waived:
            actor.require(permissions.WAIVE_FEE, card.operator_id)
        known = issue.known_event(key, card_no, step.operation)
        if known is not None:
            return known
        cell = step.cells.get(State(card.state))
        if cell is None:
            now = State(card.state)
            raise rule_refusal(
                "C3",
                f"卡片{now.label}，不能{step.operation.label}",
                f"a card that is {now.value} cannot have {step.operation.value}",
            )
        work = Work(card, step, cell, at, actor, reason, details, chip_missing)
        work.rules = rules.find_rules(card.card_type_id, work.today)
        needs.require(work)
        return _run(work, key)


def expire_due(*, clock: Clock = _SYSTEM, limit: int = 1000) -> int:
    """The tick: cards whose validity has run out become expired; how many. One that was extended or stopped meanwhile is left."""
    actor = Actor.system("worker")
    today = business_date(clock.now())
    due = Card.objects.filter(state__in=(State.ISSUED, State.ACTIVE), valid_until__lt=today).order_by("valid_until")
    done = 0
    for card_no in list(due.values_list("card_no", flat=True)[:limit]):
        try:
            operate(card_no, Operation.EXPIRE, actor=actor, clock=clock)
            done += 1
        except OneCardError:  # extended, or stopped, a moment ago
            continue
    return done


def snapshot(card: Card) -> dict[str, Any]:
    """What an undo puts back."""
    account = books.account(card.account_no)
    assert account is not None
    return {
        "state": card.state,
        "resume_state": card.resume_state,
        "valid_until": card.valid_until.isoformat() if card.valid_until else None,
        "stopped_at": card.stopped_at.isoformat() if card.stopped_at else None,
        "holder_id": card.holder_id,
        "card_type_id": card.card_type_id,
        "status": books.card_status(card.card_no).value,
        "account_status": account.status.value,
        "account_holder_id": account.holder_id,
        "account_type_id": account.card_type_id,
    }


def _run(work: Work, key: str | None) -> LifeEvent:
    card, operation = work.card, work.step.operation
    takes_back = operation in (Operation.EXCHANGE, Operation.RETURN) and card.state != State.LOST
    _lock_stock(work, taken_back=card.serial if takes_back else None)
    before = snapshot(card)
    new_card = _renew(work) if operation in (Operation.REPLACE, Operation.EXCHANGE) else None
    if takes_back and card.serial is not None:
        stock.move_issued(card.serial, DocumentKind.TAKE_BACK, actor=work.actor, reason=work.reason, at=work.at)
        work.data["taken_back"] = True
    till = money.Till(
        card,
        work.at,
        rules=work.rules,
        fee_field=work.step.fee,
        fee_waived=work.details.fee_waived,
        fee_from_purse=work.details.fee_from_purse,
        new_card_no=new_card.card_no if new_card else None,
        new_rules=work.new_rules,
        chip_missing=work.chip_missing,
        chip_reading=work.details.chip_reading,
    )
    _change(work, before)
    seq, cash, kept = money.post(till, work.cell.money)
    work.data |= {name: fen for name, fen in (("chip_fen", till.chip_fen), ("deposit_moved_fen", till.deposit_moved_fen)) if fen}
    work.data |= _of_chip(till)
    work.data["position"] = books.lane_position(card.account_no)
    event = LifeEvent.objects.create(
        card=card,
        operation=operation,
        at=work.at,
        actor=work.actor.name,
        reason=work.reason[:200],
        state_before=before["state"],
        state_after=card.state,
        cash_fen=cash,
        money_seq=seq,
        money=kept,
        before=before,
        data=work.data,
        other_card=new_card.card_no if new_card else None,
        key=key,
    )
    if new_card is not None:
        _write_issue(new_card, event)
    return event


def _lock_stock(work: Work, *, taken_back: int | None) -> None:
    """All that is locked before the lane: the holder, whose cards are counted, then the stock levels."""
    new = work.details.new_card if work.step.operation in (Operation.REPLACE, Operation.EXCHANGE) else None
    if new is not None and work.card.holder_id is not None:
        rules.holder_facts(work.card.holder_id)
    lock_levels([taken_back, new.serial if new else None])


def _of_chip(till: money.Till) -> dict[str, Any]:
    """What the event keeps of the chip: what it said of itself, and what was not paid out and why."""
    kept: dict[str, Any] = {}
    if till.chip_reading is not None and (till.chip_fen or till.chip_kept):
        kept |= {"chip_counter": till.chip_reading.counter, "chip_balance_fen": till.chip_reading.balance_fen}
    if till.chip_kept is not None:
        kept["chip_kept_fen"] = till.chip_kept.balance_fen
        kept["chip_kept_why"] = [[text.zh, text.en] for text in till.chip_kept.why]
    return kept


def chip_note(event: LifeEvent) -> Text | None:
    """What people are told of a chip that an operation did not pay out, also in a trial of it; None where there is nothing."""
    if "chip_kept_fen" not in event.data:
        return None
    fen = event.data["chip_kept_fen"]
    zh, en = ("；".join(words) for words in zip(*event.data["chip_kept_why"], strict=True))
    left, later_zh, later_en = format_yuan(fen), "", ""
    if fen >= 0:
        later_zh = "；等待期满且计数器完整后以“芯片余额转移”退付"
        later_en = "; carry over pays it after the waiting days, when its counters are complete"
    return Text(f"芯片余额 {left} 未退：{zh}{later_zh}", f"{left} of the chip is not paid out: {en}{later_en}")


def _change(work: Work, before: dict[str, Any]) -> None:
    """The card's own row and the ledger's: state, status, date, holder and type."""
    card, operation, cell = work.card, work.step.operation, work.cell
    old = State(card.state)
    new = _resumed(card) if cell.resumes else cell.to or old
    if new in STOPPED and not cell.resumes:
        card.resume_state = card.resume_state if old in (State.LOST_VERBAL, State.LOST) else old
    else:
        card.resume_state = _before_freeze(card) if new is State.FROZEN else ""
    if new in LIVE and new not in (State.LOST_VERBAL, State.LOST):
        card.stopped_at = None
    elif new is not State.CLOSED:
        card.stopped_at = card.stopped_at or work.at
    card.state = new
    if operation is Operation.EXTEND:
        card.valid_until = needs.extended_until(work)
    if operation is Operation.REGISTER:
        card.holder_id = work.details.holder_id
    if operation is Operation.CHANGE_TYPE:
        card.card_type_id = work.details.card_type_id or card.card_type_id
    card.save()
    if operation in (Operation.REGISTER, Operation.CHANGE_TYPE):
        set_terms(card.account_no, holder_id=card.holder_id, card_type_id=card.card_type_id)
    status = STATUS[new] if cell.resumes else cell.status
    if status is not None or operation is Operation.EXTEND:
        books.set_card_status(card.card_no, status if status is not None else CardStatus(before["status"]), card.valid_until)


def set_terms(account_no: int, *, holder_id: int | None, card_type_id: int) -> None:
    """Holder and type stand on the account: all its cards follow, here as in the ledger."""
    account = books.account(account_no)
    assert account is not None
    Card.objects.filter(account_no=account_no).update(card_type_id=card_type_id)
    Card.objects.filter(account_no=account_no, state__in=LIVE).update(holder_id=holder_id)
    books.set_account_terms(account_no, holder_id=holder_id, card_type_id=card_type_id, unit_id=account.unit_id)


def _resumed(card: Card) -> State:
    return State(card.resume_state or State.ACTIVE)


def _before_freeze(card: Card) -> str:
    """Where a frozen card goes when it is unfrozen: a loss report in between had taken that place."""
    frozen = LifeEvent.objects.filter(card=card, operation=Operation.FREEZE, undone_by=None).order_by("-id").first()
    return frozen.state_before if frozen else State.ACTIVE.value


def _renew(work: Work) -> Card:
    """The card that takes the old one's place, on the same account and so the same lane."""
    old, wanted = work.card, work.details.new_card
    assert wanted is not None
    order = issue.Order(old.operator_id, old.card_type_id, old.account_no, holder_id=old.holder_id, unit_id=old.unit_id)
    type_rules = work.rules_in_force()
    new = issue.create_card(wanted, order, type_rules, actor=work.actor, reason=work.reason, at=work.at, instead_of=old)
    medium = Medium(new.medium)
    books.add_card(new.card_no, new.account_no, medium=medium, status=STATUS[State(new.state)], valid_until=new.valid_until)
    if type_rules.chip_purse and medium in (Medium.CPU, Medium.SIM):
        books.open_chip_purse(new.card_no)
    return new


def _write_issue(new: Card, event: LifeEvent) -> None:
    LifeEvent.objects.create(
        card=new,
        operation=Operation.ISSUE,
        at=event.at,
        actor=event.actor,
        reason=event.reason,
        state_after=new.state,
        data={"opened": False, "position": event.data["position"]},
        other_card=event.card_id,
    )


def later_events(event: LifeEvent) -> bool:
    """Whether something that stands was done with the card after an event."""
    return (
        LifeEvent.objects.filter(card_id=event.card_id, id__gt=event.pk, undone_by=None)
        .exclude(operation=Operation.UNDO)
        .exists()
    )


def moment(text: str | None) -> datetime | None:
    """A moment as an event keeps it."""
    return datetime.fromisoformat(text) if text else None
