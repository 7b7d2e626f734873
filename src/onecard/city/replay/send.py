"""Sends the staged records through the gateway as a company's front-end would: shuffled chunks over TLS, every tenth chunk twice.

Half of the doubled chunks go up while their first copy is under way, the other half after its answer. A record that was answered
BUSY or UNAVAILABLE, or whose line broke, goes up again with its own sequence number.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import Unavailable
from onecard.protocol.proto.records_pb2 import Answers, Records
from onecard.terminal.errors import LineDown, LineRefused
from onecard.terminal.native import NativeClient
from onecard.terminal.tls import Backoff, Identity

MAX_CHUNK = 1000
IN_FLIGHT = 4
_ADMISSION_S = 20.0
_TRY_AGAIN = frozenset({Result.BUSY, Result.UNAVAILABLE})
_QUERY = """
SELECT t.terminal_id, r.seq, c.card_no, r.amount_fen, r.occurred_us
  FROM city.replay_record r JOIN city.replay_terminal t USING (terminal_ref) JOIN city.replay_card c USING (card_ref)
 WHERE r.file_id = %s AND t.company = %s
 ORDER BY hashint8extended(r.line, %s)"""


@dataclass(frozen=True, slots=True)
class CompanyLine:
    """One company's front-end."""

    company: str
    terminals: int
    identity: Identity


@dataclass(slots=True)
class Sent:
    """What was sent and answered; `doubled_differently` counts second answers that were not the first again (must be 0)."""

    records: int = 0
    chunks: int = 0
    doubled_chunks: int = 0
    doubled_records: int = 0
    doubled_differently: int = 0
    codes: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class Sending:
    """One file on its way up."""

    dsn: str
    file_id: int
    host: str
    port: int
    chunk: int
    seed: int
    progress: Callable[[int], None]
    sent: Sent = field(default_factory=Sent)

    async def run(self, lines: Sequence[CompanyLine]) -> Sent:
        """Send everything, all companies at the same time. Raises Unavailable when a line is not let in."""
        async with asyncio.TaskGroup() as group:
            for line in lines:
                group.create_task(self._run_line(line))
        return self.sent

    async def _run_line(self, line: CompanyLine) -> None:
        client = NativeClient(self.host, self.port, line.identity, backoff=Backoff(random.Random(self.seed)))  # noqa: S311
        try:
            await self._send_company(client, line)
        finally:
            await client.close()

    async def _send_company(self, client: NativeClient, line: CompanyLine) -> None:
        room = asyncio.Semaphore(IN_FLIGHT)
        async with (
            await psycopg.AsyncConnection.connect(self.dsn) as connection,
            connection.cursor(name="shuffled") as cursor,
            asyncio.TaskGroup() as group,
        ):
            await _wait_until_admitted(client, line)
            await cursor.execute(_QUERY, (self.file_id, line.company, self.seed))
            while rows := await cursor.fetchmany(self.chunk):
                await room.acquire()
                group.create_task(self._send_chunk(client, _build_records(rows), number=self.sent.chunks, room=room))
                self.sent.chunks += 1

    async def _send_chunk(self, client: NativeClient, records: Records, *, number: int, room: asyncio.Semaphore) -> None:
        try:
            first, second = await self._copies(client, records, number)
        finally:
            room.release()
        count = len(records.op)
        self.sent.records += count
        self.sent.codes.update(first.code)
        if second is not None:
            self.sent.doubled_chunks += 1
            self.sent.doubled_records += count
            pairs = zip(first.code, first.transfer_id, second.code, second.transfer_id, strict=True)
            self.sent.doubled_differently += sum((a, b) != (c, d) for a, b, c, d in pairs)
        self.progress(count)

    async def _copies(self, client: NativeClient, records: Records, number: int) -> tuple[Answers, Answers | None]:
        if number % 10:
            return await _deliver(client, records), None
        if number % 20:
            return await _deliver(client, records), await _deliver(client, records)
        first, second = await asyncio.gather(_deliver(client, records), _deliver(client, records))
        return first, second


async def _deliver(client: NativeClient, records: Records) -> Answers:
    """Answers of all records, each definite."""
    answers = await client.submit_surely(records)
    wait_s = 0.05
    while again := [place for place, code in enumerate(answers.code) if code in _TRY_AGAIN]:
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * 2, 2.0)
        part = await client.submit_surely(_pick(records, again))
        for place, code, balance, transfer in zip(again, part.code, part.balance_fen, part.transfer_id, strict=True):
            answers.code[place], answers.balance_fen[place], answers.transfer_id[place] = code, balance, transfer
    return answers


async def _wait_until_admitted(client: NativeClient, line: CompanyLine) -> None:
    """The gateway learns of a new line within a second or so; until then it refuses it."""
    deadline = asyncio.get_running_loop().time() + _ADMISSION_S
    why = ""
    while asyncio.get_running_loop().time() < deadline:
        try:
            await client.connect()
            if len(client.terminals) >= line.terminals:
                return
            why = f"{len(client.terminals)}/{line.terminals} 终端 terminals"
            await client.close()
        except (LineRefused, LineDown) as error:
            why = error.en
        await asyncio.sleep(0.2)
    raise Unavailable(
        f"网关不接受 {line.company} 的前置机：{why}", f"the gateway does not admit the front-end of {line.company}: {why}"
    )


def _build_records(rows: Sequence[tuple[Any, ...]]) -> Records:
    terminals, sequences, cards, amounts, occurred = (list(column) for column in zip(*rows, strict=True))
    return _records(terminals, sequences, cards, amounts, occurred)


def _pick(records: Records, places: Sequence[int]) -> Records:
    columns = (records.terminal_id, records.terminal_seq, records.card_no, records.amount_fen, records.occurred_at_us)
    return _records(*([column[place] for place in places] for column in columns))


def _records(*columns: list[int]) -> Records:
    terminals, sequences, cards, amounts, occurred = columns
    nothing = [0] * len(terminals)
    return Records(
        op=[int(Operation.ADVICE)] * len(terminals),
        terminal_id=terminals,
        terminal_seq=sequences,
        card_no=cards,
        amount_fen=amounts,
        occurred_at_us=occurred,
        orig_terminal_id=nothing,
        orig_seq=nothing,
    )
