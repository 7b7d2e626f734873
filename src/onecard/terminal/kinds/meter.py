"""The meter (P3): hold, then pulses, then the final amount, at most the hold; a power cut in between loses no drop and no fen.

    IDLE → card → hold → RUNNING → pulses … → STOP, the same card, or the hold used up → final amount → IDLE
The session is stored before the hold is asked for and with every pulse. The number of the final record is set aside with it:
after a power cut a session whose final record stands is over, any other is ended by what was counted. Off line the meter holds
within its own limits, and the final amount goes up as an advice.
"""

from dataclasses import asdict, dataclass, replace
from typing import ClassVar

from onecard.kernel.codes import Operation, Result, Text
from onecard.kernel.events import EventKind
from onecard.terminal.journal import State
from onecard.terminal.kinds.device import Device, Fitting
from onecard.terminal.kinds.parts import Key, yuan
from onecard.terminal.kinds.tariff import MeterTariff
from onecard.terminal.kinds.teller import Outcome

_SESSION = "session"


@dataclass(frozen=True, slots=True)
class Session:
    """One customer at the meter, by the prices that stood when he began."""

    card_no: int
    hold_seq: int
    """0: held by the meter itself, off line."""
    final_seq: int
    hold_fen: int
    fen_per_unit: int
    pulses_per_unit: int
    unit: str
    running: bool = False
    pulses: int = 0

    @property
    def amount_fen(self) -> int:
        """The price so far, rounded down, at most the hold."""
        tariff = MeterTariff(self.hold_fen, self.fen_per_unit, self.pulses_per_unit, self.unit)
        return tariff.amount_rounded_down(self.pulses)


class Meter(Device):
    """See the module."""

    MODEL: ClassVar[str] = "meter"
    USES: ClassVar[tuple[str, ...]] = ("deny", "cards", "rules", "tariff", "parameters")

    def __init__(self, fitting: Fitting) -> None:
        self.session: Session | None = None
        super().__init__(fitting)

    @property
    def has_customer(self) -> bool:
        """See Device."""
        return self.session is not None

    @property
    def valve_open(self) -> bool:
        """Whether it gives."""
        return self.session is not None and self.session.running

    def idle(self) -> None:
        """Closed, waiting for a card."""
        self.session = None
        self.display.show(Text("请刷卡开阀", "Card please"))

    def recover(self) -> None:
        """End the session that the power cut has interrupted."""
        kept = self.journal.kept(_SESSION)
        if kept is None:
            return
        session = Session(**kept)
        self.note(EventKind.POWER_LOST, card_no=session.card_no, detail=f"计量中断 metering, {session.pulses} pulses")
        if self.journal.find(self.terminal_id, session.final_seq) is None:
            self._end(session)
        self.journal.drop(_SESSION)

    async def on_tap(self, card_no: int) -> None:
        """Begin, or end what the same card began."""
        if self.session is None:
            await self._begin(card_no)
        elif self.session.card_no == card_no:
            self._finish()
        else:
            self.refuse(Text("使用中", "In use"))

    async def on_press(self, key: str) -> None:
        """The stop button."""
        if key not in (Key.STOP, Key.CANCEL) or self.session is None:
            await super().on_press(key)
            return
        self._finish()

    async def on_pulse(self, count: int) -> None:
        """What went through; with the valve shut it is a leak."""
        if self.session is None or not self.session.running or count < 0:
            self.note(EventKind.TAMPER, detail=f"阀门关闭时有脉冲 pulses with the valve shut: {count}")
            return
        self.session = replace(self.session, pulses=self.session.pulses + count)
        self.journal.keep(_SESSION, asdict(self.session))
        if self.session.amount_fen >= self.session.hold_fen:
            self._finish()
        else:
            self._show(self.session)

    async def _begin(self, card_no: int) -> None:
        tariff = self.data.tariff.meter
        if tariff is None:
            self.refuse(Text("未下发费率", "This meter has no tariff yet"))
            return
        asked = await self.teller.can_ask()
        hold_seq = self.journal.next_seq(self.terminal_id) if asked else 0
        final_seq = self.journal.next_seq(self.terminal_id)
        session = Session(card_no, hold_seq, final_seq, **asdict(tariff))
        self.journal.keep(_SESSION, asdict(session))
        if asked:
            record = self.teller.make(Operation.HOLD, card_no, tariff.hold_fen, seq=hold_seq)
            outcome = await self.teller.send(record)
        else:
            result = self.teller.may_sell_offline(card_no, tariff.hold_fen)
            outcome = Outcome(0, Operation.HOLD, card_no, tariff.hold_fen, result, offline=True)
        if not outcome.is_approved:
            self.journal.drop(_SESSION)
            self.idle()
            self.show_outcome(outcome)
            return
        self.session = replace(session, running=True)
        self.journal.keep(_SESSION, asdict(self.session))
        self._show(self.session)

    def _finish(self) -> None:
        session = self.session
        assert session is not None
        self._end(session)
        self.journal.drop(_SESSION)
        self.idle()
        self.display.show(Text(f"已用 {yuan(session.amount_fen)}", f"Used {yuan(session.amount_fen)}"), _quantity(session))

    def _end(self, session: Session) -> None:
        """The final record under the number set aside for it; nothing where there was no hold."""
        amount, seq, card = session.amount_fen, session.final_seq, session.card_no
        if session.hold_seq:
            hold = self.journal.find(self.terminal_id, session.hold_seq)
            if hold is None or hold.state != State.CLOSED or hold.code != Result.APPROVED:
                return  # never granted, or being reversed
            op = Operation.COMMIT if amount else Operation.RELEASE
            self.teller.make(op, card, amount, orig_seq=session.hold_seq, seq=seq)
        elif amount:
            op = Operation.ADVICE
            self.teller.make(op, card, amount, seq=seq)
        if amount:
            outcome = Outcome(seq, Operation.COMMIT, card, amount, Result.APPROVED, offline=not session.hold_seq)
            self.print_receipt(outcome, _quantity(session))

    def _show(self, session: Session) -> None:
        self.display.show(Text(f"{yuan(session.amount_fen)} / {yuan(session.hold_fen)}", ""), _quantity(session))


def _quantity(session: Session) -> Text:
    thousandths = session.pulses * 1000 // session.pulses_per_unit
    return Text(f"用量 {thousandths // 1000}.{thousandths % 1000:03d} {session.unit}", "")
