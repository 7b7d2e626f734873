"""The signed lease: its bytes, its steps, and whose signature counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.errors import InvalidInput
from onecard.protocol.lease import COMMON_NAME, PURPOSE, Lease, SignedLease, Step, build_lease, parse_lease, signed_bytes

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
NOW_US = to_epoch_us(NOW)
LEASE = Lease(7, 3, 12, NOW_US, NOW_US + 10, NOW_US + 20, NOW_US + 30, NOW_US + 40)
moments = st.lists(st.integers(0, (1 << 62) - 1), min_size=4, max_size=4).map(sorted)
numbers = st.integers(1, (1 << 62) - 1)


def _authority() -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate("root", key.public_key(), key, issuer="root", ca=True)
    return key, certificate.public_bytes(serialization.Encoding.PEM)


def _certificate(name, public, signer, *, issuer="root", ca=False, purpose=None, from_=NOW - timedelta(days=1)):
    def subject(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(subject(name))
        .issuer_name(subject(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(from_)
        .not_valid_after(from_ + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    return builder.sign(signer, hashes.SHA256())


def _signed(ca_key, *, name=COMMON_NAME, purpose=PURPOSE, from_=NOW - timedelta(days=1), lease=LEASE) -> SignedLease:
    key = Ed25519PrivateKey.generate()
    certificate = _certificate(name, key.public_key(), ca_key, purpose=purpose, from_=from_)
    body = build_lease(lease)
    return SignedLease(body, key.sign(signed_bytes(body)), certificate.public_bytes(serialization.Encoding.DER))


@given(st.tuples(numbers, numbers, numbers, numbers), moments)
def test_a_lease_comes_back_from_its_bytes(heads, steps):
    lease = Lease(*heads, *steps)
    assert parse_lease(build_lease(lease)) == lease


@given(st.binary(max_size=100))
def test_other_bytes_are_refused(data):
    with pytest.raises(InvalidInput):
        parse_lease(data)


@given(moments, st.integers(0, 1 << 62))
def test_steps_only_go_forward_with_time(steps, now):
    lease = Lease(1, 1, 1, 1, *steps)
    assert lease.step_at(now) <= lease.step_at(now + 1)
    assert lease.step_at(now) is Step(sum(now >= at for at in steps))


def test_each_step_begins_at_its_moment():
    assert [lease_step for offset in (9, 10, 19, 20, 29, 30, 39, 40) for lease_step in [LEASE.step_at(NOW_US + offset)]] == [
        Step.OK, Step.WARNING, Step.WARNING, Step.NO_NEW_CARDS, Step.NO_NEW_CARDS, Step.NO_SALES, Step.NO_SALES, Step.STOP,
    ]  # fmt: skip


def test_steps_in_the_wrong_order_are_refused():
    with pytest.raises(InvalidInput, match="do not follow"):
        replace(LEASE, no_sales_at_us=NOW_US + 41)


def test_a_lease_signed_under_the_authority_opens():
    ca_key, ca_pem = _authority()
    assert _signed(ca_key).open(ca_pem, line_id=7) == LEASE


def test_a_lease_of_another_line_is_refused():
    ca_key, ca_pem = _authority()
    with pytest.raises(InvalidInput, match="is of line 7, not 8"):
        _signed(ca_key).open(ca_pem, line_id=8)


def test_a_changed_lease_is_refused():
    ca_key, ca_pem = _authority()
    signed = _signed(ca_key)
    longer = build_lease(replace(LEASE, stop_at_us=LEASE.stop_at_us + 1))
    with pytest.raises(InvalidInput, match="not signed by the key"):
        replace(signed, lease=longer).open(ca_pem, line_id=7)


def test_a_lease_key_of_another_authority_is_refused():
    _, ca_pem = _authority()
    other, _ = _authority()
    with pytest.raises(InvalidInput, match="authority did not sign"):
        _signed(other).open(ca_pem, line_id=7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "line-7"}, "not for leases"),
        ({"purpose": x509.ExtendedKeyUsageOID.CLIENT_AUTH}, "not for leases"),
        ({"purpose": None}, "did not sign"),
        ({"from_": NOW + timedelta(days=1)}, "outside the validity"),
        ({"from_": NOW - timedelta(days=40)}, "outside the validity"),
    ],
)
def test_a_certificate_for_something_else_is_refused(changes, message):
    ca_key, ca_pem = _authority()
    with pytest.raises(InvalidInput, match=message):
        _signed(ca_key, **changes).open(ca_pem, line_id=7)
