"""Devices on a bench: in memory, with a clock that stands still and a line that answers as told or not at all."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from onecard.kernel.clock import ManualClock
from onecard.kernel.codes import Operation, Result
from onecard.kernel.numbers import build_card_no
from onecard.protocol.cardindex import CardEntry, build_card_index
from onecard.protocol.offline import EVERYBODY, CardTypeRule, DoorRule, OfflineRules, build_rules
from onecard.protocol.parameters import build_parameters
from onecard.protocol.proto.records_pb2 import Answers, Records
from onecard.terminal.errors import LineDown
from onecard.terminal.kinds.data import DeviceData
from onecard.terminal.kinds.device import Device, Fitting
from onecard.terminal.kinds.journal import DeviceJournal
from onecard.terminal.kinds.parts import DIGITS, Key, Press, Tap

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # Monday noon in the city
TERMINAL = 10
OFFLINE = {
    "offline_limits": True, "offline_per_transaction_fen": 100_000, "offline_per_card_day_fen": 200_000,
    "offline_per_card_day_count": 100, "offline_total_fen": 10**12,
}  # fmt: skip


def parameters(values: dict, *, version: int = 1, line: int = 1) -> bytes:
    """The file of a straight line."""
    return build_parameters(line, version, {0: values}, front_end=False)


PARAMETERS = parameters(OFFLINE)
TARIFF = (
    '{"format":"onecard-tariff/1","fixed_fen":250,"count_fen":150,"menu":[{"no":1,"zh":"米饭","en":"Rice","fen":100},'
    '{"no":2,"zh":"鱼","en":"Fish","fen":880}],"meter":{"hold_fen":1000,"fen_per_unit":400,"pulses_per_unit":100,"unit":"m³"}}'
).encode()


D = TypeVar("D", bound=Device)


def card(serial: int) -> int:
    return build_card_no(issuer=6212, lane=0, serial=serial)


class BenchLine:
    """A line in this process. `answer` decides; None: the line breaks before the answer."""

    def __init__(self, *, is_open: bool = False) -> None:
        self.is_open = is_open
        self.backlog = self.oldest_unsent_us = 0
        self.sent: list[tuple[Operation, int, int, int, int]] = []
        self.answer: Callable[[Operation], Result | None] = lambda op: Result.APPROVED

    async def submit(self, records: Records) -> Answers:
        columns = records.op, records.terminal_seq, records.card_no, records.amount_fen, records.orig_seq
        rows = [(Operation(op), *rest) for op, *rest in zip(*columns, strict=True)]
        answers = Answers()
        for row in rows:
            self.sent.append(row)  # type: ignore[arg-type]
            code = self.answer(row[0])
            if code is None:
                self.is_open = False
                raise LineDown("断", "cut")
            answers.code.append(code)
            answers.balance_fen.append(5000)
            answers.transfer_id.append(1)
            answers.conflict_field.append(0)
        return answers


def make(kind: type[D], *, line: BenchLine | None = None, journal: DeviceJournal | None = None, **fitting) -> D:
    """A device with a tariff and limits; on a journal that is given, as after a power cut."""
    fresh = journal is None
    journal = journal or DeviceJournal(":memory:", durable=False)
    data = DeviceData(journal, kind.USES, TERMINAL)
    if fresh:
        for name, content in {"tariff": TARIFF, "parameters": PARAMETERS}.items():
            if name in kind.USES:
                data.take(name, content, version=1)
    fitting.setdefault("clock", ManualClock(NOW))
    return kind(Fitting(TERMINAL, journal, data, line or BenchLine(), **fitting))


def give_unit(device: Device, cards: list[int], *, groups: frozenset[int] = frozenset(), doors: dict | None = None) -> None:
    """The unit's cards and rules: every card may do everything, everybody may pass."""
    index = build_card_index({number: CardEntry(1, groups) for number in cards}, version=1, unit_id=7)
    device.data.take("cards", index, version=1)
    doors = doors if doors is not None else {TERMINAL: (DoorRule(frozenset((EVERYBODY,))),)}
    free = CardTypeRule(offline=True)
    rules = OfflineRules(version=1, unit_id=7, card_types={1: free}, unknown_card=free, doors=doors)
    device.data.take("rules", build_rules(rules), version=1)


async def press(device: Device, *words: str) -> None:
    for word in words:
        for key in word if set(word) <= DIGITS else (Key(word),):
            await device.act(Press(key))


async def sell(device: Device, amount: str, card_no: int) -> None:
    await press(device, amount, "enter")
    await device.act(Tap(card_no))
