"""One-time codes (G2): made for a line or a terminal behind a front-end, shown once, and turned into a certificate once.

A code is 16 of 32 letters without look-alikes, 80 bits; only its hash is kept, so a plain hash is enough. The answer is kept for
ten minutes for the same device key, so that a device whose line broke gets the certificate it already has a right to.
"""

import hashlib
import io
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import segno

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput, RuleViolated
from onecard.services.actors import Actor
from onecard.services.devices import permissions
from onecard.services.devices.admit.authority import authority, root_sha256
from onecard.services.devices.admit.hosts import checked_hosts
from onecard.services.devices.admit.lines import lock_line, lock_terminal, operator_of
from onecard.services.devices.admit.refused import note_bad_code
from onecard.services.devices.admit.settings import admission_settings
from onecard.services.devices.ca import FRONT_END_HOSTS, ClientCertificate, request_key_sha256
from onecard.services.devices.errors import REFUSALS, revoked
from onecard.services.devices.models import EnrolmentCode as CodeRow
from onecard.services.devices.models import Line, LineKind, LineState, Terminal
from onecard.services.operators.api import refusals

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no I, L, O, U. What people read as one of the first three is taken for the digit it looks like."""
CODE_LETTERS: Final = 16
VALID: Final = timedelta(hours=24)
ANSWERED_AGAIN_FOR: Final = timedelta(minutes=10)
_LONGEST: Final = timedelta(days=30)
_GROUP: Final = 4
_ALIKE = str.maketrans("ILO", "110", "- \t\r\n")


@dataclass(frozen=True, slots=True)
class EnrolmentCode:
    """A code to be shown this once: as letters, as the text of the QR code, and as its picture (SVG)."""

    code: str = field(repr=False)
    uri: str = field(repr=False)
    svg: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a device gets for its code; `terminal_id` 0: the certificate is the line's own."""

    certificate_pem: bytes
    ca_pem: bytes
    line_id: int
    terminal_id: int


def make_enrolment_code(
    *,
    line_id: int | None = None,
    terminal_id: int | None = None,
    actor: Actor,
    valid: timedelta = VALID,
    clock: Clock | None = None,
) -> EnrolmentCode:
    """A new code for a line, or for a terminal behind a front-end; an older one that nobody used is void.

    A line that is enrolled already keeps its certificate until the code is used (`roll_line`). Raises NotFound, Forbidden,
    InvalidInput (a period; a terminal that has no certificate of its own) and RuleViolated (G2: the line is revoked).
    """
    assert (line_id is None) != (terminal_id is None), "a code is for a line or for a terminal"
    if not timedelta() < valid <= _LONGEST:
        raise InvalidInput("登记码有效期须在 30 天以内", "a code is valid for at most 30 days")
    now = (clock or SystemClock()).now()
    code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LETTERS))
    with refusals(REFUSALS):
        line, terminal = _subject(line_id, terminal_id)
        actor.require(permissions.ADMIT, operator_of(line))
        if line.state == LineState.REVOKED:
            raise revoked(line.pk)
        target = {"terminal": terminal} if terminal else {"line": line}
        CodeRow.objects.filter(**target, used_at=None, withdrawn_at=None).update(withdrawn_at=now)
        CodeRow.objects.create(**target, code_sha256=_hash(code), made_by=actor.name[:150], made_at=now, expires_at=now + valid)
    return _shown(code, now + valid)


def roll_line(line_id: int, *, actor: Actor, valid: timedelta = VALID, clock: Clock | None = None) -> EnrolmentCode:
    """A code for a new key and certificate of an enrolled line; the old certificate ends the moment the code is used.

    Raises as `make_enrolment_code`, and RuleViolated (G2) for a line that has no certificate yet.
    """
    if Line.objects.filter(pk=line_id, state=LineState.ACTIVE, certificate_sha256=None).exists():
        raise RuleViolated(f"G2：线路 {line_id} 尚未登记", f"G2: line {line_id} is not enrolled yet", rule="G2")
    return make_enrolment_code(line_id=line_id, actor=actor, valid=valid, clock=clock)


def withdraw_code(code_id: int, *, actor: Actor, clock: Clock | None = None) -> None:
    """Make a code void that nobody has used. Raises Forbidden; a code that is used, void or unknown stays what it is."""
    row = CodeRow.objects.select_related("line__unit", "terminal__line__unit").filter(pk=code_id).first()
    line = (row.line or (row.terminal.line if row.terminal else None)) if row else None
    if row is None or line is None:
        return
    actor.require(permissions.ADMIT, operator_of(line))
    now = (clock or SystemClock()).now()
    CodeRow.objects.filter(pk=code_id, used_at=None, withdrawn_at=None).update(withdrawn_at=now)


def enrol_by_code(code: str, csr_pem: bytes, *, hosts: Sequence[str] = (), address: str, clock: Clock | None = None) -> Enrolled:
    """The certificate for a code and a device's signing request; the code is used up, an older certificate ends.

    `hosts` are names a front-end has in its own network. The same key gets the same answer again for ten minutes. Raises
    RuleViolated (G2: the code is unknown, used, void or too old; the line is revoked) and InvalidInput (request, hosts): then
    the code is as good as before. Who comes with a bad code is noted with his address.
    """
    now = (clock or SystemClock()).now()
    key = request_key_sha256(csr_pem)
    try:
        with refusals(REFUSALS):
            row = CodeRow.objects.select_for_update(no_key=True).filter(code_sha256=_hash(code)).first()
            if row is None:
                raise _no_entry("登记码无效", "the code is not valid")
            line, terminal = _subject(row.line_id, row.terminal_id)
            if line.state == LineState.REVOKED:
                raise revoked(line.pk)
            if row.used_at is None:
                _use(row, line, terminal, csr_pem, key=key, hosts=hosts, address=address, now=now)
            elif bytes(row.key_sha256 or b"") != key or now - row.used_at > ANSWERED_AGAIN_FOR:
                raise _no_entry("登记码已使用", "the code has been used")
            return Enrolled(row.certificate.encode(), authority().pem, line.pk, terminal.pk if terminal else 0)
    except RuleViolated:
        note_bad_code(address, now=now)
        raise


def _use(
    row: CodeRow,
    line: Line,
    terminal: Terminal | None,
    csr_pem: bytes,
    *,
    key: bytes,
    hosts: Sequence[str],
    address: str,
    now: datetime,
) -> None:
    if row.withdrawn_at is not None:
        raise _no_entry("登记码已作废", "the code is void")
    if now >= row.expires_at:
        raise _no_entry("登记码已过期", "the code is too old")
    issued = _issue(line, terminal, csr_pem, hosts=hosts, now=now)
    holder: Line | Terminal = terminal or line
    holder.certificate_sha256, holder.certificate_until = issued.sha256, issued.not_after
    holder.save(update_fields=["certificate_sha256", "certificate_until"])
    row.used_at, row.used_from, row.key_sha256, row.certificate = now, address[:64], key, issued.pem.decode()
    row.save(update_fields=["used_at", "used_from", "key_sha256", "certificate"])


def _issue(line: Line, terminal: Terminal | None, csr_pem: bytes, *, hosts: Sequence[str], now: datetime) -> ClientCertificate:
    if terminal is not None:
        return authority().issue_client(csr_pem, common_name=f"terminal-{terminal.pk}", now=now)
    names = (*FRONT_END_HOSTS, *checked_hosts(hosts)) if line.kind == LineKind.FRONT_END else None
    return authority().issue_client(csr_pem, common_name=f"line-{line.pk}", now=now, hosts=names)


def _subject(line_id: int | None, terminal_id: int | None) -> tuple[Line, Terminal | None]:
    """Who a code is for; the line of a terminal is the front-end it stands behind."""
    if line_id is not None:
        return lock_line(line_id), None
    assert terminal_id is not None
    terminal = lock_terminal(terminal_id)
    if terminal.line is None or terminal.line.kind != LineKind.FRONT_END:
        raise InvalidInput(
            f"终端 {terminal.tid} 不在前置机之后：直连终端用其线路的登记码",
            f"terminal {terminal.tid} is not behind a front-end: a straight one enrols with a code of its line",
        )
    return terminal.line, terminal


def _shown(code: str, expires_at: datetime) -> EnrolmentCode:
    grouped = "-".join(code[at : at + _GROUP] for at in range(0, CODE_LETTERS, _GROUP))
    words = {"gateway": admission_settings().gateway, "code": grouped, "ca": root_sha256().hex()}
    uri = f"onecard://enrol?{urlencode(words, safe=':[]')}"
    picture = io.BytesIO()
    segno.make(uri, error="m", micro=False).save(picture, kind="svg", scale=4, xmldecl=False, svgns=True, nl=False)
    return EnrolmentCode(grouped, uri, picture.getvalue().decode(), expires_at)


def _hash(code: str) -> bytes:
    return hashlib.sha256(b"onecard enrolment code\0" + code.upper().translate(_ALIKE).encode()).digest()


def _no_entry(zh: str, en: str) -> RuleViolated:
    return RuleViolated(f"G2：{zh}", f"G2: {en}", rule="G2")
