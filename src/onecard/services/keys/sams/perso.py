"""Personalising a module: the steps of `protocol/purse/perso_sam.py` over whatever carries commands to it and answers back.

An interrupted module is simply presented again: every step may be repeated. Where the answer to the last step was lost, the
module opens with its own control key only; it is then recognised by its number. A personalised one is opened with the control key
it carries and gets the keys it has not: nothing is erased, its sequence of purchases goes on.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from onecard.kernel.errors import InvalidInput
from onecard.protocol.purse.apdu import Response
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.files import SamPublicData
from onecard.protocol.purse.perso import Exchange, PersoPlan, PersoRefused, is_sealed, personalise
from onecard.protocol.purse.perso_sam import DEFAULT_SLOTS, sam_plan
from onecard.services.actors import Actor
from onecard.services.keys.custody import permissions
from onecard.services.keys.models.sams import Sam, SamState
from onecard.services.keys.perso import PersoKeys, missing
from onecard.services.keys.sams import stock
from onecard.services.keys.uses import KeyAlgorithm, KeyUse
from onecard.services.keys.vault import Vault

T = TypeVar("T")
Progress = Callable[[int, int, str], None]
_SELECT_MASTER = bytes.fromhex("00A40000023F00")
_READ_NUMBER = bytes.fromhex("00B0960006")


class Transmit(Protocol):
    """Carries a command to the module and brings back its answer, data and status word together."""

    def __call__(self, command: bytes, /) -> bytes: ...


def personalise_sam(sam_no: int, transmit: Transmit, *, actor: Actor, report: Progress | None = None) -> None:
    """Write a module from the stock, or one that is personalised already once more: files, number and keys, its control key last.

    `report` hears (step, of, name). Raises NotFound, Forbidden, RuleViolated (K3: bound, blocked …), KeyMissing, InvalidInput
    (another module lies in the reader, or it refused).
    """
    from onecard.services.keys.api import open_vault  # the api offers this function too

    actor.require(permissions.SAM)
    sam = stock.get_sam(sam_no)
    stock.require_start(sam, "personalised")
    opens = _sealed_with(sam)
    writing = _Writing.of(open_vault(), sam_no, sealed_with=opens)
    try:
        writing.write(transmit, report)
    except PersoRefused as refused:
        again = _Writing.of(open_vault(), sam_no, sealed_with=(writing.control, writing.algorithm))
        if not again.is_ours(transmit, refused):
            raise InvalidInput(f"SAM 拒绝了步骤 {refused}", f"the module refused a step: {refused}") from None
        try:
            again.write(transmit, report)
        except PersoRefused as twice:
            raise InvalidInput(f"SAM 拒绝了步骤 {twice}", f"the module refused a step: {twice}") from None
    stock.finish_personalisation(sam_no, writing.loaded(), actor=actor)


def _sealed_with(sam: Sam) -> "tuple[int, Algorithm] | None":
    """Version and algorithm of the control key that a personalised module carries; None where the maker's is still there."""
    if sam.state != SamState.PERSONALISED:
        return None
    version, _index, algorithm = sam.key_versions[str(KeyUse.SAM_CONTROL)]
    return version, Algorithm(algorithm)


@dataclass(frozen=True, slots=True)
class _Writing:
    """What goes into one module: the active version of each key, before it those in their overlap, and the control key last.

    A key's number in the module is its version: versions stand side by side, and one that is there is not written again.
    """

    sam_no: int
    keys: PersoKeys
    plan: PersoPlan
    older: tuple[tuple[PersoKeys, PersoPlan], ...]

    @classmethod
    def of(cls, vault: Vault, sam_no: int, *, sealed_with: tuple[int, Algorithm] | None) -> "_Writing":
        """Raises KeyMissing."""
        cipher = KeyAlgorithm(sealed_with[1]) if sealed_with else None
        opens = sealed_with[0] if sealed_with else None
        keys = vault.open_sam_personalisation(sam_no, algorithm=cipher, sealed_with=opens)
        plan = _plan(sam_no, keys)
        older = []
        for use, version in vault.overlapping([KeyUse(slot.use) for slot in DEFAULT_SLOTS], plan.algorithm):
            source = vault.open_sam_personalisation(sam_no, algorithm=cipher, sealed_with=opens, older={use: version})
            whole = _plan(sam_no, source)
            steps = tuple(replace(step, name=f"{step.name}.v{version}") for step in whole.steps if step.name == _key_step(use))
            older.append((source, replace(whole, steps=steps)))
        return cls(sam_no, keys, plan, tuple(older))

    @property
    def control(self) -> int:
        return self.keys.versions()[KeyUse.SAM_CONTROL][0]

    @property
    def algorithm(self) -> Algorithm:
        return self.plan.algorithm

    def write(self, transmit: Transmit, report: Progress | None) -> None:
        """Everything; the control key goes in when all others are there. Raises PersoRefused."""
        first, last = replace(self.plan, steps=self.plan.steps[:-1]), replace(self.plan, steps=self.plan.steps[-1:])
        parts = ((self.keys, first), *self.older, (self.keys, last))
        total, done = sum(len(plan.steps) for _, plan in parts), 0
        for keys, plan in parts:
            _play(personalise(plan, keys), transmit, report, done=done, total=total)
            done += len(plan.steps)

    def is_ours(self, transmit: Transmit, refused: PersoRefused) -> bool:
        """Whether the module was sealed before and the answer was lost: its own key opens it, and it carries its number."""
        if refused.name != "master.authenticate" or refused.sw & 0xFFF0 != 0x63C0:
            return False
        if not _play(is_sealed(self.plan, self.keys), transmit, None):
            return False
        _send(transmit, _SELECT_MASTER)
        return _send(transmit, _READ_NUMBER).data == self.sam_no.to_bytes(6, "big")

    def loaded(self) -> dict[str, list[int]]:
        """Use → [version, number in the module, algorithm] of the newest key of each use."""
        uses = {str(slot.use) for slot in DEFAULT_SLOTS} | {str(self.plan.control)}
        numbered = _numbered(self.keys)
        return {str(use): [int(part) for part in version] for use, version in numbered.items() if str(use) in uses}


def _key_step(use: KeyUse) -> str:
    return f"application.key.{use}"


def _numbered(keys: PersoKeys) -> dict[KeyUse, tuple[int, int, KeyAlgorithm]]:
    return {use: (version, version, algorithm) for use, (version, _index, algorithm) in keys.versions().items()}


def _plan(sam_no: int, keys: PersoKeys) -> PersoPlan:
    versions = _numbered(keys)
    for needed in (*(KeyUse(slot.use) for slot in DEFAULT_SLOTS), KeyUse.SAM_CONTROL):
        if needed not in versions:
            raise missing(needed)
    return sam_plan(SamPublicData(sam_no), sam_no, versions, algorithm=Algorithm(versions[KeyUse.SAM_CONTROL][2]))


def _play(
    run: Generator[Exchange, Response, T], transmit: Transmit, report: Progress | None, *, done: int = 0, total: int = 0
) -> T:
    try:
        exchange = next(run)
        while True:
            if report is not None and exchange.writes:
                report(done + exchange.index + 1, total, exchange.name)
            exchange = run.send(_send(transmit, bytes(exchange.command)))
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def _send(transmit: Transmit, command: bytes) -> Response:
    return Response.parse(transmit(command))
