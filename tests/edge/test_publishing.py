"""What front-ends decide by is published when it changes, and only then; a change too large waits for a person."""

from dataclasses import replace
from datetime import time, timedelta

import pytest
from django.db import connection, transaction

from onecard.kernel.errors import Forbidden, InvalidInput, NotFound
from onecard.protocol.cardindex import parse_card_index
from onecard.protocol.cardset import parse_card_set
from onecard.protocol.offline import EVERYBODY, CardTypeRule, TerminalRule, Window, parse_rules
from onecard.services.actors import Actor
from onecard.services.keys import api as keys
from onecard.services.offline import api
from onecard.services.offline.deny import BARRED_SQL
from onecard.services.offline.files import cards_file, rules_file
from onecard.services.offline.models import DenyPublication, DueFile
from onecard.services.offline.publishing import _take_changes
from onecard.services.operators import api as operators
from onecard.services.people import api as people
from onecard.services.people.models import Holder
from tests.edge.city import ACTOR, City, open_cards, set_status
from tests.services.conftest import Tree


def newest() -> frozenset[int]:
    return frozenset(parse_card_set(bytes(DenyPublication.objects.first().content)))


def due(city: City) -> set[str]:
    """Which files of the unit a tick would make anew."""
    with transaction.atomic():
        _take_changes(city.house.clock.now())
    return set(DueFile.objects.filter(unit_id=city.house.tree.unit).values_list("kind", flat=True))


def rules_of(city: City):
    return parse_rules(rules_file(city.house.tree.unit, 1))


def test_the_list_follows_the_cards_and_says_nothing_twice(city: City):
    assert city.tick() == api.Published(deny_version=1, files=2)
    assert city.tick() == api.Published()
    assert {version.name for version in city.tasks().current} >= {"deny", "rules", "cards"}
    set_status(city.cards[:1], 2)
    with connection.cursor() as cursor:
        cursor.execute("SELECT account_no FROM ledger.card WHERE card_no = %s", [city.cards[1]])
        cursor.execute("SELECT ledger.set_account_status(%s, 2)", [cursor.fetchone()[0]])
    assert city.tick().deny_version == 2
    assert newest() == set(city.cards[:2])
    set_status(city.cards[:1], 1)
    assert city.tick().deny_version == 3
    assert newest() == set(city.cards[1:2])


def test_what_changes_no_list_publishes_none(city: City):
    city.tick()
    open_cards(city.house, city.card_type, city.house.tree.unit, first=500, count=3)
    assert city.tick() == api.Published()  # cards are published once a minute at most
    open_cards(city.house, city.card_type, city.house.tree.unit, first=600, count=1)
    city.house.clock.advance(timedelta(seconds=61))
    assert city.tick() == api.Published(files=1)  # the unit's cards alone, once for both
    set_status(city.cards[:1], 2)
    set_status(city.cards[:1], 1)
    city.house.clock.advance(timedelta(seconds=61))
    assert city.tick() == api.Published()
    with pytest.raises(RuntimeError), transaction.atomic():
        set_status(city.cards[:1], 2)
        raise RuntimeError
    assert city.tick() == api.Published()


def test_the_list_is_read_by_its_index_alone(town: City):
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ledger.card")
        cursor.execute(
            "SET enable_seqscan = off"
        )  # a table of forty rows is read whole otherwise; not to be usable is the failure
        cursor.execute(f"EXPLAIN {BARRED_SQL}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert "card_barred" in plan


def test_a_very_large_change_waits_for_a_person(city: City):
    api.set_policy(api.Policy(3000, 50, hold_over_cards=5, hold_over_permille=200), actor=ACTOR)
    set_status(city.cards[:2], 2)
    assert city.tick().deny_version == 1
    set_status(city.cards[2:9], 2)
    assert city.tick().deny_version == 0
    held = api.held_deny()
    assert held is not None and (held.cards, held.added, held.removed) == (9, 7, 0)
    assert newest() == set(city.cards[:2])
    with pytest.raises(Forbidden):
        api.release_deny(actor=Actor("guest"))
    released = api.release_deny(actor=ACTOR, clock=city.house.clock)
    assert released is not None and (released.version, released.released_by) == (2, "test")
    assert newest() == set(city.cards[:9]) and api.held_deny() is None
    with pytest.raises(NotFound):
        api.release_deny(actor=ACTOR)
    set_status(city.cards[9:20], 2)
    city.tick()
    assert api.held_deny() is not None
    set_status(city.cards[9:20], 1)
    assert city.tick().deny_version == 0 and api.held_deny() is None  # taken back: nobody is needed


def test_nothing_is_lost_while_the_vault_is_locked(city: City, monkeypatch):
    city.tick()
    set_status(city.cards[:1], 2)
    with monkeypatch.context() as locked:
        locked.setattr(keys, "open_vault", lambda: (_ for _ in ()).throw(keys.VaultLocked("锁", "locked")))
        with pytest.raises(keys.VaultLocked):
            city.tick()
    assert city.tick().deny_version == 2


def test_the_nearest_rule_of_a_card_counts(town: City):
    unit, card_type = town.house.tree.unit, town.card_type
    set_limit = lambda fen, **scope: api.set_card_limit(CardTypeRule(True, per_transaction_fen=fen), actor=ACTOR, **scope)  # noqa: E731
    set_limit(100)
    assert rules_of(town).card_type(card_type).per_transaction_fen == 100
    set_limit(200, card_type_id=card_type)
    assert rules_of(town).card_type(card_type).per_transaction_fen == 200
    set_limit(300, unit_id=unit)
    assert rules_of(town).card_type(card_type).per_transaction_fen == 300
    set_limit(400, unit_id=unit, card_type_id=card_type)
    assert rules_of(town).card_type(card_type).per_transaction_fen == 400
    set_limit(50, others=True)
    assert rules_of(town).unknown_card.per_transaction_fen == 50
    assert due(town) == {"rules", "cards"}


def test_rules_carry_meals_terminals_and_doors(town: City):
    unit = town.house.tree.unit
    operators.set_meal_periods(
        unit, [operators.Meal(1, "午餐", time(11), time(13)), operators.Meal(2, "夜宵", time(22), time(0))]
    )
    api.set_terminal_limit(TerminalRule(4000, 90_000, (Window(360, 1320),)), actor=ACTOR, terminal_id=town.terminal)
    api.allow_door(town.terminal, actor=ACTOR, window=Window(480, 1080, (1, 5)))
    rules = rules_of(town)
    assert [(meal.no, meal.window.start_minute, meal.window.end_minute) for meal in rules.meals] == [
        (1, 660, 780),
        (2, 1320, 1440),
    ]
    assert rules.terminal(town.terminal) == TerminalRule(4000, 90_000, (Window(360, 1320),), own_cards_only=False)
    assert rules.any_terminal.own_cards_only
    (door,) = rules.doors[town.terminal]
    assert (door.groups, door.windows) == (frozenset({EVERYBODY}), (Window(480, 1080, (1, 5)),))
    assert due(town) == {"rules", "cards"}


def test_a_merchant_with_private_purses_alone_takes_the_units_own_cards_alone(town: City):
    operators.update_unit(town.house.tree.unit, purse_order=2)
    assert rules_of(town).terminal(town.terminal).own_cards_only
    assert due(town) >= {"rules"}


def test_cards_carry_type_last_day_and_departments(town: City):
    unit = town.house.tree.unit
    faculty = people.create_department(unit, "信息学院", actor=ACTOR).pk
    below = people.create_department(unit, "一班", parent_id=faculty, actor=ACTOR).pk
    holder = _holder(town, below)
    with connection.cursor() as cursor:
        cursor.execute("SELECT account_no FROM ledger.card WHERE card_no = %s", [town.cards[0]])
        account = cursor.fetchone()[0]
        cursor.execute("SELECT ledger.set_account_terms(%s, %s, %s, %s)", [account, holder, town.card_type, unit])
    set_status(town.cards[1:2], 2)
    index = parse_card_index(cards_file(unit, 3))
    assert (index.version, index.unit_id, len(index)) == (3, unit, len(town.cards) - 1)
    assert index.get(town.cards[0]).groups == {faculty, below}
    assert index.get(town.cards[1]) is None
    assert index.get(town.cards[2]).groups == frozenset()


def _holder(city: City, department: int) -> int:
    return Holder.objects.create(
        operator_id=city.house.tree.unified, unit_id=city.house.tree.unit, department_id=department, anonymous=True
    ).pk


def test_what_may_not_be_set_is_refused_and_nothing_changes(tree: Tree):
    bound = Actor("part", frozenset({"offline.rules"}), frozenset({tree.unified}))
    for change in (
        lambda actor: api.set_card_limit(CardTypeRule(), actor=actor),
        lambda actor: api.set_terminal_limit(TerminalRule(), actor=actor),
        lambda actor: api.allow_door(1, actor=actor),
        lambda actor: api.close_door(1, actor=actor),
        lambda actor: api.set_policy(api.policy(), actor=actor),
    ):
        for actor in (bound, Actor("guest")):
            with pytest.raises(Forbidden):
                change(actor)
    before = api.policy()
    for figures in ({"fallback_ms": 0}, {"guard_permille": 0}, {"hold_over_permille": 1001}):
        with pytest.raises(InvalidInput):
            api.set_policy(replace(before, **figures), actor=ACTOR)
    with pytest.raises(InvalidInput):
        api.set_card_limit(CardTypeRule(), actor=ACTOR, card_type_id=1, others=True)
    with pytest.raises(InvalidInput):
        api.set_terminal_limit(TerminalRule(hours=(Window(days=(1,)),)), actor=ACTOR)
    with pytest.raises(InvalidInput):
        api.set_card_limit(CardTypeRule(per_day_fen=10**12), actor=ACTOR)
    assert api.policy() == before and [row.changed_by for row in api.card_limits()] == ["onecard", "onecard"]
