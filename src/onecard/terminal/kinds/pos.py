"""The POS (P3): amount, fixed price, menu item or count, then a card, a chip or a payment code; void, refund, last receipt.

IDLE → digits, ENTER → PRESENT → card, chip or code → result
MENU: item number, ENTER …, ENTER → PRESENT      COUNT: times, ENTER → PRESENT      FIXED: PRESENT again after each sale
VOID: number of the receipt, ENTER               REFUND: number, ENTER, amount, ENTER
"""

import asyncio
from datetime import timedelta
from enum import StrEnum, unique
from typing import ClassVar

from onecard.kernel.codes import Operation, Result, Text
from onecard.kernel.errors import RuleViolated
from onecard.protocol.paycode import PayCodeError, parse_code
from onecard.protocol.purse.files import PublicData
from onecard.terminal.chip import ChipError, InDoubt, PurchaseTerms, purchase
from onecard.terminal.chipcard import SamSlot
from onecard.terminal.chipjournal import ChipJournal
from onecard.terminal.chipline import hand_over
from onecard.terminal.journal import JournalRecord
from onecard.terminal.kinds.device import Device, Fitting
from onecard.terminal.kinds.parts import DIGITS, ChipTap, Key, plain, yuan
from onecard.terminal.kinds.teller import Outcome
from onecard.terminal.paycode import CodeAcceptor, CodeRefused
from onecard.terminal.reader.errors import ReaderError

_MAX_DIGITS = 10
_GRAY_AFTER = timedelta(days=1)
_SALES = (Operation.PURCHASE, Operation.ADVICE)
_CHIP = "chip"
_SAY_AGAIN = Text("请重新刷同一张卡", "Show the same card again")


@unique
class Mode(StrEnum):
    """Where the flow is."""

    IDLE = "idle"
    MENU = "menu"
    COUNT = "count"
    PRESENT = "present"
    VOID = "void"
    REFUND = "refund"
    REFUND_AMOUNT = "refund amount"


_PROMPT = {
    Mode.IDLE: Text("请输入金额", "Enter the amount"),
    Mode.MENU: Text("菜品编号", "Number of the item"),
    Mode.COUNT: Text("次数", "How many times"),
    Mode.PRESENT: Text("请刷卡或出示付款码", "Card or payment code"),
    Mode.VOID: Text("撤销：凭证号", "Void: number of the receipt"),
    Mode.REFUND: Text("退货：凭证号", "Refund: number of the receipt"),
    Mode.REFUND_AMOUNT: Text("退货金额", "Amount to give back"),
}


class Pos(Device):
    """See the module."""

    MODEL: ClassVar[str] = "pos"

    def __init__(self, fitting: Fitting) -> None:
        self.mode = Mode.IDLE
        self._entry = ""
        self._amount_fen = 0
        self._fixed = False
        self._original = 0
        self._sale_no = 0
        self._codes = (
            CodeAcceptor(fitting.terminal_id, fitting.journal, fitting.codes, clock=fitting.clock) if fitting.codes else None
        )
        super().__init__(fitting)

    @property
    def has_customer(self) -> bool:
        """See Device."""
        return self.mode is not Mode.IDLE and not (self.mode is Mode.PRESENT and self._fixed)

    # ---- the screen

    def idle(self) -> None:
        """Ready for the next sale; at a fixed price the card is all that is missing."""
        self._sale_no = self._amount_fen = 0
        self.journal.drop(_CHIP)
        if self._fixed and self.data.tariff.fixed_fen:
            self._present(self.data.tariff.fixed_fen)
        else:
            idle_text = self.data.parameters.idle_text
            self._enter(Mode.IDLE, *((plain(idle_text),) if idle_text else ()))

    def _enter(self, mode: Mode, *rows: Text) -> None:
        self.mode, self._entry = mode, ""
        self.display.show(_PROMPT[mode], *rows)

    def _present(self, amount_fen: int) -> None:
        if amount_fen <= 0:
            self.refuse(Text("金额无效", "Invalid amount"))
            return
        limit_fen = self.data.parameters.amount_max_fen
        if amount_fen > limit_fen:
            self._fixed = False
            self._enter(Mode.IDLE, Text(f"超过本机限额 {yuan(limit_fen)}", f"Over this terminal's limit {yuan(limit_fen)}"))
            return
        self._await_card(amount_fen)

    def _await_card(self, amount_fen: int) -> None:
        self._amount_fen = amount_fen
        self._enter(Mode.PRESENT, plain(yuan(amount_fen)))

    # ---- keys

    async def on_press(self, key: str) -> None:
        """See the module's drawing."""
        if key in DIGITS:
            self._digit(key)
        elif key == Key.ENTER:
            await self._enter_pressed()
        elif key == Key.CLEAR:
            self._enter(self.mode)
        elif key == Key.CANCEL:
            self._fixed = False
            self.idle()
        elif self.mode is Mode.PRESENT and not self._fixed:
            self.refuse(_PROMPT[Mode.PRESENT], Text("取消键返回", "Cancel goes back"))
        else:
            self._function(key)

    def _digit(self, digit: str) -> None:
        if self.mode is Mode.PRESENT or len(self._entry) >= _MAX_DIGITS:
            return
        if self.mode is Mode.IDLE and not self._entry:
            self._amount_fen = 0
        self._entry += digit
        is_money = self.mode in (Mode.IDLE, Mode.REFUND_AMOUNT)
        self.display.show(_PROMPT[self.mode], plain(yuan(int(self._entry)) if is_money else self._entry))

    def _function(self, key: str) -> None:
        tariff = self.data.tariff
        self._fixed = False
        if key == Key.FIXED and tariff.fixed_fen:
            self._fixed = True
            self._present(tariff.fixed_fen)
        elif key == Key.MENU and tariff.menu:
            self._amount_fen = 0
            self._enter(Mode.MENU)
        elif key == Key.COUNT and tariff.count_fen:
            self._enter(Mode.COUNT, plain(yuan(tariff.count_fen)))
        elif key == Key.AMOUNT:
            self._enter(Mode.IDLE)
        elif key in (Key.VOID, Key.REFUND):
            self._enter(Mode(key))
        elif key == Key.LAST:
            self._last()
        else:
            self.refuse(Text("此键无效", "This key does nothing here"))

    def _last(self) -> None:
        text = self.journal.last_receipt()
        if text is None:
            self.refuse(Text("没有凭证", "There is no receipt"))
            return
        self.print_again(text)
        self.display.show(Text("已重印", "Printed again"))

    async def _enter_pressed(self) -> None:
        number = int(self._entry or 0)
        match self.mode:
            case Mode.IDLE:
                self._present(number)
            case Mode.MENU:
                self._menu(number)
            case Mode.COUNT:
                self._present(number * self.data.tariff.count_fen)
            case Mode.VOID:
                await self._undo(Operation.VOID, number, None)
            case Mode.REFUND:
                if self._find_sale(number):
                    self._original = number
                    self._enter(Mode.REFUND_AMOUNT)
            case Mode.REFUND_AMOUNT:
                await self._undo(Operation.REFUND, self._original, number)

    def _menu(self, number: int) -> None:
        if not self._entry:
            self._present(self._amount_fen)
            return
        item = (self.data.tariff.menu or {}).get(number)
        if item is None:
            self._enter(Mode.MENU, Text("无此菜品", "There is no such item"), plain(yuan(self._amount_fen)))
            return
        self._amount_fen += item.fen
        self._enter(Mode.MENU, item.name, plain(yuan(self._amount_fen)))

    # ---- paying

    async def on_tap(self, card_no: int) -> None:
        """A card."""
        if self._may_pay():
            self.display.show(Text("处理中", "One moment"))
            self._sold(await self.teller.pay(card_no, self._amount_fen))

    async def on_code(self, text: str) -> None:
        """A payment code: on line, or up to its own offline limit within this terminal's."""
        if self._codes is None or not self._may_pay():
            if self._codes is None:
                await super().on_code(text)
            return
        try:
            outcome = await self._pay_by_code(self._codes, text)
        except CodeRefused as refused:
            self.refuse(Text(refused.zh, refused.en))
            return
        self._sold(outcome)

    async def _pay_by_code(self, codes: CodeAcceptor, text: str) -> Outcome:
        if await self.teller.can_ask():
            return await self.teller.send(codes.pay_online(text, self._amount_fen))
        card_no = _card_of(text)
        result = self.teller.may_sell_offline(card_no, self._amount_fen)
        if result is not Result.APPROVED:
            return Outcome(0, Operation.ADVICE, card_no, self._amount_fen, result, offline=True)
        record = codes.pay_offline(text, self._amount_fen)
        return Outcome(record.terminal_seq, Operation.ADVICE, card_no, record.amount_fen, Result.APPROVED, offline=True)

    def _may_pay(self) -> bool:
        if self.mode is not Mode.PRESENT:
            self.refuse(_PROMPT[Mode.IDLE])
            return False
        if self._sale_no and self.journal.kept(_CHIP):
            self.refuse(_SAY_AGAIN)
            return False
        return True

    def _sold(self, outcome: Outcome) -> None:
        if outcome.is_approved:
            self.print_receipt(outcome)
        self.idle()
        self.show_outcome(outcome, plain(yuan(outcome.amount_fen)))

    # ---- chips

    async def on_chip(self, tap: ChipTap) -> None:
        """A purse card: debited in the slot; torn off, the same card has to come back (P5)."""
        sam, chips = self.fitting.sam, self.fitting.chips
        if sam is None or chips is None:
            await super().on_chip(tap)
            return
        if self.mode is not Mode.PRESENT:
            self.refuse(_PROMPT[Mode.IDLE])
            return
        if not self._sale_no:
            self._sale_no = self.journal.next_seq(self.terminal_id)
            self.journal.keep(_CHIP, {"sale_no": self._sale_no, "amount_fen": self._amount_fen})
        try:
            sold = await asyncio.to_thread(
                purchase, tap.reader, sam, self._amount_fen, sale_no=self._sale_no, journal=chips,
                terms=PurchaseTerms(admit=self._admit), clock=self.clock,
            )  # fmt: skip
        except InDoubt:
            self.refuse(_SAY_AGAIN, plain(yuan(self._amount_fen)))
            return
        except (ChipError, ReaderError, RuleViolated) as error:
            if not chips.armed(sam.terminal_no):
                self.journal.drop(_CHIP)
            self.refuse(Text(error.zh, error.en), _PROMPT[Mode.PRESENT])
            return
        self._sale_no, number = 0, self._sale_no
        self._hand_over(sam, chips)
        left = sold.balance_before_fen - sold.amount_fen
        self._sold(Outcome(number, Operation.CHIP_PURCHASE, sold.card_no, sold.amount_fen, Result.APPROVED, left))

    def _admit(self, public: PublicData, balance_fen: int) -> None:
        if public.card_no in self.data.denied:
            raise RuleViolated("黑名单卡", "Card on the deny list", rule="G3")

    def _hand_over(self, sam: SamSlot, chips: ChipJournal) -> None:
        """What chips have paid goes up; what no card came back for becomes a gray record first."""
        chips.give_up(sam.terminal_no, before=self.clock.now() - _GRAY_AFTER)
        hand_over(chips, self.journal, terminal_no=sam.terminal_no, terminal_id=self.terminal_id)

    def recover(self) -> None:
        """A chip sale in doubt goes on with its card; what was debited goes up."""
        sam, chips = self.fitting.sam, self.fitting.chips
        if sam is None or chips is None:
            return
        self._hand_over(sam, chips)
        for sale in chips.armed(sam.terminal_no):
            self._await_card(sale.record.amount_fen)  # whatever the limit is by now: it has begun
            self._sale_no = sale.sale_no
            self.journal.keep(_CHIP, {"sale_no": sale.sale_no, "amount_fen": sale.record.amount_fen})
            self.refuse(_SAY_AGAIN, plain(yuan(sale.record.amount_fen)))

    # ---- giving back

    async def _undo(self, op: Operation, number: int, amount_fen: int | None) -> None:
        original = self._find_sale(number)
        if original is None:
            return
        if original.code is None:
            await self.teller.deliver()  # the platform has to know the sale first
        amount = original.amount_fen if amount_fen is None else amount_fen
        if not 0 < amount <= original.amount_fen:
            self.refuse(Text("金额无效", "Invalid amount"))
            return
        outcome = await self.teller.ask(op, original.card_no, amount, orig_seq=number)
        self._sold(outcome)

    def _find_sale(self, number: int) -> JournalRecord | None:
        record = self.journal.find(self.terminal_id, number)
        if record and record.op in _SALES and record.code in (None, int(Result.APPROVED)):
            return record
        self.idle()
        self.refuse(Text("本机无此消费", "No such sale at this terminal"))
        return None


def _card_of(text: str) -> int:
    """The card a code names; whether the platform signed it is for the acceptor to say. Raises CodeRefused."""
    try:
        return parse_code(text).body.card_no
    except PayCodeError:
        raise CodeRefused(Result.CODE_INVALID) from None
