"""Kinds against the whole platform: gateway, application server, ledger; the auditor is content afterwards."""

import asyncio
from pathlib import Path

import psycopg
import pytest

from onecard.kernel.clock import SystemClock
from onecard.kernel.codes import Operation, Result
from onecard.ledger import audit
from onecard.terminal.kinds.parts import Cash, Pulse, Tap
from onecard.terminal.kinds.program import KINDS, Program, Setup
from tests.appserver.conftest import OPENING_FEN, StartApp, Town, start_app, town
from tests.gateway.harness import House, until
from tests.kinds.bench import PARAMETERS, TARIFF, press, sell

__all__ = ["start_app", "town"]


@pytest.fixture
def lines(town: Town, house: House) -> dict[str, int]:
    """A straight line with one terminal at the public merchant for each kind; kind to terminal id."""
    from onecard.services.devices.models import Line, LineKind, Terminal

    terminals = {}
    for number, kind in enumerate(KINDS, start=1):
        issued = house.issue(number)
        line = Line.objects.create(
            operator_id=town.operator, kind=LineKind.TERMINAL, name=kind, certificate_sha256=issued.fingerprint
        )
        terminals[kind] = Terminal.objects.create(tid=f"{kind[:5].upper():X<8}", merchant_id=town.public_merchant, line=line).pk
    return terminals


async def test_every_kind_that_moves_money_moves_it_in_the_ledger_once(
    town: Town, lines: dict[str, int], start_app: StartApp, house: House, tmp_path: Path
):
    house.clock = SystemClock()
    address = f"unix:{tmp_path}/real.sock"
    client = await start_app(listen=address)
    await house.start(apps=(address,))

    def setup(kind: str) -> Setup:
        identity = house.issue(list(KINDS).index(kind) + 1).identity
        return Setup(KINDS[kind], tmp_path / kind, "127.0.0.1", house.port("native"), identity, durable=False)

    buyer, drinker, saver = town.cards[:3]
    async with Program.start(setup("pos")) as pos:
        await sell(pos.device, "1250", buyer)
        assert "成功" in pos.device.display.text
        await sell(pos.device, "800", buyer)
        await press(pos.device, "void", "1", "enter")
        await press(pos.device, "refund", "2", "enter", "300", "enter")
        assert [record.code for record in pos.device.journal.records(lines["pos"])] == [Result.APPROVED] * 4
        await sell(pos.device, "9999999", buyer)
        assert "余额不足" in pos.device.display.text or "限额" in pos.device.display.text
    async with Program.start(setup("meter")) as meter:
        meter.device.data.take("tariff", TARIFF, version=1)
        await meter.act(Tap(drinker))
        await meter.act(Pulse(133))
        await press(meter.device, "stop")
        await meter.act(Tap(drinker))
        await press(meter.device, "stop")
        await _sent(meter)
        ops = [record.op for record in meter.device.journal.records(lines["meter"])]
        assert ops == [Operation.HOLD, Operation.COMMIT, Operation.HOLD, Operation.RELEASE]
    async with Program.start(setup("kiosk")) as kiosk:
        await until(lambda: "联机" in kiosk.device.display.text)
        await press(kiosk.device, "topup")
        await kiosk.act(Tap(saver))
        await kiosk.act(Cash(5000))
        await press(kiosk.device, "enter")
        assert "成功" in kiosk.device.display.text
    balances = [await client.post(client.record(card, op=int(Operation.BALANCE), amount_fen=0)) for card in town.cards[:3]]
    assert [answers.balance_fen[0] for answers in balances] == [OPENING_FEN - 500, OPENING_FEN - 532, OPENING_FEN + 5000]
    with psycopg.connect(town.database.app_dsn, autocommit=True) as connection:
        report = audit.run(connection)
    assert report.ok, report.first_failure


async def test_a_sale_made_off_line_is_in_the_ledger_once_when_the_line_is_back(
    town: Town, lines: dict[str, int], start_app: StartApp, house: House, tmp_path: Path
):
    house.clock = SystemClock()
    address = f"unix:{tmp_path}/real.sock"
    client = await start_app(listen=address)
    await house.start(apps=(address,))
    identity = house.issue(1).identity
    setup = Setup(KINDS["pos"], tmp_path / "pos", "127.0.0.1", house.port("native"), identity, durable=False)
    async with Program.start(setup) as pos:
        pos.device.data.take("parameters", PARAMETERS, version=1)
        for amount in (100, 200, 300):
            assert pos.device.teller.pay_offline(town.cards[0], amount).is_approved
        await sell(pos.device, "400", town.cards[0])
        await _sent(pos)
        assert [r.code for r in pos.device.journal.records(lines["pos"])] == [Result.APPROVED] * 4
    answers = await client.post(client.record(town.cards[0], op=int(Operation.BALANCE), amount_fen=0))
    assert answers.balance_fen[0] == OPENING_FEN - 1000


async def _sent(program: Program) -> None:
    program._owe()
    await asyncio.wait_for(program.settled.wait(), 10)
