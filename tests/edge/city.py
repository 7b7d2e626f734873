"""What the tests of deciding off line stand on: a few cards, a unit's line, a terminal; and a front-end's folder beside them."""

from dataclasses import dataclass, field
from pathlib import Path

from onecard.datacenter import dj
from onecard.fep.clock import FrontEndClock
from onecard.fep.data import DataKeeper
from onecard.kernel.events import EventKind
from onecard.kernel.numbers import build_account_no, build_card_no
from onecard.protocol.proto.device_pb2 import DataVersion, Tasks
from tests.rollouts.house import ACTOR, House, Wire

dj.setup()

from django.db import connection  # noqa: E402

from onecard.services.devices import api as devices  # noqa: E402
from onecard.services.offline import api as offline  # noqa: E402
from onecard.services.operators import api as operators  # noqa: E402
from onecard.services.rollouts import api as rollouts  # noqa: E402

CARDS = 40


@dataclass
class FrontEnd:
    """A front-end's data keeper, with what it noted."""

    keeper: DataKeeper
    wire: Wire
    clock: FrontEndClock
    notes: list[tuple[EventKind, str]] = field(default_factory=list)

    def kinds(self) -> list[EventKind]:
        return [kind for kind, _ in self.notes]


@dataclass
class City:
    """The house and what is in it."""

    house: House
    card_type: int
    line: int
    terminal: int
    cards: list[int]
    counter_us: int = 0

    def tick(self) -> offline.Published:
        return offline.tick(self.house.clock)

    def tasks(self) -> Tasks:
        """What the platform would tell this line."""
        found = {version.name: version for version in rollouts.platform_data()}
        lines = rollouts.line_tasks([self.line])
        found |= {version.name: version for version in lines[self.line].current} if self.line in lines else {}
        return Tasks(current=[DataVersion(name=v.name, version=v.version, sha256=v.sha256) for v in found.values()])

    def front_end(self, name: str = "fep", unit: int | None = None) -> FrontEnd:
        """A front-end that keeps its files below `name`; again under the same name: after a restart."""
        wire = self.house.wire(self.line)
        folder = self.house.folder / name
        folder.mkdir(exist_ok=True)
        clock = FrontEndClock(folder / "clock", wall=self.house.clock, counter_us=lambda: self.counter_us)
        notes: list[tuple[EventKind, str]] = []
        keeper = DataKeeper(
            folder / "data",
            self.house.repository(f"{name}/repository", wire),
            unit=lambda: unit or self.house.tree.unit,
            clock=clock,
            note=lambda kind, detail: notes.append((kind, detail)),
        )
        return FrontEnd(keeper, wire, clock, notes)


def open_city(house: House) -> City:
    card_type = operators.create_card_type("STD", "标准卡").pk
    unit = house.tree.unit
    cards = open_cards(house, card_type, unit, first=1, count=CARDS)
    line = devices.create_line(devices.NewLine("front-end", "front_end", unit_id=unit))
    merchant = operators.create_merchant("食堂", unit_id=unit).pk
    terminal = devices.create_terminals([devices.NewTerminal(merchant, line)])[0]
    return City(house, card_type, line, terminal, cards)


def open_cards(house: House, card_type: int, unit: int, *, first: int, count: int) -> list[int]:
    """Accounts of a unit with a card each; gives the card numbers."""
    cards = []
    with connection.cursor() as cursor:
        for serial in range(first, first + count):
            account = build_account_no(lane=serial % 4, serial=serial)
            card = build_card_no(issuer=8800, lane=serial % 4, serial=serial)
            cursor.execute(
                "SELECT ledger.open_account(p_account => %s, p_card => %s, p_operator => %s, p_card_type => %s, p_unit => %s)",
                [account, card, house.tree.unified, card_type, unit],
            )
            cards.append(card)
    return cards


def set_status(cards: list[int], status: int) -> None:
    """Lost 2, frozen 3, active 1."""
    with connection.cursor() as cursor:
        for card in cards:
            cursor.execute("SELECT ledger.set_card_status(%s, %s)", [card, status])


def files_below(folder: Path) -> set[str]:
    return {file.name for file in folder.rglob("*") if file.is_file()}


__all__ = ["ACTOR", "City", "FrontEnd", "files_below", "open_cards", "open_city", "set_status"]
