"""A whole bus of readers: upgrades beside taps, a reader that is dead, keys, clocks, events; and the order of turns by itself."""

import asyncio
import secrets

import pytest

from onecard.gateway.buses.emulator import BusEmulator
from onecard.gateway.drivers.osdp.keys import build_keys, derive_scbk, read_keys, write_private
from onecard.gateway.drivers.osdp.measure import measure_upgrade, quantile
from onecard.gateway.drivers.osdp.reader import Reader
from onecard.gateway.drivers.osdp.turns import Kind, Turns
from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import InvalidInput, NotFound
from onecard.kernel.events import EventKind
from onecard.kernel.numbers import luhn_digit
from onecard.protocol.cardset import build_card_set, parse_card_set
from tests.drivers.test_osdp import BCD, CARD, Site
from tests.gateway.harness import until

UPTO_S = 20
DENIED = 1000010000000000 + luhn_digit(100001000000000)


@pytest.fixture
async def bus():
    async with BusEmulator(baud=115_200, seed=1) as bus:
        yield bus


async def permille(port, device: str, path, **how) -> list[int]:
    return [step async for step in port.upgrade(device, path, version=7, **how)]


def reported(house) -> list[tuple[int, int, int]]:
    """Kind, terminal and card of the events the platform was given."""
    given = [event for report in house.app.device_reports for line in report.events for event in line.events]
    return [(event.kind, event.terminal_id, event.card_no) for event in given]


# upgrades


def test_thirty_two_readers_are_upgraded_while_taps_are_served():
    figures = measure_upgrade(readers=32, baud=115_200, image_bytes=150, decision_s=0.02, seed=3)
    assert figures.upgraded == 32
    assert len(figures.taps) > 3
    assert quantile(figures.taps, 0.5) < 0.3  # `onecard driver bus --upgrade` has the figure of the 99th percentile


async def test_an_upgrade_that_was_broken_off_goes_on_in_another_process(ports, bus, tmp_path):
    site = Site(ports, bus, 2)
    await site.open()
    artefact = tmp_path / "reader.bin"
    artefact.write_bytes(secrets.token_bytes(4000))
    steps = site.port.upgrade("1", artefact, version=7)
    async for step in steps:
        if step > 500:
            break
    await steps.aclose()
    await site.attached.stop()
    site.attached = await ports.attach("osdp", bus.spec, {"1": 101, "2": 102}, keys=ports.key_file(site.keys))
    await site.online()
    told, shown = await asyncio.gather(permille(site.port, "1", artefact), site.tap(2))
    assert "relay" in shown
    assert told == sorted(told)
    assert (told[0] > 500, told[-1]) == (True, 1000)
    assert site.readers[1].files[1] == artefact.read_bytes()


async def test_a_reader_that_lost_what_it_had_gets_all_of_it_again(ports, bus, tmp_path):
    site = Site(ports, bus, 1)
    await site.open()
    artefact = tmp_path / "reader.bin"
    artefact.write_bytes(secrets.token_bytes(3000))
    steps = site.port.upgrade("1", artefact, version=7)
    async for step in steps:
        if step > 500:
            break
    await steps.aclose()
    site.readers[1].flash.clear()
    assert (await asyncio.wait_for(permille(site.port, "1", artefact), UPTO_S))[-1] == 1000
    assert site.readers[1].files[1] == artefact.read_bytes()


async def test_a_list_comes_at_the_readers_pace_and_can_be_read_there(ports, bus, tmp_path):
    site = Site(ports, bus, 1)
    await site.open()
    path = tmp_path / "deny.bin"
    path.write_bytes(build_card_set([DENIED], version=9))
    assert (await permille(site.port, "1", path, kind="deny"))[-1] == 1000
    assert DENIED in parse_card_set(site.readers[1].files[2])


async def test_what_cannot_be_sent_is_refused(ports, bus, tmp_path):
    site = Site(ports, bus, 1)
    await site.open()
    path = tmp_path / "x.bin"
    path.write_bytes(b"")
    with pytest.raises(InvalidInput, match="empty"):
        await permille(site.port, "1", path)
    with pytest.raises(NotFound, match="no reader 9"):
        await permille(site.port, "9", path)


# readers that are not there


async def test_a_dead_reader_does_not_slow_the_others(ports, bus):
    site = Site(ports, bus, 8)
    await site.open()
    for dead in (3, 5):
        bus.unplug(site.readers[dead])
    await until(lambda: not site.port.status()["3"] and not site.port.status()["5"], 10)
    polling = site.port.panel.polling
    for one in polling.values():
        one.reset()
    since = asyncio.get_running_loop().time()
    for _ in range(10):
        assert "relay" in await site.tap(1)
    took = asyncio.get_running_loop().time() - since
    await until(lambda: polling[8].polls >= 10)
    assert took < 10 * 0.3
    assert max(polling[address].worst_s for address in (1, 2, 4, 6, 7, 8)) < 0.3


async def test_a_sale_the_reader_could_not_show_is_reversed_and_told(ports, bus, monkeypatch):
    monkeypatch.setattr("onecard.gateway.drivers.osdp.panel.COMMAND_S", 0.5)
    site = Site(ports, bus, 1)
    await site.open(amount_fen=300)
    app, reader = ports.house.app, site.readers[1]
    app.gate.clear()
    reader.present(BCD, bits=64)
    await until(lambda: site.port.readers[1].reads == 1)
    bus.unplug(reader)  # between the question and its answer
    app.gate.set()
    ops = lambda: [r["op"] for r in app.records]  # noqa: E731
    await until(lambda: Operation.REVERSAL in ops(), UPTO_S)
    assert ops()[0] == Operation.PURCHASE


async def test_a_card_that_taps_again_at_once_pays_once(ports, bus):
    site = Site(ports, bus, 1)
    await site.open(amount_fen=300)
    assert "relay" in await site.tap()
    assert "relay" in await site.tap()
    assert [r["op"] for r in ports.house.app.records] == [Operation.PURCHASE]


# identify, attend, time


async def test_who_may_pass_is_told_and_decided_by_rules_kept_here(ports, bus):
    site = Site(ports, bus, 2)
    await site.open()
    ports.house.gateway.services.access = lambda terminal_id, card_no: (
        Result.APPROVED if (terminal_id, card_no) == (101, CARD) else Result.TERMINAL_NOT_ALLOWED
    )
    assert "relay" in await site.tap(1)
    assert "relay" not in await site.tap(2)
    await until(lambda: len(reported(ports.house)) == 2)
    assert set(reported(ports.house)) == {(EventKind.ACCESS_GRANTED, 101, CARD), (EventKind.ACCESS_DENIED, 102, CARD)}
    assert ports.house.app.records == []


async def test_attendance_is_told_and_the_reader_has_the_time(ports, bus):
    site = Site(ports, bus, 1)
    await site.open(mode="attend", clock_vendor="00A1B2")
    await until(lambda: site.readers[1].clock_us)
    await site.tap()
    await until(lambda: reported(ports.house))
    assert reported(ports.house) == [(EventKind.ATTENDANCE, 101, CARD)]
    assert abs(site.readers[1].clock_us - ports.house.gateway.services.now_us()) < 10_000_000


# keys


def test_a_readers_key_comes_from_the_master_and_its_client_uid(tmp_path):
    master, cuid = bytes(range(16)), bytes.fromhex("0011223344556677")
    write_private(tmp_path / "keys", build_keys(master=master, cuids={1: cuid}, scbks={2: b"\x07" * 16}))
    keys = read_keys(tmp_path / "keys", [1, 2])
    assert keys == {1: derive_scbk(master, cuid), 2: b"\x07" * 16}
    # AES-128 of 0011223344556677 ffeeddccbbaa9988 under 00 01 … 0f, by OpenSSL's command line.
    assert keys[1].hex() == "cd425ca8695b5b8c7a0d6d1db9f75c0d"


@pytest.mark.parametrize(
    ("text", "mode", "named"),
    [
        ('[scbk]\n1 = "00"\n', 0o600, "scbk.1 is 32 hexadecimal digits"),
        ('[scbk]\n2 = "' + "11" * 16 + '"\n', 0o600, "no key for reader 1"),
        ('[cuid]\n1 = "' + "11" * 8 + '"\n', 0o600, "no key for reader 1"),
        ('master = "' + "22" * 16 + '"\n[cuid]\n1 = 5\n', 0o600, "cuid.1 is 16 hexadecimal digits"),
        ('[scbk]\n1 = "' + bytes(range(0x30, 0x40)).hex() + '"\n', 0o600, "SCBK-D"),
        ('[scbk]\n1 = "' + "11" * 16 + '"\n', 0o640, "chmod 600"),
        ("colour = 1\n", 0o600, "unknown: colour"),
        ("scbk = 1\n", 0o600, "scbk is a table"),
        ("= 1\n", 0o600, "keys"),
    ],
)
def test_a_key_file_that_is_wrong_is_refused_without_showing_a_key(tmp_path, text, mode, named):
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(InvalidInput, match=named) as refused:
        read_keys(path, [1])
    assert "11" * 16 not in str(refused.value)


async def test_a_reader_that_has_its_key_from_a_master_comes_on_line(ports, bus, tmp_path):
    master, cuid = secrets.token_bytes(16), bytes.fromhex("0011223344556677")
    bus.plug(Reader(1, derive_scbk(master, cuid)))
    write_private(tmp_path / "keys", build_keys(master=master, cuids={1: cuid}))
    attached = await ports.attach("osdp", bus.spec, {"1": 101}, keys=str(tmp_path / "keys"))
    await until(lambda: attached.ports["trial"].status()["1"], UPTO_S)


# the order of turns


def simulate(turns: Turns, *, seconds: float, dead=frozenset(), cost_s: float = 0.004) -> dict[Kind, int]:
    """Let a bus go by itself: how many turns of each kind, with the longest gap of a live reader in `gaps`."""
    now = start = max(1000.0, *(seat.last for seat in turns.seats.values()))
    counts = dict.fromkeys(Kind, 0)
    gaps = simulate.gaps = {address: 0.0 for address in turns.seats if address not in dead}
    last = dict.fromkeys(gaps, None)
    while now < start + seconds:
        chosen = turns.choose(now)
        if chosen is None:
            now += turns.wait_s(now)
            continue
        kind, seat = chosen
        counts[kind] += 1
        is_dead = seat.address in dead
        took = turns.ask_patience_s(seat) if is_dead else 0.025 if kind is Kind.FRAGMENT else cost_s
        began, now = now, now + took
        if not is_dead:
            if last[seat.address] is not None:
                gaps[seat.address] = max(gaps[seat.address], now - last[seat.address])
            last[seat.address] = now
            seat.has_order = False
        turns.went(kind, seat, is_answered=not is_dead, is_secure=not is_dead, began=began, ended=now)
    return counts


def make_turns(count: int) -> Turns:
    return Turns(range(1, count + 1), byte_s=10 / 115_200, period_s=0.15, patience_s=0.2)


def test_files_take_what_polls_leave_and_no_more():
    turns = make_turns(32)
    simulate(turns, seconds=2)
    for seat in turns.seats.values():
        seat.wants_fragment = True
    counts = simulate(turns, seconds=10)
    assert counts[Kind.FRAGMENT] > 60
    assert max(simulate.gaps.values()) < 0.3
    shares = {address: seat.last_fragment for address, seat in turns.seats.items()}
    assert max(shares.values()) - min(shares.values()) < 4.0  # every reader gets on


def test_readers_that_are_not_there_take_a_tenth_of_the_bus_at_most():
    turns = make_turns(32)
    dead = frozenset(range(1, 17))
    simulate(turns, seconds=5, dead=dead)
    counts = simulate(turns, seconds=10, dead=dead)
    assert 5 < counts[Kind.ASK] < 40
    assert max(simulate.gaps.values()) < 0.45


def test_a_command_goes_before_everything_else():
    turns = make_turns(4)
    simulate(turns, seconds=2)
    turns.seats[3].has_order = True
    kind, seat = turns.choose(turns.seats[3].last)
    assert (kind, seat.address) == (Kind.COMMAND, 3)
