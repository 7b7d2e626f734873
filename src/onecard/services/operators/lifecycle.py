"""The life of a unit (O3, O4): the table of steps, opening, the validity period and the tick that ends it."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.hashers import check_password, make_password
from django.utils.translation import override

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.services.operators.choices import Application, UnitState
from onecard.services.operators.errors import refusals
from onecard.services.operators.models import Unit, UnitApplication, UnitCredential

_S = UnitState
TRANSITIONS: dict[UnitState, frozenset[UnitState]] = {
    _S.APPLIED: frozenset({_S.OPENED, _S.CLOSED}),
    _S.OPENED: frozenset({_S.COMMISSIONING, _S.SUSPENDED, _S.EXPIRED, _S.CLOSED}),
    _S.COMMISSIONING: frozenset({_S.ACTIVE, _S.SUSPENDED, _S.EXPIRED, _S.CLOSED}),
    _S.ACTIVE: frozenset({_S.SUSPENDED, _S.EXPIRED, _S.CLOSED}),
    _S.SUSPENDED: frozenset({_S.CLOSED}),
    _S.EXPIRED: frozenset({_S.CLOSED}),
    _S.CLOSED: frozenset(),
}
"""From suspended and expired a unit also goes back to the state it came from (`Unit.resume_state`), and to no other."""

RUNNING = (UnitState.OPENED, UnitState.COMMISSIONING, UnitState.ACTIVE)
# Without letters and digits that look alike: the password is read from paper and typed in.
_PASSWORD_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # noqa: S105 - an alphabet
_PASSWORD_LENGTH = 12


@dataclass(frozen=True, slots=True)
class OpenedUnit:
    """What opening a unit hands to its people; the password is shown this once."""

    user_name: str
    password: str = field(repr=False)
    applications: tuple[str, ...]


def may_go(before: UnitState, after: UnitState, *, resume: UnitState | None) -> bool:
    """Whether a unit may go from one state to another."""
    if after in TRANSITIONS[before]:
        return True
    return before in (UnitState.SUSPENDED, UnitState.EXPIRED) and after == resume


def lock_unit(unit_id: int) -> Unit:
    """The unit, locked until the end of the transaction. Raises NotFound."""
    unit = Unit.objects.select_for_update(no_key=True).filter(pk=unit_id).first()
    if unit is None:
        raise NotFound(f"无此接入单位：{unit_id}", f"no such unit: {unit_id}")
    return unit


def open_unit(
    unit_id: int,
    *,
    valid_from: datetime,
    valid_until: datetime,
    applications: Iterable[str] = (Application.PAYMENT, Application.FUNDING),
    clock: Clock | None = None,
) -> OpenedUnit:
    """Open an applied unit: validity period, applications, user name and one-time password (O3).

    Raises NotFound, RuleViolated (not applied; no period) and InvalidInput (unknown application).
    """
    chosen = tuple(sorted(set(applications)))
    unknown = [name for name in chosen if name not in Application.values]
    if unknown:
        raise InvalidInput(f"无此应用：{unknown[0]}", f"no such application: {unknown[0]}")
    now = (clock or SystemClock()).now()
    password = _new_password()
    with refusals():
        unit = lock_unit(unit_id)
        _require_step(unit, UnitState.OPENED)
        _require_future(valid_until, now)
        unit.state, unit.valid_from, unit.valid_until = UnitState.OPENED, valid_from, valid_until
        unit.save(update_fields=["state", "valid_from", "valid_until"])
        UnitApplication.objects.bulk_create(UnitApplication(unit=unit, application=name) for name in chosen)
        credential = _store_credential(unit, password, now)
    return OpenedUnit(credential.user_name, password, chosen)


def renew_credential(unit_id: int, *, clock: Clock | None = None) -> OpenedUnit:
    """A new one-time password; the old one is dead. Raises NotFound, and RuleViolated before the opening."""
    password = _new_password()
    with refusals():
        unit = lock_unit(unit_id)
        if unit.state in (UnitState.APPLIED, UnitState.CLOSED):
            raise RuleViolated("O3：接入单位未开通", "O3: the unit is not open", rule="O3")
        credential = _store_credential(unit, password, (clock or SystemClock()).now())
        applications = tuple(unit.applications.order_by("application").values_list("application", flat=True))
    return OpenedUnit(credential.user_name, password, applications)


def check_unit_credential(user_name: str, password: str) -> int | None:
    """The unit that a user name and password belong to, or None. Takes as long for an unknown name as for a wrong password."""
    credential = UnitCredential.objects.select_related("unit").filter(user_name=user_name).first()
    if credential is None:
        make_password(password, hasher="argon2")
        return None
    matches = check_password(password, credential.password_hash, preferred="argon2")
    return credential.unit_id if matches and credential.unit.state != UnitState.CLOSED else None


def set_unit_state(unit_id: int, state: str, *, clock: Clock | None = None) -> Unit:
    """One step of a unit's life; opening and extending have functions of their own.

    Raises NotFound, and RuleViolated for a step that is not in the table (O3) or that needs a validity period still running (O4).
    """
    target = UnitState(state)
    if target is UnitState.OPENED and not Unit.objects.filter(pk=unit_id, state=UnitState.SUSPENDED).exists():
        raise RuleViolated("O3：开通须指定有效期（open_unit）", "O3: opening needs a validity period (open_unit)", rule="O3")
    with refusals():
        unit = lock_unit(unit_id)
        _require_step(unit, target)
        if target in RUNNING and unit.valid_until is not None:
            _require_future(unit.valid_until, (clock or SystemClock()).now())
        unit.state = target
        unit.save(update_fields=["state"])
        unit.refresh_from_db(fields=["resume_state"])
    return unit


def extend_unit(unit_id: int, *, valid_until: datetime, clock: Clock | None = None) -> Unit:
    """A new end of the validity period; an expired unit is back in the state it had (O4). Raises NotFound, RuleViolated."""
    with refusals():
        unit = lock_unit(unit_id)
        if unit.state in (UnitState.APPLIED, UnitState.CLOSED):
            raise RuleViolated(
                f"O4：状态为“{_label(unit.state)}”的接入单位没有有效期可延",
                f"O4: a unit that is {unit.state} has no validity to extend",
                rule="O4",
            )
        _require_future(valid_until, (clock or SystemClock()).now())
        unit.valid_until = valid_until
        if unit.state == UnitState.EXPIRED:
            assert unit.resume_state is not None, "kept by the trigger check_unit_state"
            unit.state = unit.resume_state
        unit.save(update_fields=["valid_until", "state"])
        unit.refresh_from_db(fields=["resume_state"])
    return unit


def expire_units(clock: Clock | None = None) -> list[int]:
    """The tick of O4: running units whose period is over become expired; gives their ids. Any number may call it at once."""
    now = (clock or SystemClock()).now()
    with refusals():
        due = Unit.objects.select_for_update(skip_locked=True, no_key=True).filter(state__in=RUNNING, valid_until__lte=now)
        ids = list(due.order_by("id").values_list("id", flat=True))
        if ids:
            Unit.objects.filter(id__in=ids).update(state=UnitState.EXPIRED)
    return ids


def _require_step(unit: Unit, target: UnitState) -> None:
    resume = UnitState(unit.resume_state) if unit.resume_state else None
    if not may_go(UnitState(unit.state), target, resume=resume):
        raise RuleViolated(
            f"O3：接入单位不能从“{_label(unit.state)}”变为“{_label(target)}”",
            f"O3: a unit cannot go from {unit.state} to {target.value}",
            rule="O3",
        )


def _require_future(valid_until: datetime, now: datetime) -> None:
    if valid_until <= now:
        raise RuleViolated("O4：有效期止须晚于现在", "O4: the validity period must end in the future", rule="O4")


def _label(state: str) -> str:
    with override("zh-hans"):
        return str(UnitState(state).label)


def _new_password() -> str:
    return "".join(secrets.choice(_PASSWORD_LETTERS) for _ in range(_PASSWORD_LENGTH))


def _store_credential(unit: Unit, password: str, now: datetime) -> UnitCredential:
    # The id is in the name, because a unit's code is unique under one operator only.
    user_name = f"{unit.code.lower()}-{unit.pk}"
    password_hash = make_password(password, hasher="argon2")
    credential, _ = UnitCredential.objects.update_or_create(
        unit=unit,
        defaults={"user_name": user_name, "password_hash": password_hash, "must_change": True, "issued_at": now},
    )
    return credential
