"""The way up when something at its end goes wrong: one answer that can't be stored, and totals of what is not up yet (G3)."""

import asyncio

import pytest

from onecard.fep import book, uplink
from onecard.fep.devices import Devices
from onecard.gateway.errors import AppUnavailableError
from onecard.kernel.codes import Operation, Result
from onecard.kernel.events import EventKind
from tests.fep.unit import ask, recall_terminals
from tests.gateway.harness import until

NOW = 1_780_000_000_000_000


class _Events:
    def __init__(self) -> None:
        self.waiting = 0
        self.told: list[tuple[EventKind, str]] = []

    def add(self, kind, detail, *, terminal_id=0) -> None:
        self.told.append((kind, detail))


async def _decided_here(unit) -> None:
    """Three records of each of two terminals, made off line."""
    await unit.start(port=1)
    unit.fep.lan.take(recall_terminals(unit))
    for terminal in (71, 72):
        client = unit.terminal(terminal)
        for seq in (1, 2, 3):
            assert await ask(client, Operation.PURCHASE, seq, terminal=terminal) == Result.APPROVED
    await unit.start_gateway()


async def test_a_refused_record_goes_even_when_its_place_has_been_used_by_another(unit):
    await _decided_here(unit)
    taken = "INSERT INTO refused VALUES (1, 71, 900, 2, 1, 1, 1, 0, 0, NULL, NULL, 30, 1)"
    await unit.fep.journal.run(lambda db: db.execute(taken))
    unit.house.app.answer = lambda row: (int(Result.UNKNOWN_CARD), 0, 0, 0)
    await unit.restart(port=unit.house.port("native"))
    await until(lambda: not unit.fep.intake.waiting, 10)
    assert (unit.fep.upload.sent, unit.fep.upload.refused) == (6, 6)
    assert await unit.fep.journal.run(book.oldest_us) == 0


async def test_one_answer_that_cannot_be_stored_holds_back_no_other_and_is_told_once(unit, monkeypatch):
    real = uplink._acknowledge

    def broken(db, decided, now_us):
        if any(queued.asked.key[:2] == (72, 2) for queued, _ in decided):
            raise ValueError("no")
        return real(db, decided, now_us)

    await _decided_here(unit)
    monkeypatch.setattr(uplink, "_acknowledge", broken)
    monkeypatch.setattr(uplink, "_REST_S", 0.2)
    monkeypatch.setattr(uplink, "_AGAIN_S", (0.1, 0.1))
    await unit.restart(port=unit.house.port("native"))
    await until(lambda: unit.fep.intake.waiting == {72: 1}, 10)
    left = await unit.fep.journal.run(lambda db: book.next_batch(db, 10, without=()))
    assert [queued.asked.key[:2] for queued in left] == [(72, 2)]
    assert unit.fep.upload.sent == 5
    sent = len(unit.house.app.records)
    told = []
    monkeypatch.setattr(unit.fep.events, "add", lambda kind, detail, **how: told.append(detail))
    unit.fep.upload._unstorable.clear()
    await until(lambda: len(unit.house.app.records) >= sent + 3, 10)  # it goes up again and again; people are told once
    assert told == ["the answer to 2 of terminal 72 can't be stored: no"]
    monkeypatch.setattr(uplink, "_acknowledge", real)
    await until(lambda: not unit.fep.intake.waiting, 10)


async def test_a_batch_is_not_settled_while_a_part_of_it_is_still_here(unit):
    await unit.start(port=1)
    unit.fep.lan.take(recall_terminals(unit))
    assert await ask(unit.terminal(), Operation.PURCHASE, 1) == Result.APPROVED
    await unit.start_gateway()
    unit.house.app.gate.clear()
    await unit.restart(port=unit.house.port("native"))
    await until(lambda: unit.fep.line.is_up)
    with pytest.raises(AppUnavailableError, match="1 records of terminal 71"):
        await unit.fep.platform.totals(7, 71, batch_no=1, deadline_s=5)
    unit.house.app.gate.set()
    await until(lambda: not unit.fep.intake.waiting, 10)
    assert (await unit.fep.platform.totals(7, 71, batch_no=1, deadline_s=5)).code == Result.APPROVED


async def test_only_a_device_that_was_lost_is_told_as_back():
    events, heard = _Events(), {}
    devices = Devices(events, now_us=lambda: NOW, heard=heard)
    heard[71] = asyncio.get_running_loop().time()
    devices.look({71}, {80: True})
    assert devices.states[71].online
    assert events.told == []
    for ports in ({80: False}, {80: False}, {80: True}, {80: True}):
        devices.look({71}, ports)
    assert events.told == [(EventKind.DEVICE_LOST, "nothing heard"), (EventKind.DEVICE_BACK, "heard again")]
    devices.look(set(), {80: True})
    devices.keep_only({80})
    devices.look({71}, {80: True})
    assert [kind for kind, _ in events.told[2:]] == [EventKind.DEVICE_LOST]
