"""The self-service kiosk (T1): balance, and top-up with cash.

    IDLE → BALANCE → card → IDLE
    IDLE → TOPUP → card → CASH → notes … → ENTER → the record is stored, the notes fall into the box, the record goes up
Notes lie in the acceptor's escrow until ENTER: CANCEL, a refusal and a power cut give them back. From ENTER on the money is the
kiosk's: its record is repeated until the platform answers, and what the platform refuses then is told to a person.
"""

from enum import StrEnum, unique
from typing import ClassVar

from onecard.kernel.codes import RESULT_TEXT, Operation, Result, Text
from onecard.kernel.events import EventKind
from onecard.terminal.kinds.device import Device, Fitting
from onecard.terminal.kinds.parts import Key, plain, yuan

_CASH = "cash"


@unique
class Mode(StrEnum):
    """Where the flow is."""

    IDLE = "idle"
    BALANCE = "balance"
    TOPUP = "topup"
    CASH = "cash"


class Kiosk(Device):
    """See the module."""

    MODEL: ClassVar[str] = "kiosk"
    USES: ClassVar[tuple[str, ...]] = ("deny", "parameters")

    def __init__(self, fitting: Fitting) -> None:
        self.mode = Mode.IDLE
        self._card_no = 0
        self.escrow_fen = 0
        """In the acceptor, still the customer's."""
        super().__init__(fitting)

    @property
    def has_customer(self) -> bool:
        """See Device."""
        return self.mode is not Mode.IDLE

    def idle(self) -> None:
        """The first screen."""
        self.mode, self._card_no, self.escrow_fen = Mode.IDLE, 0, 0
        self.display.show(Text("余额查询 / 现金充值", "Balance / Top-up with cash"))

    def recover(self) -> None:
        """Notes that were the kiosk's go up; notes that were the customer's went back."""
        cash = self.journal.kept(_CASH)
        if cash is None:
            return
        seq, fen, card_no = cash["seq"], cash["fen"], cash["card_no"]
        if not seq:
            self.note(EventKind.POWER_LOST, card_no=card_no, detail=f"现金已退回 notes given back: {yuan(fen)}")
        else:
            record = self.journal.find(self.terminal_id, seq)
            if record is None:
                record = self.teller.make(Operation.TOPUP, card_no, fen, seq=seq)
            refused = record.code not in (None, int(Result.APPROVED))
            what = "现金已退回 notes given back" if refused else "充值继续 top-up goes on"
            self.note(EventKind.POWER_LOST, card_no=card_no, detail=f"{what}: {yuan(fen)}, {seq}")
        self.journal.drop(_CASH)

    async def on_press(self, key: str) -> None:
        """Keys of the screen."""
        if key == Key.CANCEL:
            self._give_back(Text("已取消", "Cancelled"))
        elif self.mode is Mode.CASH and key == Key.ENTER:
            await self._top_up()
        elif self.mode is Mode.CASH:
            self._show_cash()
        elif key in (Key.BALANCE, Key.TOPUP):
            self._begin(Mode(key))
        else:
            await super().on_press(key)

    def _begin(self, mode: Mode) -> None:
        if not self.fitting.line.is_open or self.platform_offline:
            self.refuse(Text("暂停服务：脱机", "Out of service: off line"))
            return
        self.mode = mode
        self.display.show(Text("请刷卡", "Card please"))

    async def on_tap(self, card_no: int) -> None:
        """The card."""
        if self.mode is Mode.CASH:
            self._show_cash()
        elif self.mode is Mode.IDLE:
            self.refuse(Text("请先选择业务", "Choose a service first"))
        elif card_no in self.data.denied:
            self._end(RESULT_TEXT[Result.CARD_DENIED])
        else:
            outcome = await self.teller.balance(card_no)
            balance = Text(f"余额 {yuan(outcome.balance_fen)}", f"Balance {yuan(outcome.balance_fen)}")
            if self.mode is Mode.TOPUP and outcome.is_approved:
                self.mode, self._card_no = Mode.CASH, card_no
                self._show_cash(balance)
            else:
                self._end(*((balance,) if outcome.is_approved else (RESULT_TEXT[outcome.result or Result.UNAVAILABLE],)))

    async def on_cash(self, fen: int) -> None:
        """A note: kept in escrow, or given back at once."""
        parameters = self.data.parameters
        if self.mode is not Mode.CASH or fen not in parameters.notes_fen:
            await super().on_cash(fen)
        elif self.escrow_fen + fen > parameters.topup_max_fen:
            self.refuse(
                Text("超过单笔充值上限，请取回", "Over the limit of one top-up, please take it back"),
                plain(yuan(self.escrow_fen)),
            )
        else:
            self.escrow_fen += fen
            self.journal.keep(_CASH, {"card_no": self._card_no, "fen": self.escrow_fen, "seq": 0})
            self._show_cash()

    async def _top_up(self) -> None:
        fen, card_no = self.escrow_fen, self._card_no
        if fen < self.data.parameters.topup_min_fen:
            self._show_cash(Text("金额不足", "Not enough"))
            return
        seq = self.journal.next_seq(self.terminal_id)
        # From here on the notes are the kiosk's: a power cut goes on with this number.
        self.journal.keep(_CASH, {"card_no": card_no, "fen": fen, "seq": seq})
        outcome = await self.teller.tell_now(self.teller.make(Operation.TOPUP, card_no, fen, seq=seq))
        self.journal.drop(_CASH)
        if outcome.result in (None, Result.APPROVED):
            self.print_receipt(outcome)
            if outcome.result is None:
                self._end(Text("充值处理中，请保留凭证", "Being settled, keep the receipt"), plain(yuan(fen)))
                return
            self._end(
                RESULT_TEXT[Result.APPROVED], Text(f"余额 {yuan(outcome.balance_fen)}", f"Balance {yuan(outcome.balance_fen)}")
            )
            return
        self.note(EventKind.ERROR, card_no=card_no, detail=f"充值被拒，现金已退回 refused, notes given back: {yuan(fen)}, {seq}")
        self._end(RESULT_TEXT[outcome.result], Text(f"请取回现金 {yuan(fen)}", f"Please take the notes back: {yuan(fen)}"))

    def _give_back(self, why: Text) -> None:
        fen = self.escrow_fen
        self.journal.drop(_CASH)
        back = (Text(f"请取回现金 {yuan(fen)}", f"Please take the notes back: {yuan(fen)}"),) if fen else ()
        self._end(why, *back)

    def _show_cash(self, *rows: Text) -> None:
        self.display.show(Text("请投入纸币，完成后按确认", "Notes please, then Enter"), plain(yuan(self.escrow_fen)), *rows)

    def _end(self, *rows: Text) -> None:
        self.idle()
        self.display.show(*rows)
