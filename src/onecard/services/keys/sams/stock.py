"""The life of a module (K3): ordered, received, personalised, bound, blocked, scrapped; each step written to its log.

Which step may follow which is held by the database as well (`sql/sam_moves.sql`); here is who may take it. Out of `blocked` one
person scraps a module; anything else is an approved request of two.
"""

import re
from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models import Max

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.services.actors import Actor
from onecard.services.keys.custody import permissions
from onecard.services.keys.custody.errors import REFUSALS
from onecard.services.keys.models.sams import MAX_SAM_NO, Sam, SamEvent, SamState
from onecard.services.operators.api import refusals

_SERIAL = re.compile("[0-9A-Z]{4,20}")
_STARTS = {
    "personalised": (SamState.RECEIVED, SamState.PERSONALISED),
    "bound": (SamState.PERSONALISED,),
    "unbound": (SamState.BOUND,),
    "blocked": (SamState.RECEIVED, SamState.PERSONALISED, SamState.BOUND),
    "scrapped": (SamState.ORDERED, SamState.RECEIVED, SamState.PERSONALISED, SamState.BLOCKED),
    "unblocked": (SamState.BLOCKED,),
}
"""The states an act may start from."""
_TERMINAL_SQL = "SELECT id FROM devices_terminal WHERE tid = %s"


def order_sams(count: int, *, order_ref: str, supplier: str = "", first_no: int | None = None, actor: Actor) -> list[int]:
    """Give out numbers for modules that are ordered: from `first_no`, else after the highest. Raises InvalidInput, Forbidden."""
    actor.require(permissions.SAM)
    if not 1 <= count <= 10_000 or not order_ref.strip():
        raise InvalidInput("须有订单号，数量 1 至 10000", "an order has a number of its own and 1 to 10000 modules")
    with refusals(REFUSALS):
        with connection.cursor() as cursor:  # one order at a time: two must not be given the same numbers
            cursor.execute("LOCK TABLE keys_sam IN SHARE ROW EXCLUSIVE MODE")
        first = first_no if first_no is not None else (Sam.objects.aggregate(top=Max("pk"))["top"] or 0) + 1
        numbers = list(range(first, first + count))
        if not 1 <= first <= numbers[-1] <= MAX_SAM_NO:
            raise InvalidInput("SAM 编号为 6 字节", "the number of a SAM has 6 bytes")
        Sam.objects.bulk_create(Sam(pk=number, order_ref=order_ref.strip(), supplier=supplier) for number in numbers)
        _log(numbers, actor, "ordered", order_ref.strip())
    return numbers


def receive_sams(serials: Sequence[str], *, order_ref: str, actor: Actor) -> list[int]:
    """Take modules of an order into the stock; each gets the order's next number. Gives the numbers in the serials' order.

    Raises InvalidInput (a serial number that is none, is there already, or more than were ordered), Forbidden.
    """
    actor.require(permissions.SAM)
    found = [_serial(text) for text in serials]
    with refusals(REFUSALS):
        rows = Sam.objects.select_for_update().filter(order_ref=order_ref.strip(), state=SamState.ORDERED)
        waiting = list(rows.order_by("pk")[: len(found)])
        if len(waiting) < len(found):
            raise InvalidInput(
                f"订单 {order_ref} 只有 {len(waiting)} 张未到货，收到 {len(found)} 张",
                f"order {order_ref} has {len(waiting)} modules outstanding, {len(found)} came",
            )
        for row, serial in zip(waiting, found, strict=True):
            row.serial, row.state = serial, SamState.RECEIVED
            row.save()
        numbers = [row.pk for row in waiting]
        _log(numbers, actor, "received", order_ref.strip())
    return numbers


def bind_sam(sam_no: int, tid: str, *, actor: Actor) -> None:
    """Bind a personalised module to the one terminal (by its 8-character number) it may work in.

    Raises NotFound, RuleViolated (K3: not personalised, another module there), Forbidden.
    """
    actor.require(permissions.SAM)
    with connection.cursor() as cursor:
        cursor.execute(_TERMINAL_SQL, [tid.strip().upper()])
        terminal = cursor.fetchone()
    if terminal is None:
        raise NotFound(f"无此终端：{tid}", f"no such terminal: {tid}")
    _move(sam_no, SamState.BOUND, act="bound", detail=tid.strip().upper(), actor=actor, terminal_id=int(terminal[0]))


def unbind_sam(sam_no: int, *, reason: str, actor: Actor) -> None:
    """Take a module out of its terminal. Raises NotFound, RuleViolated, Forbidden."""
    actor.require(permissions.SAM)
    _move(sam_no, SamState.PERSONALISED, act="unbound", detail=_reason(reason), actor=actor, terminal_id=None)


def block_sam(sam_no: int, *, reason: str, actor: Actor) -> None:
    """Block a module at once: from now on its records go to quarantine. One person may; lifting it takes two.

    Raises NotFound, RuleViolated, Forbidden, InvalidInput without a reason.
    """
    actor.require(permissions.SAM_BLOCK)
    _move(sam_no, SamState.BLOCKED, act="blocked", detail=_reason(reason), actor=actor)


def scrap_sam(sam_no: int, *, reason: str, actor: Actor) -> None:
    """Take a module out of the stock for good; a bound one is blocked or unbound before. Raises as `block_sam`."""
    actor.require(permissions.SAM)
    _move(sam_no, SamState.SCRAPPED, act="scrapped", detail=_reason(reason), actor=actor, terminal_id=None)


def unblock_sam(sam_no: int, *, actor: Actor) -> SamState:
    """Back to where the module stood. Called by an approved request only (`custody/requests.py`)."""
    with refusals(REFUSALS):
        sam = _locked(sam_no)
        require_start(sam, "unblocked")
        at_work = SamState.BOUND if sam.terminal_id else SamState.PERSONALISED
        state = at_work if sam.personalised_at else SamState.RECEIVED
        _set(sam, state, act="unblocked", detail="", actor=actor)
    return state


def finish_personalisation(sam_no: int, key_versions: dict[str, list[int]], *, actor: Actor, clock: Clock | None = None) -> None:
    """Write down that a module holds its keys: use → [version, index, algorithm]."""
    now = (clock or SystemClock()).now()
    _move(
        sam_no,
        SamState.PERSONALISED,
        act="personalised",
        detail=", ".join(f"{use} v{version[0]}" for use, version in sorted(key_versions.items())),
        actor=actor,
        key_versions=key_versions,
        personalised_at=now,
    )


def get_sam(sam_no: int) -> Sam:
    """One module. Raises NotFound."""
    found = Sam.objects.filter(pk=sam_no).first()
    if found is None:
        raise NotFound(f"无此 SAM：{sam_no:012X}", f"no such SAM: {sam_no:012X}")
    return found


def parse_state(text: str) -> SamState:
    """A state by its name. Raises InvalidInput."""
    if text not in SamState.values:
        names = ", ".join(SamState.values)
        raise InvalidInput(f"没有这种状态：{text}（{names}）", f"no such state: {text} ({names})")
    return SamState(text)


def parse_sam_no(text: str) -> int:
    """A number as the module itself carries it: 12 hexadecimal digits (spaces allowed). Raises InvalidInput."""
    digits = "".join(text.split())
    try:
        number = int(digits, 16) if len(digits) == 12 else 0
    except ValueError:
        number = 0
    if not 1 <= number <= MAX_SAM_NO:
        raise InvalidInput(f"SAM 编号为 12 位十六进制数，不是 {text}", f"a SAM number has 12 hexadecimal digits, not {text}")
    return number


def _move(sam_no: int, state: SamState, *, act: str, detail: str, actor: Actor, **changes: object) -> None:
    with refusals(REFUSALS):
        sam = _locked(sam_no)
        require_start(sam, act)
        for name, value in changes.items():
            setattr(sam, name, value)
        _set(sam, state, act=act, detail=detail, actor=actor)


def require_start(sam: Sam, act: str) -> None:
    """Raises RuleViolated (K3) where an act may not start from the state a module is in."""
    if sam.state in _STARTS[act]:
        return
    raise RuleViolated(
        f"K3：SAM {sam} 当前{sam.get_state_display()}，不允许该操作",
        f"K3: SAM {sam} is {sam.state}: its state does not allow this",
        rule="K3",
    )


def _set(sam: Sam, state: SamState, *, act: str, detail: str, actor: Actor) -> None:
    sam.state = state
    sam.save()
    _log([sam.pk], actor, act, detail)


def _locked(sam_no: int) -> Sam:
    sam = Sam.objects.select_for_update().filter(pk=sam_no).first()
    return sam if sam is not None else get_sam(sam_no)


def _log(numbers: Sequence[int], actor: Actor, act: str, detail: str) -> None:
    assert transaction.get_connection().in_atomic_block
    now = SystemClock().now()
    SamEvent.objects.bulk_create(
        SamEvent(sam_id=number, at=now, who=actor.name, act=act, detail=detail[:200]) for number in numbers
    )


def _serial(text: str) -> str:
    serial = "".join(text.split()).upper()
    if not _SERIAL.fullmatch(serial):
        raise InvalidInput(
            f"SAM 芯片序列号为 4 至 20 位数字或字母，不是 {text}",
            f"a SAM's serial number has 4 to 20 digits and letters, not {text}",
        )
    return serial


def _reason(text: str) -> str:
    if not text.strip():
        raise InvalidInput("须填写事由", "a reason must be given")
    return text.strip()
