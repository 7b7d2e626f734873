"""Undoing an operation: an event of its own, inside the window of the type's rules, that puts back exactly what was and moved.

Only the newest event of a card can be undone, so that nothing rests on it; and a card made by it must not have been used.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from onecard.kernel.business_day import business_date
from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.codes import Text
from onecard.kernel.errors import NotFound
from onecard.kernel.numbers import account_lane
from onecard.ledger.codes import AccountStatus, CardStatus
from onecard.services.actors import Actor
from onecard.services.cards import books, issue, money, permissions, rules, stock
from onecard.services.cards.choices import DocumentKind, Operation, State
from onecard.services.cards.errors import one_transaction, rule_refusal
from onecard.services.cards.life import LIVE, TABLE
from onecard.services.cards.locks import lock_card, lock_levels
from onecard.services.cards.models import Card, LifeEvent
from onecard.services.cards.operate import later_events, moment, set_terms

_SYSTEM = SystemClock()
_RENEWALS = (Operation.REPLACE, Operation.EXCHANGE)
# What a card did since: back along each purse's chain, no further than the moment that is given.
_USED = """
WITH RECURSIVE back AS (
    SELECT t.id, t.prev_id, t.card_no
      FROM ledger.purse p JOIN ledger.transfer t ON t.lane = %(lane)s AND t.id = p.last_transfer_id
     WHERE p.account_no = %(account)s AND t.id > %(position)s
    UNION ALL
    SELECT t.id, t.prev_id, t.card_no
      FROM back b JOIN ledger.transfer t ON t.lane = %(lane)s AND t.id = b.prev_id WHERE t.id > %(position)s)
SELECT EXISTS (SELECT FROM back WHERE card_no = %(card)s)
    OR EXISTS (SELECT FROM ledger.chip_purse WHERE card_no = %(card)s AND seq > 0)
    OR EXISTS (SELECT FROM ledger.account WHERE account_no = %(account)s AND debt_fen > 0)"""


def undo(event_id: int, *, actor: Actor, reason: str, key: str | None = None, clock: Clock = _SYSTEM) -> LifeEvent:
    """Undo an event: money exactly back, card, list and stock as they were. The same `key` gives the first answer again.

    Raises Forbidden, NotFound, InvalidInput, and RuleViolated (C3) with the reason why it cannot be undone.
    """
    at = clock.now()
    found = LifeEvent.objects.filter(pk=event_id).first()
    if found is None:
        raise NotFound(f"无此事件：{event_id}", f"no such event: {event_id}")
    with one_transaction():
        card = lock_card(found.card_id)
        actor.require(permissions.UNDO, card.operator_id)
        known = issue.known_event(key, card.card_no, Operation.UNDO)
        if known is not None:
            return known
        event = LifeEvent.objects.get(pk=event_id)
        made = _made_by(event, card)
        lock_levels([card.serial if event.data.get("taken_back") else None, made.serial if made else None])  # then the lane
        _require_undoable(event, card)
        _require_window(event, card, at)
        before = card.state
        put_back = _take_back_issue if event.operation == Operation.ISSUE else _put_back
        seq, cash, kept = put_back(event, card, actor, reason, at)
        return LifeEvent.objects.create(
            card=card,
            operation=Operation.UNDO,
            at=at,
            actor=actor.name,
            reason=reason[:200],
            state_before=before,
            state_after=card.state,
            cash_fen=cash,
            money_seq=seq,
            money=kept,
            other_card=event.other_card,
            undoes=event,
            key=key,
        )


def why_not(event: LifeEvent, card: Card) -> Text | None:
    """Why an event cannot be undone whatever the hour; None where it can."""
    step = TABLE.get(Operation(event.operation))
    if step is None:
        return Text("此事件不能撤销", "an event of this kind is not undone")
    if step.no_undo is not None:
        return step.no_undo
    return next((words for words, holds in _OBSTACLES if holds(event, card)), None)


def _was_undone(event: LifeEvent, _: Card) -> bool:
    return LifeEvent.objects.filter(undoes=event).exists()


def _came_by_replacement(event: LifeEvent, _: Card) -> bool:
    return event.operation == Operation.ISSUE and event.other_card is not None


def _made_is_used(event: LifeEvent, card: Card) -> bool:
    made = _made_by(event, card)
    if made is None:
        return False
    stands = LifeEvent.objects.filter(card=made, undone_by=None)
    return _used(made, event) or stands.exclude(operation__in=(Operation.ISSUE, Operation.UNDO)).exists()


_OBSTACLES: tuple[tuple[Text, Callable[[LifeEvent, Card], bool]], ...] = (
    (Text("已撤销", "it has been undone"), _was_undone),
    (Text("其后另有操作，先撤销后者", "something was done after it: undo that first"), lambda event, _: later_events(event)),
    (
        Text("芯片余额已转出，不能写回", "what has left the chip cannot be written back to it"),
        lambda event, _: bool(event.data.get("chip_fen")),
    ),
    (Text("此卡由补换卡产生：撤销补换卡", "the card came by a replacement: undo that"), _came_by_replacement),
    (Text("新卡已使用", "the new card has been used"), _made_is_used),
)


def _require_undoable(event: LifeEvent, card: Card) -> None:
    words = why_not(event, card)
    if words is not None:
        raise rule_refusal("C3", f"不能撤销：{words.zh}", f"it cannot be undone: {words.en}")


def _require_window(event: LifeEvent, card: Card, at: datetime) -> None:
    found = rules.find_rules(card.card_type_id, business_date(event.at))
    minutes = found.undo_minutes if found else 0
    if at - event.at > timedelta(minutes=minutes):
        raise rule_refusal("C3", f"已超过可撤销的 {minutes} 分钟", f"it can be undone for {minutes} minutes only")


def _made_by(event: LifeEvent, card: Card) -> Card | None:
    """The card an event brought to life."""
    if event.operation == Operation.ISSUE:
        return card
    if event.operation in _RENEWALS and event.other_card is not None:
        return Card.objects.filter(pk=event.other_card).first()
    return None


def _used(card: Card, event: LifeEvent) -> bool:
    parts = {
        "lane": account_lane(card.account_no),
        "account": card.account_no,
        "card": card.card_no,
        "position": event.data["position"],
    }
    books.lock_lane(card.account_no)
    with connection.cursor() as cursor:
        cursor.execute(_USED, parts)
        return bool(cursor.fetchone()[0])


def _take_back_issue(event: LifeEvent, card: Card, actor: Actor, reason: str, at: datetime) -> money.Posted:
    """The card is void: its blank is written on and goes to the scrapped ones."""
    posted = money.post_undo(card.card_no, event.money, at=at)
    _void(card, actor, reason, at)
    if event.data.get("opened") and not Card.objects.filter(account_no=card.account_no, state__in=LIVE).exists():
        books.set_account_status(card.account_no, AccountStatus.CLOSED)
    return posted


def _put_back(event: LifeEvent, card: Card, actor: Actor, reason: str, at: datetime) -> money.Posted:
    before = event.before
    made = _made_by(event, card)
    if event.data.get("taken_back") and card.serial is not None:
        stock.move_issued(card.serial, DocumentKind.TAKE_BACK, back=True, actor=actor, reason=reason, at=at)
    if made is not None:
        if event.data.get("deposit_moved_fen"):
            books.move_deposit(made.card_no, card.card_no)
        _void(made, actor, reason, at)
    account = books.account(card.account_no)
    assert account is not None
    if account.status.value != before["account_status"]:
        books.set_account_status(card.account_no, AccountStatus(before["account_status"]))
    posted = money.post_undo(card.card_no, event.money, at=at)
    _restore(card, before)
    if (account.holder_id, account.card_type_id) != (before["account_holder_id"], before["account_type_id"]):
        set_terms(card.account_no, holder_id=before["account_holder_id"], card_type_id=before["account_type_id"])
    return posted


def _restore(card: Card, before: dict[str, Any]) -> None:
    card.state = before["state"]
    card.resume_state = before["resume_state"]
    card.valid_until = date.fromisoformat(before["valid_until"]) if before["valid_until"] else None
    card.stopped_at = moment(before["stopped_at"])
    card.holder_id = before["holder_id"]
    card.card_type_id = before["card_type_id"]
    card.save()
    books.set_card_status(card.card_no, CardStatus(before["status"]), card.valid_until)


def _void(card: Card, actor: Actor, reason: str, at: datetime) -> None:
    if card.serial is not None:
        stock.move_issued(card.serial, DocumentKind.UNISSUE, actor=actor, reason=reason, at=at)
    card.state = State.CLOSED
    card.resume_state = ""
    card.replaces = None
    card.save()
    books.set_card_status(card.card_no, CardStatus.RETURNED)
