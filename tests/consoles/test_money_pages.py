"""Transactions, accounts and the home page: they show what the ledger holds, and stay on its indexes."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from onecard.consoles.centre import search
from onecard.consoles.centre.roles import Role
from onecard.consoles.centre.search import Cursor, Span
from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.numbers import build_card_no
from onecard.ledger import ids
from onecard.services.devices.models import Terminal
from tests.settlement.city import ADVICE, REFUND, City


@pytest.fixture
def busy(city: City) -> City:
    """Four holders on three lanes with 130 purchases, a refund and a debt."""
    holders = [city.holder("A", public=500_000, unit="works", lane=lane) for lane in (0, 1, 1, 2)]
    for n in range(130):
        city.pay(holders[n % 4], "canteen" if n % 3 else "metro", 100 + n, order=1)
    city.follow(city.pay(holders[0], "canteen", 5000), REFUND, 1500)
    poor = city.holder("A", public=10, lane=2)
    city.pay(poor, "metro", 300, op=ADVICE)
    return city


def _pages(fetch: Callable[[Cursor], list[search.Transfer]]) -> list[search.Transfer]:
    rows, cursor = [], Cursor()
    while page := fetch(cursor):
        rows += page
        cursor = Cursor(page[-1].id, page[-1].lane)
    return rows


def test_pages_by_key_give_every_row_once_newest_first(busy: City) -> None:
    everything = busy.rows("SELECT lane, id FROM ledger.transfer ORDER BY id DESC, lane DESC")
    found = _pages(lambda cursor: search.newest(Span(), cursor, limit=7))
    assert [(row.lane, row.id) for row in found] == everything
    book = 100_000_000 + busy.merchants["canteen"].pk
    of_merchant = busy.rows("SELECT lane, id FROM ledger.transfer WHERE %s IN (debit, credit) ORDER BY id DESC, lane DESC", book)
    found = _pages(lambda cursor: search.of_merchant(busy.merchants["canteen"].pk, Span(), cursor, limit=7))
    assert [(row.lane, row.id) for row in found] == of_merchant


def test_an_account_is_followed_along_its_chain_as_of_any_moment(busy: City, signed_in: Callable[..., Client]) -> None:
    ((account,),) = busy.rows("SELECT max(account_no) FROM ledger.account WHERE lane = 0")
    chain = [row for (row,) in busy.rows("SELECT id FROM ledger.transfer WHERE account_no = %s ORDER BY id DESC", account)]
    assert [row.id for row in _pages(lambda cursor: search.of_account(account, Span(), cursor, limit=5))] == chain
    as_of = ids.id_time(chain[len(chain) // 2])
    until = ids.id_at(as_of + timedelta(milliseconds=1))
    page = signed_in(Role.FINANCE).get(f"/centre/accounts/{account}/", {"as_of": as_of.astimezone(PLATFORM_ZONE).isoformat()})
    shown = [int(row["number"].partition("-")[2]) for row in page.context["transfers"]]
    assert shown == [row for row in chain if row < until][: search.PAGE]
    for purse, unit in zip(page.context["purses"], (0, busy.units["works"].pk), strict=True):
        ((expected,),) = busy.rows(
            "SELECT coalesce(sum(CASE WHEN credit = %s THEN amount_fen ELSE -amount_fen END), 0)::bigint FROM ledger.transfer"
            " WHERE %s IN (debit, credit) AND id < %s", account * 100_000 + unit, account * 100_000 + unit, until,
        )  # fmt: skip
        assert purse["then"].replace(",", "") == f"{expected // 100}.{expected % 100:02d}"


def test_no_search_reads_a_partition_from_end_to_end(busy: City) -> None:
    ((card,),) = busy.rows("SELECT card_no FROM ledger.card LIMIT 1")
    since = Span(datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1))
    ((some_id,),) = busy.rows("SELECT max(id) FROM ledger.transfer")
    with CaptureQueriesContext(connection) as queries:
        search.newest(since, Cursor())
        search.of_merchant(busy.merchants["canteen"].pk, since, Cursor())
        search.by_id(some_id)
        search.records(10_001)
        search.account_of_card(card)
    with connection.cursor() as cursor:
        # Tables of a few pages are read whole for good reason: make the planner think they are large.
        cursor.execute("SET enable_seqscan = off")
        for query in queries.captured_queries:
            cursor.execute("EXPLAIN " + query["sql"])
            plan = "\n".join(line for (line,) in cursor.fetchall())
            for table in ("transfer", "posting_key", "card ", "purse"):
                assert f"Seq Scan on {table}" not in plan, plan
            assert "count(" not in query["sql"].lower() and "offset" not in query["sql"].lower()
        cursor.execute("RESET enable_seqscan")


def test_the_search_page_finds_by_every_key(busy: City, signed_in: Callable[..., Client]) -> None:
    client = signed_in()
    ((lane, row_id, card, account, terminal),) = busy.rows(
        "SELECT lane, id, card_no, account_no, terminal_id FROM ledger.transfer WHERE kind = 8"
    )
    Terminal.objects.create(id=terminal, tid="POS00042", merchant=busy.merchants["canteen"])

    def shown(**query: object) -> list[dict[str, object]]:
        context = client.get("/centre/transactions/", query).context
        assert context["problem"] == "", query
        return list(context["transfers"]) + list(context["records"])

    assert [row["number"] for row in shown(q=f"{lane}-{row_id}")] == [f"{lane}-{row_id}"]
    assert shown(q=row_id)[0]["kind"] == "退货"
    assert {row["card_no"] for row in shown(q=card)} == {card}
    assert {row["account_no"] for row in shown(q=account)} == {account}
    ((first,),) = busy.rows("SELECT amount_fen FROM ledger.posting_key WHERE terminal_id = %s AND terminal_seq = 1", terminal)
    purchase, record = shown(terminal="pos00042", seq=1)
    assert (purchase["amount"], record["amount"]) == (f"-{first / 100:.2f}", f"{first / 100:.2f}")
    assert len(shown(terminal="POS00042")) == 50
    assert len(shown(merchant="metro", since=date.today().isoformat())) >= 40
    assert shown(merchant="metro", until="2021-01-01T00:00") == []
    unknown = build_card_no(issuer=1001, lane=1, serial=999_999)
    assert "没有此卡" in client.get("/centre/transactions/", {"q": unknown}).context["problem"]
    assert client.get("/centre/transactions/", {"q": "abc"}).context["problem"]


def test_an_account_page_shows_purses_as_the_ledger_holds_them(busy: City, signed_in: Callable[..., Client]) -> None:
    client = signed_in(Role.FINANCE)
    ((account, card),) = busy.rows("SELECT account_no, card_no FROM ledger.card ORDER BY account_no LIMIT 1")
    ((balance,),) = busy.rows("SELECT balance_fen FROM ledger.purse WHERE account_no = %s AND unit_id = 0", account)
    page = client.get(f"/centre/accounts/{account}/")
    assert page.context["purses"][0]["balance"].replace(",", "") == f"{balance // 100}.{balance % 100:02d}"
    assert client.get("/centre/accounts/", {"q": card}).headers["Location"] == f"/centre/accounts/{account}/"
    assert client.post(f"/centre/accounts/{account}/state/", {"act": "freeze"}).status_code == 403
    assert len(client.get("/centre/accounts/").context["accounts"]) == 5
    assert len(client.get("/centre/deny-list/").context["rows"]) == 1


def test_freezing_goes_through_the_ledger_and_into_the_audit_log(busy: City, signed_in: Callable[..., Client]) -> None:
    client = signed_in()
    ((account, card),) = busy.rows("SELECT account_no, card_no FROM ledger.card ORDER BY account_no LIMIT 1")
    client.post(f"/centre/accounts/{account}/state/", {"act": "freeze"})
    client.post(f"/centre/accounts/{account}/state/", {"act": "freeze", "card": card})
    assert busy.rows("SELECT status FROM ledger.account WHERE account_no = %s", account) == [(2,)]
    assert busy.rows("SELECT status FROM ledger.card WHERE card_no = %s", card) == [(3,)]
    client.post(f"/centre/accounts/{account}/state/", {"act": "unfreeze", "card": card})
    assert busy.rows("SELECT status FROM ledger.card WHERE card_no = %s", card) == [(1,)]
    log = client.get("/centre/auditlog/logentry/").content.decode()
    assert str(card) in log and "解冻" in log


def test_the_home_page_counts_and_sums_what_the_journal_holds(busy: City, signed_in: Callable[..., Client]) -> None:
    client = signed_in(english=True)
    figures = client.get("/centre/live.json").json()
    ((fen,),) = busy.rows(
        "SELECT sum(CASE WHEN credit / 100000000 = 1 THEN amount_fen WHEN debit / 100000000 = 1 THEN -amount_fen END)::bigint"
        " FROM ledger.transfer WHERE kind <= 10"
    )
    assert figures["tiles"]["today_sum"].replace(",", "") == f"{fen // 100}.{fen % 100:02d}"
    assert figures["tiles"]["today_count"] == "132", "131 purchases and an offline one; a refund is no purchase"
    assert [row["name"] for row in figures["operators"]] == ["A运营", "root运营"]
    assert sum(float(row["sum"].replace(",", "")) for row in figures["units"]) == pytest.approx(fen / 100)
    assert figures["tiles"]["oldest_unsettled"].endswith(("second", "seconds"))
    assert figures["tiles"]["last_run"] == "none yet"


def test_the_purse_in_a_chip_is_named_by_its_card(django_database: object) -> None:
    from django.utils import translation

    from onecard.consoles.centre.pages.transactions import Names

    with translation.override("zh-hans"):
        assert Names([]).side(8810007000000016) == "8810007000000016 · 芯片钱包"
