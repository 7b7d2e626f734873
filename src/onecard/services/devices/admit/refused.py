"""Who did not get past the handshake, or came with a bad code (G2): kept by day, alike ones counted, for people to see."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from django.db import connection, transaction

from onecard.kernel.clock import Clock, SystemClock, from_epoch_us
from onecard.protocol.proto import app_pb2
from onecard.services.devices.admit.authority import root_certificate
from onecard.services.devices.ca import has_issued
from onecard.services.devices.models import Line, RefusedAttempt, Terminal

BAD_CODE = "enrolment_code"
"""The reason of an attempt that came with a code which opens nothing."""
KEPT_DAYS = 90
_MOST_KEPT = 200_000
_LONGEST_CERTIFICATE = 16_384

# A line whose owner is scanned from a million addresses must not fill the disk: what is new on a day that has had its share is
# counted under one address.
_MOST_A_DAY = 20_000
_ELSEWHERE = "*"
_NOTE = """
INSERT INTO devices_refusedattempt
       (day, address, reason, certificate_sha256, certificate_der, subject, line_id, first_at, last_at, times)
SELECT * FROM unnest(%s::date[], %s::text[], %s::text[], %s::bytea[], %s::bytea[], %s::text[], %s::bigint[],
                     %s::timestamptz[], %s::timestamptz[], %s::bigint[])
ON CONFLICT (day, address, reason, certificate_sha256) DO UPDATE SET times = devices_refusedattempt.times + excluded.times,
    first_at = least(devices_refusedattempt.first_at, excluded.first_at),
    last_at = greatest(devices_refusedattempt.last_at, excluded.last_at)"""


@dataclass(slots=True)
class _Attempt:
    at: datetime
    address: str
    reason: str
    der: bytes
    times: int


def note_refused(refused: Iterable[app_pb2.RefusedHandshake], *, clock: Clock | None = None) -> None:
    """Take in what a gateway refused. Alike ones of a day (address, reason, certificate) are one row that counts."""
    now = (clock or SystemClock()).now()
    _note(
        [
            _Attempt(
                # A gateway's clock may be wrong; it must not make a row that never ages.
                min(from_epoch_us(one.at_us), now) if one.at_us > 0 else now,
                host_of(one.address),
                one.reason[:40],
                one.certificate_der if len(one.certificate_der) <= _LONGEST_CERTIFICATE else b"",
                max(one.times, 1),
            )
            for one in refused
        ]
    )


def note_bad_code(address: str, *, now: datetime) -> None:
    """Somebody came with an enrolment code that opens nothing."""
    _note([_Attempt(now, host_of(address), BAD_CODE, b"", 1)])


def prune_refused(*, clock: Clock | None = None) -> int:
    """Forget what is older than three months, and the oldest beyond a bound; gives how many rows. For a worker's tick."""
    now = (clock or SystemClock()).now()
    gone, _ = RefusedAttempt.objects.filter(last_at__lt=now - timedelta(days=KEPT_DAYS)).delete()
    beyond = RefusedAttempt.objects.order_by("-last_at", "-id").values_list("last_at", flat=True)[_MOST_KEPT : _MOST_KEPT + 1]
    for oldest in beyond:
        gone += RefusedAttempt.objects.filter(last_at__lte=oldest).delete()[0]
    return gone


def host_of(address: str) -> str:
    """An address without its port: a peer that tries again comes from another one."""
    text = address.strip()
    host = text.rpartition(":")[0] if text.count(":") == 1 or text.startswith("[") else text
    host = host.removeprefix("[").removesuffix("]")
    try:
        return str(ip_address(host))
    except ValueError:
        return text[:64]


def _note(attempts: list[_Attempt]) -> None:
    if not attempts:
        return
    root = root_certificate()
    rows: dict[tuple[date, str, str, bytes], list[Any]] = {}
    room = _room({attempt.at.astimezone(UTC).date() for attempt in attempts})
    for attempt in attempts:
        digest = hashlib.sha256(attempt.der).digest() if attempt.der else b""
        day = attempt.at.astimezone(UTC).date()
        if room[day] <= 0:
            attempt.address, attempt.der, digest = _ELSEWHERE, b"", b""
        key = (day, attempt.address, attempt.reason, digest)
        known = rows.get(key)
        if known is None:
            room[day] -= 1
            subject, line_id = _who(attempt.der, root)
            rows[key] = [*key, attempt.der, subject, line_id, attempt.at, attempt.at, attempt.times]
        else:
            known[7], known[8] = min(known[7], attempt.at), max(known[8], attempt.at)
            known[9] += attempt.times
    ordered = [rows[key] for key in sorted(rows, key=str)]  # two gateways at once: the same order, no deadlock
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_NOTE, [list(column) for column in zip(*ordered, strict=True)])


def _room(days: Iterable[date]) -> dict[date, int]:
    return {day: _MOST_A_DAY - RefusedAttempt.objects.filter(day=day).count() for day in days}


def _who(der: bytes, root: x509.Certificate | None) -> tuple[str, int | None]:
    """The name in a certificate, and the line it was issued to where our own authority says so."""
    if not der:
        return "", None
    try:
        certificate = x509.load_der_x509_certificate(der)
        subject = certificate.subject.rfc4514_string()[:200]
        issued = root is not None and has_issued(root, certificate)
    except Exception:  # whatever a stranger sends: its bytes and hash are kept all the same
        return "", None
    kind, _, number = subject.removeprefix("CN=").partition("-")
    if not issued or not number.isdecimal():
        return subject.replace("\0", " "), None
    if kind == "terminal":
        return subject, Terminal.objects.filter(pk=number).values_list("line_id", flat=True).first()
    return subject, Line.objects.filter(pk=number).values_list("pk", flat=True).first() if kind == "line" else None
