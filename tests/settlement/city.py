"""A small city for settlement's tests: operators, merchants and holders by name, and records posted by the ledger itself."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

import psycopg

from onecard.kernel.numbers import build_account_no, build_card_no
from onecard.services.operators.models import CardType, Merchant, Operator, Unit

PURCHASE, ADVICE, TOPUP, HOLD, COMMIT, RELEASE, VOID, REFUND, REVERSAL = range(1, 10)
DAY = date(2026, 3, 2)
_POST = "SELECT * FROM ledger.post_batch(%s::smallint" + ", %s::bigint[]" * 14 + ")"


@dataclass(frozen=True)
class Holder:
    account_no: int
    card_no: int
    lane: int
    operator_id: int


@dataclass(frozen=True)
class Record:
    """A record that was sent; what a refund or reversal names."""

    terminal: int
    seq: int
    holder: Holder
    merchant: Merchant | None
    amount: int


@dataclass
class City:
    """Builds the directory through Django and posts through `ledger.post_batch` on a connection of its own."""

    dsn: str
    operators: dict[str, Operator] = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)
    merchants: dict[str, Merchant] = field(default_factory=dict)
    _serial: int = 0
    _seqs: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self.ledger = psycopg.connect(self.dsn, autocommit=True)
        self.card_type = CardType.objects.create(code="T", name="普通卡")

    def close(self) -> None:
        self.ledger.close()

    def operator(self, code: str, *, mode: str = "unified") -> Operator:
        made = Operator.objects.create(
            code=code, name=f"{code}运营", parent=self.operators.get("root"), settlement_mode=mode, holder_cap=1_000_000
        )
        self.operators[code] = made
        return made

    def unit(self, code: str, operator: str) -> Unit:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        made = Unit.objects.create(
            operator=self.operators[operator],
            code=code,
            name=f"{code}单位",
            state="active",
            valid_from=at,
            valid_until=at.replace(year=2036),
        )
        self.units[code] = made
        return made

    def merchant(
        self, name: str, *, unit: str | None = None, operator: str | None = None, per_mille: int = 0, per_item: int = 0
    ) -> Merchant:
        owner = self.units[unit].operator if unit else self.operators[operator or "root"]
        made = Merchant.objects.create(
            name=name,
            unit=self.units[unit] if unit else None,
            operator=owner,
            public=unit is None,
            fee_per_mille=per_mille,
            fee_per_item_fen=per_item,
        )
        self.merchants[name] = made
        return made

    def holder(
        self, operator: str, *, public: int | None = 1_000_000, unit: str | None = None, private: int = 0, lane: int = 1
    ) -> Holder:
        self._serial += 1
        account = build_account_no(lane=lane, serial=self._serial)
        made = Holder(account, build_card_no(issuer=1001, lane=lane, serial=self._serial), lane, self.operators[operator].pk)
        private_unit = self.units[unit].pk if unit else None
        self.ledger.execute(
            "SELECT ledger.open_account(%s, %s, %s, %s, NULL, %s, %s, %s, %s)",
            (
                account,
                made.card_no,
                made.operator_id,
                self.card_type.pk,
                private_unit or 0,
                public,
                private_unit,
                private if unit else None,
            ),
        )
        return made

    def pay(
        self, holder: Holder, merchant: str, amount: int, *, op: int = PURCHASE, order: int = 1, on: date = DAY, terminal: int = 0
    ) -> Record:
        to = self.merchants[merchant]
        return self._post(op, holder, to, amount, order=order, on=on, terminal=terminal or 10_000 + to.pk)

    def top_up(self, holder: Holder, amount: int, *, on: date = DAY, terminal: int = 99) -> Record:
        return self._post(TOPUP, holder, None, amount, on=on, terminal=terminal)

    def expired_hold(self, holder: Holder, merchant: str, amount: int, *, order: int = 1) -> Record:
        """A hold whose time ran out at once, after `DAY`, and whose money is back in the purse."""
        self.ledger.execute("UPDATE ledger.parameter SET hold_ttl = '1 microsecond'")
        try:
            made = self.pay(holder, merchant, amount, op=HOLD, order=order)
        finally:
            self.ledger.execute("UPDATE ledger.parameter SET hold_ttl = '24 hours'")
        assert self.ledger.execute("SELECT ledger.expire_holds(%s::smallint)", [holder.lane]).fetchone() == (1,)
        return made

    def follow(self, record: Record, op: int, amount: int, *, on: date = DAY) -> Record:
        """A commit, release, void or refund of `record`."""
        return self._post(op, record.holder, record.merchant, amount, on=on, terminal=record.terminal, original=record)

    def reverse(self, record: Record, *, on: date = DAY) -> Record:
        return self._post(
            REVERSAL, record.holder, record.merchant, record.amount, on=on, terminal=record.terminal, seq=record.seq
        )

    def _post(
        self, op: int, holder: Holder, merchant: Merchant | None, amount: int, *, terminal: int, on: date, order: int = 1,
        original: Record | None = None, seq: int = 0,
    ) -> Record:  # fmt: skip
        if not seq:
            self._seqs[terminal] += 1
            seq = self._seqs[terminal]
        book = 100_000_000 + merchant.pk if merchant else 500_000_000 + holder.operator_id
        unit = (merchant.unit_id or 0) if merchant else 0
        at = int(datetime.combine(on, time(12), tzinfo=UTC).timestamp()) * 1_000_000
        row: list[Any] = [
            op, terminal, seq, holder.card_no, book, unit, order, amount, at, (on - date(2000, 1, 1)).days, 0,
            original.terminal if original else 0, original.seq if original else 0, 0,
        ]  # fmt: skip
        answer = self.ledger.execute(_POST, [holder.lane, *([value] for value in row)]).fetchone()
        assert answer is not None
        assert answer[0] == [0], f"refused: {answer[0]}"
        return Record(terminal, seq, holder, merchant, amount)

    def balance(self, kind: int, ref: int) -> int:
        """A book account's balance, summed from the journal by itself."""
        account = kind * 100_000_000 + ref
        row = self.ledger.execute(
            "SELECT coalesce(sum(CASE WHEN credit = %(a)s THEN amount_fen ELSE -amount_fen END), 0)::bigint FROM ledger.transfer"
            " WHERE credit = %(a)s OR debit = %(a)s",
            {"a": account},
        ).fetchone()
        assert row is not None
        return int(row[0])

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.ledger.execute(query, parameters or None).fetchall()
