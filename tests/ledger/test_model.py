"""Random sequences of records against a slow model in Python: every answer, purse, book and debt, and the auditor at the end.

Hypothesis prints the sequence it has shrunk a failure to, and a blob that repeats it (`@reproduce_failure`).
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onecard.kernel.codes import Operation as Op
from onecard.kernel.codes import Result
from onecard.ledger import audit
from onecard.ledger.accounts import BookKind, book_id
from onecard.ledger.codes import HoldState
from tests.ledger.bank import DAY, Account, Bank, Record
from tests.ledger.conftest import Shared
from tests.ledger.model import Holder, Model, Place

STRANGER = 4
OPERATIONS = (
    [Op.PURCHASE] * 4 + [Op.ADVICE] * 4 + [Op.TOPUP] * 3 + [Op.HOLD] * 3 + [Op.COMMIT] * 3 + [Op.RELEASE] * 2 + [Op.VOID] * 2
    + [Op.REFUND] * 4 + [Op.REVERSAL] * 2
)  # fmt: skip
FOLLOWED = {
    Op.COMMIT: (Op.HOLD,), Op.RELEASE: (Op.HOLD,), Op.VOID: (Op.PURCHASE, Op.ADVICE, Op.COMMIT),
    Op.REFUND: (Op.PURCHASE, Op.ADVICE, Op.COMMIT), Op.REVERSAL: tuple(Op),
}  # fmt: skip
OTHER_FORM = {Op.PURCHASE: Op.ADVICE, Op.ADVICE: Op.PURCHASE}


@dataclass(frozen=True)
class Step:
    """A record to be made; what it follows is the `target`th of the fitting records so far, counted from the newest."""

    op: Op
    who: int
    amount: int
    order: int
    shop: int
    day: int
    target: int
    twist: str


STEPS = st.builds(
    Step,
    op=st.sampled_from(OPERATIONS),
    who=st.sampled_from([0, 0, 1, 2, 3, 0, 1, 2, STRANGER]),
    amount=st.one_of(st.integers(1, 300), st.integers(1, 20), st.integers(0, 900), st.just(-1)),
    order=st.integers(1, 4),
    shop=st.integers(0, 1),
    day=st.sampled_from([0, 0, 0, 1]),
    target=st.integers(0, 30),
    twist=st.sampled_from(
        [""] * 12 + ["again", "altered", "misfit", "early reversal", "late original", "other form", "expire", "expire"]
    ),
)


@dataclass
class Play:
    """A sequence under way: the bank, the model and what was sent so far."""

    bank: Bank
    accounts: list[Account]
    model: Model
    sent: list[Record] = field(default_factory=list)
    unsent: list[Record] = field(default_factory=list)

    def record(self, step: Step) -> Record:
        made = self._record(step)
        self.sent.append(made)
        return made

    def expire(self, step: Step) -> None:
        """Ends a hold between the two days of the steps: what is dated on the first was in time."""
        found = [r for r in self.sent if self.model.holds.get(r.seq) and self.model.holds[r.seq].state == "open"]
        if found:
            hold, swept = found[-1 - step.target % len(found)], step.amount % 2 == 0
            ends = datetime.combine(DAY + timedelta(days=1), time(), tzinfo=UTC)
            self.model.expire(hold.seq, ends, swept=swept)
            self.bank.expire(hold, ends, swept=swept)

    def _record(self, step: Step) -> Record:
        bank, account = self.bank, self.accounts[min(step.who, len(self.accounts) - 1)]
        values: dict[str, Any] = {"order": step.order, "day": DAY + timedelta(days=step.day)}
        if step.twist == "expire":
            self.expire(step)
        if step.who == STRANGER:
            values["card_no"] = 1001_01_999_999_999_0
        if step.op != Op.TOPUP:
            values["shop"] = (bank.shop, bank.other_shop)[step.shop]
        if step.twist == "again" and self.sent:
            return self.sent[step.target % len(self.sent)]
        if step.twist == "altered" and self.sent:
            return self.sent[step.target % len(self.sent)].but(amount=step.amount)
        sales = [r for r in self.sent if r.op in OTHER_FORM]
        if step.twist == "other form" and sales:
            sale = sales[-1 - step.target % len(sales)]
            return sale.but(op=OTHER_FORM[sale.op])
        if step.twist == "late original" and self.unsent:
            return self.unsent.pop()
        fitting = [r for r in self.sent if r.op in FOLLOWED.get(step.op, ()) and r.op != Op.REVERSAL]
        if step.op not in FOLLOWED or not fitting or step.twist == "early reversal":
            if step.op == Op.TOPUP:
                return bank.top_up(account, 3 * step.amount, **{**values, "order": 1 + step.order % 2})
            fresh = bank.record(step.op if step.op <= Op.HOLD else Op.PURCHASE, account, step.amount, **values)
            if step.twist != "early reversal":
                return fresh
            self.unsent.append(fresh)
            return bank.reversal(fresh)
        original = fitting[-1 - step.target % len(fitting)]
        if step.op == Op.REVERSAL:
            return bank.reversal(original)
        followed = bank.follow(step.op, original, step.amount)
        if step.op == Op.VOID:
            followed = followed.but(amount=0)
        if step.twist == "misfit":
            followed = followed.but(
                card_no=account.card_no, day=values["day"], merchant=book_id(BookKind.MERCHANT, bank.other_shop)
            )
        return followed

    def compare(self) -> None:
        """Every purse, book, debt, hold and deny list as the model has them."""
        bank, model = self.bank, self.model
        cards = {account.account_no: account for account in self.accounts}
        found: dict[Place, int] = {}
        query = "SELECT account_no, unit_id, balance_fen FROM ledger.purse WHERE account_no = ANY (%s)"
        for account_no, unit, fen in bank.rows(query, list(cards)):
            found[Place("purse", cards[account_no].card_no, unit)] = fen
        for operator in (bank.unified, bank.independent):
            found[Place("debt", operator)] = bank.book(BookKind.DEBT, operator)
            found[Place("hold", operator)] = bank.book(BookKind.HOLD, operator)
            number = book_id(BookKind.FUNDING, operator)
            found[Place("funding", number)] = bank.book(BookKind.FUNDING, operator)
        number = book_id(BookKind.UNIT_FUNDING, bank.unit)
        found[Place("funding", number)] = bank.book(BookKind.UNIT_FUNDING, bank.unit)
        for shop in (bank.shop, bank.other_shop):
            found[Place("shop", book_id(BookKind.MERCHANT, shop))] = bank.book(BookKind.MERCHANT, shop)
        assert _nonzero(found) == _nonzero(model.money), "purses and books"
        for account in self.accounts:
            assert bank.debt(account) == model.holders[account.card_no].owed
            assert bank.denied(account) == (model.holders[account.card_no].owed > 0)
        for seq, held in model.holds.items():
            state, amount, _ = bank.hold_state(next(r for r in self.sent if r.seq == seq))
            assert (HoldState(state).name.lower(), amount) == (held.state, held.amount)
        open_ones = bank.rows(
            "SELECT terminal_seq FROM ledger.quarantine WHERE terminal_id = %s AND resolved_at IS NULL", bank.terminal
        )
        assert {seq for (seq,) in open_ones} == {seq for seq, waits in model.quarantined.items() if waits}


def _nonzero(money: dict[Place, int]) -> dict[Place, int]:
    return {place: fen for place, fen in money.items() if fen}


def begin(bank: Bank) -> Play:
    """Four accounts: both purses and a limit, public only, of an independent operator, and without any purse."""
    day_limit = 800
    limited = bank.card_type(day=day_limit)
    accounts = [
        bank.account(500, 300, card_type=limited),
        bank.account(700),
        bank.account(100, 600, operator=bank.independent),
        bank.account(None),
    ]
    model = Model(
        [
            Holder(accounts[0].card_no, bank.unified, True, (0, bank.unit), day_limit),
            Holder(accounts[1].card_no, bank.unified, True, (0,)),
            Holder(accounts[2].card_no, bank.independent, False, (0, bank.unit)),
            Holder(accounts[3].card_no, bank.unified, True, ()),
        ]
    )
    for account, public, private in zip(accounts, (500, 700, 100, None), (300, None, 600, None), strict=True):
        for unit, fen, book in (
            (0, public, book_id(BookKind.FUNDING, account.operator_id)),
            (bank.unit, private, book_id(BookKind.UNIT_FUNDING, bank.unit)),
        ):
            if fen:
                model.money[Place("purse", account.card_no, unit)] += fen
                model.money[Place("funding", book)] -= fen
    return Play(bank, accounts, model)


def describe(record: Record) -> str:
    made = f"{Op(record.op).name} seq {record.seq} of {record.orig_seq}"
    return f"{made}, card …{record.card_no % 1000}, {record.amount} fen, order {record.order}"


@settings(
    max_examples=60, deadline=None, print_blob=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(batches=st.lists(st.lists(STEPS, min_size=1, max_size=4), min_size=3, max_size=14))
def test_the_ledger_does_what_the_model_does(shared: Shared, batches: list[list[Step]]) -> None:
    bank = shared.bank()
    play = begin(bank)
    story: list[str] = []
    for batch in batches:
        records = [play.record(step) for step in batch]
        expected = [play.model.post(record) for record in records]
        answers = bank.post_all(*records)
        story += [f"{describe(r)} -> {a.code.name}" for r, a in zip(records, answers, strict=True)]
        assert [a.code for a in answers] == expected, "\n".join([*story, f"expected {[Result(code).name for code in expected]}"])
    try:
        play.compare()
        report = audit.run(bank.app, full=False)
        assert report.ok, report.first_failure
    except AssertionError as difference:
        raise AssertionError("\n".join([*story, str(difference)])) from difference


def is_late(play: Play, record: Record) -> bool:
    """A commit that came up after its hold's money had gone back."""
    return record.op == Op.COMMIT and play.model.keys[record.seq].legs[0].source.kind != "hold"


@pytest.mark.parametrize("seed", range(2))
def test_a_long_sequence_ends_as_the_model_does(shared: Shared, seed: int) -> None:
    draw = random.Random(seed)
    play = begin(shared.bank())
    approved: Counter[Op] = Counter()
    late = 0
    twists = [""] * 8 + ["again", "altered", "early reversal", "late original", "expire"]
    for turn in range(250):
        steps = [
            Step(
                draw.choice(OPERATIONS), draw.choice([0, 1, 2, 3]), draw.randint(1, 250), draw.randint(1, 4), draw.randint(0, 1),
                draw.choice([0, 0, 1]), draw.choice([0, 0, 1, 2, 3, 50]), draw.choice(twists),
            )
            for _ in range(draw.randint(1, 6))
        ]  # fmt: skip
        records = [play.record(step) for step in steps]
        expected = [play.model.post(record) for record in records]
        assert [a.code for a in play.bank.post_all(*records)] == expected, f"seed {seed}"
        approved.update(Op(r.op) for r, code in zip(records, expected, strict=True) if code == Result.APPROVED)
        late += sum(is_late(play, r) for r, code in zip(records, expected, strict=True) if code == Result.APPROVED)
        if turn % 10 == 9:
            play.compare()
    others = {Op.BALANCE, Op.CHIP_PURCHASE}  # the one posts nothing, the other goes its own way (tests/chip)
    assert all(approved[op] >= 3 for op in set(Op) - others), f"seed {seed} tries too little: {approved}"
    assert late > 0, f"seed {seed} commits no hold after its end"
