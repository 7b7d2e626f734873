"""A front-end's lists from the platform's database to a decision: signed, newer, of its unit, and not too much of a surprise."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecard.fep.clock import FrontEndClock
from onecard.fep.data import DataKeeper
from onecard.fep.decide import Purchase, Spent, decide
from onecard.fep.lists import FEW_CARDS, FEWEST_OF_MOST
from onecard.fep.records import Answer, Asked
from onecard.kernel.clock import ManualClock
from onecard.kernel.codes import Operation, Result
from onecard.kernel.events import EventKind
from onecard.kernel.numbers import build_card_no
from onecard.protocol.cardindex import CardEntry, build_card_index
from onecard.protocol.cardset import BLOCK_ENTRIES, build_card_set
from onecard.protocol.lease import Step
from onecard.protocol.offline import CardTypeRule, OfflineRules, build_rules
from onecard.protocol.proto.device_pb2 import DataVersion, Tasks
from onecard.terminal.upgrade.errors import NoLine, NoSuchFile, NotTrusted
from tests.edge.city import City, set_status
from tests.rollouts.house import run

UNIT = 9
NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)


def card(serial: int) -> int:
    return build_card_no(issuer=8800, lane=serial % 4, serial=serial)


@dataclass
class Shelf:
    """A repository that has proved everything already."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    error: Exception | None = None

    async def refresh(self) -> None:
        if self.error:
            raise self.error

    async def get(self, path: str, at_most: int) -> bytes:
        self.asked.append(path)
        if path not in self.files:
            raise NoSuchFile(path)
        if len(self.files[path]) > at_most:
            raise NotTrusted("too long")
        return self.files[path]


class Box:
    """A front-end's data keeper over a shelf."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.shelf, self.notes = folder, Shelf(), []
        self.unit: int | None = UNIT
        self.counter = 0
        self.start()

    def start(self) -> None:
        clock = FrontEndClock(self.folder / "clock", wall=ManualClock(NOW), counter_us=lambda: self.counter)
        self.keeper = DataKeeper(
            self.folder / "data", self.shelf, unit=lambda: self.unit, clock=clock, note=lambda *note: self.notes.append(note)
        )

    def follow(self, **versions: int) -> bool:
        return asyncio.run(self.keeper.follow(Tasks(current=[DataVersion(name=n, version=v) for n, v in versions.items()])))

    def deny(self, version: int, serials: Iterable[int]) -> bool:
        self.shelf.files[f"deny/{version}.bin"] = build_card_set(map(card, serials), version=version)
        return self.follow(deny=version)

    def rules(self, version: int, *, unit: int = UNIT, **changes) -> bool:
        rules = OfflineRules(version, unit, **({"unknown_card": CardTypeRule(True)} | changes))
        self.shelf.files[f"rules/{UNIT}/{version}.json"] = build_rules(rules)
        return self.follow(rules=version)

    def cards(self, version: int, serials: Iterable[int], *, unit: int = UNIT) -> bool:
        content = build_card_index({card(serial): CardEntry(1) for serial in serials}, version=version, unit_id=unit)
        self.shelf.files[f"cards/{UNIT}/{version}.bin"] = content
        return self.follow(cards=version)

    def tap(self, serials: Iterable[int]) -> None:
        for serial in serials:
            self.keeper.taps.note(card(serial))

    def answered(self, serials: Iterable[int], op: Operation, answer: Answer) -> None:
        asked = [Asked(op, 1, serial, card(serial), 100, 1) for serial in serials]
        self.keeper.taps.hear(asked, [answer] * len(asked))

    def kinds(self) -> list[EventKind]:
        return [kind for kind, _ in self.notes]

    def denied(self) -> set[int]:
        return {serial for serial in range(1, 60) if card(serial) in self.keeper.denied}


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def test_what_the_platform_publishes_decides_at_the_front_end(city: City):
    set_status(city.cards[:3], 2)
    city.tick()
    front = city.front_end()
    assert run(front.keeper.follow(city.tasks()))
    assert front.kinds() == [EventKind.DATA_TAKEN] * 2  # rules and cards; heartbeats tell of the deny list
    assert {(version.name, version.version) for version in front.keeper.versions()} == {("rules", 1), ("cards", 1), ("deny", 1)}
    assert all(version.sha256 for version in front.keeper.versions())

    def answer(card_no: int, fen: int) -> Result:
        lists = front.keeper.lists
        return decide(
            Purchase(Operation.PURCHASE, city.terminal, card_no, fen),
            rules=lists.rules,
            cards=lists.cards,
            denied=lists.denied,
            spent=Spent(),
            lease_step=Step.OK,
            now_us=front.clock.now_us(),
        )

    assert [answer(card_no, 5000) for card_no in city.cards[2:4]] == [Result.CARD_DENIED, Result.APPROVED]
    assert answer(city.cards[4], 5001) is Result.LIMIT_TRANSACTION
    assert answer(card(7000), 2001) is Result.LIMIT_TRANSACTION
    asked = len(front.wire.asked)
    assert run(front.keeper.follow(city.tasks())) and len(front.wire.asked) == asked  # nothing new is not asked for
    again = city.front_end()
    assert [again.keeper.rules, again.keeper.denied] == [front.keeper.rules, front.keeper.denied]
    set_status(city.cards[:3], 1)
    city.tick()
    again.wire.cut_after = 1
    assert not run(again.keeper.follow(city.tasks()))
    assert len(again.keeper.denied) == 3 and again.kinds() == []
    again.wire.cut_after = None
    assert run(again.keeper.follow(city.tasks())) and len(again.keeper.denied) == 0


def test_a_list_changed_on_its_way_is_refused_and_the_last_good_one_stays(city: City):
    city.tick()
    front = city.front_end()
    run(front.keeper.follow(city.tasks()))
    set_status(city.cards[:1], 2)
    city.tick()
    wanted = city.tasks()
    sha = next(version.sha256 for version in wanted.current if version.name == "deny").hex()
    front.wire.instead[f"targets/deny/{sha}.2.bin"] = build_card_set([], version=2)
    assert not run(front.keeper.follow(wanted))
    assert front.keeper.denied.version == 1
    assert front.kinds()[-1] is EventKind.DATA_REFUSED


def test_an_older_list_is_refused_once(box):
    assert box.deny(5, [1, 2])
    assert box.deny(4, [1]) and box.deny(4, [1])
    assert box.keeper.denied.version == 5
    assert [kind for kind, _ in box.notes] == [EventKind.DATA_REFUSED]
    assert "older than 5" in box.notes[-1][1] and "deny/4.bin" not in box.shelf.asked


def test_a_list_that_does_not_keep_its_name_is_refused(box):
    box.shelf.files["deny/2.bin"] = build_card_set([card(1)], version=3)
    assert box.follow(deny=2)
    assert box.keeper.denied.version == 0 and box.notes[-1][0] is EventKind.DATA_REFUSED


@pytest.mark.parametrize("content", [b"", b"OCL1", b"x" * 500])
def test_a_list_that_cannot_be_read_is_refused(box, content):
    box.deny(1, [1])
    box.shelf.files["deny/2.bin"] = content
    assert box.follow(deny=2)
    assert box.denied() == {1} and box.notes[-1][0] is EventKind.DATA_REFUSED


def test_what_could_not_be_fetched_is_asked_for_again(box):
    box.shelf.error = NoLine("down")
    assert not box.deny(1, [1])
    assert box.notes == []
    box.shelf.error = None
    assert box.deny(1, [1]) and box.denied() == {1}


def test_a_list_that_refuses_too_many_of_the_recent_cards_is_stopped(box):
    box.rules(1, guard_permille=100)
    box.deny(1, [])
    box.tap(range(1, 301))
    assert box.deny(2, range(1, 31)) and len(box.keeper.denied) == 30  # 30 of 300 are the share that is allowed
    assert box.deny(3, range(1, 62)) and len(box.keeper.denied) == 30
    assert box.notes[-1] == (EventKind.DATA_REFUSED, "deny 3: would refuse 31 of the last 300 cards, more than 100 of 1000")
    box.counter += 3601 * 1_000_000  # the taps are an hour old: no longer a measure
    assert box.follow(deny=3) and len(box.keeper.denied) == 61


def test_a_small_unit_with_a_few_debts_goes_on_taking_lists(box):
    """52 cards have tapped, 7 of them owe since the unit was off line, and others are barred all over the city."""
    box.rules(1)
    box.deny(1, [])
    box.tap(range(1, 53))
    assert box.deny(2, [*range(1, 8), *range(1000, 1100)]) and len(box.keeper.denied) == 107
    for version in range(3, 10):
        assert box.deny(version, [*range(1, 8), *range(1000, 1100 + version)]) and box.keeper.denied.version == version
    assert box.kinds() == [EventKind.DATA_TAKEN]  # the rules


def test_a_small_unit_refuses_a_list_that_bars_most_of_its_cards(box):
    box.rules(1)
    box.deny(1, [])
    box.tap(range(1, 11))
    assert box.deny(2, range(1, 500)) and box.keeper.denied.version == 1
    assert box.notes[-1] == (EventKind.DATA_REFUSED, "deny 2: would refuse 10 of the last 10 cards, more than 500 of 1000")


def test_what_the_platform_has_said_of_a_card_is_no_surprise_in_a_list(box):
    box.rules(1)
    box.deny(1, [])
    box.tap(range(1, 101))
    box.answered(range(1, 31), Operation.ADVICE, Answer(Result.APPROVED, balance_fen=0))  # spent into debt while off line
    box.answered(range(31, 51), Operation.PURCHASE, Answer(Result.CARD_LOST))
    assert box.deny(2, range(1, 51)) and box.keeper.denied.version == 2
    box.answered(range(51, 81), Operation.PURCHASE, Answer(Result.APPROVED, balance_fen=0))  # is good, and has just spent all
    assert box.deny(3, range(1, 81)) and "would refuse 30 of the last 50" in box.notes[-1][1]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_honest_growth_of_the_list_is_never_refused(tmp_path_factory, data):
    """Each list bars a few cards more, of whichever unit, and all that owe by what was sold off line; some good again."""
    box = Box(tmp_path_factory.mktemp("box"))
    box.keeper._store = lambda name, content: None  # what the disk does is not what is asked here
    box.rules(1, guard_permille=data.draw(st.integers(1, 1000)))
    there = data.draw(st.integers(1, 600))
    box.tap(range(1, there + 1))
    barred: set[int] = set()
    for version in range(1, data.draw(st.integers(2, 12))):
        barred -= data.draw(st.sets(st.integers(1, 700), max_size=30))
        owing = data.draw(st.sets(st.integers(1, there), max_size=60))
        box.answered(owing, Operation.ADVICE, Answer(Result.APPROVED))
        barred |= owing
        few = data.draw(st.sets(st.integers(1, 700), max_size=FEW_CARDS - 1))
        barred |= few
        box.tap(data.draw(st.sets(st.integers(1, there), max_size=10)))
        assert box.deny(version, barred) and box.keeper.denied.version == version
    assert EventKind.DATA_REFUSED not in box.kinds()


@given(st.integers(FEWEST_OF_MOST, 500), st.integers(0, 300), st.integers(FEW_CARDS, 2000), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_list_that_bars_most_of_those_who_tap_is_always_refused(tmp_path_factory, there, before, elsewhere, random):
    box = Box(tmp_path_factory.mktemp("box"))
    box.keeper._store = lambda name, content: None
    box.rules(1, guard_permille=1000)
    good = [10_000 + serial for serial in range(before)]
    box.deny(1, good)
    serials = list(range(1, there + 1))
    box.tap(serials)
    most = max(FEWEST_OF_MOST, random.randint(there // 2 + 1, there))
    barred = [*good, *random.sample(serials, most), *range(20_000, 20_000 + elsewhere)]
    assert box.deny(2, barred) and (box.keeper.denied.version, len(box.keeper.denied)) == (1, before)
    assert box.notes[-1][0] is EventKind.DATA_REFUSED


def test_a_deny_list_is_no_event_but_after_one_that_was_refused(box):
    for version in range(1, 4):
        assert box.deny(version, [version])
    assert box.notes == []
    box.shelf.files["deny/4.bin"] = b"x"
    box.follow(deny=4)
    assert box.deny(5, [5]) and box.deny(6, [6])
    assert box.kinds() == [EventKind.DATA_REFUSED, EventKind.DATA_TAKEN] and box.notes[-1][1].startswith("deny 5, ")


def test_rules_and_cards_are_measured_too(box):
    box.rules(1)
    box.cards(1, range(1, 30))
    box.rules(2, card_types={1: CardTypeRule(True)})
    for serial in range(1, 30):
        box.keeper.taps.note(card(serial))
    box.rules(3, unknown_card=CardTypeRule(False))
    assert box.keeper.rules.version == 2 and "would refuse 29 of the last 29" in box.notes[-1][1]
    box.rules(4, unknown_card=CardTypeRule(False), card_types={1: CardTypeRule(True)})
    assert box.keeper.rules.version == 4
    box.cards(2, range(20, 30))
    assert box.keeper.cards.version == 1


def test_data_of_another_unit_is_neither_taken_nor_kept_in_use(box):
    box.rules(1)
    box.cards(1, [1])
    box.deny(1, [2])
    box.rules(2, unit=UNIT + 1)
    assert box.keeper.rules.version == 1 and "of unit 10" in box.notes[-1][1]
    box.unit = UNIT + 1
    assert box.keeper.rules == OfflineRules(0, UNIT + 1) and box.keeper.cards is None
    assert [version.name for version in box.keeper.versions()] == ["deny"]
    box.shelf.files[f"rules/{UNIT + 1}/1.json"] = build_rules(OfflineRules(1, UNIT + 1))
    assert box.follow(rules=1) and box.keeper.rules.unit_id == UNIT + 1


def test_before_a_lease_names_the_unit_only_the_deny_list_is_taken(box):
    box.unit = None
    assert box.follow(rules=1, cards=1)
    assert box.deny(1, [1]) and box.denied() == {1}


def test_a_block_lost_on_the_disk_leaves_the_file_before(box):
    box.deny(1, [1])
    box.deny(2, [1, 2])
    file = box.folder / "data" / "deny.bin"
    file.write_bytes(file.read_bytes()[:-1])
    box.start()
    assert box.denied() == {1} and box.notes[-1][0] is EventKind.ERROR
    assert box.follow(deny=2) and box.denied() == {1, 2}


def test_a_full_disk_keeps_the_last_good_list(box, monkeypatch):
    box.deny(1, [1])

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr("onecard.fep.data.replace_file", full)
        assert not box.deny(2, [1, 2])
    assert box.denied() == {1} and "No space left" in box.notes[-1][1]
    assert box.follow(deny=2) and box.denied() == {1, 2}
    box.start()
    assert box.denied() == {1, 2}


def test_every_size_of_list_from_none_to_two_thousand_is_taken_exactly(box):
    numbers = [card(serial) for serial in range(1, 2002)]
    at: Callable[[int], Awaitable[bool]] = lambda version: box.keeper.follow(  # noqa: E731
        Tasks(current=[DataVersion(name="deny", version=version)])
    )
    stored: list[int] = []
    box.keeper._store = lambda name, content: stored.append(len(content))  # 2,001 times fsync is not what is asked here

    async def every_size() -> None:
        for size in range(2001):
            box.shelf.files[f"deny/{size + 1}.bin"] = build_card_set(numbers[:size], version=size + 1)
            assert await at(size + 1)
            denied = box.keeper.denied
            assert (denied.version, len(denied)) == (size + 1, size)
            assert (size == 0 or numbers[size - 1] in denied) and numbers[size] not in denied

    asyncio.run(every_size())
    assert len(stored) == 2001


@given(st.integers(1, 40), st.integers(-2, 2), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_sizes_around_block_boundaries_hold_exactly_their_cards(tmp_path_factory, blocks, offset, random):
    size = BLOCK_ENTRIES * blocks + offset
    serials = random.sample(range(1, 900_000), size + 50)
    box = Box(tmp_path_factory.mktemp("box"))
    assert box.deny(1, serials[:size])
    assert all(card(serial) in box.keeper.denied for serial in serials[:size])
    assert not any(card(serial) in box.keeper.denied for serial in serials[size:])
