"""What every kind of terminal has: inputs one by one, a display, receipts with the record's key, its state after a power cut.

A kind is a small state machine: `on_press`, `on_tap` … move it, `idle` shows where it begins. It never waits for a person.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from onecard.kernel.clock import Clock, SystemClock, to_epoch_us
from onecard.kernel.codes import RESULT_TEXT, Operation, Result, Text
from onecard.kernel.events import EventKind
from onecard.protocol.offline import local_time
from onecard.terminal.chipcard import SamSlot
from onecard.terminal.chipjournal import ChipJournal
from onecard.terminal.journal import JournalRecord, State
from onecard.terminal.kinds.data import DeviceData
from onecard.terminal.kinds.journal import DeviceJournal
from onecard.terminal.kinds.parts import Act, Cash, ChipTap, Contact, Display, Press, Printer, Pulse, Show, Tap, yuan
from onecard.terminal.kinds.teller import Line, Outcome, Teller
from onecard.terminal.paycode import CodeMemory

ONLINE = Text("联机", "On line")
OFFLINE = Text("脱机", "Off line")
_STEPS = (
    Text("", ""), Text("租约将到期", "lease ends soon"), Text("不接受新卡", "no new cards"), Text("停止消费", "no sales"),
    Text("已停用", "stopped"),
)  # fmt: skip
_OPERATIONS = {
    Operation.PURCHASE: Text("消费", "Purchase"),
    Operation.ADVICE: Text("消费", "Purchase"),
    Operation.CHIP_PURCHASE: Text("芯片消费", "Chip purchase"),
    Operation.VOID: Text("撤销", "Void"),
    Operation.REFUND: Text("退货", "Refund"),
    Operation.TOPUP: Text("充值", "Top-up"),
    Operation.COMMIT: Text("计量消费", "Metered purchase"),
}
_ON_PAPER = frozenset(_OPERATIONS)
NO_ANSWER = Text("无应答，将自动冲正，请重试", "No answer: it will be reversed, please repeat")


@dataclass(slots=True)
class Fitting:
    """What a device is built from. Without a SAM its slot takes no chips, without `codes` its scanner takes no codes."""

    terminal_id: int
    journal: DeviceJournal
    data: DeviceData
    line: Line
    clock: Clock = field(default_factory=SystemClock)
    display: Display = field(default_factory=Display)
    printer: Printer = field(default_factory=Printer)
    codes: CodeMemory | None = None
    sam: SamSlot | None = None
    chips: ChipJournal | None = None


class Device:
    """The base of the kinds. `act` is what a person does; `run.Program` keeps its line."""

    MODEL: ClassVar[str] = "device"
    USES: ClassVar[tuple[str, ...]] = ("deny", "cards", "rules", "tariff", "parameters")
    """The data it works by."""

    def __init__(self, fitting: Fitting) -> None:
        self.fitting = fitting
        self.terminal_id = fitting.terminal_id
        self.journal = fitting.journal
        self.data = fitting.data
        self.display = fitting.display
        self.clock = fitting.clock
        self.teller = Teller(
            fitting.terminal_id, journal=fitting.journal, data=fitting.data, line=fitting.line, clock=fitting.clock
        )
        self.platform_offline = False
        """What the front-end says of its own line."""
        self.is_updating: Callable[[], bool] = lambda: False
        """Whether firmware is being exchanged: nothing is sold then."""
        self._one_at_a_time = asyncio.Lock()
        for record in self.teller.power_was_lost_with:
            self.note(EventKind.POWER_LOST, card_no=record.card_no, detail=f"{Operation(record.op).name} {record.terminal_seq}")
        self.idle()
        self.recover()
        self._print_again()

    # ---- what a kind defines

    def idle(self) -> None:
        """Show the screen where the flow begins."""
        self.display.show(Text("就绪", "Ready"))

    def recover(self) -> None:
        """Take up what was going on when the power failed."""

    async def on_press(self, key: str) -> None:
        """A key."""
        self.refuse(Text("此键无效", "This key does nothing here"))

    async def on_tap(self, card_no: int) -> None:
        """A card whose number was read."""
        self.refuse(Text("此处不读卡", "No card is needed here"))

    async def on_chip(self, tap: ChipTap) -> None:
        """A purse card."""
        self.refuse(Text("本机不读芯片卡", "This terminal takes no chip cards"))

    async def on_code(self, text: str) -> None:
        """A payment code."""
        self.refuse(Text("本机不收付款码", "This terminal takes no payment codes"))

    async def on_cash(self, fen: int) -> None:
        """A note."""
        self.refuse(Text("请取回纸币", "Please take the note back"))

    async def on_pulse(self, count: int) -> None:
        """What went through."""
        self.refuse(Text("本机不是计量表", "This is no meter"))

    async def on_contact(self, *, is_open: bool) -> None:
        """The door."""
        self.refuse(Text("本机不管门", "This terminal has no door"))

    async def tick(self) -> None:
        """Time has passed; called a few times a second."""

    # ---- what the outside does

    async def act(self, act: Act) -> None:
        """Do what a person or the hardware does; one after another."""
        async with self._one_at_a_time:
            if self.is_updating():
                self.refuse(Text("升级中，请稍候", "Updating, one moment please"))
                return
            match act:
                case Press(key):
                    await self.on_press(key)
                case Tap(_, torn=True):
                    self.refuse(Text("请重新刷卡", "Present the card again"))
                case Tap(card_no):
                    self.data.saw(card_no)
                    await self.on_tap(card_no)
                case ChipTap():
                    await self.on_chip(act)
                case Show(text):
                    await self.on_code(text)
                case Cash(fen):
                    await self.on_cash(fen)
                case Pulse(count):
                    await self.on_pulse(count)
                case Contact(is_open):
                    await self.on_contact(is_open=is_open)

    async def pass_time(self) -> None:
        """`tick`, between inputs."""
        async with self._one_at_a_time:
            await self.tick()

    @property
    def is_busy(self) -> bool:
        """Whether something is being done this moment."""
        return self._one_at_a_time.locked()

    def may_install(self, now: datetime) -> bool:
        """Whether selling may pause: outside the unit's meal times, and with nobody at the device."""
        rules = self.data.rules
        return not self.is_busy and not self.has_customer and not (rules and rules.meal_at(to_epoch_us(now)))

    @property
    def has_customer(self) -> bool:
        """Whether something is going on that a person waits for."""
        return False

    def show_line(self, *, is_open: bool, platform_offline: bool = False, lease_step: int = 0, refused: str = "") -> None:
        """Put up how the line is: the terminal's own, and behind a front-end that one's."""
        self.platform_offline = platform_offline
        state = ONLINE if is_open and not platform_offline else OFFLINE
        more = _STEPS[min(lease_step, len(_STEPS) - 1)]
        zh, en = (part for part in (f"{state.zh} {more.zh} {refused}", f"{state.en} {more.en}"))
        self.display.set_status(Text(zh.strip(), en.strip()))

    # ---- for the kinds

    def now_us(self) -> int:
        """The terminal's time."""
        return self.teller.now_us()

    def after(self, seconds: int) -> int:
        """The moment in so many seconds."""
        return self.now_us() + timedelta(seconds=seconds) // timedelta(microseconds=1)

    def note(self, kind: EventKind, *, card_no: int = 0, detail: str = "") -> None:
        """Store an event of this terminal."""
        self.journal.note(kind, terminal_id=self.terminal_id, at_us=self.now_us(), card_no=card_no, detail=detail)

    def refuse(self, *rows: Text) -> None:
        """Say why not; the state stays."""
        self.display.show(*rows)

    def show_outcome(self, outcome: Outcome, *rows: Text) -> None:
        """The result of a transaction."""
        text = NO_ANSWER if outcome.result is None else RESULT_TEXT[outcome.result]
        self.display.show(text, *rows)

    def print_receipt(self, outcome: Outcome, *rows: Text) -> None:
        """The receipt of what was done, with its record's key; stored first, so that a power cut costs nobody his receipt."""
        text = self.receipt_text(outcome, *rows)
        self.journal.add_receipt(outcome.seq, text)
        self._print(outcome.seq, text)

    def receipt_text(self, outcome: Outcome, *rows: Text) -> str:
        """What stands on it."""
        name, card = _OPERATIONS[outcome.op], f"{outcome.card_no:016d}"
        result = Text("处理中", "Being settled") if outcome.result is None else RESULT_TEXT[outcome.result]
        lines = [
            Text("城市一卡通", "One-Card"),
            name,
            result,
            Text(f"金额 {yuan(outcome.amount_fen)}", f"Amount {yuan(outcome.amount_fen)}"),
            Text(f"卡号 {card[:6]}******{card[-4:]}", ""),
            Text(f"时间 {local_time(self.now_us()):%Y-%m-%d %H:%M:%S}", ""),
            Text(f"凭证 {self.terminal_id}/{outcome.seq}", f"Key {self.terminal_id}/{outcome.seq}"),
            *rows,
        ]
        if outcome.offline:
            lines.append(Text("脱机交易", "Off line"))
        elif outcome.is_approved and outcome.balance_fen:
            lines.append(Text(f"余额 {yuan(outcome.balance_fen)}", f"Balance {yuan(outcome.balance_fen)}"))
        return "\n".join(f"{row.zh} {row.en}".strip() for row in lines)

    def print_again(self, text: str) -> None:
        """A copy, marked as one."""
        self.fitting.printer.print(f"重印 Reprint\n{text}")

    def _print(self, seq: int, text: str) -> None:
        try:
            if self.data.parameters.print_receipt:
                self.fitting.printer.print(text)
        except OSError:
            self.note(EventKind.ERROR, detail=f"printer: receipt {seq}")
            return
        self.journal.mark_printed(seq)

    def _print_again(self) -> None:
        """Receipts that the power cut may have kept from the customer, also of the last record approved before it."""
        last = self.journal.find(self.terminal_id, self.journal.last_seq(self.terminal_id))
        if last is not None and last.op in _ON_PAPER and (last.is_approved or _stands_unsent(last)):
            outcome = Outcome(
                last.terminal_seq,
                Operation(last.op),
                last.card_no,
                last.amount_fen,
                Result.APPROVED,
                last.balance_fen,
                offline=last.op == Operation.ADVICE,
            )
            self.journal.add_receipt(last.terminal_seq, self.receipt_text(outcome))
        for seq, text in self.journal.unprinted():
            self._print(seq, f"补打 Printed after a power cut\n{text}")


def _stands_unsent(record: JournalRecord) -> bool:
    """Whether a record that the platform does not have yet is a sale all the same."""
    by_chip = record.op == Operation.CHIP_PURCHASE and record.chip is not None and not record.chip.gray
    return record.state == State.OPEN and (record.op == Operation.ADVICE or by_chip)
