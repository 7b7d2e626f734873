"""Wireless terminals over a private mosquitto, through the gateway, to the fake application server."""

import asyncio
import os
import ssl

import pytest

from onecard.gateway.drivers.mqtt.broker import Broker, mosquitto
from onecard.gateway.drivers.mqtt.simulator import Proxy
from onecard.gateway.drivers.mqtt.terminal import WirelessTerminal
from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import InvalidInput
from tests.drivers.conftest import LINE, Ports
from tests.gateway.harness import until
from tests.gateway.test_native import records

DEVICE, TERMINAL = "pos-1", 301


@pytest.fixture
async def broker(tmp_path):
    if mosquitto() is None:
        if os.environ.get("ONECARD_TEST_ALL") == "1":
            pytest.fail("mosquitto is missing (Debian: mosquitto)")
        pytest.skip("mosquitto is not installed")
    async with Broker(tmp_path) as broker:
        yield broker


async def attach(ports: Ports, broker: Broker, *, kind: str = "mqtt", **options):
    attached = await ports.attach("mqtt", f"{kind}:localhost:{broker.port}", {DEVICE: TERMINAL}, **options)
    await until(lambda: attached.ports["trial"].is_connected)
    return attached.ports["trial"]


async def test_a_request_is_posted_under_the_ports_line_and_answered(ports, broker):
    port = await attach(ports, broker)
    async with WirelessTerminal(broker.port, DEVICE) as terminal:
        answers = await terminal.submit(records(TERMINAL, [1, 2]).SerializeToString())
        await until(lambda: port.status()[DEVICE])
    assert list(answers.code) == [0, 0]
    assert [(r["line_id"], r["terminal_seq"]) for r in ports.house.app.records] == [(LINE, 1), (LINE, 2)]


async def test_a_message_that_comes_twice_goes_up_once_and_later_gets_the_first_answer(ports, broker):
    await attach(ports, broker)
    payload = records(TERMINAL, [1]).SerializeToString()
    async with WirelessTerminal(broker.port, DEVICE) as terminal:
        first = await terminal.submit(payload, copies=3)
        assert await terminal.submit(payload) == first
    assert len(ports.house.app.records) == 1


async def test_what_was_not_decided_is_asked_again(ports, broker):
    await attach(ports, broker)
    payload = records(TERMINAL, [1]).SerializeToString()
    ports.house.app.gate.clear()
    async with WirelessTerminal(broker.port, DEVICE) as terminal:
        assert list((await terminal.submit(payload)).code) == [Result.UNAVAILABLE]
        ports.house.app.gate.set()
        assert list((await terminal.submit(payload)).code) == [Result.APPROVED]


@pytest.mark.parametrize("payload", [b"", b"\xff" * 40, records(TERMINAL + 1, [1]).SerializeToString(), bytes(70_000)])
async def test_a_payload_that_is_no_records_is_answered_format(ports, broker, payload):
    await attach(ports, broker)
    async with WirelessTerminal(broker.port, DEVICE) as terminal:
        assert list((await terminal.submit(payload)).code) == [Result.FORMAT]
    assert ports.house.app.records == []


async def test_an_answer_goes_to_no_topic_but_the_devices_own(ports, broker):
    await attach(ports, broker)
    async with WirelessTerminal(broker.port, DEVICE, answer_s=0.5) as terminal:
        with pytest.raises(TimeoutError):
            await terminal.submit(records(TERMINAL, [1]).SerializeToString(), reply_to="onecard/other/down")
    assert ports.house.gateway.counters.closed["response_topic"] == 1
    assert ports.house.app.records == []


async def test_a_terminal_that_vanishes_is_told_by_its_last_will(ports, broker):
    port = await attach(ports, broker)
    proxy = Proxy()
    async with WirelessTerminal(await proxy.open(broker.port), DEVICE):
        await until(lambda: port.status()[DEVICE])
        await proxy.close()  # no DISCONNECT: the broker publishes the will
        await until(lambda: not port.status()[DEVICE])


async def test_a_broker_that_dies_costs_nothing(ports, broker):
    port = await attach(ports, broker)
    async with WirelessTerminal(broker.port, DEVICE, answer_s=1.0) as terminal:
        await terminal.submit_surely(records(TERMINAL, [1]))
        await broker.stop()
        await until(lambda: not port.is_connected)
        selling = asyncio.create_task(terminal.submit_surely(records(TERMINAL, [2], op=Operation.PURCHASE)))
        await broker.start()
        assert list((await asyncio.wait_for(selling, 20)).code) == [0]
    assert {r["terminal_seq"] for r in ports.house.app.records} == {1, 2}


async def test_a_line_that_is_cut_off_takes_no_more(ports, broker):
    await attach(ports, broker)
    async with WirelessTerminal(broker.port, DEVICE, answer_s=0.5) as terminal:
        ports.house.app.unlist_line(LINE)
        await until(lambda: not ports.house.gateway.attached_lines)
        with pytest.raises(TimeoutError):
            await terminal.submit(records(TERMINAL, [1]).SerializeToString())
    assert ports.house.app.records == []


async def test_a_record_of_a_terminal_that_is_off_the_line_for_a_while_is_not_decided_meanwhile(ports, broker):
    await attach(ports, broker)
    house = ports.house
    fact = records(TERMINAL, [1], op=Operation.ADVICE).SerializeToString()

    def on_line(terminal_id):
        return terminal_id in house.gateway.admit(house.issue(LINE).fingerprint).terminal_ids

    async with WirelessTerminal(broker.port, DEVICE) as terminal:
        house.list_line(LINE, {TERMINAL + 1: f"{TERMINAL + 1:08d}"}, front_end=True)
        await until(lambda: not on_line(TERMINAL))
        assert list((await terminal.submit(fact)).code) == [Result.UNAVAILABLE]
        house.list_line(LINE, {TERMINAL: f"{TERMINAL:08d}"}, front_end=True)
        await until(lambda: on_line(TERMINAL))
        assert list((await terminal.submit(fact)).code) == [Result.APPROVED]
    assert [r["terminal_seq"] for r in house.app.records] == [1]


async def test_over_tls_both_sides_have_certificates(ports, broker, tmp_path):
    folder = ports.house.authority.folder
    server, gateway = ports.house.authority.issue("localhost"), ports.house.authority.issue("broker-client")
    own = tmp_path / "tls-broker"
    own.mkdir()
    async with Broker(own, tls=(folder / "ca.pem", server.identity.certificate, server.identity.key)) as secure:
        files = {"ca": str(folder / "ca.pem"), "certificate": str(gateway.identity.certificate), "key": str(gateway.identity.key)}
        await attach(ports, secure, kind="mqtts", **files)
        context = ssl.create_default_context(cafile=folder / "ca.pem")
        context.check_hostname = False  # the terminal connects to 127.0.0.1; the port, above, checks the name
        context.load_cert_chain(gateway.identity.certificate, gateway.identity.key)
        async with WirelessTerminal(secure.port, DEVICE, tls=context) as terminal:
            assert list((await terminal.submit(records(TERMINAL, [1]).SerializeToString())).code) == [0]


@pytest.mark.parametrize(
    ("transport", "device"), [("mqtt:host", DEVICE), ("http:h:1", DEVICE), ("mqtt:h:1883", "a/b"), ("mqtt:h:1883", "#")]
)
async def test_settings_that_cannot_work_are_refused(ports, transport, device):
    with pytest.raises(InvalidInput, match="trial"):
        await ports.attach("mqtt", transport, {device: TERMINAL})
