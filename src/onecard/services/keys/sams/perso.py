"""Personalising a module: the steps of `protocol/purse/perso_sam.py` over whatever carries commands to it and answers back.

An interrupted module is simply presented again: every step may be repeated. Where the answer to the last step was lost, the
module opens with its own control key only; it is then recognised by its number and written down as done.
"""

from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeVar

from onecard.kernel.errors import InvalidInput, RuleViolated
from onecard.protocol.purse.apdu import Response
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.files import SamPublicData
from onecard.protocol.purse.perso import Exchange, PersoPlan, PersoRefused, is_sealed, personalise
from onecard.protocol.purse.perso_sam import DEFAULT_SLOTS, sam_plan
from onecard.services.actors import Actor
from onecard.services.keys.custody import permissions
from onecard.services.keys.models.sams import SamState
from onecard.services.keys.perso import missing
from onecard.services.keys.sams import stock
from onecard.services.keys.uses import KeyUse

T = TypeVar("T")
Progress = Callable[[int, int, str], None]
_SELECT_MASTER = bytes.fromhex("00A40000023F00")
_READ_NUMBER = bytes.fromhex("00B0960006")


class Transmit(Protocol):
    """Carries a command to the module and brings back its answer, data and status word together."""

    def __call__(self, command: bytes, /) -> bytes: ...


def personalise_sam(sam_no: int, transmit: Transmit, *, actor: Actor, report: Progress | None = None) -> None:
    """Write a received module: files, number and keys, its control key last. `report` hears (step, of, name).

    Raises NotFound, Forbidden, RuleViolated (K3: not in stock), InvalidInput (another module lies in the reader, or it refused).
    """
    from onecard.services.keys.api import open_vault  # the api offers this function too

    actor.require(permissions.SAM)
    sam = stock.get_sam(sam_no)
    if sam.state != SamState.RECEIVED:
        raise RuleViolated(
            f"K3：SAM {sam} 当前{sam.get_state_display()}，不能个人化",
            f"K3: SAM {sam} is {sam.state}: only stock is personalised",
            rule="K3",
        )
    keys = open_vault().open_sam_personalisation(sam_no)
    versions = keys.versions()
    for needed in (*(KeyUse(slot.use) for slot in DEFAULT_SLOTS), KeyUse.SAM_CONTROL):
        if needed not in versions:
            raise missing(needed)
    algorithm = Algorithm(versions[KeyUse.SAM_CONTROL][2])
    plan = sam_plan(SamPublicData(sam_no), sam_no, versions, algorithm=algorithm)
    try:
        _play(personalise(plan, keys), transmit, plan, report)
    except PersoRefused as refused:
        if not _is_ours(sam_no, plan, keys, transmit, refused):
            raise InvalidInput(f"SAM 拒绝了步骤 {refused}", f"the module refused a step: {refused}") from None
    slots = {str(slot.use) for slot in DEFAULT_SLOTS} | {str(plan.control)}
    loaded = {str(use): [int(part) for part in version] for use, version in versions.items() if str(use) in slots}
    stock.finish_personalisation(sam_no, loaded, actor=actor)


def _is_ours(sam_no: int, plan: PersoPlan, keys: Any, transmit: Transmit, refused: PersoRefused) -> bool:
    """Whether the module was finished before and only our knowledge of that was lost: it opens with its own key."""
    if refused.name != "master.authenticate" or refused.sw & 0xFFF0 != 0x63C0:
        return False
    if not _play(is_sealed(plan, keys), transmit, plan, None):
        return False
    _send(transmit, _SELECT_MASTER)
    return _send(transmit, _READ_NUMBER).data == sam_no.to_bytes(6, "big")


def _play(run: Generator[Exchange, Response, T], transmit: Transmit, plan: PersoPlan, report: Progress | None) -> T:
    try:
        exchange = next(run)
        while True:
            if report is not None and exchange.writes:
                report(exchange.index + 1, len(plan.steps), exchange.name)
            exchange = run.send(_send(transmit, bytes(exchange.command)))
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def _send(transmit: Transmit, command: bytes) -> Response:
    return Response.parse(transmit(command))
