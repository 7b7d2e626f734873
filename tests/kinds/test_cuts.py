"""Power cut before and after every single write and every single message of a flow: afterwards the money is right."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from onecard.kernel.codes import Operation, Result
from onecard.protocol.proto.records_pb2 import Answers, Records
from onecard.terminal.journal import State
from onecard.terminal.kinds.device import Device
from onecard.terminal.kinds.journal import DeviceJournal
from onecard.terminal.kinds.kiosk import Kiosk
from onecard.terminal.kinds.meter import Meter
from onecard.terminal.kinds.parts import Cash, Printer, Pulse, Tap
from onecard.terminal.kinds.pos import Pos
from tests.kinds.bench import TERMINAL, BenchLine, card, make, press, sell

CARD = card(1)
WRITES = (
    "store", "answer", "mark", "next_seq", "add_event", "keep", "drop", "add_receipt", "mark_printed", "trim",
)  # fmt: skip


class Cut(BaseException):
    """The power fails here."""


class Fuse:
    """Blows at the n-th step, before or after it is done."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.count = at, after, 0

    def around(self, work: Callable[[], Any]) -> Any:
        self.count += 1
        if self.count == self.at and not self.after:
            raise Cut
        done = work()
        if self.count == self.at:
            raise Cut
        return done


class FusedJournal(DeviceJournal):
    """A journal whose every write is a step."""

    fuse: Fuse | None = None

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        fuse = object.__getattribute__(self, "__dict__").get("fuse")
        if fuse is None or name not in WRITES:
            return found
        return lambda *args, **options: fuse.around(lambda: found(*args, **options))


class Platform(BenchLine):
    """Posts once a number, and forgets for ever what is reversed."""

    def __init__(self, *, is_open: bool) -> None:
        super().__init__(is_open=is_open)
        self.posted: dict[int, tuple[Operation, int, int]] = {}
        self.reversed: set[int] = set()
        self.fuse: Fuse | None = None
        self.roll: list[str] = []

    async def submit(self, records: Records) -> Answers:
        def post() -> None:
            columns = records.op, records.terminal_seq, records.amount_fen, records.orig_seq
            for op, seq, amount, orig in zip(*columns, strict=True):
                if op == Operation.REVERSAL:
                    self.posted.pop(seq, None)
                    self.reversed.add(seq)
                elif op != Operation.BALANCE and seq not in self.reversed:
                    assert self.posted.setdefault(seq, (Operation(op), amount, orig)) == (op, amount, orig), (
                        "one number, two contents"
                    )

        self.fuse.around(post) if self.fuse else post()
        return await super().submit(records)


async def _pos(device: Pos) -> None:
    await sell(device, "700", CARD)
    await press(device, "void", "1", "enter")
    await sell(device, "300", CARD)


async def _meter(device: Meter) -> None:
    await device.act(Tap(CARD))
    await device.act(Pulse(70))
    await press(device, "stop")
    await device.teller.deliver()


async def _kiosk(device: Kiosk) -> None:
    await press(device, "topup")
    await device.act(Tap(CARD))
    await device.act(Cash(1000))
    await press(device, "enter")


def _pos_is_right(device: Device, platform: Platform) -> None:
    approved = {r.terminal_seq for r in device.journal.records(TERMINAL) if r.code == Result.APPROVED}
    printed = {seq for seq in range(1, 9) if any(f"{TERMINAL}/{seq} " in text for text in platform.roll)}
    assert approved == printed == platform.posted.keys()


def _meter_is_right(device: Device, platform: Platform) -> None:
    holds = [seq for seq, (op, *_) in platform.posted.items() if op is Operation.HOLD]
    ends = [(op, amount, orig) for op, amount, orig in platform.posted.values() if op in (Operation.COMMIT, Operation.RELEASE)]
    assert [orig for _, _, orig in ends] == holds
    assert {(op, amount) for op, amount, _ in ends} <= {(Operation.COMMIT, 280), (Operation.RELEASE, 0)}
    sold = [amount for op, amount, _ in platform.posted.values() if op is Operation.ADVICE]
    assert sold in ([], [280])


def _kiosk_is_right(device: Device, platform: Platform) -> None:
    topped = sum(amount for op, amount, _ in platform.posted.values() if op is Operation.TOPUP)
    given_back = any("given back" in event.detail for event in device.journal.events())
    assert topped in (0, 1000)
    assert not (topped and given_back)


FLOWS: dict[str, tuple[type[Device], Callable[[Any], Awaitable[None]], Callable[[Device, Platform], None], bool]] = {
    "pos on line": (Pos, _pos, _pos_is_right, True),
    "pos off line": (Pos, _pos, _pos_is_right, False),
    "meter on line": (Meter, _meter, _meter_is_right, True),
    "meter off line": (Meter, _meter, _meter_is_right, False),
    "kiosk": (Kiosk, _kiosk, _kiosk_is_right, True),
}


class Roll(Printer):
    def __init__(self, platform: Platform) -> None:
        super().__init__()
        self._platform = platform

    def print(self, text: str) -> None:
        self._platform.roll.append(text)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("flow", FLOWS)
async def test_a_power_cut_at_any_step_leaves_the_money_right(flow: str, after: bool):
    kind, work, is_right, online = FLOWS[flow]
    at, whole = 0, False
    while not whole:
        at += 1
        platform, journal = Platform(is_open=online), FusedJournal(":memory:", durable=False)
        device = make(kind, line=platform, journal=None, printer=Roll(platform))
        for name in kind.USES:
            for stored in device.journal.data(name):
                journal.store_data(name, stored.content, version=stored.version)
        device = make(kind, line=platform, journal=journal, printer=Roll(platform))
        journal.fuse = platform.fuse = Fuse(at, after=after)
        try:
            await work(device)
            whole = journal.fuse.count < at
        except Cut:
            pass
        journal.fuse = platform.fuse = None
        platform.is_open = True
        again = make(kind, line=platform, journal=journal, printer=Roll(platform))
        assert await again.teller.deliver()
        is_right(again, platform)
        assert all(record.state == State.CLOSED for record in journal.records(TERMINAL)), at
        assert again.teller.unsent == platform.backlog == 0
    assert at > 8, "a flow of so few steps is not the flow"
