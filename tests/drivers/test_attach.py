"""`onecard serve gateway --attach FILE` as a process of its own: readers on a bus, a broken settings file, SIGTERM."""

import asyncio
import os
import secrets
import signal
import socket
import sys

import pytest

from onecard.gateway.buses.emulator import BusEmulator
from onecard.gateway.drivers.osdp.keys import build_keys, write_private
from onecard.gateway.drivers.osdp.reader import Reader
from onecard.kernel.codes import Operation
from tests.drivers.conftest import LINE
from tests.drivers.test_osdp import BCD
from tests.gateway.harness import until

SETTINGS = """
[[port]]
name = "gates"
driver = "osdp"
transport = "{transport}"
certificate = "{certificate}"
terminals = {{ 1 = 101, 2 = 102 }}
options = {{ amount_fen = 200, {options} }}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


async def serve(house, attach) -> asyncio.subprocess.Process:
    words = ["serve", "gateway", "--app", f"unix:{house.folder}/app.sock", "--tls-dir", str(house.authority.folder)]
    for name in ("--native-port", "--iso-port", "--metrics-port"):
        words += [name, str(free_port())]
    words += ["--host", "127.0.0.1", "--attach", str(attach)]
    pipe, home = asyncio.subprocess.PIPE, {"ONECARD_HOME": str(house.folder / "home")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "onecard", *words, stdout=pipe, stderr=asyncio.subprocess.STDOUT, env=os.environ | home
    )


async def end(process: asyncio.subprocess.Process) -> tuple[int, str]:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 15)
    except TimeoutError:
        process.kill()
        said, _ = await process.communicate()
        pytest.fail(f"the gateway did not end: {said.decode()}")
    return process.returncode, said.decode()


async def test_a_gateway_process_serves_the_readers_of_its_settings_file(house, tmp_path):
    keys = {address: secrets.token_bytes(16) for address in (1, 2)}
    readers = {address: Reader(address, key) for address, key in keys.items()}
    write_private(tmp_path / "gates.keys", build_keys(scbks=keys))
    issued = house.list_line(LINE, {101: "00000101", 102: "00000102"}, front_end=True)
    await house.app.start(f"unix:{house.folder}/app.sock")
    async with BusEmulator(baud=115_200, seed=1) as bus:
        for reader in readers.values():
            bus.plug(reader)
        attach = tmp_path / "attach.toml"
        attach.write_text(
            SETTINGS.format(
                transport=bus.spec, certificate=issued.identity.certificate, options=f'keys = "{tmp_path / "gates.keys"}"'
            )
        )
        process = await serve(house, attach)
        try:
            await until(lambda: all(reader.is_secure for reader in readers.values()), 30)
            for reader in readers.values():
                reader.present(BCD, bits=64)
            await until(lambda: all(any(c["command"] == 1 for c in reader.commands) for reader in readers.values()), 20)
        finally:
            code, said = await end(process)
    assert code == 0, said
    sold = {(record["op"], record["terminal_id"], record["amount_fen"], record["line_id"]) for record in house.app.records}
    assert sold == {(Operation.PURCHASE, 101, 200, LINE), (Operation.PURCHASE, 102, 200, LINE)}
    assert (tmp_path / "state" / "gates" / "journal.db").exists()
    await house.app.stop()


async def test_a_settings_file_that_cannot_be_used_ends_the_process_with_a_reason(house, tmp_path):
    issued = house.list_line(LINE, {101: "00000101", 102: "00000102"}, front_end=True)
    attach = tmp_path / "attach.toml"
    attach.write_text(
        SETTINGS.format(transport="pty:/dev/null", certificate=issued.identity.certificate, options='keys = "/no/such/keys"')
    )
    process = await serve(house, attach)
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode not in (0, None)
    assert "/no/such/keys" in said.decode()
    assert "Traceback" not in said.decode()
