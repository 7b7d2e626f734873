"""What the device room shows of roll-outs (D2): a good image that every POS takes, and a bad one that its canary stops.

Signed, planned, approved and started as people would do it, by two of the demonstration's persons. Each step is made once; a city
that was stopped in between goes on where it was.
"""

import logging
import random
import time
from collections.abc import Callable
from functools import partial

from onecard.city.updates import key_folder, passphrase
from onecard.datacenter.home import Home
from onecard.services.actors import Actor
from onecard.services.rollouts import api as rollouts
from onecard.services.rollouts.models import Release, Rollout
from onecard.terminal.kinds.firmware import build_image

log = logging.getLogger(__name__)
HARDWARE = "onecard-pos"
_PLANNER, _APPROVER = Actor.system("demo-planner"), Actor.system("demo-approver")
_BODY_BYTES = 60_000
_LOOK_S = 2.0
_GROUPS = (
    rollouts.GroupPlan("先行组 canary", 170, success_permille=1000, error_permille=0, soak_s=5),
    rollouts.GroupPlan("其余 the rest", 1000, error_permille=100),
)


def show_rollouts(home: Home, *, wanted: int, wait_s: float = 600.0) -> None:
    """Roll out the good image once `wanted` POS are known, and the bad one when that has ended."""
    for version, title, healthy in ((2, "POS 固件 2", True), (3, "POS 固件 3（坏镜像 bad image）", False)):
        if not _released(version):
            _release(home, version, title, healthy=healthy)
        made = Rollout.objects.filter(release__kind=rollouts.FIRMWARE, release__version=version).first()
        if made is None:
            if not _until(partial(_are_known, version, wanted), wait_s):
                log.warning("roll-outs: the POS have not told what they are, none is planned")
                return
            made = _plan(version, title)
        if not _until(partial(_ended, made.pk), wait_s):
            return


def _released(version: int) -> bool:
    return Release.objects.filter(kind=rollouts.FIRMWARE, version=version, state=rollouts.ReleaseState.RELEASED).exists()


def _release(home: Home, version: int, title: str, *, healthy: bool) -> None:
    body = random.Random(version).randbytes(_BODY_BYTES)  # noqa: S311 - stands for a program
    if not Release.objects.filter(kind=rollouts.FIRMWARE, version=version).exists():
        image = build_image("pos", version, body, healthy=healthy)
        rollouts.add_release(rollouts.FIRMWARE, title, version=version, content=image, hardware_ids=[HARDWARE], actor=_PLANNER)
    secret = passphrase(home)
    signers = [rollouts.read_key_file(key_folder(home) / f"targets-{number}.pem", secret) for number in (1, 2)]
    rollouts.accept(rollouts.sign_off_line(rollouts.propose_targets(actor=_PLANNER), signers), actor=_APPROVER)
    log.info("roll-outs: %s is released", title)


def _release_id(version: int) -> int:
    return int(Release.objects.get(kind=rollouts.FIRMWARE, version=version).pk)


def _target() -> rollouts.TargetFilter:
    return rollouts.TargetFilter(hardware=(HARDWARE,))


def _are_known(version: int, wanted: int) -> bool:
    return rollouts.count_devices(_release_id(version), _target(), actor=_PLANNER) >= wanted


def _plan(version: int, title: str) -> Rollout:
    made = rollouts.plan_rollout(_release_id(version), title=title, target=_target(), groups=_GROUPS, actor=_PLANNER)
    rollouts.approve_rollout(made.pk, actor=_APPROVER)
    rollouts.start_rollout(made.pk, actor=_PLANNER)
    log.info("roll-outs: %s has started", title)
    return made


def _ended(rollout_id: int) -> bool:
    state = Rollout.objects.filter(pk=rollout_id).values_list("state", flat=True).get()
    return state in (rollouts.RolloutState.FINISHED, rollouts.RolloutState.STOPPED, rollouts.RolloutState.CANCELLED)


def _until(is_met: Callable[[], bool], wait_s: float) -> bool:
    end = time.monotonic() + wait_s
    while not is_met():
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK_S)
    return True
