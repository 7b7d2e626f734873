"""A box is replaced at its place: the new one, with a fresh journal and a new enrolment, sells at once; every part is real."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from onecard.fep.fep import Fep
from onecard.fep.settings import DiskLimits, FepSettings
from onecard.kernel.codes import Operation, Result
from onecard.ledger import audit
from onecard.terminal.enrol import Enrolment, Invitation, enrol
from onecard.terminal.errors import LineDown, LineRefused
from onecard.terminal.iso8583 import Iso8583Terminal
from onecard.terminal.journal import Journal
from onecard.terminal.kinds.pos import Pos
from onecard.terminal.kinds.program import Program, Setup
from onecard.terminal.native import NativeClient
from onecard.terminal.tls import Backoff
from tests.appserver.conftest import OPENING_FEN, Town, in_thread, start_app, town
from tests.appserver.test_whole_way import Platform, platform
from tests.fep.processes import Relay, write_lists
from tests.gateway.harness import until
from tests.kinds.bench import sell

__all__ = ["platform", "start_app", "town"]


async def test_a_new_box_at_a_used_place_sells_at_once(platform: Platform, tmp_path: Path) -> None:
    town, port = platform.town, platform.gateway.ports["native"]
    old = await enrolled(platform, tmp_path / "old", line_id=town.line)
    async with box(old, port) as pos:
        for amount in ("100", "200", "300"):
            await sell(pos, amount, town.cards[0])
        await sell(pos, "9999999", town.cards[0])  # refused, and its number is used all the same
        last = pos.journal.last_seq(town.terminal)
    new = await enrolled(platform, tmp_path / "new", line_id=town.line)
    async with box(new, port) as pos:
        await sell(pos, "400", town.cards[0])
        (record,) = pos.journal.records(town.terminal)
        assert (record.op, record.code) == (Operation.PURCHASE, Result.APPROVED)
        assert record.terminal_seq == last + 1
    with pytest.raises(LineRefused):
        await NativeClient("127.0.0.1", port, old.identity, backoff=Backoff()).connect()
    check(town, {town.cards[0]: 1000})


async def test_a_box_that_lost_its_journal_but_not_its_key_goes_on_above_what_was_heard(
    platform: Platform, tmp_path: Path
) -> None:
    town, port = platform.town, platform.gateway.ports["native"]
    same = await enrolled(platform, tmp_path / "box", line_id=town.line)
    for folder in ("first", "second"):
        async with box(same, port, state=tmp_path / folder) as pos:
            await sell(pos, "100", town.cards[0])
            assert [record.code for record in pos.journal.records(town.terminal)] == [Result.APPROVED]
    check(town, {town.cards[0]: 200})


async def test_a_new_box_behind_a_front_end_whose_line_is_down_sells_at_once(platform: Platform, tmp_path: Path) -> None:
    town = platform.town
    relay = Relay(platform.gateway.ports["native"])
    await relay.start()
    home = tmp_path / "fep"
    await enrolled(platform, home, line_id=town.unit_line)
    write_lists(home, town.unit)
    fep = await front_end(home, relay.port)
    try:
        await until(lambda: fep.line.is_up and fep.lease.serial, 20)
        old = await enrolled(platform, tmp_path / "old", terminal_id=town.unit_terminal)
        port = fep.lan.ports["native"]
        async with box(old, port) as pos:
            await sell(pos, "100", town.cards[0])
            relay.cut()
            await until(lambda: not fep.line.is_up, 10)
            await sell(pos, "200", town.cards[0])  # only the front-end knows of this number
            await until(lambda: not pos.teller.unsent)
            last = pos.journal.last_seq(town.unit_terminal)
        relay.mend()
        new = await enrolled(platform, tmp_path / "new", terminal_id=town.unit_terminal)
        await until(lambda: _knows(fep, new), 40)
        relay.cut()
        await until(lambda: not fep.line.is_up, 10)
        async with box(new, port) as pos:
            await sell(pos, "300", town.cards[0])
            await sell(pos, "400", town.cards[0])
            await until(lambda: not pos.teller.unsent)
            records = pos.journal.records(town.unit_terminal)
            assert [(record.terminal_seq > last, record.code) for record in records] == [(True, Result.APPROVED)] * 2
        relay.mend()
        await until(lambda: fep.line.is_up and not any(fep.intake.waiting.values()), 40)
        assert not fep.numbers.holes()
    finally:
        await fep.stop()
        await relay.stop()
    check(town, {town.cards[0]: 1000})


async def test_an_iso_box_begins_a_batch_of_its_own_and_gets_no_other_boxs_keys(platform: Platform, tmp_path: Path) -> None:
    from onecard.services.devices.signon import terminal_master_key

    town = platform.town
    relay = Relay(platform.gateway.ports["native"])
    await relay.start()
    home = tmp_path / "fep"
    await enrolled(platform, home, line_id=town.unit_line)
    write_lists(home, town.unit)
    fep = await front_end(home, relay.port)
    master_key = await in_thread(terminal_master_key, town.unit_terminal)

    def pos(enrolment: Enrolment) -> Iso8583Terminal:
        return Iso8583Terminal(
            "127.0.0.1", fep.lan.ports["iso8583"], enrolment.identity, terminal_id=town.unit_terminal, tid="EAT00001",
            mid=f"{town.unit_merchant:015d}", master_key=master_key, journal=Journal(":memory:"),
        )  # fmt: skip

    try:
        await until(lambda: fep.line.is_up and fep.lease.serial, 20)
        first = await enrolled(platform, tmp_path / "old", terminal_id=town.unit_terminal)
        await until(lambda: _knows(fep, first), 20)
        old = pos(first)
        assert (await old.purchase(town.cards[0], 100)).result is Result.APPROVED
        await old.close()
        second = await enrolled(platform, tmp_path / "new", terminal_id=town.unit_terminal)
        await until(lambda: _knows(fep, second), 20)
        relay.cut()
        await until(lambda: not fep.line.is_up, 10)
        new = pos(second)
        with pytest.raises(LineDown):
            await new.sign_on()
        relay.mend()
        await until(lambda: fep.line.is_up, 40)
        assert (await new.purchase(town.cards[0], 200)).result is Result.APPROVED
        assert new.batch_no == old.batch_no + 1
        relay.cut()
        await until(lambda: not fep.line.is_up, 10)
        assert await new.sign_on() == new.batch_no  # its own keys, again
        await new.close()
    finally:
        await fep.stop()
        await relay.stop()
    check(town, {town.cards[0]: 300})


async def enrolled(platform: Platform, folder: Path, **who: int) -> Enrolment:
    from onecard.services.actors import Actor
    from onecard.services.devices import api as devices

    admin = Actor("admin", frozenset({"*"}))
    made = await in_thread(lambda: devices.make_enrolment_code(**who, actor=admin))
    asked = Invitation.parse(made.uri)
    here = Invitation("127.0.0.1", platform.gateway.ports["enrol"], asked.code, asked.ca_sha256)
    return await in_thread(enrol, here, folder)


@asynccontextmanager
async def box(enrolment: Enrolment, port: int, *, state: Path | None = None) -> AsyncIterator[Pos]:
    """A POS with its line up."""
    identity = enrolment.identity
    async with asyncio.timeout(20):
        while True:
            probe = NativeClient("127.0.0.1", port, identity, backoff=Backoff())
            try:
                await probe.connect()
                await probe.close()
                break
            except LineRefused:  # the list has not come yet
                await asyncio.sleep(0.05)
    folder = state or identity.key.parent / "pos"
    async with Program.start(Setup(Pos, folder, "127.0.0.1", port, identity, durable=False)) as program:
        pos = program.device
        assert isinstance(pos, Pos)
        yield pos


async def front_end(home: Path, port: int) -> Fep:
    fep = Fep(
        FepSettings(
            home=home, gateway_host="127.0.0.1", gateway_port=port, host="127.0.0.1", native_port=0, iso_port=0,
            workstation_port=None, heartbeat_s=0.5, silence_s=2.0,
            disk=DiskLimits(low_bytes=1, low_permille=1, sales_bytes=1, ballast_bytes=4096),
        )
    )  # fmt: skip
    await fep.start()
    return fep


def _knows(fep: Fep, enrolment: Enrolment) -> bool:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    certificate = x509.load_pem_x509_certificate(enrolment.identity.certificate.read_bytes())
    return not isinstance(fep.lan.admit(certificate.fingerprint(SHA256())), Result)


def check(town: Town, spent: dict[int, int]) -> None:
    """What was sold has left the cards once; the auditor is content."""
    with psycopg.connect(town.database.app_dsn, autocommit=True) as connection:
        for card, fen in spent.items():
            row = connection.execute(
                "SELECT sum(p.balance_fen) FROM ledger.purse p JOIN ledger.card c USING (account_no) WHERE c.card_no = %s",
                (card,),
            ).fetchone()
            assert row == (OPENING_FEN + 500 - fen,)
        report = audit.run(connection)
    assert report.ok, report.first_failure
