"""What other areas call of lines and terminals: the authorised list, enrolment, revocation, terminals, sign-on, reports.

A refusal is RuleViolated, bad input InvalidInput, an unknown id NotFound.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput, NotFound
from onecard.services.devices.admit.authority import (
    Standing,
    authority,
    ensure_server,
    root_certificate,
    root_sha256,
    seal_secrets,
    standing,
)
from onecard.services.devices.admit.codes import (
    Enrolled,
    EnrolmentCode,
    enrol_by_code,
    make_enrolment_code,
    roll_line,
    withdraw_code,
)
from onecard.services.devices.admit.leases import issue_lease, lease_serials, tell_due_leases
from onecard.services.devices.admit.lines import reopen_line, revoke_line
from onecard.services.devices.admit.refused import note_refused, prune_refused
from onecard.services.devices.admit.settings import admission_settings, set_admission_settings
from onecard.services.devices.ca import FRONT_END_HOSTS, ClientCertificate, ServerFiles, build_request
from onecard.services.devices.errors import REFUSALS, no_line, revoked
from onecard.services.devices.models import Driver, Line, LineKind, LineState, Terminal, TerminalState
from onecard.services.devices.registry.alarms import acknowledge, clear_alarm, clear_by_hand, raise_alarm
from onecard.services.devices.registry.devices import NewDevice, Place, define_model, move_device, register_device
from onecard.services.devices.registry.intake import TakenEvent, take_report
from onecard.services.devices.registry.messages import write_messages
from onecard.services.devices.registry.parameters import Change, Preview, apply, preview
from onecard.services.devices.registry.publish import publish_waiting
from onecard.services.devices.registry.watch import prune, watch_devices
from onecard.services.devices.reports import report_lines
from onecard.services.devices.signon import SignOn, current_batch, sign_on, terminal_master_key
from onecard.services.operators.api import refusals

__all__ = [
    "Change",
    "Driver",
    "Enrolled",
    "EnrolmentCode",
    "LineKind",
    "LineState",
    "NewDevice",
    "NewLine",
    "NewTerminal",
    "Place",
    "Preview",
    "SignOn",
    "Standing",
    "TakenEvent",
    "TerminalState",
    "acknowledge",
    "admission_settings",
    "apply",
    "authority",
    "build_request",
    "clear_alarm",
    "clear_by_hand",
    "create_line",
    "create_lines",
    "create_terminals",
    "current_batch",
    "define_model",
    "enrol",
    "enrol_by_code",
    "enrol_many",
    "ensure_gateway_files",
    "ensure_server",
    "issue_lease",
    "lease_serials",
    "make_enrolment_code",
    "move_device",
    "note_refused",
    "preview",
    "prune",
    "prune_refused",
    "publish_waiting",
    "raise_alarm",
    "register_device",
    "reopen_line",
    "report_lines",
    "revoke_line",
    "roll_line",
    "root_certificate",
    "root_sha256",
    "seal_secrets",
    "set_admission_settings",
    "set_terminal_state",
    "sign_on",
    "standing",
    "take_report",
    "tell_due_leases",
    "terminal_master_key",
    "watch_devices",
    "withdraw_code",
    "write_messages",
]

_COPY = """
COPY devices_terminal (id, tid, merchant_id, line_id, state, driver, name, created_at) FROM STDIN (FORMAT binary)"""
_TYPES = ("int8", "text", "int4", "int8", "text", "text", "text", "timestamptz")
_ENROL = """
UPDATE devices_line l SET certificate_sha256 = c.sha256, certificate_until = c.until
  FROM unnest(%s::bigint[], %s::bytea[], %s::timestamptz[]) AS c (id, sha256, until) WHERE l.id = c.id"""


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line to put on the authorised list: of a unit, or of an operator for public merchants outside any unit."""

    name: str
    kind: str = LineKind.TERMINAL
    unit_id: int | None = None
    operator_id: int | None = None


@dataclass(frozen=True, slots=True)
class NewTerminal:
    """A terminal to make; without a `tid` its number is its id in eight digits."""

    merchant_id: int
    line_id: int | None = None
    driver: str = Driver.NATIVE
    name: str = ""
    tid: str = ""


def create_line(line: NewLine) -> int:
    """One line; it is admitted once it is enrolled. Gives its id. Raises InvalidInput."""
    return create_lines([line])[0]


def create_lines(lines: Iterable[NewLine]) -> list[int]:
    """Many lines, all or none; gives their ids in the order given. Raises InvalidInput."""
    with refusals(REFUSALS):
        made = Line.objects.bulk_create(
            [
                Line(name=line.name, kind=LineKind(line.kind), unit_id=line.unit_id, operator_id=line.operator_id)
                for line in lines
            ],
            batch_size=2_000,
        )
    return [line.pk for line in made]


def ensure_gateway_files(*, hosts: Iterable[str] = (), clock: Clock | None = None) -> ServerFiles:
    """The gateway's key and certificate in the home's `tls` folder: `gateway.key`, `gateway.pem`, and the root's `ca.pem`."""
    return ensure_server("gateway", hosts=hosts, clock=clock)


def enrol(line_id: int, csr_pem: bytes, *, clock: Clock | None = None) -> bytes:
    """The client certificate (PEM) for a line's signing request; from now on it is admitted, and an older one is not.

    Raises NotFound, InvalidInput for a bad request, and RuleViolated (G2) when the line is revoked.
    """
    return enrol_many([(line_id, csr_pem)], clock=clock)[0]


def enrol_many(requests: Sequence[tuple[int, bytes]], *, clock: Clock | None = None) -> list[bytes]:
    """Certificates for many lines, all or none, in the order given. Raises as `enrol`."""
    if not requests:
        return []
    now = (clock or SystemClock()).now()
    signer = authority()
    wanted = [line_id for line_id, _ in requests]
    front_ends = set(Line.objects.filter(pk__in=wanted, kind=LineKind.FRONT_END).values_list("pk", flat=True))
    issued: dict[int, ClientCertificate] = {
        line_id: signer.issue_client(
            csr_pem, common_name=f"line-{line_id}", now=now, hosts=FRONT_END_HOSTS if line_id in front_ends else None
        )
        for line_id, csr_pem in requests
    }
    if len(issued) != len(requests):
        raise InvalidInput("同一线路重复登记", "the same line is named twice")
    with refusals(REFUSALS):
        locked = Line.objects.select_for_update(no_key=True).filter(pk__in=issued).order_by("pk").values_list("pk", "state")
        states = dict(locked)
        for line_id in issued:
            if line_id not in states:
                raise no_line(line_id)
            if states[line_id] == LineState.REVOKED:
                raise revoked(line_id)
        columns = (
            ([], [], []) if not issued else tuple(zip(*((i, c.sha256, c.not_after) for i, c in issued.items()), strict=True))
        )
        with connection.cursor() as cursor:
            cursor.execute(_ENROL, [list(column) for column in columns])
    return [issued[line_id].pem for line_id, _ in requests]


def create_terminals(terminals: Iterable[NewTerminal]) -> list[int]:
    """Many terminals in one COPY, all or none; gives their ids in the order given.

    Raises InvalidInput (a number that is taken, unknown ids) and RuleViolated (N3: the line is another unit's).
    """
    wanted = list(terminals)
    now = datetime.now(UTC)
    with refusals(REFUSALS), connection.cursor() as cursor:
        sequence = "pg_get_serial_sequence('devices_terminal', 'id')"
        cursor.execute(f"SELECT nextval({sequence}) FROM generate_series(1, %s)", [len(wanted)])  # noqa: S608
        ids = [row[0] for row in cursor.fetchall()]
        with cursor.copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for terminal_id, new in zip(ids, wanted, strict=True):
                tid = new.tid or f"{terminal_id:08d}"
                driver = Driver(new.driver).value
                copy.write_row((terminal_id, tid, new.merchant_id, new.line_id, "active", driver, new.name, now))
    return ids


def set_terminal_state(terminal_id: int, state: str) -> None:
    """Disable a terminal or take it back. Raises NotFound."""
    if not Terminal.objects.filter(pk=terminal_id).update(state=TerminalState(state)):
        raise NotFound(f"无此终端：{terminal_id}", f"no such terminal: {terminal_id}")
