"""Running a gateway: several application servers, the orderly end, metrics and health, the process itself."""

import asyncio
import signal
import sys

from onecard.gateway.drivers.native.driver import NativeDriver
from onecard.gateway.gateway import Gateway
from onecard.gateway.settings import AcceptLimits, GatewaySettings, LineLimits, UplinkLimits
from onecard.kernel.codes import Result
from tests.gateway.fake_app import FakeApplication
from tests.gateway.harness import House, until
from tests.gateway.test_native import records


async def fetch(port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    return int(answer.split()[1]), answer


async def test_batches_are_spread_over_application_servers_and_move_to_those_that_answer(house: House):
    apps = [FakeApplication(), FakeApplication()]
    addresses = tuple(f"unix:{house.folder}/app{i}.sock" for i in range(2))
    issued = house.issue(1)
    for app, address in zip(apps, addresses, strict=True):
        app.list_line(1, issued.fingerprint, {10: "00000010"}, front_end=True)
        await app.start(address)
    await house.start(apps=addresses)
    client = house.native(1)
    for app in apps:
        app.gate.clear()
    both = [asyncio.create_task(client.submit(records(10, range(i * 50 + 1, i * 50 + 41)))) for i in range(4)]
    await until(lambda: all(app.batches for app in apps))
    for app in apps:
        app.gate.set()
    await asyncio.gather(*both)
    await apps[0].stop()
    codes = [list((await client.submit(records(10, [1000 + i]))).code) for i in range(6)]
    assert codes == [[0]] * 6
    await apps[1].stop()


async def test_stopping_answers_what_is_in_flight_and_says_good_bye(house: House):
    house.list_line(1)
    gateway = await house.start()
    client = house.native(1)
    await client.connect()
    house.app.gate.clear()
    asked = asyncio.create_task(client.submit(records(10, [1])))
    await until(lambda: house.app.batches)
    stopping = asyncio.create_task(gateway.stop())
    await asyncio.sleep(0.05)
    house.app.gate.set()
    assert list((await asked).code) == [0]
    await stopping
    assert gateway.counters.closed == {"drain": 1}
    house.gateway = None


async def test_what_can_not_be_sent_before_the_end_is_answered_busy(house: House):
    house.list_line(1)
    gateway = await house.start(uplink=UplinkLimits(calls=1, deadline_s=10))
    client = house.native(1)
    await client.connect()
    house.app.gate.clear()
    sent = asyncio.create_task(client.submit(records(10, [1])))
    await until(lambda: house.app.batches)
    queued = asyncio.create_task(client.submit(records(10, [2])))
    await until(lambda: gateway.uplink.waiting == 1)
    await gateway.stop()
    assert [list((await sent).code), list((await queued).code)] == [[Result.UNAVAILABLE], [Result.BUSY]]
    house.app.gate.set()
    house.gateway = None


async def test_metrics_health_and_readiness_are_served_on_loopback(house: House):
    house.list_line(1)
    gateway = await house.start()
    async with house.native(1) as client:
        await client.submit(records(10, [1, 2, 3]))
    port = gateway.ports["metrics"]
    status, text = await fetch(port, "/metrics")
    assert status == 200
    assert "onecard_gateway_records_total 3.0" in text
    assert 'onecard_gateway_results_total{result="0"} 3.0' in text
    assert 'onecard_gateway_answer_seconds_bucket{le="+Inf"} 3.0' in text
    assert (await fetch(port, "/healthz"))[0] == 200
    assert (await fetch(port, "/readyz"))[0] == 200
    assert (await fetch(port, "/etc"))[0] == 404
    gateway.uplink.halted = True
    assert (await fetch(port, "/readyz"))[0] == 503


async def test_more_connections_than_the_rate_wait_their_turn(house: House):
    house.list_line(1, front_end=True)
    gateway = await house.start(accept=AcceptLimits(per_second=20))
    clients = [house.native(1) for _ in range(30)]
    begun = asyncio.get_running_loop().time()
    await asyncio.gather(*(client.connect() for client in clients))
    assert asyncio.get_running_loop().time() - begun > 0.3
    assert gateway.lines == 30


async def test_all_lines_come_back_after_a_restart_no_faster_than_the_gate_lets_them(house: House):
    lines = range(1, 61)
    for line_id in lines:
        house.list_line(line_id, front_end=True)
    gateway = await house.start(accept=AcceptLimits(per_second=40))
    port = house.port("native")
    clients = [house.native(line_id) for line_id in lines]
    keeping = [asyncio.create_task(client.keep_open()) for client in clients]
    await until(lambda: gateway.lines == 60, 20)
    await gateway.stop()
    again = house.gateway = Gateway(gateway.settings, {NativeDriver(): port}, clock=house.clock)
    begun = asyncio.get_running_loop().time()
    await again.start()
    await until(lambda: again.lines == 60, 30)
    assert asyncio.get_running_loop().time() - begun > 0.4  # 60 lines, of which 40 may begin at once
    assert again.counters.accepted <= 120
    assert not again.counters.refused
    for task in keeping:
        task.cancel()


async def test_who_waited_for_his_turn_in_vain_is_no_attempt_to_report(house: House):
    house.list_line(1, front_end=True)
    gateway = await house.start(accept=AcceptLimits(per_second=1), line=LineLimits(handshake_s=0.3))
    first = house.native(1)
    await first.connect()
    opened = [await asyncio.open_connection("127.0.0.1", house.port("native")) for _ in range(2)]
    await until(lambda: gateway.counters.refused["handshake_timeout"] == 2)
    await gateway.reports.drain(1)
    assert not [entry for report in house.app.device_reports for entry in report.refused]
    for _, writer in opened:
        writer.close()


async def test_the_process_serves_and_ends_cleanly_on_sigterm(house: House):
    house.list_line(1)
    address = f"unix:{house.folder}/app.sock"
    await house.app.start(address)
    program = (
        "import logging, sys; from pathlib import Path; from onecard.gateway.main import run;"
        "logging.basicConfig(level=logging.INFO);"
        f"run(app=[{address!r}], tls_dir=Path({str(house.authority.folder)!r}), native_port=0, iso_port=0, metrics_port=0,"
        " host='127.0.0.1', name='child')"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-W", "error", "-c", program, stderr=asyncio.subprocess.PIPE)
    seen = []
    while not seen or "is open" not in seen[-1]:
        seen.append((await asyncio.wait_for(child.stderr.readline(), 20)).decode())
        assert seen[-1], seen
    child.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(child.wait(), 20) == 0
    assert "gateway child closes" in (await child.stderr.read()).decode()


def test_the_defaults_are_those_of_the_manual(tmp_path):
    settings = GatewaySettings(name="x", apps=("unix:/x",), tls_dir=tmp_path)
    assert (settings.native_port, settings.iso_port) == (8444, 8583)
