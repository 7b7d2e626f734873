"""Roll-outs as pages and the command line show them: each group with its counts, and devices one by one."""

from dataclasses import dataclass, field

from django.db.models import Count, QuerySet

from onecard.kernel.errors import NotFound
from onecard.services.actors import Actor
from onecard.services.rollouts import permissions
from onecard.services.rollouts.choices import ERRORS, UNDER_WAY, ActionState
from onecard.services.rollouts.models import Action, Rollout, RolloutGroup


@dataclass(frozen=True, slots=True)
class GroupProgress:
    """A group and how many of its devices are in each state."""

    group: RolloutGroup
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(number for state, number in self.counts.items() if state != ActionState.CANCELLED)

    @property
    def done(self) -> int:
        return self.counts.get(ActionState.DONE, 0)

    @property
    def errors(self) -> int:
        return sum(self.counts.get(state, 0) for state in ERRORS)

    @property
    def under_way(self) -> int:
        return sum(self.counts.get(state, 0) for state in UNDER_WAY)

    @property
    def done_permille(self) -> int:
        """Rounded down."""
        return self.done * 1000 // self.size if self.size else 0


@dataclass(frozen=True, slots=True)
class Progress:
    """A roll-out and its groups."""

    rollout: Rollout
    groups: list[GroupProgress]

    @property
    def size(self) -> int:
        return sum(group.size for group in self.groups)

    @property
    def done(self) -> int:
        return sum(group.done for group in self.groups)

    @property
    def errors(self) -> int:
        return sum(group.errors for group in self.groups)

    @property
    def done_permille(self) -> int:
        """Rounded down."""
        return self.done * 1000 // self.size if self.size else 0


def rollouts(*, actor: Actor, limit: int = 100) -> list[Progress]:
    """Newest first."""
    actor.require(permissions.VIEW)
    found = [one for one in _with_release()[:limit] if is_of(one, actor)]
    return _progress(found)


def rollout(rollout_id: int, *, actor: Actor) -> Progress:
    """One. Raises NotFound."""
    actor.require(permissions.VIEW)
    found = _with_release().filter(pk=rollout_id).first()
    if found is None or not is_of(found, actor):
        raise NotFound(f"无此升级计划：{rollout_id}", f"no such roll-out: {rollout_id}")
    return _progress([found])[0]


def is_of(rollout: Rollout, actor: Actor) -> bool:
    """Whether a roll-out concerns nobody but the actor's own operators (N3)."""
    mine = set(rollout.target.get("operators", ()))
    return actor.operators is None or (bool(mine) and mine <= actor.operators)


def actions(rollout_id: int, *, actor: Actor, states: tuple[str, ...] = (), after: int = 0, limit: int = 100) -> list[Action]:
    """Devices of a roll-out by number, those with an error first where no state is asked for."""
    actor.require(permissions.VIEW)
    found = Action.objects.filter(rollout_id=rollout_id, pk__gt=after).select_related("group", "line", "line__unit", "terminal")
    if actor.operators is not None:
        found = found.filter(line__unit__operator_id__in=actor.operators) | found.filter(line__operator_id__in=actor.operators)
    if states:
        found = found.filter(state__in=states)
    return list(found.order_by("pk")[:limit])


def _with_release() -> QuerySet[Rollout]:
    return Rollout.objects.select_related("release").order_by("-pk")


def _progress(found: list[Rollout]) -> list[Progress]:
    counts: dict[int, dict[str, int]] = {}
    rows = Action.objects.filter(rollout__in=found).order_by().values_list("group_id", "state").annotate(Count("id"))
    for group_id, state, number in rows:
        counts.setdefault(group_id, {})[state] = number
    groups: dict[int, list[GroupProgress]] = {}
    for group in RolloutGroup.objects.filter(rollout__in=found).order_by("no"):
        groups.setdefault(group.rollout_id, []).append(GroupProgress(group, counts.get(group.pk, {})))
    return [Progress(one, groups.get(one.pk, [])) for one in found]
