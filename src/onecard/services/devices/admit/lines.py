"""Lines that end: revoking one for good, and the new line that takes its place (G2)."""

from django.db import connection

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import NotFound, RuleViolated
from onecard.services.actors import Actor
from onecard.services.devices import permissions
from onecard.services.devices.errors import REFUSALS, no_line
from onecard.services.devices.models import EnrolmentCode, Line, LineState, Terminal
from onecard.services.operators.api import refusals

_SYSTEM = Actor.system("platform")


def operator_of(line: Line) -> int:
    """The operator a line belongs to, straight or through its unit."""
    owner = line.operator_id if line.unit is None else line.unit.operator_id
    assert owner is not None, "kept by the constraint line_one_owner"
    return owner


def lock_line(line_id: int) -> Line:
    """The line with its unit, locked until the end of the transaction. Raises NotFound."""
    line = Line.objects.select_for_update(no_key=True, of=("self",)).select_related("unit").filter(pk=line_id).first()
    if line is None:
        raise no_line(line_id)
    return line


def revoke_line(line_id: int, *, actor: Actor = _SYSTEM, clock: Clock | None = None) -> Line:
    """Strike a line off the authorised list for good, with its open codes; the gateways cut it off within seconds.

    A device that comes back gets a new line (`reopen_line`). Again: nothing happens. Raises NotFound, Forbidden.
    """
    now = (clock or SystemClock()).now()
    with refusals(REFUSALS):
        line = lock_line(line_id)
        actor.require(permissions.REVOKE, operator_of(line))
        if line.state != LineState.REVOKED:
            line.state, line.revoked_at = LineState.REVOKED, now
            line.save(update_fields=["state", "revoked_at"])
        EnrolmentCode.objects.filter(line=line, used_at=None, withdrawn_at=None).update(withdrawn_at=now)
    return line


def reopen_line(line_id: int, *, actor: Actor = _SYSTEM) -> int:
    """A new line in place of a revoked one: the same owner, kind and name, its terminals with it. It has to be enrolled.

    Raises NotFound, Forbidden, and RuleViolated (G2) when the line is not revoked or has been replaced.
    """
    with refusals(REFUSALS):
        line = lock_line(line_id)
        actor.require(permissions.ADMIT, operator_of(line))
        if line.state != LineState.REVOKED:
            raise RuleViolated(
                f"G2：线路 {line_id} 未吊销，无需接替", f"G2: line {line_id} is not revoked: nothing to replace", rule="G2"
            )
        successor = Line.objects.filter(replaces=line).values_list("pk", flat=True).first()
        if successor is not None:
            raise RuleViolated(
                f"G2：线路 {line_id} 已由 {successor} 接替",
                f"G2: line {line_id} has been replaced already by {successor}",
                rule="G2",
            )
        made = Line.objects.create(
            unit_id=line.unit_id, operator_id=line.operator_id, kind=line.kind, name=line.name, replaces=line
        )
        Terminal.objects.filter(line=line).update(line=made)
    return made.pk


def notify_tasks(payload: str) -> None:
    """Have the application servers look at what a line (its number) or every line (`data`) should have."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify('rollouts', %s)", [payload])


def lock_terminal(terminal_id: int) -> Terminal:
    """The terminal with its line, locked until the end of the transaction. Raises NotFound."""
    found = Terminal.objects.select_for_update(no_key=True, of=("self",)).select_related("line", "line__unit")
    terminal = found.filter(pk=terminal_id).first()
    if terminal is None:
        raise NotFound(f"无此终端：{terminal_id}", f"no such terminal: {terminal_id}")
    return terminal
