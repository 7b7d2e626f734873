"""Who did not get in: address, certificate, how often; known only where our own authority says who it is; bounded."""

import hashlib
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from onecard.kernel.clock import to_epoch_us
from onecard.protocol.proto.app_pb2 import RefusedHandshake
from onecard.services.devices import api
from onecard.services.devices.admit import refused
from onecard.services.devices.ca import CertificateAuthority
from onecard.services.devices.models import RefusedAttempt
from tests.services.conftest import NOW, Tree


def der_of(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)


def attempt(der: bytes = b"", *, address: str = "203.0.113.9:41000", reason: str = "certificate_unknown", times: int = 1,
            at=NOW) -> RefusedHandshake:  # fmt: skip
    return RefusedHandshake(at_us=to_epoch_us(at), address=address, reason=reason, certificate_der=der, times=times)


@pytest.fixture
def stranger(tmp_path):
    """Certificates of an authority that is not ours, under whatever name is wanted."""
    other = CertificateAuthority.load_or_create(tmp_path / "other")
    return lambda name: der_of(other.issue_client(api.build_request()[1], common_name=name, now=NOW).pem)


def test_alike_attempts_of_a_day_are_one_row_that_counts(clock, stranger) -> None:
    der = stranger("line-1")
    clock.advance(timedelta(hours=30))
    api.note_refused([attempt(der, times=3), attempt(der, address="203.0.113.9:41001", at=NOW + timedelta(hours=2))], clock=clock)
    api.note_refused([attempt(der, times=2, at=NOW - timedelta(hours=1)), attempt(at=NOW + timedelta(hours=24))], clock=clock)
    today = RefusedAttempt.objects.get(day=NOW.date(), certificate_sha256=hashlib.sha256(der).digest())
    assert (today.address, today.times, bytes(today.certificate_der)) == ("203.0.113.9", 6, der)
    assert (today.first_at, today.last_at) == (NOW - timedelta(hours=1), NOW + timedelta(hours=2))
    assert RefusedAttempt.objects.count() == 2


def test_a_certificate_names_a_line_only_when_our_own_authority_signed_it(tree: Tree, clock, stranger) -> None:
    line = api.create_line(api.NewLine("食堂", unit_id=tree.unit))
    old = api.enrol(line, api.build_request()[1], clock=clock)
    api.enrol(line, api.build_request()[1], clock=clock)
    forged = stranger(f"line-{line}")
    api.note_refused([attempt(der_of(old)), attempt(forged), attempt(b"no certificate at all")], clock=clock)
    rows = {bytes(row.certificate_der): row for row in RefusedAttempt.objects.all()}
    assert (rows[der_of(old)].line_id, rows[der_of(old)].subject) == (line, f"CN=line-{line}")
    assert (rows[forged].line_id, rows[forged].subject) == (None, f"CN=line-{line}")
    assert (rows[b"no certificate at all"].line_id, rows[b"no certificate at all"].subject) == (None, "")


def test_a_gateway_with_a_wrong_clock_makes_no_row_of_the_future(clock) -> None:
    api.note_refused([attempt(at=NOW + timedelta(days=400)), RefusedHandshake(address="198.51.100.1:1", reason="x")], clock=clock)
    assert set(RefusedAttempt.objects.values_list("last_at", "times")) == {(NOW, 1)}


def test_an_address_is_kept_without_its_port() -> None:
    told = ("10.0.0.1:5", "[2001:db8::1]:5", "2001:db8::1", "unix", "")
    assert [refused.host_of(address) for address in told] == ["10.0.0.1", "2001:db8::1", "2001:db8::1", "unix", ""]


def test_a_flood_of_addresses_is_counted_and_not_kept(clock, monkeypatch) -> None:
    monkeypatch.setattr(refused, "_MOST_A_DAY", 5)
    api.note_refused([attempt(address=f"10.0.0.{n}:1") for n in range(20)], clock=clock)
    api.note_refused([attempt(address=f"10.0.1.{n}:1") for n in range(20)], clock=clock)
    assert RefusedAttempt.objects.count() == 6
    assert RefusedAttempt.objects.get(address="*").times == 35


def test_old_attempts_are_forgotten(clock, monkeypatch) -> None:
    api.note_refused([attempt(), attempt(address="10.0.0.2:1", at=NOW - timedelta(days=91))], clock=clock)
    assert api.prune_refused(clock=clock) == 1
    monkeypatch.setattr(refused, "_MOST_KEPT", 2)
    api.note_refused([attempt(address=f"10.0.0.{n}:1", at=NOW - timedelta(minutes=n)) for n in range(1, 6)], clock=clock)
    assert api.prune_refused(clock=clock) == 4
    assert RefusedAttempt.objects.count() == 2
