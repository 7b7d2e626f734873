"""The ceremony (K2): opened by an officer, entered by one custodian after another, combined in the keeper, written down, signed.

    open ──all components held──► finish ──XOR, or an old key brought in again──────────► done
      │                             └─new key of k shares──► handing_out ──last one confirmed─► done
      └──────────────► aborted                (the other n−k custodians are given theirs)

Each custodian acts under the own name: brings the component of the own sheet with its check value (`enter`), or is given one
(`make`) and proves by its check value that it is written down (`confirm`). In between the component is sealed by the keeper; with
the end of the ceremony it is gone. Another result than expected leaves everything as it is: who erred enters again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth import get_user_model

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.protocol.purse.ciphers import Algorithm
from onecard.services.actors import Actor
from onecard.services.keys.custody import permissions, seam, transcript
from onecard.services.keys.custody.components import Scheme, format_component, parse_component
from onecard.services.keys.custody.errors import REFUSALS, require_person
from onecard.services.keys.keepers.base import SealedComponent
from onecard.services.keys.models.custody import (
    Ceremony,
    CeremonyComponent,
    CeremonyEvent,
    CeremonyState,
    ComponentState,
)
from onecard.services.keys.tree import MAX_VERSION
from onecard.services.keys.uses import SIGNING_USES, KeyUse
from onecard.services.operators.api import refusals

CEREMONY_USES = tuple(use for use in KeyUse if use not in SIGNING_USES)
"""What custodians make keys for: everything but signing keys, which are made inside the vault."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a custodian writes down: shown once, never stored in the clear, and not in `repr`."""

    number: int
    check_value: str
    text: str = field(repr=False)


def open_ceremony(
    use: KeyUse,
    *,
    algorithm: Algorithm,
    scheme: Scheme,
    custodians: Sequence[str],
    version: int | None = None,
    expected_kcv: str = "",
    actor: Actor,
    clock: Clock | None = None,
) -> Ceremony:
    """Name the custodians of a key to be made, or with `expected_kcv` of a key to be brought in again from its components.

    A key that is brought in keeps its `version`, which is named with its check value; a new one gets the next. Raises
    InvalidInput, Forbidden, NotFound (a custodian who is no user), RuleViolated (K1: the version is there; K2: a ceremony for
    the use is open).
    """
    require_person(actor, permissions.CEREMONY)
    names = [name.strip() for name in custodians if name.strip()]
    if len(names) != scheme.count:
        raise InvalidInput(f"须指定 {scheme.count} 位保管人", f"{scheme.count} custodians must be named")
    if use in SIGNING_USES:
        raise InvalidInput("签名密钥只在保管库内生成", "signing keys are made inside the vault only")
    _require_old(version, expected_kcv)
    _require_users(names)
    if version is not None:
        seam.require_free(use, algorithm, version)
    now = _now(clock)
    with refusals(REFUSALS):
        ceremony = Ceremony.objects.create(
            use=use,
            version=version,
            algorithm=algorithm,
            threshold=scheme.threshold,
            count=scheme.count,
            expected_kcv=_check_text(expected_kcv) if expected_kcv else "",
            opened_by=actor.name,
            opened_at=now,
        )
        CeremonyComponent.objects.bulk_create(
            CeremonyComponent(ceremony=ceremony, number=number, custodian=name) for number, name in enumerate(names, start=1)
        )
        _log(ceremony, now, actor, "opened", f"{use} {scheme}: {', '.join(names)}")
    return ceremony


def enter(ceremony_id: int, text: str, *, check_value: str, actor: Actor, clock: Clock | None = None) -> str:
    """One's own component from one's own sheet, instead of an earlier one where there is. Gives its check value.

    Raises InvalidInput (which group is wrong, or the check value differs), NotFound, Forbidden, RuleViolated (K2).
    """
    require_person(actor, permissions.COMPONENT)
    now = _now(clock)
    with refusals(REFUSALS):
        ceremony, own = _own(ceremony_id, actor, CeremonyState.OPEN)
        scheme = scheme_of(ceremony)
        tag = None if ceremony.expected_kcv else ceremony_tag(ceremony)  # an old key's sheets carry the tag of its own ceremony
        sealed = seam.seal(ceremony, parse_component(text, scheme, number=own.number, tag=tag, who=actor.name))
        found = sealed.kcv.hex().upper()
        if found != _check_text(check_value):
            raise InvalidInput(
                f"{actor.name} 的分量与其校验值不符：录入的分量为 {found}，应为 {check_value}，请核对后重新录入",
                f"{actor.name}'s component has the check value {found}, not {check_value}: type it again",
            )
        _hold(own, sealed, ComponentState.HELD, now=now)
        _log(ceremony, now, actor, "entered", found)
    return found


def make(ceremony_id: int, *, actor: Actor, clock: Clock | None = None) -> Sheet:
    """Give the custodian a component of the own, once: a random one, or in `handing_out` the share that belongs to the key.

    Raises NotFound, Forbidden, RuleViolated (K2: has one, or the shares that make the key are there already).
    """
    require_person(actor, permissions.COMPONENT)
    now = _now(clock)
    with refusals(REFUSALS):
        ceremony, own = _own(ceremony_id, actor, CeremonyState.OPEN, CeremonyState.HANDING_OUT)
        if own.state == ComponentState.HELD:
            raise REFUSALS["component_one_per_custodian"].build()
        if ceremony.expected_kcv:
            raise RuleViolated(
                "K2：恢复已有密钥须录入原分量", "K2: an old key comes back from its own components only", rule="K2"
            )
        scheme = scheme_of(ceremony)
        if ceremony.state == CeremonyState.HANDING_OUT:
            sealed, component = seam.further_share(ceremony, scheme, _sealed_parts(ceremony), own.number, actor=actor)
        elif _random_parts(ceremony, but=own) >= scheme.threshold:
            raise RuleViolated("K2：其余分量在合成之后发放", "K2: the others are handed out after the key is made", rule="K2")
        else:
            sealed, component = seam.new_component(ceremony, own.number, actor=actor)
        found = sealed.kcv.hex().upper()
        _hold(own, sealed, ComponentState.SHOWN, now=now, made_here=True)
        _log(ceremony, now, actor, "given", found)
    return Sheet(own.number, found, format_component(scheme, component, tag=ceremony_tag(ceremony)))


def confirm(ceremony_id: int, check_value: str, *, actor: Actor, clock: Clock | None = None) -> Ceremony:
    """The custodian has written the component down: proved by the check value of the own sheet.

    Raises InvalidInput (another check value), NotFound, Forbidden, RuleViolated (K2).
    """
    require_person(actor, permissions.COMPONENT)
    now = _now(clock)
    with refusals(REFUSALS):
        ceremony, own = _own(ceremony_id, actor, CeremonyState.OPEN, CeremonyState.HANDING_OUT)
        if own.state != ComponentState.SHOWN:
            raise RuleViolated("K2：没有待确认的分量", "K2: there is no component to confirm", rule="K2")
        if own.check_value != _check_text(check_value):
            raise InvalidInput(f"{actor.name} 的校验值不符，请核对", f"{actor.name}'s check value differs: look at the sheet")
        own.state, own.at = ComponentState.HELD, now
        own.save(update_fields=["state", "at"])
        _log(ceremony, now, actor, "confirmed", own.check_value)
        everybody = not ceremony.components.exclude(state=ComponentState.HELD).exists()
        if ceremony.state == CeremonyState.HANDING_OUT and everybody:
            _end(ceremony, CeremonyState.DONE, now)
    return ceremony


def finish(ceremony_id: int, *, actor: Actor, clock: Clock | None = None) -> Ceremony:
    """Combine the components inside the keeper; the key waits there for its activation, its check value stands in `kcv`.

    In `handing_out`: end without the shares that nobody fetched. Raises InvalidInput (too few, another check value than expected:
    enter again), NotFound, Forbidden, RuleViolated (K2).
    """
    require_person(actor, permissions.CEREMONY)
    now = _now(clock)
    with refusals(REFUSALS):
        ceremony = _locked(ceremony_id, CeremonyState.OPEN, CeremonyState.HANDING_OUT)
        if ceremony.state == CeremonyState.HANDING_OUT:
            _log(ceremony, now, actor, "ended early", "")
            _end(ceremony, CeremonyState.DONE, now)
            return ceremony
        scheme, parts = scheme_of(ceremony), _sealed_parts(ceremony)
        if len(parts) < scheme.threshold:
            raise InvalidInput(
                f"分量不足：{len(parts)}/{scheme.threshold}", f"too few components: {len(parts)} of {scheme.threshold}"
            )
        made = seam.combine(ceremony, scheme, parts, actor=actor)
        ceremony.key_id, ceremony.kcv, ceremony.version = made.key_id, made.kcv, made.version
        _log(ceremony, now, actor, "combined", made.kcv)
        if len(parts) < scheme.count and not ceremony.expected_kcv:
            ceremony.state = CeremonyState.HANDING_OUT
            ceremony.save()
        else:
            _end(ceremony, CeremonyState.DONE, now)
    return ceremony


def abort(ceremony_id: int, *, reason: str, actor: Actor, clock: Clock | None = None) -> Ceremony:
    """End it without a key and wipe every component. Raises NotFound, Forbidden, RuleViolated (K2: a key is there already)."""
    require_person(actor, permissions.CEREMONY)
    now = _now(clock)
    with refusals(REFUSALS):
        ceremony = _locked(ceremony_id, CeremonyState.OPEN)
        _log(ceremony, now, actor, "aborted", reason.strip())
        _end(ceremony, CeremonyState.ABORTED, now)
    return ceremony


def get_ceremony(ceremony_id: int) -> Ceremony:
    """One ceremony. Raises NotFound."""
    found = Ceremony.objects.filter(pk=ceremony_id).first()
    if found is None:
        raise NotFound(f"无此仪式：{ceremony_id}", f"no such ceremony: {ceremony_id}")
    return found


def ceremonies(*, limit: int = 50) -> list[Ceremony]:
    """The newest ceremonies."""
    return list(Ceremony.objects.order_by("-id")[:limit])


def parse_use(text: str) -> KeyUse:
    """The use of that name. Raises InvalidInput."""
    if text not in CEREMONY_USES:
        raise InvalidInput(f"没有这种密钥用途：{text}", f"no such use of keys: {text} ({', '.join(CEREMONY_USES)})")
    return KeyUse(text)


def parse_version(text: str) -> int | None:
    """A version as it is typed; None for nothing. Raises InvalidInput."""
    digits = text.strip()
    if digits and not (digits.isascii() and digits.isdecimal() and len(digits) <= 3):
        raise InvalidInput(f"密钥版本为 1 至 {MAX_VERSION}", f"a key has versions 1 to {MAX_VERSION}")
    return int(digits) if digits else None


def parse_algorithm(text: str) -> Algorithm:
    """An algorithm by its name or number. Raises InvalidInput."""
    names = {"DES3": Algorithm.DES3, "3DES": Algorithm.DES3, "SM4": Algorithm.SM4} | {str(int(a)): a for a in Algorithm}
    if text.strip().upper() not in names:
        raise InvalidInput(f"没有这种算法：{text}（3des、sm4）", f"no such algorithm: {text} (3des, sm4)")
    return names[text.strip().upper()]


def scheme_of(ceremony: Ceremony) -> Scheme:
    """The scheme a ceremony was opened with."""
    return Scheme(ceremony.threshold, ceremony.count)


def ceremony_tag(ceremony: Ceremony) -> int:
    """The last digit of a sheet's first group: a sheet of another ceremony is mostly recognised by it."""
    return ceremony.pk % 16


# --- inside a transaction -----------------------------------------------------------------------------------------------


def _require_old(version: int | None, expected_kcv: str) -> None:
    """A key that comes back says which it is and what it must be: both or neither."""
    if (version is None) != (not expected_kcv):
        raise InvalidInput(
            "恢复已有密钥须同时给出其版本与应得的校验值", "an old key comes back with its version and its check value: give both"
        )
    if version is not None and not 1 <= version <= MAX_VERSION:
        raise InvalidInput(f"密钥版本为 1 至 {MAX_VERSION}", f"a key has versions 1 to {MAX_VERSION}")


def _require_users(names: Sequence[str]) -> None:
    for name in names:
        if not get_user_model().objects.filter(username__iexact=name, is_active=True).exists():
            raise NotFound(f"保管人不是管理中心用户：{name}", f"no user of the management centre: {name}")


def _own(ceremony_id: int, actor: Actor, *states: CeremonyState) -> tuple[Ceremony, CeremonyComponent]:
    ceremony = _locked(ceremony_id, *states)
    own = ceremony.components.filter(custodian__iexact=actor.name).first()
    if own is None:
        raise Forbidden(f"{actor.name} 不是本次仪式的保管人", f"{actor.name} is no custodian of this ceremony")
    return ceremony, own


def _locked(ceremony_id: int, *states: CeremonyState) -> Ceremony:
    get_ceremony(ceremony_id)
    ceremony = Ceremony.objects.select_for_update().get(pk=ceremony_id)
    if ceremony.state not in states:
        raise REFUSALS["ceremony_final"].build()
    return ceremony


def _hold(
    own: CeremonyComponent, sealed: SealedComponent, state: ComponentState, *, now: datetime, made_here: bool = False
) -> None:
    own.sealed, own.check_value = sealed.blob, sealed.kcv.hex().upper()
    own.state, own.at, own.made_here = state, now, made_here
    own.save()


def _sealed_parts(ceremony: Ceremony) -> list[CeremonyComponent]:
    """The components that are sure to be on paper: those entered and those confirmed."""
    return list(ceremony.components.filter(state=ComponentState.HELD).order_by("number"))


def _random_parts(ceremony: Ceremony, *, but: CeremonyComponent) -> int:
    return ceremony.components.filter(sealed__isnull=False).exclude(pk=but.pk).count()


def _end(ceremony: Ceremony, state: CeremonyState, now: datetime) -> None:
    ceremony.state, ceremony.closed_at = state, now
    ceremony.save()
    ceremony.components.update(sealed=None, state=ComponentState.WIPED)
    transcript.write(ceremony)


def _log(ceremony: Ceremony, now: datetime, actor: Actor, act: str, detail: str) -> None:
    CeremonyEvent.objects.create(ceremony=ceremony, at=now, who=actor.name, act=act, detail=detail[:200])


def _now(clock: Clock | None) -> datetime:
    return (clock or SystemClock()).now()


def _check_text(text: str) -> str:
    digits = "".join(text.split()).upper()
    if len(digits) != 6 or any(digit not in "0123456789ABCDEF" for digit in digits):
        raise InvalidInput(f"校验值为 6 位十六进制数，不是 {text}", f"a check value has 6 hexadecimal digits, not {text}")
    return digits
