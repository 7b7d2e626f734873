"""The conformance kit: good drivers pass, a driver that is broken on purpose fails for the right reasons, reports are signed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from onecard.cli.driver import app
from onecard.gateway.conformance.kit import Kit
from onecard.gateway.conformance.report import Outcome, is_genuine, load_key, sign
from onecard.gateway.drivers.loader import find_driver
from onecard.kernel.errors import InvalidInput

PROJECT = Path(__file__).parents[2]
CLOSED = "def closed(self) -> None:\n        self._closed = True"
NATIVE = PROJECT / "src/onecard/gateway/drivers/native"


async def run(driver: str, transactions: int = 60, inputs: int = 4000):
    return await Kit(find_driver(driver), project=PROJECT, transactions=transactions, settle_s=1.0, inputs=inputs).run()


def outcomes(report) -> dict[str, Outcome]:
    return {step.name: step.outcome for step in report.steps}


@pytest.mark.parametrize("driver", ["native", "iso8583"])
async def test_the_line_drivers_of_the_house_pass(driver):
    report = await run(driver)
    assert report.has_passed, report.steps
    assert report.earned == "gold"
    assert set(outcomes(report)) >= {"vectors", "malformed", "hostile", "disconnect", "slow", "duplicate", "volume"}


def broken_copy(folder: Path, file: str, old: str, new: str) -> str:
    """The native driver's folder under another name, with one thing changed."""
    folder.mkdir()
    for path in NATIVE.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            target = folder / path.relative_to(NATIVE)
            target.parent.mkdir(exist_ok=True)
            text = path.read_text("utf-8").replace("onecard.gateway.drivers.native.session", "..session")
            target.write_text(
                text.replace("from ..session", "from .session").replace('name = "native"', 'name = "broken"'), "utf-8"
            )
    path = folder / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    return str(folder)


@pytest.mark.parametrize(
    ("file", "old", "new", "step", "reason"),
    [
        ("codec.py", "return dict(MessageToDict", "return {} and dict(MessageToDict", "vectors", "decoded to"),
        ("codec.py", "parse_device_frame(data)", "parse_device_frame(data or None)", "malformed", "TypeError"),
        ("session.py", "except NativeViolationError as", "except ZeroDivisionError as", "hostile", "NativeViolationError"),
        ("session.py", "feed(data)", "feed(data if len(data) > 1 else b'')", "slow", "byte by byte"),
        ("session.py", CLOSED, CLOSED.replace("self._closed = True", "raise OSError('gone')"), "disconnect", "gone"),
        ("simulator.py", "+= await self._send()", "+= (await self._send())[1:]", "peer", "have a receipt"),
    ],
)  # fmt: skip
async def test_a_broken_driver_fails_for_the_right_reason(tmp_path, file, old, new, step, reason):
    report = await run(broken_copy(tmp_path / "broken", file, old, new), transactions=2)
    failed = {one.name: " ".join(one.details) for one in report.steps if one.outcome is Outcome.FAILED}
    assert not report.has_passed
    assert reason in failed[step]


async def test_the_report_is_signed_and_a_changed_one_is_not_genuine(tmp_path):
    key = load_key(None)
    report = await run("native", transactions=1)
    signed = json.loads(json.dumps(sign(report, key), default=str))
    public = bytes.fromhex(signed["public_key"])
    assert is_genuine(signed, public)
    signed["report"]["earned"] = "platinum"
    assert not is_genuine(signed, public)
    with pytest.raises(InvalidInput):
        load_key(NATIVE / "README.md")


def test_the_command_lists_drivers_and_ends_with_1_for_a_bad_one(tmp_path):
    listed = CliRunner().invoke(app, ["list"])
    assert all(name in listed.stdout for name in ("iso8583", "native", "osdp", "modbus", "mqtt"))
    bad = broken_copy(tmp_path / "broken", "codec.py", "return dict(MessageToDict", "return {} and dict(MessageToDict")
    out = tmp_path / "report.json"
    result = CliRunner().invoke(app, ["check", bad, "--transactions", "1", "--out", str(out), "--project", str(PROJECT)])
    assert result.exit_code == 1
    assert "失败 FAILED" in result.stdout
    assert json.loads(out.read_text())["report"]["passed"] is False
