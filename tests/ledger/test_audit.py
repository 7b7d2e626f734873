"""The auditor finds what somebody with every right to the database has changed, and names the row."""

import psycopg
import pytest

from onecard.kernel.codes import Operation, Result
from onecard.ledger import audit, balances
from onecard.ledger.posting import post_book
from tests.ledger.town import DEBT, MONDAY, SHOP, Town

BUY = Operation.PURCHASE


def lively(town: Town) -> dict[str, int]:
    """Something of everything in the journal; returns the ids that the tampering below names."""
    someone, debtor, split = town.person(10_000), town.person(100), town.person(500, 300)
    ids = {"account": someone.account, "card": someone.card, "debtor": debtor.account}
    ids["purchase"] = town.post(BUY, someone, 1_250).transfer
    town.post(BUY, someone, 100)
    ids["seq"] = town.last_seq
    town.post(Operation.REFUND, someone, 60, orig=ids["seq"])
    ids["advice"] = town.post(Operation.ADVICE, debtor, 700).transfer
    ids["split"] = town.post(BUY, split, 600, order=3).transfer
    town.post(Operation.HOLD, someone, 400)
    town.post(Operation.HOLD, someone, 500)
    town.post(Operation.COMMIT, someone, 300, orig=town.last_seq)
    post_book(town.app, -2, key_seq=[1], kind=[21], debit=[SHOP], credit=[DEBT + 5], amount=[100], business_date=MONDAY)
    balances.checkpoint(town.app)
    ids["after"] = town.post(BUY, someone, 77).transfer
    return ids


TAMPERING = [
    # what is done to the database, the invariants that must notice, and the row that the first of them names
    ("UPDATE ledger.transfer SET amount_fen = 1 WHERE id = {purchase}", {"A5", "A7", "A8"}, "/{account_purse}"),
    ("UPDATE ledger.transfer SET terminal_id = 5 WHERE id = {purchase}", {"A5", "A8"}, "batch 0/"),
    ("UPDATE ledger.transfer SET occurred_at = occurred_at + interval '1 us' WHERE id = {after}", {"A5"}, "transfers {after}"),
    ("UPDATE ledger.transfer SET balance_after = 1 WHERE id = {after}", {"A5", "A7"}, "transfers {after}"),
    ("UPDATE ledger.transfer SET credit = credit + 1 WHERE id = {purchase}", {"A5", "A11"}, "batch 0/"),
    ("UPDATE ledger.transfer SET credit = credit + 1 WHERE id = {after}", {"A5"}, "transfers {after}"),
    ("DELETE FROM ledger.transfer WHERE id = {after}", {"A5", "A7", "A8"}, "{account}/0"),
    ("DELETE FROM ledger.transfer WHERE link_id = {split} AND id > {split}", {"A4", "A5", "A7", "A8"}, "purse "),
    ("DELETE FROM ledger.posting_batch WHERE lane = 0 AND batch_no = 3", {"A5", "A6"}, "batch 0/4"),
    ("UPDATE ledger.posting_batch SET hash = sha256('x') WHERE lane = 0 AND batch_no = 3", {"A5"}, "batch 0/3"),
    ("UPDATE ledger.posting_batch SET row_count = 9 WHERE lane = 0 AND batch_no = 3", {"A5"}, "batch 0/3"),
    ("UPDATE ledger.lane SET last_hash = sha256('x') WHERE lane = 0", {"A5"}, "lane 0"),
    (
        "UPDATE ledger.purse SET balance_fen = balance_fen + 1 WHERE account_no = {account}",
        {"A1", "A2", "A7"},
        "purse {account}/0",
    ),
    (
        "ALTER TABLE ledger.purse DROP CONSTRAINT purse_check;"
        " UPDATE ledger.purse SET floor_fen = 0, balance_fen = -1 WHERE account_no = {account}",
        {"A1", "A2", "A3", "A7"},
        "purse {account}/0",
    ),
    ("UPDATE ledger.account SET debt_fen = 0 WHERE account_no = {debtor}", {"A9"}, "account {debtor}"),
    ("UPDATE ledger.card SET denied = false WHERE account_no = {debtor}", {"A9"}, "card "),
    ("DELETE FROM ledger.deny_list", {"A9"}, "card "),
    ("DELETE FROM ledger.posting_key WHERE terminal_seq = {seq} AND terminal_id = 4711", {"A8"}, "transfer 0/"),
    ("UPDATE ledger.posting_key SET amount_fen = 1 WHERE terminal_seq = {seq} AND terminal_id = 4711", {"A8"}, "transfer 0/"),
    ("UPDATE ledger.hold SET amount_fen = 1 WHERE state = 1", {"A10"}, "book account 700000001"),
    (
        "UPDATE ledger.checkpoint SET balance_fen = balance_fen + 1 WHERE account_id = 100000001 AND lane = 0",
        {"A2", "A11"},
        "all purses",
    ),
    ("UPDATE ledger.card SET card_type_id = 2 WHERE card_no = {card}", {"A13"}, "card {card}"),
]


@pytest.fixture(scope="module")
def prepared(town: Town) -> dict[str, int]:
    ids = lively(town)
    town.audit()
    return ids


@pytest.mark.parametrize(("change", "broken", "place"), TAMPERING, ids=[change[:70] for change, _, _ in TAMPERING])
def test_tampering_is_found_and_named(town: Town, prepared: dict[str, int], change: str, broken: set[str], place: str) -> None:
    named = place.format(**prepared, account_purse="") if place != "/{account_purse}" else ""
    with town.admin.transaction(force_rollback=True):
        # As whoever has every right would: the triggers that refuse changes to the journal are switched off.
        town.admin.execute("SET LOCAL session_replication_role = replica")
        town.admin.execute(change.format(**prepared))  # type: ignore[arg-type]
        report = audit.run(town.admin)
        assert not report.ok
        assert broken <= {check.number for check in report.failures}
        assert report.failures[0].finding is not None
        assert named in report.failures[0].finding.place, report.first_failure
    assert audit.run(town.admin).ok


def test_a_forged_transfer_that_balances_is_found(town: Town, prepared: dict[str, int]) -> None:
    """An insider adds a top-up, purse, chain and all, but cannot make the batch that it should be in."""
    with town.admin.transaction(force_rollback=True):
        town.admin.execute(
            """INSERT INTO ledger.transfer
               SELECT id + 1, 500000001, account_no * 100000, 1000, balance_after + 1000, id, 4711, 424242, card_no, account_no,
                      NULL, NULL, batch_no, occurred_at, business_date, issuer_operator, lane, 3
                 FROM ledger.transfer WHERE id = %(after)s""",
            prepared,
        )
        town.admin.execute(
            """UPDATE ledger.purse SET balance_fen = balance_fen + 1000, seq = seq + 1, last_transfer_id = %(after)s + 1
                WHERE account_no = %(account)s""",
            prepared,
        )
        report = audit.run(town.admin)
        assert {"A5", "A8"} <= {check.number for check in report.failures}


def test_quick_audit_reads_on_from_the_mark_and_finds_what_came_after(town: Town, prepared: dict[str, int]) -> None:
    town.audit()
    someone = town.person(1_000)
    fresh = town.post(BUY, someone, 10).transfer
    with town.admin.transaction(force_rollback=True):
        town.admin.execute("SET LOCAL session_replication_role = replica")
        town.admin.execute("UPDATE ledger.transfer SET amount_fen = 11 WHERE id = %s", (fresh,))
        report = audit.run(town.admin, full=False)
        assert report.first_failure is not None
        assert {"A5", "A7", "A8"} <= {check.number for check in report.failures}
        assert str(fresh) in "".join(map(str, report.failures))
    assert audit.run(town.app, full=False).ok


def test_an_audit_that_found_something_leaves_no_mark(town: Town, prepared: dict[str, int]) -> None:
    marks = town.app.execute("SELECT * FROM ledger.audit_mark ORDER BY lane").fetchall()
    town.post(BUY, town.person(), 10)
    with town.admin.transaction(force_rollback=True):
        town.admin.execute("UPDATE ledger.purse SET balance_fen = balance_fen + 1 WHERE account_no = %s", (prepared["account"],))
        assert not audit.run(town.admin).ok
        assert town.admin.execute("SELECT * FROM ledger.audit_mark ORDER BY lane").fetchall() == marks


@pytest.mark.parametrize("table", ["transfer", "posting_batch"])
@pytest.mark.parametrize("change", ["UPDATE ledger.{} SET lane = lane", "DELETE FROM ledger.{}", "TRUNCATE ledger.{}"])
def test_nobody_changes_the_journal_not_even_the_owner(town: Town, prepared: dict[str, int], table: str, change: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation, match="append only"):
        town.admin.execute(change.format(table))  # type: ignore[arg-type]


def test_a_partition_is_as_closed_as_the_whole_journal(town: Town, prepared: dict[str, int]) -> None:
    row = town.app.execute("SELECT tableoid::regclass::text FROM ledger.transfer LIMIT 1").fetchone()
    assert row is not None
    for change in ("UPDATE {} SET lane = lane", "DELETE FROM {}", "TRUNCATE {}"):
        with pytest.raises(psycopg.errors.RestrictViolation, match="append only"):
            town.admin.execute(change.format(row[0]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO ledger.transfer SELECT * FROM ledger.transfer LIMIT 0",
        "UPDATE ledger.transfer SET lane = lane",
        "DELETE FROM ledger.transfer",
        "UPDATE ledger.purse SET balance_fen = 1",
        "INSERT INTO ledger.purse (account_no) VALUES (1)",
        "DELETE FROM ledger.posting_key",
        "UPDATE ledger.posting_key SET code = 0",
        "UPDATE ledger.account SET debt_fen = 0",
        "UPDATE ledger.card SET denied = false",
        "UPDATE ledger.lane SET last_id = 0",
        "DELETE FROM ledger.posting_batch",
        "UPDATE ledger.hold SET amount_fen = 0",
        "DELETE FROM ledger.deny_list",
        "UPDATE ledger.checkpoint SET balance_fen = 0",
        "UPDATE ledger.audit_mark SET through_id = 0",
        "UPDATE ledger.issuer SET unified = true",
        "INSERT INTO ledger.issuer VALUES (77, true)",
        "UPDATE ledger.card_type SET limit_day_fen = 0",
        "INSERT INTO ledger.card_type VALUES (77, 0, 0, 0, 0)",
        "UPDATE ledger.book_account SET name = ''",
        "DELETE FROM ledger.book_account",
        "TRUNCATE ledger.transfer",
        "UPDATE ledger.quarantine SET amount_fen = 0",
        "DELETE FROM ledger.opening_row",
        "SELECT ledger.lock_lane(1::smallint)",
        "SELECT ledger.post_special(NULL, 1, 9::smallint, 1, 1, 1, 1, 1, 1, 1, now(), now()::date, 0::smallint, 1, 1)",
        "SELECT ledger.change_debt(1, 1)",
        "SELECT ledger.post_legs('{}', NULL, 1)",
        "SELECT ledger.chain_batch(NULL, 1)",
        "CREATE TABLE ledger.mine (x int)",
    ],
)
def test_the_application_changes_no_money_but_by_the_functions(town: Town, change: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        town.app.execute(change)  # type: ignore[arg-type]


def test_a_refused_answer_still_counts_as_posted(town: Town) -> None:
    assert town.post(BUY, town.person(0), 1).code == Result.INSUFFICIENT_FUNDS
    town.audit()
