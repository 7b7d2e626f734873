"""The life of a roll-out as people move it: planned, approved by another, started, paused, resumed, cancelled.

What moves it while it runs stands in `moving.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import time

from django.db import transaction
from django.db.models import Q

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.services import twopeople
from onecard.services.actors import Actor
from onecard.services.rollouts import moving, permissions, repository
from onecard.services.rollouts.choices import RolloutState
from onecard.services.rollouts.models import ReleaseState, Rollout, RolloutGroup
from onecard.services.rollouts.progress import is_of
from onecard.services.rollouts.releases import get_release
from onecard.services.rollouts.targets import TargetFilter, find_devices

_MOST_SOAK_S = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """A group: its share of the devices, and what of it has to succeed, or may fail, in thousandths.

    The next group opens when `success_permille` have succeeded and `soak_s` have gone by since. The roll-out stops when more
    than `error_permille` have failed or refused.
    """

    title: str
    share_permille: int
    success_permille: int = 900
    error_permille: int = 50
    soak_s: int = 0


CANARY_FIRST = (GroupPlan("先行组", 10, error_permille=0), GroupPlan("第一批", 190), GroupPlan("其余", 1000))
"""A hundredth first, of whom none may fail; then a fifth; then the rest."""


class AlreadyMoved(twopeople.AlreadySettled):
    """The roll-out is not where this can be done to it."""

    of_rule = "D2"


def plan_rollout(
    release_id: int, *, title: str, target: TargetFilter, actor: Actor, groups: Sequence[GroupPlan] = CANARY_FIRST,
    canary_units: Sequence[int] = (), window: tuple[time, time] | None = None, clock: Clock | None = None,
) -> Rollout:  # fmt: skip
    """A draft for another person to approve. `window`: the local times in which devices may install; without, the whole day.

    With `canary_units` the first group is the devices of these units. Raises InvalidInput, NotFound, RuleViolated (D2: not signed
    yet), Forbidden.
    """
    actor.require(permissions.PLAN)
    release = get_release(release_id)
    if release.state != ReleaseState.RELEASED:
        raise RuleViolated("D2：该发布尚未签名或已撤回", "D2: this release is not signed, or withdrawn", rule="D2")
    _check_groups(groups)
    if not title.strip():
        raise InvalidInput("须有名称", "a roll-out has a name")
    if window is not None and window[0] == window[1]:
        raise InvalidInput("维护窗口的起止时间不能相同", "a window does not end when it begins")
    start, end = window or (None, None)
    with transaction.atomic():
        made = Rollout.objects.create(
            release=release,
            title=title.strip()[:60],
            target=_scoped(target, actor).as_json(),
            canary_units=sorted(set(canary_units)),
            window_start=start,
            window_end=end,
            created_by=actor.name[:150],
            created_at=(clock or SystemClock()).now(),
        )
        RolloutGroup.objects.bulk_create(
            RolloutGroup(
                rollout=made,
                no=number,
                title=group.title[:40],
                share_permille=group.share_permille,
                success_permille=group.success_permille,
                error_permille=group.error_permille,
                soak_s=group.soak_s,
            )
            for number, group in enumerate(groups, 1)
        )
    return made


def count_devices(release_id: int, target: TargetFilter, *, actor: Actor) -> int:
    """How many devices a roll-out would mean now."""
    actor.require(permissions.VIEW)
    return len(find_devices(get_release(release_id), _scoped(target, actor)))


def approve_rollout(rollout_id: int, *, actor: Actor, clock: Clock | None = None) -> Rollout:
    """By another person than the one who planned it. Raises SamePerson, AlreadyMoved, NotFound, Forbidden."""
    actor.require(permissions.APPROVE)
    with transaction.atomic(), twopeople.refusals(
        same_person="rollouts_two_people", settled=("rollouts_order", "rollouts_fixed"), error=AlreadyMoved
    ):  # fmt: skip
        rollout = _locked(rollout_id, actor, RolloutState.DRAFT)
        rollout.state, rollout.approved_by = RolloutState.APPROVED, actor.name[:150]
        rollout.approved_at = (clock or SystemClock()).now()
        rollout.save()
    return rollout


def start_rollout(rollout_id: int, *, actor: Actor, clock: Clock | None = None) -> Rollout:
    """Sort the devices into the groups and open the first one. Raises AlreadyMoved, RuleViolated where no device is meant."""
    actor.require(permissions.OPERATE)
    now = (clock or SystemClock()).now()
    with transaction.atomic():
        rollout = _locked(rollout_id, actor, RolloutState.APPROVED)
        if not moving.sort_devices(rollout, now):
            raise RuleViolated("D2：没有符合条件的设备", "D2: no device is meant", rule="D2")
        rollout.state, rollout.started_at, rollout.joined_at = RolloutState.RUNNING, now, now
        rollout.save()
        moving.move(rollout, now)
    return rollout


def pause_rollout(rollout_id: int, *, actor: Actor, reason: str = "") -> Rollout:
    """Take the tasks back until it is resumed; a device that has begun to flash goes through with it."""
    actor.require(permissions.OPERATE)
    with transaction.atomic():
        rollout = _locked(rollout_id, actor, RolloutState.RUNNING)
        rollout.state, rollout.reason = RolloutState.PAUSED, reason[:500]
        rollout.save()
        moving.tell(rollout)
    return rollout


def resume_rollout(rollout_id: int, *, actor: Actor, clock: Clock | None = None) -> Rollout:
    """Go on where it was paused."""
    actor.require(permissions.OPERATE)
    with transaction.atomic():
        rollout = _locked(rollout_id, actor, RolloutState.PAUSED)
        rollout.state, rollout.reason = RolloutState.RUNNING, ""
        rollout.save()
        moving.tell(rollout)
        moving.move(rollout, (clock or SystemClock()).now())
    return rollout


def cancel_rollout(rollout_id: int, *, actor: Actor, reason: str = "", clock: Clock | None = None) -> Rollout:
    """End it for good: what is installed stays, what is not will not be."""
    actor.require(permissions.OPERATE)
    open_states = (RolloutState.DRAFT, RolloutState.APPROVED, RolloutState.RUNNING, RolloutState.PAUSED)
    with transaction.atomic():
        rollout = _locked(rollout_id, actor, *open_states)
        moving.end(rollout, RolloutState.CANCELLED, reason or f"由 {actor.name} 取消", now=(clock or SystemClock()).now())
    return rollout


def tick(clock: Clock | None = None) -> int:
    """Move every running roll-out, and keep the repository fresh; gives how many run. Harmless when two do it at once."""
    now = (clock or SystemClock()).now()
    repository.renew(now)
    repository.prune(now)
    moved = 0
    for rollout_id in Rollout.objects.filter(state=RolloutState.RUNNING).order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            running = Rollout.objects.select_for_update(skip_locked=True, of=("self",)).filter(
                pk=rollout_id, state=RolloutState.RUNNING
            )
            for rollout in running.select_related("release").defer("release__blob"):
                moving.move(rollout, now)
                moved += 1
    return moved


def _locked(rollout_id: int, actor: Actor, *states: RolloutState) -> Rollout:
    found = Rollout.objects.select_for_update(of=("self",)).select_related("release").filter(Q(pk=rollout_id)).first()
    if found is None or not is_of(found, actor):
        raise NotFound(f"无此升级计划：{rollout_id}", f"no such roll-out: {rollout_id}")
    if found.state not in states:
        raise AlreadyMoved(f"该升级计划{found.get_state_display()}", f"the roll-out is {found.state}")
    return found


def _check_groups(groups: Sequence[GroupPlan]) -> None:
    if not 1 <= len(groups) <= 20:
        raise InvalidInput("须有 1 至 20 个分组", "a roll-out has 1 to 20 groups")
    for group in groups:
        figures = (group.share_permille, group.success_permille, group.error_permille)
        if not group.title.strip() or any(not 0 <= one <= 1000 for one in figures) or not 0 <= group.soak_s <= _MOST_SOAK_S:
            raise InvalidInput(
                f"分组“{group.title}”：须有名称，占比与阈值为 0 至 1000（‰）",
                f"group '{group.title}': a name, and a share and thresholds of 0 to 1000 permille",
            )


def _scoped(target: TargetFilter, actor: Actor) -> TargetFilter:
    """No further than the actor's own operators."""
    if actor.operators is None:
        return target
    mine = set(target.operators) & actor.operators if target.operators else actor.operators
    if not mine:
        raise InvalidInput("目标不在你的管辖范围", "the target is not yours")
    return replace(target, operators=tuple(sorted(mine)))
