"""Another front-end, with its own real certificate, in the gateway's place (G1): nothing goes to it, and nobody is cut off."""

import asyncio
import json

from onecard.fep.status import describe
from onecard.kernel.codes import Operation, Result
from onecard.terminal.errors import CertificateRefused
from tests.fep.unit import ask, recall_terminals
from tests.gateway.harness import until
from tests.gateway.pki import Authority
from tests.support.impostor import impostor


async def test_a_front_end_in_the_gateways_place_hears_nothing_and_the_unit_sells_on(unit, authority):
    other = authority.issue("line-8").identity
    async with impostor(other.ca, other.certificate, other.key) as rogue:
        fep = await unit.start(port=rogue.port)
        fep.lan.take(recall_terminals(unit))
        await until(lambda: fep.line.trouble, 10)
        assert fep.line.trouble == "This is not the platform: line-8 answered, not gateway"
        line = (await describe(fep))["line"]
        assert (line["up"], line["cut_off"], line["trouble"]) == (False, None, fep.line.trouble)
        assert await ask(unit.terminal(), Operation.PURCHASE, 1) == Result.APPROVED, "decided here, in the journal"
        assert not rogue.heard
    await unit.start_gateway()
    await unit.restart(port=unit.house.port("native"))
    await until(lambda: unit.fep.line.is_up and not unit.fep.intake.waiting, 10)
    assert unit.fep.line.trouble == ""
    assert [row["terminal_seq"] for row in unit.house.app.records] == [1]


async def test_a_certificate_that_the_gateway_does_not_accept_is_told_and_cuts_nobody_off(unit, tmp_path):
    await unit.start_gateway()
    stranger = Authority(tmp_path / "other", "other CA").issue("line-7").identity
    (unit.home / "cert.pem").write_bytes(stranger.certificate.read_bytes())
    (unit.home / "key.pem").write_bytes(stranger.key.read_bytes())
    fep = await unit.start()
    await until(lambda: fep.line.trouble, 10)
    assert "does not accept this device's certificate" in fep.line.trouble
    assert isinstance(fep.line._client.refused, CertificateRefused)
    assert fep.line.refused is None


async def test_a_terminal_of_one_front_end_does_not_speak_to_another(unit, authority, tmp_path):
    other = authority.issue("line-8").identity
    async with impostor(other.ca, other.certificate, other.key) as rogue:
        folder = tmp_path / "pos"
        folder.mkdir()
        issued = unit.house.issue(71).identity
        for file, name in ((issued.ca, "ca.pem"), (issued.certificate, "cert.pem"), (issued.key, "key.pem")):
            (folder / name).write_bytes(file.read_bytes())
        (folder / "line.json").write_text(json.dumps({"line_id": 7, "terminal_id": 71, "gateway": "g:1"}))
        code, said = await _terminal(folder, rogue.port)
        assert code == 1, said
        assert "line-8 answered, not gateway / line-7" in said
        assert not rogue.heard
        code, said = await _terminal(folder, rogue.port, "--front-end", "8", "--gateway-name", "gw.city")
        assert (code, "Hostname mismatch" in said) == (0, True), said


async def _terminal(folder, port: int, *words: str) -> tuple[int, str]:
    import sys

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "onecard", "terminal", "pos", "--line", str(folder), "--connect", f"127.0.0.1:{port}", *words,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, said.decode()
