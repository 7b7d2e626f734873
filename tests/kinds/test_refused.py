"""`onecard terminal` with a line that is refused: the reason is said, and the command fails."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from onecard.protocol.proto.app_pb2 import Refusal
from tests.gateway.harness import House
from tests.gateway.pki import Authority
from tests.kinds.test_power import WAIT_S, start


async def run(house: House, line: Path) -> tuple[int, str]:
    """How the command ended, and all it said."""
    (line / "line.json").write_text('{"line_id": 1, "terminal_id": 0, "gateway": "g:1"}')
    words = ("--terminal", "10")  # known, so that the terminal starts without its line
    with start(house, "pos", line, *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        said, _ = await asyncio.to_thread(process.communicate, timeout=WAIT_S)
    return process.returncode, said.decode()


@pytest.mark.parametrize(
    ("why", "reason"),
    [(Refusal.REVOKED, "终端未授权"), (Refusal.UNIT_EXPIRED, "接入单位已到期"), (None, "终端未授权")],
    ids=["revoked", "expired", "never listed"],
)
async def test_a_refused_line_is_told_with_its_reason(house: House, enrolled, why: Refusal | None, reason: str):
    issued = house.issue(1) if why is None else house.list_line(1, refusal=why)
    if why is None:
        house.list_line(2)
    await house.start()
    code, said = await run(house, enrolled(issued))
    assert code == 1, said
    assert f"平台拒绝线路：{reason}" in said


async def test_a_certificate_of_another_authority_is_told(house: House, enrolled, tmp_path: Path):
    house.list_line(1)
    await house.start()
    line = enrolled(Authority(tmp_path / "other", "other CA").issue("line-1"))
    (line / "ca.pem").write_bytes(house.authority.ca.read_bytes())
    code, said = await run(house, line)
    assert code == 1, said
    assert "平台不接受本机证书" in said


async def test_a_line_that_is_merely_down_is_told_and_does_not_end_the_terminal(house: House, enrolled):
    issued = house.list_line(1)
    gateway = await house.start()
    line = enrolled(issued)
    await gateway.stop()
    code, said = await run(house, line)
    assert code == 0, said
    assert "线路中断：" in said
    assert "脱机" in said
