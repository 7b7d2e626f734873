"""From a card on a reader to the ledger and back: the platform's own keys, real lines, a real database."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onecard.datacenter import dj
from onecard.datacenter.home import Home
from onecard.kernel.codes import Operation, Result
from onecard.ledger.balances import chip_balance
from onecard.protocol.proto.records_pb2 import ChipLoad, ChipLoadAnswer
from onecard.services.actors import Actor
from onecard.services.chip import api
from onecard.services.chip.models import HeldRecord, Load, LoadDoubt, Purchase
from onecard.services.chip.raw import raw
from onecard.services.keys import api as keys
from onecard.services.keys.custody import requests
from onecard.services.keys.sams import stock
from onecard.terminal.chipjournal import LoadState, SaleState
from onecard.terminal.chipline import journal_record
from onecard.terminal.errors import LineDown
from onecard.terminal.journal import State
from tests.chip.house import SAM_NO, SYSTEM, House, start
from tests.issuing.conftest import make_city
from tests.support.postgres import TestServer, cloned_database

FAST = keys.KdfParameters(time_cost=1, memory_kib=8 * 1024, lanes=1)


@pytest.fixture(scope="module")
def house(postgres: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One platform for the file: what takes the time is real. Every test takes cards of its own."""
    home = Home(Path(tempfile.mkdtemp(prefix="chip-", dir=Path(os.environ["ONECARD_HOME"]).parent)))
    home.prepare()
    with (
        cloned_database(postgres) as database,
        pytest.MonkeyPatch.context() as patch,
        dj.connected_as(database.app_dsn),
        asyncio.Runner() as runner,
    ):
        patch.setenv("ONECARD_HOME", str(home.path))
        patch.setenv("ONECARD_DATABASE", database.owner_dsn)
        for name in ("CREDENTIALS_DIRECTORY", "ONECARD_VAULT_PASSPHRASE_FILE"):
            patch.delenv(name, raising=False)
        keys.init_demo(home, kdf=FAST)
        city = make_city(database, keys.open_vault())  # type: ignore[arg-type]
        made = start(runner.run, city, home, tmp_path_factory.mktemp("house"))
        yield made
        made.stop()
        keys.close_vault()
        city.audit()


def shadow(card_no: int) -> int:
    found = chip_balance(raw(), card_no)
    return found.balance_fen if found else 0


def test_a_chip_is_loaded_pays_off_line_and_its_records_come_home(house: House) -> None:
    (card_no, card), (other_no, other) = house.take_cards(2)
    terminal, run = house.terminal, house.run
    for number in (card_no, other_no):
        run(terminal.top_up(number, 50_000))
    report, code = run(terminal.load(card, 10_000))
    assert (report and report.state, code) == (LoadState.WRITTEN, 0)
    run(terminal.load(other, 5_000))
    assert (shadow(card_no), shadow(other_no)) == (10_000, 5_000)
    assert set(Load.objects.filter(card_no__in=(card_no, other_no)).values_list("state", flat=True)) == {"confirmed"}
    assert not LoadDoubt.objects.filter(settled_at__isnull=True).exists()

    for amount in (300, 250, 1):
        terminal.buy(card, amount)
        terminal.buy(other, amount)
    uploaded = run(terminal.upload())
    assert [record.code for record in uploaded] == [0] * 6
    assert (shadow(card_no), shadow(other_no)) == (9_449, 4_449)
    standing = api.standing(card_no)
    assert (standing.expected_fen, standing.next_counter, standing.next_online, standing.open_holes) == (9_449, 3, 1, 0)
    assert api.counters_complete(card_no, chip_counter=3, chip_balance_fen=9_449) == []
    assert [line.amount_fen for line in api.statement(card_no)] == [-1, -250, -300, 10_000]
    assert keys.verify_usage_chain().is_whole


def test_a_lost_answer_is_sent_again_and_posted_once(house: House) -> None:
    ((card_no, card),) = house.take_cards(1)
    terminal, run = house.terminal, house.run
    run(terminal.top_up(card_no, 1_000))
    run(terminal.load(card, 1_000))
    terminal.buy(card, 100)
    (first,) = run(terminal.upload())
    terminal.journal.mark(terminal.terminal_id, first.terminal_seq, State.OPEN)  # the answer never came
    (again,) = run(terminal.upload())
    assert (again.code, again.transfer_id, shadow(card_no)) == (0, first.transfer_id, 900)


def test_a_blocked_sams_record_and_a_falsified_one_stand_in_quarantine_while_others_pass(house: House) -> None:
    (card_no, card), (other_no, _) = house.take_cards(2)
    terminal, run = house.terminal, house.run
    for number in (card_no, other_no):
        run(terminal.top_up(number, 1_000))
    run(terminal.load(card, 1_000))
    terminal.buy(card, 100)
    (sale,) = terminal.chips.outbox(terminal.sam.terminal_no)
    assert sale.state is SaleState.DEBITED
    right = journal_record(sale, terminal.terminal_id)
    assert right.chip is not None
    wrong = replace(right, terminal_seq=right.terminal_seq + 100, amount_fen=99, chip=replace(right.chip, card_counter=1))
    purchase = replace(right, terminal_seq=right.terminal_seq + 200, op=Operation.ADVICE, card_no=other_no, chip=None)
    terminal.chips.taken([sale])
    terminal.journal.store([right, wrong, purchase])
    assert [(r.terminal_seq, r.code) for r in run(terminal.upload())] == [
        (right.terminal_seq, 0), (wrong.terminal_seq, Result.TAC_WRONG), (purchase.terminal_seq, 0),
    ]  # fmt: skip
    stock.block_sam(SAM_NO, reason="丢失", actor=SYSTEM)
    terminal.buy(card, 50)
    (record,) = run(terminal.upload())
    assert record.code == Result.SAM_BLOCKED
    assert [row.record.code for row in api.quarantine(actor=SYSTEM, card_no=card_no)] == [Result.SAM_BLOCKED, Result.TAC_WRONG]
    assert (shadow(card_no), Purchase.objects.filter(card_no=card_no).count()) == (900, 1)
    assert [text.en for text in api.counters_complete(card_no)] == ["2 records wait for a decision"]
    lift = requests.ask(
        requests.RequestAction.SAM_UNBLOCK, sam_no=SAM_NO, reason="找到了", actor=Actor("anne", frozenset({"keys.request"}))
    )
    requests.approve(lift.pk, actor=Actor("bert", frozenset({"keys.approve"})))


def test_while_the_vault_is_locked_nothing_is_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ((card_no, card),) = house.take_cards(1)
    terminal, run = house.terminal, house.run
    run(terminal.top_up(card_no, 1_000))
    run(terminal.load(card, 1_000))
    terminal.buy(card, 100)

    def locked(**_: Any) -> Any:
        raise keys.VaultLocked("保险库未打开", "the vault is locked")

    with monkeypatch.context() as patch:
        patch.setattr(keys, "open_vault", locked)
        (record,) = run(terminal.upload())
        assert (record.code, record.state) == (None, State.OPEN)
        with pytest.raises(LineDown):
            run(terminal.load(card, 10))
    assert not HeldRecord.objects.filter(card_no=card_no).exists()
    (record,) = run(terminal.upload())
    assert (record.code, shadow(card_no)) == (0, 900)


def test_a_load_whose_answer_is_lost_is_settled_at_the_next_touch(house: House) -> None:
    ((card_no, card),) = house.take_cards(1)
    terminal, run = house.terminal, house.run
    run(terminal.top_up(card_no, 1_000))

    async def deaf(load: ChipLoad) -> ChipLoadAnswer:
        await terminal.client.load_chip(load)
        raise LineDown("线路中断", "the line broke")

    with pytest.raises(LineDown):
        run(terminal.load(card, 400, send=deaf))
    (doubt,) = api.load_doubts(actor=SYSTEM)
    assert (doubt.doubt.kind, doubt.doubt.card_no, shadow(card_no)) == ("taken", card_no, 400)
    report, code = run(terminal.load(card, 300))
    assert (report and report.state, code) == (LoadState.WRITTEN, 0)
    assert sorted(Load.objects.filter(card_no=card_no).values_list("amount_fen", "state")) == [
        (300, "confirmed"),
        (400, "undone"),
    ]
    assert (shadow(card_no), api.load_doubts(actor=SYSTEM)) == (300, [])


def test_records_and_loads_at_once_over_one_line(house: House) -> None:
    (card_no, card), (other_no, other) = house.take_cards(2)
    terminal, run = house.terminal, house.run
    for number in (card_no, other_no):
        run(terminal.top_up(number, 10_000))
    run(terminal.load(card, 5_000))
    for _ in range(12):
        terminal.buy(card, 10)

    async def both() -> Any:
        return await asyncio.gather(terminal.upload(), terminal.load(other, 700))

    uploaded, (report, _) = run(both())
    assert [record.code for record in uploaded] == [0] * 12
    assert report is not None
    assert (shadow(card_no), shadow(other_no)) == (4_880, 700)
