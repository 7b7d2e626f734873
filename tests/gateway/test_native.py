"""The native driver over real TLS sockets: what a well-behaved device gets."""

import asyncio

import pytest

from onecard.kernel.codes import Operation, Result
from onecard.protocol.native import PROTOCOL_VERSION
from onecard.protocol.proto.records_pb2 import Records
from tests.gateway.harness import CARD, House, until

AT_US = 1_772_337_600_000_000


def records(terminal_id: int, seqs, *, op: int = Operation.ADVICE, amount_fen: int = 250) -> Records:
    count = len(seqs)
    return Records(
        op=[int(op)] * count,
        terminal_id=[terminal_id] * count,
        terminal_seq=list(seqs),
        card_no=[CARD] * count,
        amount_fen=[amount_fen] * count,
        occurred_at_us=[AT_US] * count,
        orig_terminal_id=[0] * count,
        orig_seq=[0] * count,
    )


async def test_a_listed_line_is_welcomed_with_its_terminals_and_a_window(house: House):
    house.list_line(1, {10: "00000010", 11: "00000011"}, front_end=True)
    await house.start()
    async with house.native(1) as client:
        welcome = await client.connect()
        assert welcome.line_id == 1
        assert welcome.window >= 1
        assert client.terminals == {10: "00000010", 11: "00000011"}


async def test_records_reach_the_application_server_with_the_proven_line_and_answers_come_back_in_order(house: House):
    house.list_line(1)
    await house.start()
    async with house.native(1) as client:
        answers = await client.submit(records(10, [5, 6, 7]))
    assert list(answers.code) == [0, 0, 0]
    assert list(answers.balance_fen) == [99_750] * 3
    assert len(set(answers.transfer_id)) == 3
    assert [(r["line_id"], r["terminal_id"], r["terminal_seq"]) for r in house.app.records] == [
        (1, 10, 5),
        (1, 10, 6),
        (1, 10, 7),
    ]


async def test_a_thousand_records_in_many_submits_are_answered_each_with_its_own_answers(house: House):
    house.list_line(1)
    await house.start()
    house.app.answer = lambda row: (0, row["terminal_seq"], 1, 0)
    async with house.native(1) as client:
        parts = await asyncio.gather(*(client.submit(records(10, range(i * 100 + 1, i * 100 + 101))) for i in range(30)))
    for i, part in enumerate(parts):
        assert list(part.balance_fen) == list(range(i * 100 + 1, i * 100 + 101))


async def test_what_waits_while_calls_are_in_flight_goes_up_together(house: House):
    house.list_line(1, {10 + i: f"{10 + i:08d}" for i in range(40)}, front_end=True)
    await house.start()
    house.app.gate.clear()
    clients = [house.native(1) for _ in range(40)]
    await asyncio.gather(*(client.connect() for client in clients))
    asked = [asyncio.create_task(client.submit(records(10 + i, [1]))) for i, client in enumerate(clients)]
    await until(lambda: sum(len(b.line_id) for b in house.app.batches) + house.gateway.uplink.waiting == 40)
    house.app.gate.set()
    assert [list(answers.code) for answers in await asyncio.gather(*asked)] == [[0]] * 40
    assert len(house.app.batches) < 20


async def test_the_same_submit_after_a_lost_answer_gets_the_first_answer_again(house: House):
    house.list_line(1)
    await house.start()
    async with house.native(1) as client:
        first = await client.submit(records(10, [9]))
        second = await client.submit(records(10, [9]))
    assert second == first


async def test_while_no_application_server_answers_records_are_unavailable_and_go_through_afterwards(house: House):
    house.list_line(1)
    gateway = await house.start()
    async with house.native(1) as client:
        house.app.gate.clear()
        answers = await client.submit(records(10, [1, 2]))
        assert list(answers.code) == [Result.UNAVAILABLE] * 2
        house.app.gate.set()
        assert list((await client.submit(records(10, [1, 2]))).code) == [0, 0]
    assert gateway.counters.app_failures == 1


async def test_heartbeats_keep_the_line_and_reports_name_it(house: House):
    house.list_line(1)
    await house.start()
    async with house.native(1, heartbeat_s=0.02) as client:
        await until(lambda: house.gateway.counters.frames["native"] > 5)
        house.app.reported.clear()
        await house.app.reported.wait()
        assert client.is_open
    report = house.app.reports[-1]
    assert list(report.online_line_id) == [1]
    assert list(report.online_terminal_id) == [10]


async def test_a_client_reconnects_by_itself_and_submits_surely(house: House):
    house.list_line(1)
    gateway = await house.start()
    client = house.native(1)
    await client.connect()
    for connection in list(gateway._connections):
        connection.tls.abort("test")
    await until(lambda: not client.is_open)
    assert list((await client.submit_surely(records(10, [1]))).code) == [0]


def test_the_protocol_version_is_one():
    assert PROTOCOL_VERSION == 1


@pytest.mark.parametrize("count", [1, 1000])
async def test_a_submit_may_have_one_to_a_thousand_records(house: House, count):
    house.list_line(1)
    await house.start()
    async with house.native(1) as client:
        assert len((await client.submit(records(10, range(1, count + 1)))).code) == count
