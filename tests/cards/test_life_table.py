"""Every state × operation of the life table (C3): what is in it happens as it says, what is not is refused and moves nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest

from onecard.kernel.business_day import business_date
from onecard.kernel.errors import RuleViolated
from onecard.ledger.codes import CardStatus
from onecard.services.cards import api
from onecard.services.cards.choices import Operation, State
from onecard.services.cards.life import TABLE, Cell, cells
from onecard.services.operators import api as operators
from tests.cards.conftest import DESK, FIRST_DAY, RULES, City

TOP_UP = 5000
LOST, FROZEN = {2}, {3}
_CELLS = list(cells())
_OPERATED = [(state, operation, cell) for state, operation, cell in _CELLS if state and operation is not Operation.ISSUE]


@dataclass(frozen=True)
class Picture:
    """All that an operation may change, and an undo has to put back."""

    state: str
    status: int
    denied: frozenset[int]
    balance: int
    books: tuple[tuple[str, int], ...]
    valid_until: date | None
    holder_id: int | None
    card_type_id: int
    blank: str | None


def look(town: City, card_no: int) -> Picture:
    card = api.Card.objects.get(pk=card_no)
    status, denied = town.status(card_no)
    return Picture(
        card.state,
        status,
        frozenset(denied),
        town.balance(card_no),
        tuple(town.money().items()),
        card.valid_until,
        card.holder_id,
        card.card_type_id,
        town.place_of(card.serial),
    )


def in_state(town: City, state: State, holder_id: int | None) -> int:
    """A card brought into a state by what brings cards there; every one was issued with a top-up."""
    until = business_date(town.clock.now()) if state is State.EXPIRED else None
    card = town.issue(holder_id, top_up_fen=TOP_UP, active=state is not State.ISSUED, valid_until=until)
    if state is State.EXPIRED:
        town.clock.advance(timedelta(days=1))
    way: dict[State, tuple[str, ...]] = {
        State.LOST_VERBAL: ("report_lost_verbal",),
        State.LOST: ("report_lost",),
        State.FROZEN: ("freeze",),
        State.EXPIRED: ("expire",),
        State.REPLACED: ("exchange",),
        State.RETURNED: ("return",),
        State.CLOSED: ("return", "close"),
    }
    for operation in way.get(state, ()):
        more = {"new_card": town.renewal(card)} if operation == "exchange" else {}
        town.do(card, operation, **more)
    assert api.Card.objects.get(pk=card).state == state
    return card


def details(town: City, card_no: int, operation: Operation) -> dict[str, Any]:
    """What the operation asks beside the card."""
    asked: dict[Operation, Callable[[], dict[str, Any]]] = {
        Operation.REGISTER: lambda: {"holder_id": town.holder("李四")},
        Operation.REPLACE: lambda: {"new_card": town.renewal(card_no)},
        Operation.EXCHANGE: lambda: {"new_card": town.renewal(card_no)},
        Operation.CHANGE_TYPE: lambda: {"card_type_id": gold(town)},
    }
    return asked.get(operation, dict)()


def gold(town: City) -> int:
    """A card type with a larger deposit."""
    found = operators.create_card_type(f"GOLD{next(town.names)}", "金卡").pk
    operators.allow_card_type(town.operator, found)
    api.set_rules(found, FIRST_DAY, rules=replace(RULES, deposit_fen=3500), actor=DESK, clock=town.clock)
    return found


# What comes into the books, by hand from RULES: cash is money out of the funding book when the holder pays.
_FREE = {"funding": 0, "deposit": 0, "fee_income": 0, "debt": 0}
_MOVED: dict[tuple[Operation, State | None], dict[str, int]] = {
    (Operation.RETURN, None): {"funding": 2000 - 300 + TOP_UP, "deposit": -2000, "fee_income": 300},
    (Operation.RETURN, State.LOST): {"funding": TOP_UP - 300, "deposit": -2000, "fee_income": 2000 + 300},
    (Operation.REPLACE, None): {"funding": -1500, "fee_income": 1500},
    (Operation.EXCHANGE, None): {"funding": -1000, "fee_income": 1000},
    (Operation.CHANGE_TYPE, None): {"funding": -1500, "deposit": 1500},
}


def name(value: object) -> str:
    return value.value if isinstance(value, State | Operation) else ""


def test_the_table_has_every_operation_once() -> None:
    assert set(TABLE) == set(Operation) - {Operation.UNDO, Operation.ADOPT}
    assert len(_CELLS) == len(TABLE) * (len(State) + 1)
    assert all(step.permission in api.PERMISSIONS for step in TABLE.values())
    reached = {cell.to for _, _, cell in _CELLS if cell is not None and cell.to is not None}
    assert reached | {State.ISSUED} == set(State)


@pytest.mark.parametrize(("state", "operation", "cell"), _OPERATED, ids=name)
def test_each_cell(town: City, state: State, operation: Operation, cell: Cell | None) -> None:
    holder = None if cell is not None and operation is Operation.REGISTER else town.holder()
    card = in_state(town, state, holder)
    if cell is not None and operation in (Operation.RETURN, Operation.CARRY_OVER):
        town.clock.advance(timedelta(days=8))
    if cell is not None and operation is Operation.EXPIRE:
        town.clock.advance(timedelta(days=40 * 31))
    asked = details(town, card, operation)
    before = look(town, card)

    if cell is None:
        with pytest.raises(RuleViolated) as refused:
            town.do(card, operation, **asked)
        assert refused.value.rule == "C3"
        assert look(town, card) == before
        return

    event = town.do(card, operation, **asked)
    after = look(town, card)
    assert after.state == event.state_after == expected_state(state, cell)
    assert (after.status, after.denied) == expected_status(before, after, cell)
    moved = {name: fen - dict(before.books)[name] for name, fen in after.books}
    assert moved == _FREE | _MOVED.get((operation, state), _MOVED.get((operation, None), {}))
    assert event.cash_fen == -moved["funding"]
    assert after.balance == (0 if operation is Operation.RETURN else before.balance)
    put_back_or_say_why(town, card, operation, event, before)


def expected_state(state: State, cell: Cell) -> State:
    return State.ACTIVE if cell.resumes else cell.to or state


def expected_status(before: Picture, after: Picture, cell: Cell) -> tuple[int, frozenset[int]]:
    status = CardStatus.ACTIVE if cell.resumes else before.status if cell.status is None else cell.status
    listed: dict[int, frozenset[int]] = {2: frozenset(LOST), 3: frozenset(FROZEN)}
    return status, listed.get(status, frozenset())


def put_back_or_say_why(town: City, card: int, operation: Operation, event: api.LifeEvent, before: Picture) -> None:
    step = TABLE[operation]
    if step.no_undo is not None:
        with pytest.raises(RuleViolated, match=step.no_undo.en):
            town.undo(event)
        return
    undone = town.undo(event)
    assert undone.cash_fen == -event.cash_fen
    assert look(town, card) == before
    assert api.check() == []
    with pytest.raises(RuleViolated):  # once
        town.undo(event)


@pytest.mark.parametrize("active", [True, False], ids=["active", "issued"])
def test_an_issue_is_paid_for_and_undone(town: City, active: bool) -> None:
    books = town.money()
    card = town.issue(town.holder(), top_up_fen=TOP_UP, active=active)
    event = api.events(card, actor=DESK).get()
    assert look(town, card).state == (State.ACTIVE if active else State.ISSUED)
    assert town.status(card) == (1 if active else 0, set())
    moved = {name: fen - books[name] for name, fen in town.money().items()}
    assert moved == {"funding": -(2000 + 500 + TOP_UP), "deposit": 2000, "fee_income": 500, "debt": 0}
    assert event.cash_fen == 2000 + 500 + TOP_UP
    assert town.undo(event).cash_fen == -event.cash_fen
    assert town.money() == books
    assert (look(town, card).state, town.balance(card), town.status(card)) == (State.CLOSED, 0, (5, set()))
    assert town.place_of(api.Card.objects.get(pk=card).serial) == "scrapped"
