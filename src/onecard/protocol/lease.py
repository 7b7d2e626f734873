"""The signed lease of a front-end (O4): until when it may work without having heard from the platform, in steps. Pure.

    magic    "OCLE1" 5
    numbers  line 8 | unit 8 | serial 8 | issued at 8 | warning 8 | no new cards 8 | no sales 8 | stop 8

Integers are big-endian, moments are microseconds since 1970-01-01 UTC. Signed (Ed25519) are a fixed prefix and these bytes; the
certificate of the lease key, signed by the platform's CA, travels along: a front-end that knows only the CA can check a lease.
"""

import struct
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, unique

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import NameOID

from onecard.kernel.clock import from_epoch_us
from onecard.kernel.codes import Text
from onecard.kernel.errors import InvalidInput

COMMON_NAME = "onecard-lease"
"""Subject of the certificate of a lease key."""
PURPOSE = x509.ObjectIdentifier("2.25.230581433764270929421907563198263108117")
"""Extended key usage of that certificate, and of no other (X.667: an arc made from a random UUID)."""
_MAGIC = b"OCLE1"
_PREFIX = b"onecard lease\0"
_BODY = struct.Struct(">5s8q")


@unique
class Step(IntEnum):
    """How far a lease has run out. Travels in LineState.lease_step."""

    OK = 0
    WARNING = 1
    """Everything works; people are told."""
    NO_NEW_CARDS = 2
    """Cards that were never seen here are refused, and nothing is issued."""
    NO_SALES = 3
    STOP = 4
    """Terminals are disconnected; the journal still goes up."""


STEP_TEXT: dict[Step, Text] = {
    Step.OK: Text("正常", "In force"),
    Step.WARNING: Text("即将到期", "Runs out soon"),
    Step.NO_NEW_CARDS: Text("不接受新卡", "No new cards"),
    Step.NO_SALES: Text("停止消费", "No sales"),
    Step.STOP: Text("停止服务", "Stopped"),
}


@dataclass(frozen=True, slots=True)
class Lease:
    """What the platform promises one line. Raises InvalidInput unless its moments stand in order and its numbers are positive."""

    line_id: int
    unit_id: int
    serial: int
    """Rises with every lease of the line; an older one is never taken in place of a newer one."""
    issued_at_us: int
    warn_at_us: int
    no_new_cards_at_us: int
    no_sales_at_us: int
    stop_at_us: int

    def __post_init__(self) -> None:
        if min(self.line_id, self.unit_id, self.serial, self.issued_at_us) < 1:
            raise InvalidInput("租约编号无效", "lease: a number below 1")
        moments = (self.warn_at_us, self.no_new_cards_at_us, self.no_sales_at_us, self.stop_at_us)
        if list(moments) != sorted(moments) or self.stop_at_us >= 1 << 62:
            raise InvalidInput("租约各阶段时间顺序错误", "lease: its steps do not follow one another")

    def step_at(self, now_us: int) -> Step:
        """The step at a moment, which belongs to the later step where one begins at it."""
        for step, at in (
            (Step.STOP, self.stop_at_us),
            (Step.NO_SALES, self.no_sales_at_us),
            (Step.NO_NEW_CARDS, self.no_new_cards_at_us),
            (Step.WARNING, self.warn_at_us),
        ):
            if now_us >= at:
                return step
        return Step.OK


@dataclass(frozen=True, slots=True)
class SignedLease:
    """A lease as it travels (LeaseReply)."""

    lease: bytes
    signature: bytes
    certificate_der: bytes

    def open(self, ca_pem: bytes, *, line_id: int) -> Lease:
        """The lease, when a lease key of this authority signed it for this line. Raises InvalidInput saying what is wrong.

        The certificate must have been valid when the lease was issued, not now: a front-end without a line keeps what it has.
        """
        lease = parse_lease(self.lease)
        if lease.line_id != line_id:
            raise _refusal("不属于本线路", f"is of line {lease.line_id}, not {line_id}")
        key = _lease_key(self.certificate_der, ca_pem, at=from_epoch_us(lease.issued_at_us))
        try:
            key.verify(self.signature, signed_bytes(self.lease))
        except InvalidSignature:
            raise _refusal("签名错误", "is not signed by the key of its certificate") from None
        return lease


def build_lease(lease: Lease) -> bytes:
    """The bytes of a lease; the reverse of `parse_lease`."""
    numbers = (lease.line_id, lease.unit_id, lease.serial, lease.issued_at_us)
    return _BODY.pack(_MAGIC, *numbers, lease.warn_at_us, lease.no_new_cards_at_us, lease.no_sales_at_us, lease.stop_at_us)


def parse_lease(data: bytes) -> Lease:
    """Raises InvalidInput for bytes that are no lease of this version."""
    if len(data) != _BODY.size:
        raise _refusal(f"长度应为 {_BODY.size} 字节", f"has {len(data)} bytes, not {_BODY.size}")
    magic, *numbers = _BODY.unpack(data)
    if magic != _MAGIC:
        raise _refusal("文件头无效", "does not begin as one")
    return Lease(*numbers)


def signed_bytes(lease: bytes) -> bytes:
    """What the lease key signs."""
    return _PREFIX + lease


def _lease_key(certificate_der: bytes, ca_pem: bytes, *, at: datetime) -> Ed25519PublicKey:
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca_pem))
        names = [name.value for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        purposes = list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        key = certificate.public_key()
    except Exception as error:  # the parser's own errors are of many kinds, all of them mean the same here
        raise _refusal("证书不可信", "comes with a certificate that the platform's authority did not sign") from error
    if names != [COMMON_NAME] or purposes != [PURPOSE] or not isinstance(key, Ed25519PublicKey):
        raise _refusal("证书用途不符", "comes with a certificate that is not for leases")
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise _refusal("签发时证书无效", "was issued outside the validity of its certificate")
    return key


def _refusal(zh: str, en: str) -> InvalidInput:
    return InvalidInput(f"租约{zh}", f"the lease {en}")
