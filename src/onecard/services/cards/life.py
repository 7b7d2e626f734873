"""The life of a card (C3) as one table: state × operation → new state, money, list entry, needs; fee, permission, undo.

The code runs from this table and the page `docs/cards.md` is printed from it: what is not in it cannot be done. No I/O here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from onecard.kernel.codes import Text
from onecard.ledger.codes import CardStatus
from onecard.services.cards.choices import Operation, State


class Money(StrEnum):
    """What moves, in the order given; `money.py` makes the ledger's legs of it."""

    DEPOSIT_IN = "deposit_in"
    DEPOSIT_BACK = "deposit_back"
    DEPOSIT_OF_LOST = "deposit_of_lost"
    DEPOSIT_MOVES = "deposit_moves"
    DEPOSIT_DIFFERENCE = "deposit_difference"
    TOP_UP = "top_up"
    FEE = "fee"
    CHIP_TO_PURSE = "chip_to_purse"
    CHIP_TO_PURSE_IF_COMPLETE = "chip_to_purse_if_complete"
    SETTLE_ACCOUNT = "settle_account"


MONEY_TEXT: dict[Money, Text] = {
    Money.DEPOSIT_IN: Text("收押金", "deposit in"),
    Money.DEPOSIT_BACK: Text("退押金", "deposit back"),
    Money.DEPOSIT_OF_LOST: Text("押金按规则退或没收", "deposit back or kept, as the rules say"),
    Money.DEPOSIT_MOVES: Text("押金转至新卡", "deposit moves to the new card"),
    Money.DEPOSIT_DIFFERENCE: Text("押金补差", "difference of deposits"),
    Money.TOP_UP: Text("首次充值", "first top-up"),
    Money.FEE: Text("收费", "fee"),
    Money.CHIP_TO_PURSE: Text("芯片余额转入钱包", "chip balance to the purse"),
    Money.CHIP_TO_PURSE_IF_COMPLETE: Text(
        "计数器完整时芯片余额转入钱包", "chip balance to the purse once its counters are complete"
    ),
    Money.SETTLE_ACCOUNT: Text("末卡：扣欠款、退余额、销户", "last card: debt off, balance paid out, account closed"),
}


class Need(StrEnum):
    """What must be so first; `needs.py` asks it."""

    REGISTERED = "registered"
    ANONYMOUS = "anonymous"
    HOLDER = "holder"
    NEW_CARD = "new_card"
    NEW_TYPE = "new_type"
    LATER_DATE = "later_date"
    DUE = "due"
    WAITED = "waited"
    CHIP_COMPLETE = "chip_complete"
    SETTLED = "settled"


NEED_TEXT: dict[Need, Text] = {
    Need.REGISTERED: Text("已实名（规则要求时）", "registered, where the rules ask it"),
    Need.ANONYMOUS: Text("尚未实名", "anonymous so far"),
    Need.HOLDER: Text("实名持卡人", "a holder with a name"),
    Need.NEW_CARD: Text("新卡", "a new card"),
    Need.NEW_TYPE: Text("另一卡种", "another card type"),
    Need.LATER_DATE: Text("更晚的日期", "a later date"),
    Need.DUE: Text("有效期已过", "its validity has run out"),
    Need.WAITED: Text("等待天数已满", "the waiting days are over"),
    Need.CHIP_COMPLETE: Text("芯片计数器完整", "the chip's counters are complete"),
    Need.SETTLED: Text("押金、芯片余额与账户已结清", "deposit, chip balance and account settled"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One state × operation. `to` None: the state stays; `resumes`: back to the state before it was stopped.

    `status` is the ledger's card status, which also decides over the deny list: LOST and FROZEN stand on it, any other does
    not; None leaves both as they are.
    """

    to: State | None = None
    resumes: bool = False
    status: CardStatus | None = None
    money: tuple[Money, ...] = ()
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """An operation: its cells, the rule that sets its fee, and why it has no undo where it has none."""

    operation: Operation
    cells: dict[State | None, Cell]
    fee: str | None = None
    no_undo: Text | None = None
    by_system: bool = field(default=False)

    @property
    def permission(self) -> str:
        """The permission that guards it."""
        return f"cards.{self.operation.value}"


_S, _C, _M, _N = State, CardStatus, Money, Need
_STAY = Cell()
_ACTIVE = Cell(_S.ACTIVE, status=_C.ACTIVE)
_TO_LOST = Cell(_S.LOST, status=_C.LOST, needs=(_N.REGISTERED,))
_TO_LOST_VERBAL = Cell(_S.LOST_VERBAL, status=_C.LOST, needs=(_N.REGISTERED,))
_RESUME = Cell(resumes=True)
_FREEZE = Cell(_S.FROZEN, status=_C.FROZEN)
_EXCHANGE = Cell(_S.REPLACED, status=_C.RETURNED, money=(_M.DEPOSIT_MOVES, _M.FEE), needs=(_N.NEW_CARD,))
_REGISTER = Cell(needs=(_N.ANONYMOUS, _N.HOLDER))
_CHANGE_TYPE = Cell(money=(_M.DEPOSIT_DIFFERENCE,), needs=(_N.NEW_TYPE,))
_RETURN = Cell(
    _S.RETURNED,
    status=_C.RETURNED,
    money=(_M.CHIP_TO_PURSE_IF_COMPLETE, _M.DEPOSIT_BACK, _M.FEE, _M.SETTLE_ACCOUNT),
)

TABLE: dict[Operation, Step] = {
    step.operation: step
    for step in (
        Step(
            Operation.ISSUE,
            # The top-up first: settlement counts a linked record as what its first leg is.
            {None: Cell(_S.ACTIVE, status=_C.ACTIVE, money=(_M.TOP_UP, _M.DEPOSIT_IN, _M.FEE))},
            fee="issue_fee_fen",
        ),
        Step(Operation.ACTIVATE, {_S.ISSUED: _ACTIVE}),
        Step(Operation.REGISTER, {_S.ISSUED: _REGISTER, _S.ACTIVE: _REGISTER, _S.FROZEN: _REGISTER, _S.EXPIRED: _REGISTER}),
        Step(Operation.REPORT_LOST_VERBAL, {_S.ISSUED: _TO_LOST_VERBAL, _S.ACTIVE: _TO_LOST_VERBAL, _S.FROZEN: _TO_LOST_VERBAL}),
        Step(
            Operation.REPORT_LOST,
            {
                _S.ISSUED: _TO_LOST,
                _S.ACTIVE: _TO_LOST,
                _S.FROZEN: _TO_LOST,
                _S.LOST_VERBAL: _TO_LOST,
                _S.EXPIRED: _TO_LOST,
            },
        ),
        Step(Operation.LIFT, {_S.LOST_VERBAL: _RESUME, _S.LOST: _RESUME}),
        Step(Operation.FREEZE, {_S.ISSUED: _FREEZE, _S.ACTIVE: _FREEZE}),
        Step(Operation.UNFREEZE, {_S.FROZEN: _RESUME}),
        Step(
            Operation.REPLACE,
            {_S.LOST: Cell(_S.REPLACED, money=(_M.DEPOSIT_MOVES, _M.FEE), needs=(_N.NEW_CARD,))},
            fee="replace_fee_fen",
        ),
        Step(
            Operation.EXCHANGE,
            {_S.ISSUED: _EXCHANGE, _S.ACTIVE: _EXCHANGE, _S.EXPIRED: _EXCHANGE},
            fee="exchange_fee_fen",
        ),
        Step(Operation.CHANGE_TYPE, {_S.ISSUED: _CHANGE_TYPE, _S.ACTIVE: _CHANGE_TYPE}),
        Step(
            Operation.EXTEND,
            {
                _S.ISSUED: Cell(needs=(_N.LATER_DATE,)),
                _S.ACTIVE: Cell(needs=(_N.LATER_DATE,)),
                _S.EXPIRED: Cell(_S.ACTIVE, status=_C.ACTIVE, needs=(_N.LATER_DATE,)),
            },
        ),
        Step(
            Operation.RETURN,
            {
                _S.ISSUED: _RETURN,
                _S.ACTIVE: _RETURN,
                _S.EXPIRED: _RETURN,
                _S.LOST: Cell(
                    _S.RETURNED,
                    money=(_M.CHIP_TO_PURSE_IF_COMPLETE, _M.DEPOSIT_OF_LOST, _M.FEE, _M.SETTLE_ACCOUNT),
                    needs=(_N.WAITED,),
                ),
            },
            fee="return_fee_fen",
        ),
        Step(
            Operation.EXPIRE,
            {
                _S.ISSUED: Cell(_S.EXPIRED, status=_C.EXPIRED, needs=(_N.DUE,)),
                _S.ACTIVE: Cell(_S.EXPIRED, status=_C.EXPIRED, needs=(_N.DUE,)),
            },
            no_undo=Text("由日期决定：用延期恢复", "the date decides: extend the validity instead"),
            by_system=True,
        ),
        Step(
            Operation.CARRY_OVER,
            {
                _S.REPLACED: Cell(money=(_M.CHIP_TO_PURSE,), needs=(_N.WAITED, _N.CHIP_COMPLETE)),
                _S.RETURNED: Cell(money=(_M.CHIP_TO_PURSE, _M.SETTLE_ACCOUNT), needs=(_N.WAITED, _N.CHIP_COMPLETE)),
            },
            no_undo=Text("停用芯片的余额转出后不能写回", "what has left a chip that is out of use cannot be written back to it"),
        ),
        Step(
            Operation.CLOSE,
            {
                _S.REPLACED: Cell(_S.CLOSED, status=_C.RETURNED, needs=(_N.SETTLED,)),
                _S.RETURNED: Cell(_S.CLOSED, status=_C.RETURNED, needs=(_N.SETTLED,)),
            },
            no_undo=Text("终态：卡号不再使用，已移出黑名单", "the end: the number is not used again, its list entry is gone"),
        ),
    )
}
"""Every operation in the order of a card's life; a state that an operation does not name refuses it."""

LIVE = (State.ISSUED, State.ACTIVE, State.LOST_VERBAL, State.LOST, State.FROZEN, State.EXPIRED)
"""A card in one of these still is somebody's card: it counts for `max_per_holder` and keeps its account open."""

STOPPED = (State.LOST_VERBAL, State.LOST, State.FROZEN)
"""States that remember the one to resume."""

STATUS: dict[State, CardStatus] = {
    State.ISSUED: CardStatus.STOCK,
    State.ACTIVE: CardStatus.ACTIVE,
    State.LOST_VERBAL: CardStatus.LOST,
    State.LOST: CardStatus.LOST,
    State.FROZEN: CardStatus.FROZEN,
    State.EXPIRED: CardStatus.EXPIRED,
    State.CLOSED: CardStatus.RETURNED,
}
"""What the ledger holds of a card in that state. A card replaced or returned after a loss stays LOST there, and on the list."""

ADOPTED: dict[CardStatus, State] = {
    CardStatus.STOCK: State.ISSUED,
    CardStatus.ACTIVE: State.ACTIVE,
    CardStatus.LOST: State.LOST,
    CardStatus.FROZEN: State.FROZEN,
    CardStatus.EXPIRED: State.EXPIRED,
    CardStatus.RETURNED: State.RETURNED,
}


def cells() -> Iterator[tuple[State | None, Operation, Cell | None]]:
    """Every state × operation, None where the operation is refused; state None is a card that is not issued yet."""
    for operation, step in TABLE.items():
        for state in (None, *State):
            yield state, operation, step.cells.get(state)


def allowed(state: State) -> tuple[Operation, ...]:
    """The operations a card in that state can have, in the order of the table."""
    return tuple(operation for operation, step in TABLE.items() if state in step.cells)
