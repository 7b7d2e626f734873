"""A roll-out: groups one after another, the stop, two people, windows, late devices; and devices' reports that move it."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import IntegrityError

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.clock import to_epoch_us
from onecard.kernel.errors import Forbidden, InvalidInput, RuleViolated
from onecard.kernel.events import EventKind
from onecard.services.actors import Actor
from onecard.services.devices.api import NewLine, NewTerminal, create_lines, create_terminals, revoke_line
from onecard.services.operators.models import Merchant
from onecard.services.rollouts import api
from onecard.services.rollouts.models import Action, Release, Rollout
from onecard.services.rollouts.plans import AlreadyMoved
from onecard.services.twopeople import SamePerson
from tests.rollouts.house import ACTOR, OTHER, House, release

PLAN = (api.GroupPlan("canary", 100, success_permille=1000, error_permille=0), api.GroupPlan("rest", 1000, 900, 200))


@dataclass(frozen=True)
class Said:
    """What the registry hands on of an event."""

    line_id: int
    terminal_id: int | None
    kind: int
    occurred_at: datetime
    detail: str = ""
    action_id: int = 0
    progress_permille: int = 0


def lines(house: House, count: int, *, unit: int | None = None, kind: str = "terminal") -> list[int]:
    return create_lines(NewLine(f"line {n}", kind, unit_id=unit or house.tree.unit) for n in range(count))


def running(house: House, made: Release | None = None, **options) -> Rollout:
    plan = {"title": "tariff 5", "target": api.TargetFilter(), "groups": PLAN, "clock": house.clock} | options
    made = api.plan_rollout((made or release(house, "tariff", 5, b"prices")).pk, actor=ACTOR, **plan)
    api.approve_rollout(made.pk, actor=OTHER, clock=house.clock)
    return api.start_rollout(made.pk, actor=ACTOR, clock=house.clock)


def say(house: House, kind: EventKind, actions, detail: str = "", permille: int = 0) -> None:
    at = house.clock.now()
    api.note_events([Said(one.line_id, one.terminal_id, kind, at, detail, one.pk, permille) for one in actions])


def by_state(rollout: Rollout) -> dict[str, int]:
    states = list(rollout.actions.values_list("state", flat=True))
    return {state: states.count(state) for state in sorted(set(states))}


def told(rollout: Rollout) -> list[Action]:
    return list(rollout.actions.filter(state="told"))


def test_groups_open_one_after_another_and_the_rollout_finishes(house: House):
    lines(house, 20)
    rollout = running(house)
    assert by_state(rollout) == {"pending": 18, "told": 2}
    canary = told(rollout)
    tasks = api.line_tasks(None)
    assert sorted(tasks) == sorted(one.line_id for one in canary)
    task = tasks[canary[0].line_id].tasks[0]
    assert (task.action_id, task.kind, task.version, task.terminal_id) == (canary[0].pk, "tariff", 5, 0)
    say(house, EventKind.UPDATE_DOWNLOADING, canary, permille=400)
    say(house, EventKind.UPDATE_DONE, canary[:1])
    api.tick(house.clock)
    assert by_state(rollout) == {"done": 1, "downloading": 1, "pending": 18}  # all of the canary has to succeed
    say(house, EventKind.UPDATE_DONE, canary[1:])
    api.tick(house.clock)
    assert by_state(rollout) == {"done": 2, "told": 18}
    say(house, EventKind.UPDATE_DONE, told(rollout)[:15])
    say(house, EventKind.UPDATE_FAILED, told(rollout)[:3], "self test failed")
    api.tick(house.clock)
    shown = api.rollout(rollout.pk, actor=ACTOR)
    assert (shown.rollout.state, shown.done, shown.errors) == ("finished", 17, 3)
    assert api.line_tasks(None) == {}


def test_one_failed_canary_stops_everything(house: House):
    lines(house, 20)
    rollout = running(house)
    say(house, EventKind.UPDATE_FAILED, told(rollout)[:1], "cannot use the data tariff")
    api.tick(house.clock)
    rollout.refresh_from_db()
    assert rollout.state == "stopped" and "cannot use the data tariff" in rollout.reason
    assert (rollout.why["what"], rollout.why["group"], rollout.why["errors"]) == ("errors", "canary", 1)
    assert "cannot use the data tariff" in rollout.why["said"] and rollout.why["size"] == 2
    assert by_state(rollout) == {"cancelled": 19, "failed": 1}
    assert api.line_tasks(None) == {}
    with pytest.raises(AlreadyMoved):
        api.resume_rollout(rollout.pk, actor=ACTOR)


def test_errors_of_a_later_group_stop_above_their_threshold_only(house: House):
    lines(house, 20)
    rollout = running(house)
    say(house, EventKind.UPDATE_DONE, told(rollout))
    api.tick(house.clock)
    rest = told(rollout)
    say(house, EventKind.UPDATE_REFUSED, rest[:3], "not for this")  # 3 of 18 are 166 permille
    api.tick(house.clock)
    assert by_state(rollout)["told"] == 15
    say(house, EventKind.UPDATE_FAILED, rest[3:4])
    api.tick(house.clock)
    rollout.refresh_from_db()
    assert rollout.state == "stopped"


def test_a_group_is_watched_for_its_soak_time(house: House):
    lines(house, 10)
    groups = (api.GroupPlan("canary", 100, 1000, 0, soak_s=600), api.GroupPlan("rest", 1000))
    rollout = running(house, groups=groups)
    say(house, EventKind.UPDATE_DONE, told(rollout))
    api.tick(house.clock)
    house.clock.advance(timedelta(seconds=599))
    api.tick(house.clock)
    assert not told(rollout)
    house.clock.advance(timedelta(seconds=1))
    api.tick(house.clock)
    assert len(told(rollout)) == 9


def test_nobody_approves_what_they_planned(house: House):
    lines(house, 1)
    made = api.plan_rollout(
        release(house, "tariff", 5, b"prices").pk, title="x", target=api.TargetFilter(), actor=ACTOR, clock=house.clock
    )
    with pytest.raises(SamePerson):
        api.approve_rollout(made.pk, actor=ACTOR)
    with pytest.raises(AlreadyMoved):
        api.start_rollout(made.pk, actor=ACTOR)
    with pytest.raises(Forbidden):
        api.approve_rollout(made.pk, actor=Actor("clerk", frozenset({"rollouts.view"})))
    with pytest.raises(IntegrityError, match="rollouts_order"):
        Rollout.objects.filter(pk=made.pk).update(state="running")


def test_pause_takes_the_tasks_back_and_resume_gives_them_again(house: House):
    lines(house, 10)
    rollout = running(house)
    before = api.line_tasks(None)
    api.pause_rollout(rollout.pk, actor=ACTOR)
    assert api.line_tasks(None) == {}
    say(house, EventKind.UPDATE_DONE, told(rollout))  # one that had begun to flash
    api.tick(house.clock)
    assert by_state(rollout) == {"done": 1, "pending": 9}
    api.resume_rollout(rollout.pk, actor=ACTOR, clock=house.clock)
    assert len(api.line_tasks(None)) == 9 and not set(before) & set(api.line_tasks(None))
    api.cancel_rollout(rollout.pk, actor=ACTOR, clock=house.clock)
    assert by_state(rollout) == {"cancelled": 9, "done": 1}


def test_late_devices_join_the_last_group(house: House):
    lines(house, 2)
    rollout = running(house)
    (late,) = lines(house, 1)
    api.tick(house.clock)
    assert not rollout.actions.filter(line_id=late).exists()
    house.clock.advance(timedelta(seconds=30))
    api.tick(house.clock)
    assert rollout.actions.get(line_id=late).group.no == 2


def test_a_revoked_line_holds_up_nobody(house: House):
    lines(house, 10)
    rollout = running(house)
    (canary,) = told(rollout)
    revoke_line(canary.line_id)
    api.tick(house.clock)
    assert by_state(rollout) == {"cancelled": 1, "told": 9}


def test_the_window_is_told_and_moves_on_when_it_is_over(house: House):
    house.clock.at = datetime(2027, 3, 1, 4, 0, tzinfo=UTC)  # noon
    lines(house, 1)
    running(house, window=(time(23, 0), time(2, 0)))
    ((task,),) = [one.tasks for one in api.line_tasks(None).values()]
    night = datetime(2027, 3, 1, 23, 0, tzinfo=PLATFORM_ZONE)
    assert (task.not_before_us, task.not_after_us) == (to_epoch_us(night), to_epoch_us(night + timedelta(hours=3)))
    house.clock.at = (night + timedelta(hours=4)).astimezone(UTC)
    api.tick(house.clock)
    ((task,),) = [one.tasks for one in api.line_tasks(None).values()]
    assert task.not_before_us == to_epoch_us(night + timedelta(days=1))


def test_the_filter_finds_terminals_behind_a_front_end_and_canary_units_come_first(house: House):
    (front_end,) = lines(house, 1, kind="front_end")
    lines(house, 8, unit=house.tree.own_unit)
    merchant = Merchant.objects.create(operator_id=house.tree.unified, unit_id=house.tree.unit, name="食堂")
    behind = create_terminals(NewTerminal(merchant.pk, front_end) for _ in range(3))
    made = release(house, "tariff", 5, b"prices")
    assert api.count_devices(made.pk, api.TargetFilter(), actor=ACTOR) == 12
    assert api.count_devices(made.pk, api.TargetFilter(kinds=("behind",)), actor=ACTOR) == 3
    own = Actor("I", frozenset({"*"}), operators=frozenset({house.tree.independent}))
    assert api.count_devices(made.pk, api.TargetFilter(), actor=own) == 8
    rollout = running(house, made, canary_units=[house.tree.unit])
    assert {(one.line_id, one.terminal_id) for one in told(rollout)} == {(front_end, None), *((front_end, t) for t in behind)}


def test_a_device_cannot_report_for_another(house: House):
    lines(house, 2)
    rollout = running(house)
    (canary,) = told(rollout)
    api.note_events([Said(canary.line_id + 1, None, EventKind.UPDATE_DONE, house.clock.now(), action_id=canary.pk)])
    api.note_events([Said(canary.line_id, 7, EventKind.UPDATE_DONE, house.clock.now(), action_id=canary.pk)])
    assert told(rollout) == [canary]
    say(house, EventKind.UPDATE_FAILED, [canary])
    say(house, EventKind.UPDATE_DONE, [canary])  # what has ended stays ended
    canary.refresh_from_db()
    assert canary.state == "failed"


def test_a_device_has_one_action_of_a_kind_at_a_time(house: House):
    lines(house, 1)
    first = running(house)
    second = api.plan_rollout(
        release(house, "tariff", 6, b"newer").pk,
        title="6",
        target=api.TargetFilter(),
        actor=ACTOR,
        groups=PLAN,
        clock=house.clock,
    )
    api.approve_rollout(second.pk, actor=OTHER)
    api.start_rollout(second.pk, actor=ACTOR, clock=house.clock)
    assert by_state(second) == {"pending": 1}
    say(house, EventKind.UPDATE_DONE, told(first))
    api.tick(house.clock)
    assert by_state(second) == {"told": 1}


def test_only_what_is_signed_can_be_rolled_out(house: House):
    lines(house, 1)
    draft = api.add_release("tariff", "t", version=9, content=b"nine", actor=ACTOR)
    with pytest.raises(RuleViolated):
        api.plan_rollout(draft.pk, title="x", target=api.TargetFilter(), actor=ACTOR)
    with pytest.raises(InvalidInput):
        api.add_release("firmware", "t", version=9, content=b"nine", actor=ACTOR)  # names no hardware
    with pytest.raises(IntegrityError, match="rollouts_release_fixed"):
        Release.objects.filter(pk=draft.pk).update(version=10)


def test_a_withdrawn_release_stops_its_rollout(house: House):
    lines(house, 5)
    rollout = running(house)
    house.sign(api.propose_targets(actor=ACTOR, withdraw=[rollout.release_id], clock=house.clock))
    assert api.line_tasks(None) == {}
    api.tick(house.clock)
    rollout.refresh_from_db()
    assert rollout.state == "stopped"
