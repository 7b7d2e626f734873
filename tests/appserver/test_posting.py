"""Posting over gRPC on a unix socket, into a real PostgreSQL."""

import asyncio
import urllib.request

import grpc
import psycopg
import pytest

from onecard.kernel.codes import ConflictField, Operation, Result
from onecard.kernel.numbers import build_card_no
from onecard.protocol.proto import app_pb2, records_pb2
from tests.appserver.conftest import OPENING_FEN, Client, StartApp, until


def _moved(client: Client, kind: int = 1) -> tuple[object, ...]:
    query = "SELECT count(*)::int, coalesce(sum(amount_fen), 0)::int FROM ledger.transfer WHERE kind = %s"
    return client.town.execute(query, kind)[0]


async def test_purchases_of_one_call_are_posted_and_answered_in_their_order(client: Client) -> None:
    cards = client.town.cards[:6]
    answers = await client.post(*(client.record(card, amount_fen=100 * (place + 1)) for place, card in enumerate(cards)))
    assert list(answers.code) == [0] * 6
    assert list(answers.balance_fen) == [OPENING_FEN - 100 * (place + 1) for place in range(6)]
    assert all(answers.transfer_id)
    assert _moved(client) == (6, 2100)


async def test_a_repeated_record_gets_the_first_answer_again_and_moves_nothing(client: Client) -> None:
    record = client.record(client.town.cards[0])
    first = await client.post(record)
    again = await client.post(record, record)
    assert [*again.code, *again.transfer_id] == [0, 0, *first.transfer_id, *first.transfer_id]
    assert _moved(client) == (1, 100)


async def test_other_content_under_a_used_key_is_refused_naming_the_field(client: Client) -> None:
    record = client.record(client.town.cards[0])
    await client.post(record)
    other_amount = await client.post({**record, "amount_fen": 101})
    other_card = await client.post({**record, "card_no": client.town.cards[1]})
    assert (list(other_amount.code), list(other_amount.conflict_field)) == ([Result.KEY_CONFLICT], [ConflictField.AMOUNT])
    assert (list(other_card.code), list(other_card.conflict_field)) == ([Result.KEY_CONFLICT], [ConflictField.CARD_NO])


async def test_what_one_card_does_in_one_call_is_posted_in_its_order(client: Client) -> None:
    card = client.town.cards[0]
    purchase = client.record(card, amount_fen=300)
    reversal = {**purchase, "op": Operation.REVERSAL}
    answers = await client.post(purchase, reversal, client.record(card, amount_fen=50))
    assert list(answers.code) == [0, 0, 0]
    assert answers.balance_fen[2] == OPENING_FEN - 50


async def test_refusals_by_directory_card_and_form_stand_beside_approvals(client: Client) -> None:
    town = client.town
    assert await client.codes(
        client.record(town.cards[0]),
        client.record(town.cards[1], terminal_id=999),
        client.record(town.cards[2] + 1),
        client.record(build_card_no(issuer=6212, lane=1, serial=999_999)),
        client.record(town.cards[3], amount_fen=OPENING_FEN + 1),
    ) == [0, Result.TERMINAL_NOT_ALLOWED, Result.FORMAT, Result.UNKNOWN_CARD, Result.INSUFFICIENT_FUNDS]
    assert _moved(client) == (1, 100)


async def test_a_units_merchant_takes_the_private_purse_first(client: Client) -> None:
    answers = await client.post(client.record(client.town.cards[0], terminal_id=client.town.unit_terminal, amount_fen=400))
    assert (list(answers.code), list(answers.balance_fen)) == ([0], [100])


async def test_a_balance_enquiry_says_what_the_merchant_may_take_and_posts_nothing(client: Client) -> None:
    town = client.town
    asked = [
        client.record(town.cards[0], op=Operation.BALANCE, amount_fen=0),
        client.record(town.cards[0], op=Operation.BALANCE, amount_fen=0, terminal_id=town.unit_terminal),
    ]
    answers = await client.post(*asked)
    assert (list(answers.code), list(answers.balance_fen)) == ([0, 0], [OPENING_FEN, OPENING_FEN + 500])
    town.execute("UPDATE ledger.card SET status = 2 WHERE card_no = %s", town.cards[0])
    lost = await client.post(client.record(town.cards[0], op=Operation.BALANCE, amount_fen=0))
    assert (list(lost.code), list(lost.balance_fen)) == ([Result.CARD_LOST], [0])
    assert _moved(client) == (0, 0)


async def test_a_topup_goes_into_the_public_purse(client: Client) -> None:
    answers = await client.post(client.record(client.town.cards[0], op=Operation.TOPUP, amount_fen=700))
    assert (list(answers.code), list(answers.balance_fen)) == ([0], [OPENING_FEN + 700])


async def test_the_totals_of_a_settlement_batch_count_what_stands(client: Client) -> None:
    town, base = client.town, 7_000_000
    purchases = [client.record(town.cards[place], terminal_seq=base + place + 1, amount_fen=200) for place in range(3)]
    assert await client.codes(*purchases) == [0, 0, 0]
    refund = client.record(town.cards[0], op=Operation.REFUND, terminal_seq=base + 10, amount_fen=50, orig_seq=base + 1)
    reversal = {**purchases[2], "op": Operation.REVERSAL}
    refused = client.record(town.cards[5], terminal_seq=base + 11, amount_fen=OPENING_FEN * 2)
    other_batch = client.record(town.cards[6], terminal_seq=base + 1_000_001)
    assert await client.codes(refund, reversal, refused, other_batch) == [0, 0, Result.INSUFFICIENT_FUNDS, 0]
    totals = await client.stub.TerminalTotals(app_pb2.TerminalTotalsRequest(terminal_id=town.terminal, batch_no=7))
    assert (totals.debit_fen, totals.debit_count, totals.credit_fen, totals.credit_count) == (400, 2, 50, 1)


async def test_a_batch_whose_backend_is_ended_during_the_call_is_posted_exactly_once(client: Client) -> None:
    town = client.town
    with psycopg.connect(town.database.owner_dsn) as blocker:
        blocker.execute("SELECT 1 FROM ledger.lane WHERE lane IN (0, 1) FOR UPDATE")
        posting = asyncio.create_task(client.codes(*(client.record(card) for card in town.cards[:10])))
        await until(town.is_blocked)
        assert town.end_backends("onecard app") >= 2
        blocker.rollback()
    assert await posting == [0] * 10
    assert _moved(client) == (10, 1000)


async def test_records_beyond_the_bound_are_busy_and_nothing_of_them_is_posted(start_app: StartApp) -> None:
    client = await start_app(queue_rows=5, batch_rows=5)
    town = client.town
    lane_0 = [card for card in town.cards if card // 10**10 % 100 == 0]
    with psycopg.connect(town.database.owner_dsn) as blocker:
        blocker.execute("SELECT 1 FROM ledger.lane WHERE lane = 0 FOR UPDATE")
        first = asyncio.create_task(client.codes(*(client.record(card) for card in lane_0[:5])))
        await until(town.is_blocked)
        second = asyncio.create_task(client.codes(*(client.record(card) for card in lane_0[5:12])))
        await until(lambda: client.server.collector.busy_answers == 2)
        blocker.rollback()
    assert await first == [0] * 5
    assert await second == [0] * 5 + [Result.BUSY] * 2
    assert _moved(client) == (10, 1000)


async def test_draining_refuses_what_is_new_and_answers_what_was_taken_in(client: Client) -> None:
    town = client.town
    with psycopg.connect(town.database.owner_dsn) as blocker:
        blocker.execute("SELECT 1 FROM ledger.lane WHERE lane IN (0, 1) FOR UPDATE")
        posting = asyncio.create_task(client.codes(*(client.record(card) for card in town.cards[:4])))
        await until(lambda: client.server.collector.depth() == 4)
        stopping = asyncio.create_task(client.server.stop())
        await client.server.service.draining.wait()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.post(client.record(town.cards[5]))
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        blocker.rollback()
    assert await posting == [0] * 4
    await stopping


async def test_columns_of_different_length_are_an_invalid_call(client: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await client.stub.Post(app_pb2.PostBatch(records=records_pb2.Records(op=[1, 1], terminal_id=[1]), line_id=[1]))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_metrics_health_and_live_figures_tell_what_was_posted(client: Client) -> None:
    assert await client.codes(*(client.record(card) for card in client.town.cards[:5])) == [0] * 5
    assert client.server.http is not None
    port = client.server.http.sockets[0].getsockname()[1]

    def get(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    metrics = await asyncio.to_thread(get, "/metrics")
    assert 'onecard_app_records_total{operation="PURCHASE"} 5.0' in metrics
    assert 'onecard_app_results_total{result="APPROVED"} 5.0' in metrics
    assert "onecard_app_queue_rows 0.0" in metrics
    assert await asyncio.to_thread(get, "/healthz") == "ok\n"
    query = "SELECT coalesce(sum(purchases), 0)::int, coalesce(sum(approved), 0)::int FROM monitoring_livefigure"
    await until(lambda: client.town.execute(query) == [(5, 5)])
    units = client.town.execute("SELECT operator_id, unit_id, sum(approved)::int FROM monitoring_livefigureunit GROUP BY 1, 2")
    assert units == [(client.town.operator, 0, 5)]
