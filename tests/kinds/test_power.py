"""Terminals as processes whose power is cut (kill -9) again and again: nothing charged twice, nothing printed and not charged."""

import asyncio
import contextlib
import random
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from onecard.kernel.codes import Operation, Result
from onecard.terminal.journal import JournalRecord, State
from onecard.terminal.kinds.journal import DeviceJournal
from tests.gateway.harness import House
from tests.kinds.bench import PARAMETERS, TARIFF, card

SEED = 20180601
CUTS = 4
SALES = 12
WAIT_S = 30
TERMINAL = 10


@contextlib.asynccontextmanager
async def terminal(house: House, kind: str, line: Path) -> AsyncIterator[Process]:
    """The command, with its keyboard in a pipe; its power is cut at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "onecard", "terminal", kind, "--line", str(line), "--connect", f"127.0.0.1:{house.port('native')}",
        stdin=PIPE, stdout=PIPE, stderr=DEVNULL,
    )  # fmt: skip
    try:
        await shown(process, "联机")
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def shown(process: Process, text: str) -> str:
    """Wait until the display shows a text."""
    async with asyncio.timeout(WAIT_S):
        while line := (await process.stdout.readline()).decode():
            if text in line:
                return line
    raise AssertionError(f"{text} was never shown")


async def work(process: Process, *lines: str) -> None:
    process.stdin.write("".join(f"{line}\n" for line in lines).encode())
    with contextlib.suppress(ConnectionError):
        await process.stdin.drain()


async def finish(process: Process) -> None:
    await work(process, "wait sent", "quit")
    output, _ = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode == 0, output.decode()


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
                await work(pos, f"{amount} enter", f"tap {card(amount)}")
            await asyncio.sleep(rng.uniform(0, 0.15))
    async with terminal(house, "pos", line) as pos:
        await work(pos, "999 enter", f"tap {card(1)}")
        await shown(pos, "成功")
        await finish(pos)
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
            await work(meter, f"tap {card(number)}", "pulse 10", "pulse 10", "pulse 5", "stop", f"tap {card(number)}", "pulse 7")
            await asyncio.sleep(rng.uniform(0, 0.1))
    async with terminal(house, "meter", line) as meter:
        await finish(meter)
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
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "onecard", "terminal", "door", "--line", str(line), "--script", str(script),
        "--connect", f"127.0.0.1:{house.port('native')}", stdin=DEVNULL, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    said, wrong = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode == 2, wrong.decode()
    assert "禁止通行" in said.decode()
    assert wrong.decode().splitlines()[-1] == f"error: {script}:3: fly is not understood"
