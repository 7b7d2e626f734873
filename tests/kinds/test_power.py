"""Terminals as processes whose power is cut (kill -9) again and again: nothing charged twice, nothing printed and not charged."""

import asyncio
import contextlib
import random
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from onecard.kernel.codes import Operation, Result
from onecard.terminal.journal import JournalRecord, State
from onecard.terminal.kinds.journal import DeviceJournal
from tests.gateway.harness import House, until
from tests.kinds.bench import PARAMETERS, TARIFF, card

SEED = 20180601
CUTS = 4
SALES = 12
WAIT_S = 30
TERMINAL = 10


@dataclass
class Console:
    """A terminal's process: its keyboard in a pipe, its display in a file.

    Not by asyncio under uvloop: that forks, and gRPC's handlers of fork may abort the child.
    """

    process: "subprocess.Popen[bytes]"
    display: Path
    seen: int = 0

    async def shown(self, text: str) -> None:
        """Wait until the display shows a text, later than the last that was waited for."""

        def find() -> int:
            return self.display.read_text("utf-8").find(text, self.seen)

        await until(lambda: find() >= 0 or self.process.poll() is not None, WAIT_S)
        assert find() >= 0, f"{text} was never shown:\n{self.display.read_text('utf-8')}"
        self.seen = find() + 1

    def work(self, *lines: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
            self.process.stdin.flush()

    async def finish(self) -> None:
        self.work("wait sent", "quit")
        assert await asyncio.to_thread(self.process.wait, WAIT_S) == 0, self.display.read_text("utf-8")


@contextlib.asynccontextmanager
async def terminal(house: House, kind: str, line: Path) -> AsyncIterator[Console]:
    """The command; its power is cut at the end."""
    display = line / "display.txt"
    with display.open("wb") as out, start(house, kind, line, stdout=out, stderr=subprocess.STDOUT) as process:
        console = Console(process, display)
        try:
            await console.shown("联机")
            yield console
        finally:
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


def start(house: House, kind: str, line: Path, *words: str, **files) -> "subprocess.Popen[bytes]":
    connect = f"127.0.0.1:{house.port('native')}"
    command = [sys.executable, "-m", "onecard", "terminal", kind, "--line", str(line), "--connect", connect, *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, **files)


def give_data(line: Path, kind: str) -> None:
    folder = line / kind
    folder.mkdir()
    journal = DeviceJournal(folder / "terminal.db")
    journal.store_data("tariff", TARIFF, version=1)
    journal.store_data("parameters", PARAMETERS, version=1)
    journal.close()


def records(line: Path, kind: str) -> list[JournalRecord]:
    journal = DeviceJournal(line / kind / "terminal.db")
    try:
        assert journal.kept("session") is None
        return journal.records(TERMINAL)
    finally:
        journal.close()


def receipts(line: Path, kind: str) -> set[int]:
    roll = line / kind / "receipts.txt"
    return {int(seq) for seq in re.findall(rf"凭证 {TERMINAL}/(\d+) ", roll.read_text("utf-8"))} if roll.exists() else set()


def posted(house: House, ops: Sequence[Operation]) -> list[int]:
    """Numbers the platform was asked to post under, each once."""
    return sorted({row["terminal_seq"] for row in house.app.records if row["op"] in ops})


async def test_a_pos_whose_power_is_cut_keeps_its_sequence_its_money_and_its_receipts(house: House, enrolled):
    line = enrolled(house.list_line(1))
    give_data(line, "pos")
    await house.start()
    rng, amount = random.Random(SEED), 0
    for _ in range(CUTS):
        async with terminal(house, "pos", line) as pos:
            for _ in range(SALES):
                amount += 1
                pos.work(f"{amount} enter", f"tap {card(amount)}")
            await asyncio.sleep(rng.uniform(0, 0.15))
    async with terminal(house, "pos", line) as pos:
        pos.work("999 enter", f"tap {card(1)}")
        await pos.shown("成功")
        await pos.finish()
    stored = records(line, "pos")
    assert all(record.state == State.CLOSED for record in stored)
    assert len({(row["terminal_seq"], row["card_no"], row["amount_fen"]) for row in house.app.records}) == len(
        posted(house, tuple(Operation))
    ), "one number stands for one sale"
    approved = {record.terminal_seq for record in stored if record.code == Result.APPROVED}
    reversed_ = set(posted(house, (Operation.REVERSAL,)))
    assert set(posted(house, (Operation.PURCHASE, Operation.ADVICE))) - reversed_ == approved
    assert approved.isdisjoint(reversed_)
    assert receipts(line, "pos") <= approved, "nothing is printed that is not charged"
    assert approved - receipts(line, "pos") == set(), "nothing is charged that is not printed"
    assert len(stored) > CUTS


async def test_a_meter_whose_power_is_cut_charges_what_went_through_once(house: House, enrolled):
    line = enrolled(house.list_line(1))
    give_data(line, "meter")
    await house.start()
    rng = random.Random(SEED)
    for number in range(1, CUTS + 1):
        async with terminal(house, "meter", line) as meter:
            meter.work(f"tap {card(number)}", "pulse 10", "pulse 10", "pulse 5", "stop", f"tap {card(number)}", "pulse 7")
            await asyncio.sleep(rng.uniform(0, 0.1))
    async with terminal(house, "meter", line) as meter:
        await meter.finish()
    stored = {record.terminal_seq: record for record in records(line, "meter")}
    assert all(record.state == State.CLOSED for record in stored.values())
    ended = [r for r in stored.values() if r.op in (Operation.COMMIT, Operation.RELEASE)]
    held = [r.terminal_seq for r in stored.values() if r.op == Operation.HOLD and r.code == Result.APPROVED]
    assert sorted(record.orig_seq for record in ended) == sorted(held), "every hold is ended once"
    assert posted(house, (Operation.COMMIT, Operation.RELEASE)) == sorted(record.terminal_seq for record in ended)
    assert {r.amount_fen for r in ended} <= {0, 40, 80, 100, 28}
    assert held


async def test_a_script_that_expects_what_is_not_shown_ends_with_one_clear_message(house: House, enrolled, tmp_path):
    line = enrolled(house.list_line(1))
    await house.start()
    script = tmp_path / "door.txt"
    script.write_text("tap 6212000000000018  # a card\nexpect 禁止通行\nfly\n", "utf-8")
    with start(house, "door", line, "--script", str(script), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        said, wrong = await asyncio.to_thread(process.communicate, timeout=WAIT_S)
    assert process.returncode == 2, wrong.decode()
    assert "禁止通行" in said.decode()
    assert wrong.decode().splitlines()[-1] == f"error: {script}:3: fly is not understood"
