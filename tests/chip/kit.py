"""Chips, SAMs and a vault in memory: what the service is tested with. Keys are random; the cryptography is protocol.purse."""

import itertools
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from onecard.kernel.clock import from_epoch_us, to_epoch_us
from onecard.kernel.errors import NotFound
from onecard.kernel.numbers import build_account_no, build_card_no
from onecard.ledger.accounts import BookKind, book_id
from onecard.ledger.opening import AccountRow, open_accounts
from onecard.protocol.purse import proofs
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.diversify import area_factor, card_factor, diversify_path
from onecard.services.chip.intake import Taken, take_in
from onecard.services.chip.loads import LoadChecks, LoadReply, LoadRequest, Step, load_step
from onecard.services.chip.records import ChipRecord
from onecard.services.chip.verify import Checks
from tests.support.postgres import TestDatabase

UNIFIED, INDEPENDENT = 1, 2
CARD_TYPE = 1
TERMINAL, OTHER_TERMINAL = 501, 502
SAM, OTHER_SAM = 0x1001, 0x1002
SHOP = book_id(BookKind.MERCHANT, 1)
NOW = datetime(2026, 5, 4, 4, 0, tzinfo=UTC)
DAY = (date(2026, 5, 4) - date(2000, 1, 1)).days
_serials = itertools.count(1)
_sequences = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Sam:
    """A SAM as `sams` tells of it."""

    terminal_id: int
    in_order: bool = True

    def works_in(self, terminal_id: int) -> bool:
        return self.in_order and self.terminal_id == terminal_id


@dataclass
class MemoryVault:
    """Roots of two uses in version 1, both algorithms."""

    tac_root: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    load_root: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    locked: Exception | None = None
    asked: int = 0

    def card_key(self, root: bytes, algorithm: int, operator: int, card: int) -> bytes:
        return diversify_path(Algorithm(algorithm), root, [area_factor(operator), card_factor(card)])

    def tac(self, record: ChipRecord, operator: int) -> int:
        key = self.card_key(self.tac_root, record.algorithm, operator, record.card_no)
        return int.from_bytes(proofs.tac(Algorithm(record.algorithm), key, record.tac_data()), "big")

    def tacs(
        self, *, operator_id: Any, card_no: Any, key_version: Any, algorithm: Any, data: Any, tac: Any, sam_no: Any
    ) -> list[int]:
        if self.locked:
            raise self.locked
        verdicts = []
        for operator, card, version, alg, plain, value in zip(
            operator_id, card_no, key_version, algorithm, data, tac, strict=True
        ):
            right = proofs.tac(Algorithm(alg), self.card_key(self.tac_root, alg, operator, card), plain)
            verdicts.append(2 if version != 1 else int(int.from_bytes(right, "big") != value))
        self.asked += len(verdicts)
        return verdicts

    def _session(self, card: tuple[int, int], load: proofs.Load, random: bytes, version: int, algorithm: int) -> bytes:
        if self.locked:
            raise self.locked
        if version != 1:
            raise NotFound("无此密钥", "no such key")
        key = self.card_key(self.load_root, algorithm, *card)
        return proofs.load_session(Algorithm(algorithm), key, random=random, online_counter=load.online_counter)

    def mac1(self, card: tuple[int, int], load: proofs.Load, *, random: bytes, version: int, algorithm: int) -> bytes:
        return proofs.mac4(Algorithm(algorithm), self._session(card, load, random, version, algorithm), load.mac1_data())

    def mac1_ok(
        self, card: tuple[int, int], load: proofs.Load, *, random: bytes, version: int, algorithm: int, mac1: bytes
    ) -> bool:
        return self.mac1(card, load, random=random, version=version, algorithm=algorithm) == mac1

    def mac2(self, card: tuple[int, int], load: proofs.Load, *, random: bytes, version: int, algorithm: int) -> bytes:
        return proofs.mac4(Algorithm(algorithm), self._session(card, load, random, version, algorithm), load.mac2_data())

    def load_tac(self, card: tuple[int, int], load: proofs.Load, *, algorithm: int) -> bytes:
        return proofs.tac(Algorithm(algorithm), self.card_key(self.tac_root, algorithm, *card), load.tac_data())

    def tac_ok(self, card: tuple[int, int], load: proofs.Load, *, version: int, algorithm: int, tac: bytes) -> bool:
        if self.locked:
            raise self.locked
        return self.load_tac(card, load, algorithm=algorithm) == tac


@dataclass
class Chip:
    """A chip as its holder has it: counters and balance rise and fall whatever the platform knows."""

    kit: "Kit"
    account_no: int
    card_no: int
    operator: int
    balance: int = 0
    counter: int = 0
    online: int = 0
    algorithm: int = 0

    def buy(self, amount: int, *, gray: bool = False, undone: bool = False, **changes: Any) -> ChipRecord:
        """A purchase; `gray`: without its proof; `undone`: gray, and the chip was not debited."""
        record = ChipRecord(
            terminal_id=TERMINAL, terminal_seq=next(_sequences), card_no=self.card_no, amount_fen=amount,
            occurred_at_us=to_epoch_us(self.kit.tick()), card_counter=self.counter, balance_before_fen=self.balance, sam_no=SAM,
            sam_seq=next(self.kit.sam_seqs), transaction_type=6, key_version=1, algorithm=self.algorithm, tac=0, gray=gray,
            merchant=SHOP, purse_order=1, business_date=DAY, precheck=0,
        )  # fmt: skip
        record = replace(record, **changes)
        if not gray and "tac" not in changes:
            record = replace(record, tac=self.kit.vault.tac(record, self.operator))
        if not undone:
            self.balance -= amount
            self.counter += 1
        return record

    def prove(self, record: ChipRecord) -> ChipRecord:
        """The proof of a gray record, fetched later."""
        proved = replace(record, gray=False)
        return replace(proved, tac=self.kit.vault.tac(proved, self.operator))

    def initialize_load(self, amount: int, *, step: int = Step.REQUEST, seq: int = 0, terminal: int = TERMINAL) -> LoadRequest:
        random = secrets.token_bytes(4)
        load = proofs.Load(amount, 2, SAM, self.balance, self.online)
        mac1 = self.kit.vault.mac1((self.operator, self.card_no), load, random=random, version=1, algorithm=self.algorithm)
        return LoadRequest(
            step=step, terminal_id=terminal, terminal_seq=seq or next(_sequences), card_no=self.card_no, amount_fen=amount,
            occurred_at_us=to_epoch_us(self.kit.now), transaction_type=2, sam_no=SAM, old_balance_fen=self.balance,
            online_counter=self.online, key_version=1, algorithm=self.algorithm, random=int.from_bytes(random, "big"),
            mac1=int.from_bytes(mac1, "big"), tac=0,
        )  # fmt: skip

    def credit(self, request: LoadRequest, reply: LoadReply) -> LoadRequest:
        """CREDIT FOR LOAD: the chip checks MAC2, is written, and gives its TAC for CONFIRM."""
        moment = proofs.bcd_moment(from_epoch_us(reply.host_time_us))
        load = proofs.Load(request.amount_fen, 2, SAM, self.balance, self.online, moment)
        random = request.random.to_bytes(4, "big")
        right = self.kit.vault.mac2((self.operator, self.card_no), load, random=random, version=1, algorithm=self.algorithm)
        assert int.from_bytes(right, "big") == reply.mac2, "the chip refuses MAC2"
        tac = self.kit.vault.load_tac((self.operator, self.card_no), load, algorithm=self.algorithm)
        self.balance += request.amount_fen
        self.online += 1
        return replace(request, step=Step.CONFIRM, tac=int.from_bytes(tac, "big"))


@dataclass
class Kit:
    """A platform of two operators with a vault, SAMs and chips, on a real database."""

    database: TestDatabase
    vault: MemoryVault = field(default_factory=MemoryVault)
    sams: dict[int, Sam] = field(default_factory=lambda: {SAM: Sam(TERMINAL), OTHER_SAM: Sam(OTHER_TERMINAL)})
    now: datetime = NOW
    sam_seqs: Iterable[int] = field(default_factory=lambda: itertools.count(1))

    def tick(self, seconds: int = 1) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def standing(self, numbers: Iterable[int]) -> Mapping[int, Sam]:
        return {number: self.sams[number] for number in numbers if number in self.sams}

    @property
    def checks(self) -> Checks:
        return Checks(self.vault.tacs, self.standing)

    def chip(
        self, public_fen: int = 100_000, *, operator: int = UNIFIED, lane: int = 0, balance: int = 0, algorithm: int = 0
    ) -> Chip:
        """A card with a chip; `balance` is loaded through the front door."""
        serial = next(_serials)
        account, card = build_account_no(lane=lane, serial=serial), build_card_no(issuer=9000, lane=lane, serial=serial)
        with psycopg.connect(self.database.app_dsn, autocommit=True) as connection:
            open_accounts(connection, [AccountRow(account, card, operator, CARD_TYPE, public_fen=public_fen)])
        chip = Chip(self, account, card, operator, algorithm=algorithm)
        if balance:
            request = chip.initialize_load(balance)
            reply = self.load(request)
            assert reply.code == 0, reply
            assert self.load(chip.credit(request, reply)).code == 0
        return chip

    def take(self, *records: ChipRecord) -> list[Taken]:
        return take_in(records, checks=self.checks, now=self.now)

    def codes(self, *records: ChipRecord) -> list[int]:
        return [taken.code for taken in self.take(*records)]

    def load(self, request: LoadRequest) -> LoadReply:
        return load_step(request, checks=LoadChecks(self.vault, self.standing), now=self.tick(), business_date=date(2026, 5, 4))

    def execute(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """As the owner."""
        with psycopg.connect(self.database.owner_dsn, autocommit=True) as connection:
            cursor = connection.execute(sql, values)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def purse(self, chip: Chip) -> int:
        return int(
            self.execute("SELECT balance_fen FROM ledger.purse WHERE account_no = %s AND unit_id = 0", chip.account_no)[0][0]
        )

    def shadow(self, chip: Chip) -> int:
        rows: Sequence[Any] = self.execute("SELECT balance_fen FROM ledger.chip_purse WHERE card_no = %s", chip.card_no)
        return int(rows[0][0]) if rows else 0
