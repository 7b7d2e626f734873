"""One number, several records: repeats, conflicts, reversals that cross, and what the platform says of what was decided here."""

import asyncio
import sqlite3
from dataclasses import replace

import pytest

from onecard.fep import book, desk, intake, schema
from onecard.fep.desk import Effects, Moment
from onecard.fep.intake import Intake
from onecard.fep.journal import Journal
from onecard.fep.lists import Lists, read_deny_list
from onecard.fep.numbers import Numbers
from onecard.fep.records import Answer, Asked
from onecard.kernel.codes import Operation, Result
from onecard.kernel.numbers import build_card_no
from onecard.protocol.cardset import build_card_set
from onecard.protocol.lease import Step
from onecard.protocol.offline import CardTypeRule, TerminalRule
from tests.fep.unit import CARD, rules

OTHER = build_card_no(issuer=1000, lane=1, serial=3)
A, P, R, H, C = Operation.ADVICE, Operation.PURCHASE, Operation.REVERSAL, Operation.HOLD, Operation.COMMIT
CHIP = Operation.CHIP_PURCHASE
HOUR = 3600 * 1_000_000
NIGHT = 1_795_000_000_000_000 // (24 * HOUR) * (24 * HOUR) + 16 * HOUR - 60_000_000
"""A minute before midnight in Shanghai."""


def asked(op: Operation, seq: int, fen: int = 100, *, card: int = CARD, orig: int = 0, at: int = NIGHT, **more: bytes) -> Asked:
    return Asked(int(op), 71, seq, card, fen, at, 0, orig, **more)


def moment(now_us: int = NIGHT, **changed: object) -> Moment:
    return Moment(now_us=now_us, lists=Lists(rules(**changed), None, read_deny_list(build_card_set((), version=1))), step=Step.OK)


class Above:
    """A platform that answers as planned: seconds it takes, and its answer."""

    def __init__(self) -> None:
        self.plan: list[tuple[float, int]] = []
        self.sent: list[Asked] = []

    async def ask(self, rows, *, within_s):
        self.sent += rows
        delay, code = self.plan.pop(0)
        try:
            async with asyncio.timeout(min(within_s, 0.3)):
                await asyncio.sleep(delay)
        except TimeoutError:
            return None
        return [Answer(code) for _ in rows]


class Front:
    """An intake on a journal, with a planned platform above."""

    def __init__(self, journal: Journal) -> None:
        self.journal, self.above, self.is_up, self.now = journal, Above(), True, moment()
        numbers = Numbers(journal)
        self.intake = Intake(
            journal, self.above, numbers, moment=lambda: self.now, is_up=lambda: self.is_up,
            on_queued=lambda queued: None, on_tap=lambda card: None,
        )  # fmt: skip

    async def ask(self, op: Operation, seq: int, fen: int = 100, **more) -> int:
        done = asyncio.get_running_loop().create_future()
        self.intake._take([asked(op, seq, fen, **more)], done.set_result, numbered=False)
        return (await done)[0].code

    async def read(self, sql: str) -> list[tuple]:
        return await self.journal.run(lambda db: db.execute(sql).fetchall())

    async def queued(self) -> list[tuple]:
        return await self.read("SELECT op, terminal_seq, card_no, amount_fen FROM record ORDER BY place")


@pytest.fixture
async def journal(tmp_path):
    made = Journal(tmp_path / "journal.db")
    yield made
    made.close()


@pytest.fixture
def front(journal):
    return Front(journal)


@pytest.fixture
def serve(journal):
    """One record at the desk; its code."""

    async def serve_one(one: Asked, at: Moment | None = None, *, in_doubt: bool = False) -> int:
        run = journal.run(lambda db: desk.serve(db, one, at or moment(), Effects(), in_doubt=in_doubt))
        return (await run).code

    return serve_one


# what has been sold


async def test_a_sale_made_off_line_after_a_refusal_goes_up(front):
    front.above.plan = [(0, Result.INSUFFICIENT_FUNDS)]
    assert await front.ask(P, 9) == Result.INSUFFICIENT_FUNDS
    front.is_up = False
    assert await front.ask(A, 9) == Result.APPROVED
    assert await front.queued() == [(A, 9, CARD, 100)]


async def test_the_advice_of_a_purchase_approved_here_is_that_purchase(front):
    front.is_up = False
    assert [await front.ask(op, 1) for op in (P, A, P)] == [Result.APPROVED] * 3
    assert await front.queued() == [(A, 1, CARD, 100)]


async def test_an_advice_of_other_content_under_a_used_number_goes_up_once(front):
    front.is_up = False
    assert await front.ask(P, 1) == Result.APPROVED
    for _ in range(2):
        assert await front.ask(A, 1, 700, card=OTHER) == Result.APPROVED
    assert await front.ask(P, 1, 700, card=OTHER) == Result.KEY_CONFLICT
    assert await front.queued() == [(A, 1, CARD, 100), (A, 1, OTHER, 700)]


async def test_with_the_line_up_such_an_advice_is_the_platforms_to_decide(front):
    front.is_up = False
    assert await front.ask(P, 1) == Result.APPROVED
    front.is_up = True
    front.intake.waiting.clear()  # the upload has been
    front.above.plan = [(0, Result.KEY_CONFLICT), (0, Result.KEY_CONFLICT)]
    assert await front.ask(A, 1, 700, card=OTHER) == Result.KEY_CONFLICT
    assert [one.card_no for one in front.above.sent] == [OTHER]
    assert await front.ask(P, 1) == Result.APPROVED  # and its conflict is not taken for the answer to the first


async def test_an_advice_of_another_moment_is_another_sale(front):
    front.is_up = False
    for at in (NIGHT, NIGHT, NIGHT + 1):
        assert await front.ask(A, 1, at=at) == Result.APPROVED
    rows = await front.read("SELECT occurred_at_us FROM record")
    assert rows == [(NIGHT,), (NIGHT + 1,)]


async def test_two_chip_sales_that_differ_in_the_chip_alone_both_go_up(front):
    front.is_up = False
    for chip in (b"one", b"one", b"two"):
        assert await front.ask(CHIP, 1, chip=chip) == Result.APPROVED
    assert await front.read("SELECT chip FROM record") == [(b"one",), (b"two",)]


async def test_a_question_asked_again_a_day_later_is_a_number_used_again(front):
    front.is_up = False
    assert await front.ask(P, 1) == Result.APPROVED
    assert await front.ask(P, 1, at=NIGHT + 20 * HOUR) == Result.APPROVED
    assert await front.ask(P, 1, at=NIGHT + 25 * HOUR) == Result.KEY_CONFLICT


# what crosses on the line


async def test_a_refusal_that_comes_after_an_approval_here_is_not_handed_out(front):
    front.above.plan = [(5, 0), (0.25, Result.INSUFFICIENT_FUNDS)]
    first = asyncio.create_task(front.ask(P, 1))
    await asyncio.sleep(0.15)
    second = asyncio.create_task(front.ask(P, 1))  # the terminal has connected anew
    assert (await first, await second) == (Result.APPROVED, Result.APPROVED)
    assert await front.queued() == [(A, 1, CARD, 100)]


@pytest.mark.parametrize("op", [P, H])
async def test_a_purchase_whose_reversal_the_platform_has_answered_is_not_approved_afterwards(front, op):
    front.above.plan = [(5, 0), (0, Result.APPROVED)]
    first = asyncio.create_task(front.ask(op, 1))
    await asyncio.sleep(0.1)
    assert await front.ask(R, 1) == Result.APPROVED
    assert await first == Result.REVERSED
    assert await front.queued() == await front.read("SELECT * FROM hold") == await front.read("SELECT * FROM spent") == []


@pytest.mark.parametrize("op", [P, H])
async def test_a_reversal_answered_just_after_the_approval_here_frees_the_limit(front, op):
    front.above.plan = [(5, 0), (0.25, Result.APPROVED)]
    first = asyncio.create_task(front.ask(op, 1))
    await asyncio.sleep(0.15)
    undone = asyncio.create_task(front.ask(R, 1))
    assert (await first, await undone) == (Result.APPROVED, Result.APPROVED)
    assert await front.read("SELECT fen, count FROM spent") == [(0, 0)]
    assert await front.read("SELECT 1 FROM hold WHERE state = 0") == []


async def test_a_number_passed_on_long_ago_is_not_refused_in_so_many_words(front, monkeypatch):
    monkeypatch.setattr(intake, "_RECENT", 2)
    front.above.plan = [(0, Result.APPROVED)] * 4
    for seq in range(1, 5):
        await front.ask(P, seq)
    front.is_up = False
    front.now = replace(front.now, takes_sales=False)
    assert [await front.ask(P, seq) for seq in (1, 4, 5)] == [Result.UNAVAILABLE, Result.APPROVED, Result.BUSY]


# holds


async def test_the_end_of_a_hold_is_booked_to_the_day_it_was_given_on(serve):
    day_two = moment(NIGHT + 180_000_000, unknown_card=CardTypeRule(offline=True, per_day_fen=20_000))
    assert await serve(asked(H, 1, 5000)) == Result.APPROVED
    assert await serve(asked(H, 2, 5000)) == Result.APPROVED
    assert await serve(asked(P, 3, 15_000), day_two) == Result.APPROVED
    assert await serve(asked(C, 4, 100, orig=1), day_two) == Result.APPROVED
    assert await serve(asked(R, 2, 5000), day_two) == Result.APPROVED
    assert await serve(asked(P, 5, 5001), day_two) == Result.LIMIT_DAY
    assert await serve(asked(P, 6, 5000), day_two) == Result.APPROVED


async def test_a_hold_with_a_payment_code_is_not_given_off_line(serve, journal):
    assert await serve(asked(H, 1, pay_code=b"code")) == Result.UNAVAILABLE
    assert await journal.run(lambda db: db.execute("SELECT * FROM hold").fetchall()) == []


@pytest.mark.parametrize("said", [500, 0])
async def test_both_reversals_of_a_hold_in_doubt_say_the_same(serve, journal, said):
    assert await serve(asked(H, 1, 500), in_doubt=True) == Result.APPROVED
    assert await serve(asked(R, 1, said)) == Result.APPROVED
    rows = await journal.run(lambda db: db.execute("SELECT op, amount_fen FROM record").fetchall())
    assert rows == [(R, 500), (R, 500)]


async def test_open_holds_count_to_what_a_terminal_may_owe(serve):
    limited = moment(any_terminal=TerminalRule(total_fen=1000))
    assert await serve(asked(H, 1, 800), limited) == Result.APPROVED
    assert await serve(asked(H, 2, 800), limited) == Result.BUSY
    assert await serve(asked(C, 3, 100, orig=1), limited) == Result.APPROVED
    assert await serve(asked(H, 4, 900), limited) == Result.APPROVED
    later = replace(limited, now_us=NIGHT + 25 * HOUR)  # a hold nobody ever ended does not close the terminal for good
    assert await serve(asked(P, 5, 900, at=later.now_us), later) == Result.APPROVED


# reversals


@pytest.mark.parametrize("op", [P, H])
async def test_a_reversal_that_names_another_card_or_amount_frees_nothing(serve, journal, op):
    assert await serve(asked(op, 1, 500)) == Result.APPROVED
    assert await serve(asked(P, 2, 500, card=OTHER)) == Result.APPROVED
    assert await serve(asked(R, 1, 500, card=OTHER)) == Result.APPROVED
    spent = await journal.run(lambda db: db.execute("SELECT card_no, fen FROM spent ORDER BY card_no").fetchall())
    assert spent == sorted([(CARD, 500), (OTHER, 500)])
    assert await serve(asked(op, 1, 500)) == Result.APPROVED  # the ledger has not undone it either
    assert await serve(asked(R, 2, 400, card=OTHER)) == Result.APPROVED
    assert await journal.run(lambda db: db.execute("SELECT sum(fen) FROM spent").fetchone()) == (1000,)


# journals of before


async def test_a_journal_of_before_opens_and_its_repeats_and_holds_go_on(tmp_path):
    path = tmp_path / "journal.db"
    old = schema.TABLES.replace(", occurred_at_us INTEGER,\n", ",\n").replace(", given_at_us INTEGER,\n", ",\n")
    with sqlite3.connect(path) as db:
        db.executescript(old)
        db.execute("INSERT INTO answered VALUES (71, 1, 0, 1, ?, 100, 0, 0, 0, ?, NULL)", (CARD, NIGHT))
        db.execute("INSERT INTO answered VALUES (71, 2, 0, 2, ?, 100, 0, 0, 0, ?, NULL)", (CARD, NIGHT))
        db.execute("INSERT INTO hold VALUES (71, 3, ?, 500, ?, 0)", (CARD, NIGHT))
    db.close()
    journal = Journal(path)
    front = Front(journal)
    front.is_up = False
    assert await front.ask(P, 1) == Result.APPROVED
    assert await front.queued() == []
    assert await front.ask(A, 2) == Result.APPROVED
    assert await front.queued() == [(A, 2, CARD, 100)]  # nobody knows its time: the ledger tells whether it is the same
    assert await front.ask(C, 4, 400, orig=3) == Result.APPROVED
    assert book.find_hold(journal._db, 71, 3).is_ended
    journal.close()
    Journal(path).close()
