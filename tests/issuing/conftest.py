"""An operator with a card type, blanks in the city centre, a vault, virtual cards; and the one check every test ends with."""

import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from onecard.datacenter import dj
from onecard.ledger import audit
from onecard.ledger.codes import Medium
from onecard.protocol.purse.apdu import Command, Response
from onecard.protocol.purse.files import PublicData
from onecard.services.actors import Actor
from onecard.terminal.card.store import FileStore, MemoryStore
from onecard.terminal.card.virtual import VirtualCard
from onecard.terminal.reader.base import exchange
from onecard.terminal.reader.local import LocalReader
from tests.issuing.vault import MemoryVault
from tests.support.postgres import TestDatabase

dj.setup()  # models cannot be imported before, and a conftest is read before pytest-django is ready

from onecard.services.cards import api as cards  # noqa: E402
from onecard.services.issuing import batches, checks, desk, station  # noqa: E402
from onecard.services.issuing.claims import Request  # noqa: E402
from onecard.services.issuing.models import OPEN_STATES, Batch, Job, JobState, Purpose  # noqa: E402
from onecard.services.issuing.station import Report  # noqa: E402
from onecard.services.operators import api as operators  # noqa: E402
from onecard.services.people import api as people  # noqa: E402

DESK = Actor.system("test")
RULES = cards.NewRules(
    media=frozenset(Medium), anonymous_allowed=True, chip_purse=True, deposit_fen=2000, issue_fee_fen=500,
    replace_fee_fen=1500, exchange_fee_fen=700, validity_months=36,
)  # fmt: skip
FIRST_SERIAL = 1_000_000


@dataclass
class City:
    """Ids, blanks, and how a card is touched."""

    database: TestDatabase
    vault: MemoryVault
    operator: int
    card_type: int
    holders: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def holder(self, name: str = "张三") -> int:
        number = f"NO{next(self.holders)}"
        return people.create_holder(self.operator, people.NewHolder(name=name, document_type="staff", document_no=number)).pk

    def batch(self, count: int = 1, *, recipients: Any = (), medium: Medium = Medium.CPU, start: bool = True) -> Batch:
        order = batches.BatchOrder(
            "测试", self.operator, self.card_type, medium=medium, recipients=recipients, count=0 if recipients else count
        )
        made = batches.create(order, actor=DESK)
        return batches.start(made.pk, actor=DESK) if start else made

    def blank(self, path: Path | None = None) -> VirtualCard:
        store = FileStore(path, durable=False) if path is not None else MemoryStore()
        return VirtualCard.create(store, transport_key=self.vault.transport, uid=secrets.token_bytes(7))

    def touch(self, card: Any, batch: Batch | None = None, **request: Any) -> Report:
        """Lay a card on a reader, have it touched once, take it away."""
        slot = CardSlot(card)
        slot.await_card()
        asked = Request("test", request.pop("actor", DESK), batch_id=batch.pk if batch else None, **request)
        try:
            return station.touch_once(asked, slot, self.vault)
        finally:
            slot.release(wait=False)

    def issued(self, **recipient: int) -> int:
        """A card with a chip in somebody's hand; its number."""
        order = desk.JobOrder(self.operator, self.card_type, recipient=batches.Recipient(**recipient))
        report = self.touch(self.blank(), job_id=desk.create_job(order, actor=DESK).pk)
        assert report.result is not None
        assert report.result.card_no is not None
        return report.result.card_no

    def renewal(self, old: int, purpose: Purpose = Purpose.REPLACE, **terms: Any) -> Job:
        """A job for a card in the place of another."""
        actor = terms.pop("actor", DESK)
        order = desk.JobOrder(self.operator, self.card_type, purpose=purpose, old_card_no=old, reason="丢失", **terms)
        return desk.create_job(order, actor=actor)

    def state(self, card_no: int) -> str:
        return cards.card(card_no, actor=DESK).state

    def place_of(self, serial: int) -> str | None:
        found = cards.where_is(serial)
        return found.place.kind if found else None

    def check(self, *chips: VirtualCard) -> None:
        """Jobs, stock, cards and ledger agree, and no chip carries what they do not know of."""
        assert checks.check() == []
        assert cards.check() == []
        numbers = [content.card_no for chip in chips if (content := public_data(chip)) is not None]
        assert len(numbers) == len(set(numbers)), "two chips with one number"
        for chip in chips:
            content = public_data(chip)
            if content is not None:
                job = Job.objects.get(card_no=content.card_no)
                assert job.uid == chip.state.uid
                assert job.state in (JobState.DONE, *OPEN_STATES)
            if is_sealed(chip, self.vault.transport):
                serials = Job.objects.filter(uid=chip.state.uid).values_list("stock_serial", flat=True)
                places = {self.place_of(serial) for serial in serials if serial is not None}
                assert places & {"work", "issued", "scrapped"}, "a sealed chip that lies in stock as a blank"

    def audit(self) -> None:
        with psycopg.connect(self.database.app_dsn, autocommit=True) as plain:
            report = audit.run(plain)
        assert report.ok, report.first_failure


def lost_card(city: City) -> int:
    """A holder's card, reported lost."""
    card_no = city.issued(holder_id=city.holder())
    cards.operate(card_no, cards.Operation.REPORT_LOST, actor=DESK)
    return card_no


def public_data(chip: VirtualCard) -> PublicData | None:
    """What stands in the chip's memory as its number."""
    chip.power_on()
    application = chip.state.directory(0x3F01)
    file = application.file(0x0015) if application else None
    chip.power_off()
    if file is None or not file.records or not any(bytes.fromhex(file.records[0])[:20]):
        return None
    return PublicData.parse(bytes.fromhex(file.records[0]))


def is_sealed(chip: VirtualCard, transport_key: bytes) -> bool:
    """Whether the maker's key is gone from the chip."""
    chip.power_on()
    key = chip.state.master.key(0x39, 0)
    chip.power_off()
    assert key is not None
    return key.secret != transport_key


class CardSlot:
    """A reader in this process with one card on it; counts what goes over it."""

    def __init__(self, card: Any) -> None:
        self.card = card
        self.reader = LocalReader(card)
        self.trips = 0
        self.waits: list[bool] = []

    def await_card(self) -> bool:
        self.reader.connect()
        return True

    def exchange(self, command: Command) -> Response:
        self.trips += 1
        return exchange(self.reader, command)

    def release(self, *, wait: bool) -> None:
        self.waits.append(wait)
        self.reader.disconnect()


@pytest.fixture(scope="session", autouse=True)
def database_allowed(django_db_blocker: Any) -> Iterator[None]:
    """pytest-django closes the database to tests that do not carry its own mark; ours have fixtures of their own."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def city(django_database: TestDatabase) -> Iterator[City]:
    made = make_city(django_database, MemoryVault())
    yield made
    made.check()
    made.audit()


def make_city(database: TestDatabase, vault: MemoryVault, *, blanks: int = 500) -> City:
    root = operators.create_operator("ROOT", "根运营单位", parent_id=None, holder_cap=1000).pk
    operator = operators.create_operator("A", "甲运营", parent_id=root, holder_cap=1000).pk
    card_type = operators.create_card_type("CITY", "市民卡").pk
    operators.allow_card_type(operator, card_type, issuing_mode="unified")
    cards.set_rules(card_type, date(2026, 1, 1), rules=RULES, actor=DESK)
    line = cards.Serials(card_type, FIRST_SERIAL, FIRST_SERIAL + blanks - 1)
    cards.receive("卡厂", [line], actor=DESK)
    return City(database, vault, operator, card_type)
