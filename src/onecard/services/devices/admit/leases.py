"""Leases of front-ends (O4): the same rule as the authorised list holds while the line is down.

A front-end asks for a lease when the serial it is told is not the one it has. A lease is signed once and given again until it is
due: after the renewal time of the settings, and when the unit's validity or the settings have changed. Where there is a vault
the signing key never leaves its keeper; its certificate, from the platform's authority, travels with each lease.
"""

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import connection, transaction

from onecard.datacenter.home import Home
from onecard.kernel.clock import Clock, SystemClock, to_epoch_us
from onecard.protocol.lease import Lease, SignedLease, build_lease, signed_bytes
from onecard.services.devices.admit.authority import authority, root_sha256
from onecard.services.devices.admit.kept import Kept
from onecard.services.devices.admit.lines import notify_tasks
from onecard.services.devices.admit.settings import admission_settings
from onecard.services.devices.ca import RENEW_BEFORE, create_once
from onecard.services.devices.models import AdmissionSettings, LeaseKey, Line, LineKind, LineLease
from onecard.services.keys import api as keys

_PURPOSE: Final = "front-end leases"
WARN_BEFORE_END: Final = timedelta(days=7)
"""The end of a unit's validity is announced this long before, whenever the lease was issued."""

# The lines that may have a lease, what they last had, and whether it is due: the terms it rests on are not today's, or it is old.
_STATE: Final = """
SELECT l.id, u.id, u.valid_until, coalesce(s.serial, 0),
       s.serial IS NULL OR s.renew_at <= %(now)s OR s.until <> u.valid_until OR s.terms <> %(terms)s
  FROM devices_line l
  JOIN operators_unit u ON u.id = l.unit_id
  JOIN operators_operator o ON o.id = u.operator_id
  LEFT JOIN devices_linelease s ON s.line_id = l.id
 WHERE l.kind = 'front_end' AND l.state = 'active' AND l.certificate_sha256 IS NOT NULL AND o.status = 'active'
   AND u.state IN ('active', 'commissioning') AND u.valid_until > %(now)s"""


def lease_serials(*, line_ids: Collection[int] | None = None, now: datetime | None = None) -> dict[int, int]:
    """For lines (None: all) that may have a lease, the serial of the one they should have: the next one where that is due."""
    at = now or SystemClock().now()
    return {line_id: serial + due for line_id, _, _, serial, due in _states(at, admission_settings(), line_ids)}


def issue_lease(line_id: int, *, now: datetime | None = None) -> SignedLease | None:
    """The lease a line should have, signed anew when it is due; None for a line that may have none.

    Those are lines that are revoked, not enrolled or no front-end's, and whose unit or operator is not in service.
    """
    at = now or SystemClock().now()
    settings = admission_settings()
    with transaction.atomic():
        # The line is locked: two gateways that ask at once get the same lease.
        if not Line.objects.select_for_update(no_key=True).filter(pk=line_id, kind=LineKind.FRONT_END).exists():
            return None
        found = _states(at, settings, [line_id])
        if not found:
            return None
        _, unit_id, until, serial, due = found[0]
        if due:
            return _sign(line_id, unit_id, until, serial=serial + 1, settings=settings, now=at)
        row = LineLease.objects.get(pk=line_id)
        return SignedLease(bytes(row.lease), bytes(row.signature), bytes(row.certificate_der))


def tell_due_leases(*, clock: Clock | None = None) -> list[int]:
    """The worker's tick: has the gateways tell lines whose lease has come to be due since; each once. Gives their numbers."""
    now = (clock or SystemClock()).now()
    with transaction.atomic():
        due = [row[0] for row in _states(now, admission_settings(), None) if row[4] and row[3]]
        rows = LineLease.objects.select_for_update(skip_locked=True).filter(pk__in=due, told=False).order_by("pk")
        told = list(rows.values_list("pk", flat=True))
        LineLease.objects.filter(pk__in=told).update(told=True)
        for line_id in told:
            notify_tasks(str(line_id))
    return told


def _states(
    now: datetime, settings: AdmissionSettings, line_ids: Collection[int] | None
) -> list[tuple[int, int, datetime, int, bool]]:
    some = "" if line_ids is None else " AND l.id = ANY (%(lines)s::bigint[])"
    with connection.cursor() as cursor:
        cursor.execute(_STATE + some, {"now": now, "terms": settings.version, "lines": list(line_ids or ())})
        return list(cursor.fetchall())


def _sign(line_id: int, unit_id: int, until: datetime, *, serial: int, settings: AdmissionSettings, now: datetime) -> SignedLease:
    lease = _terms(line_id, unit_id, until, serial=serial, settings=settings, now=now)
    data = build_lease(lease)
    public, signature = _signature(signed_bytes(data))
    signed = SignedLease(data, signature, _certificate(public, now))
    LineLease.objects.update_or_create(
        line_id=line_id,
        defaults={
            "serial": serial,
            "issued_at": now,
            "renew_at": now + timedelta(hours=settings.renew_hours),
            "until": until,
            "terms": settings.version,
            "lease": signed.lease,
            "signature": signed.signature,
            "certificate_der": signed.certificate_der,
            "told": False,
        },
    )
    return signed


def _terms(line_id: int, unit_id: int, until: datetime, *, serial: int, settings: AdmissionSettings, now: datetime) -> Lease:
    """The steps: hours since the lease, and never past the end of the unit's validity, which is announced before it comes."""
    end = to_epoch_us(until)

    def step(hours: int) -> int:
        return min(to_epoch_us(now + timedelta(hours=hours)), end)

    return Lease(
        line_id=line_id,
        unit_id=unit_id,
        serial=serial,
        issued_at_us=to_epoch_us(now),
        warn_at_us=min(step(settings.warn_hours), to_epoch_us(until - WARN_BEFORE_END)),
        no_new_cards_at_us=step(settings.no_new_cards_hours),
        no_sales_at_us=step(settings.no_sales_hours),
        stop_at_us=step(settings.stop_hours),
    )


def _signature(payload: bytes) -> tuple[bytes, bytes]:
    """The public key and what it says of the payload: the vault's own key where there is a vault."""
    if keys.has_vault():
        return keys.open_vault().sign_as(_PURPOSE, payload)
    key = Ed25519PrivateKey.from_private_bytes(_file_key().read())
    return key.public_key().public_bytes_raw(), key.sign(payload)


def _certificate(public: bytes, now: datetime) -> bytes:
    """The certificate of a lease key, made when it is missing, ends soon or is of another authority."""
    digest = hashlib.sha256(public).hexdigest()
    row = LeaseKey.objects.filter(pk=digest).first()
    if row is None or row.not_after - now < RENEW_BEFORE or bytes(row.issuer_sha256) != root_sha256():
        issuer = authority()
        made = issuer.issue_lease_key(Ed25519PublicKey.from_public_bytes(public), now=now)
        row, _ = LeaseKey.objects.update_or_create(
            pk=digest,
            defaults={
                "issuer_sha256": issuer.sha256,
                "certificate_der": made.public_bytes(Encoding.DER),
                "not_after": made.not_valid_after_utc,
            },
        )
    return bytes(row.certificate_der)


def _file_key() -> Kept:
    """Without a vault. Once there is one, leases are signed by a key of the vault's own and this file is of no use."""

    def make() -> bytes:
        return Ed25519PrivateKey.generate().private_bytes_raw()

    return Kept("lease-key", Home.from_environment().secrets_dir / "lease-key", make, create_once)
