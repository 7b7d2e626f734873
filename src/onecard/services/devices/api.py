"""What other areas call of lines and terminals: the authorised list, enrolment, revocation, terminals, sign-on, reports.

A refusal is RuleViolated, bad input InvalidInput, an unknown id NotFound.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from onecard.datacenter.home import Home
from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.services.devices.ca import CertificateAuthority, ClientCertificate, ServerFiles, build_request
from onecard.services.devices.errors import REFUSALS
from onecard.services.devices.models import Driver, Line, LineKind, LineState, Terminal, TerminalState
from onecard.services.devices.reports import report_lines
from onecard.services.devices.signon import SignOn, current_batch, sign_on, terminal_master_key
from onecard.services.operators.api import refusals

__all__ = [
    "Driver",
    "LineKind",
    "LineState",
    "NewLine",
    "NewTerminal",
    "SignOn",
    "TerminalState",
    "authority",
    "build_request",
    "create_line",
    "create_lines",
    "create_terminals",
    "current_batch",
    "enrol",
    "enrol_many",
    "ensure_gateway_files",
    "report_lines",
    "revoke_line",
    "set_terminal_state",
    "sign_on",
    "terminal_master_key",
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


def authority() -> CertificateAuthority:
    """The certificate authority of this installation, made at its first use."""
    home = Home.from_environment()
    home.prepare()
    return CertificateAuthority.load_or_create(home.tls_dir)


def ensure_gateway_files(*, hosts: Iterable[str] = (), clock: Clock | None = None) -> ServerFiles:
    """The gateway's key and certificate in the home's `tls` folder: `gateway.key`, `gateway.pem`, and the root's `ca.pem`."""
    home = Home.from_environment()
    return authority().ensure_server(home.tls_dir, now=(clock or SystemClock()).now(), hosts=hosts)


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
    issued: dict[int, ClientCertificate] = {
        line_id: signer.issue_client(csr_pem, common_name=f"line-{line_id}", now=now) for line_id, csr_pem in requests
    }
    if len(issued) != len(requests):
        raise InvalidInput("同一线路重复登记", "the same line is named twice")
    with refusals(REFUSALS):
        locked = Line.objects.select_for_update(no_key=True).filter(pk__in=issued).order_by("pk").values_list("pk", "state")
        states = dict(locked)
        for line_id in issued:
            if line_id not in states:
                raise _no_line(line_id)
            if states[line_id] == LineState.REVOKED:
                raise RuleViolated(f"G2：线路 {line_id} 已吊销", f"G2: line {line_id} is revoked", rule="G2")
        columns = (
            ([], [], []) if not issued else tuple(zip(*((i, c.sha256, c.not_after) for i, c in issued.items()), strict=True))
        )
        with connection.cursor() as cursor:
            cursor.execute(_ENROL, [list(column) for column in columns])
    return [issued[line_id].pem for line_id, _ in requests]


def revoke_line(line_id: int) -> None:
    """Strike a line off the authorised list for good: a device that comes back gets a new line. Raises NotFound."""
    with refusals(REFUSALS):
        if not Line.objects.filter(pk=line_id).update(state=LineState.REVOKED):
            raise _no_line(line_id)


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


def _no_line(line_id: int) -> NotFound:
    return NotFound(f"无此线路：{line_id}", f"no such line: {line_id}")
