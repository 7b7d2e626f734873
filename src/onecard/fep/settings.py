"""Every limit of a front-end in one place, and the files of its home folder."""

from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from onecard.kernel.errors import InvalidInput
from onecard.terminal.tls import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskLimits:
    """How much room the journal keeps: a record takes about 170 bytes, a day of a busy unit about 4 MB."""

    low_bytes: int = 512 << 20
    """Less than this free, or than `low_permille`, is reported long before anything is refused."""
    low_permille: int = 100
    sales_bytes: int = 64 << 20
    """Below this nothing new is sold off line; what has happened is still taken."""
    ballast_bytes: int = 8 << 20
    """Kept in a file that is given up when the disk is full, so that what the platform has acknowledged can be dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FepSettings:
    """One front-end process."""

    home: Path
    gateway_host: str
    gateway_port: int
    gateway_name: str = "localhost"
    """A name the gateway's certificate must be for. Its common name is `gateway`, or this one where another is given."""
    host: str = "0.0.0.0"  # noqa: S104 - terminals come from the unit's network; who may speak is decided by certificate
    native_port: int = 8454
    iso_port: int = 8593
    workstation_port: int | None = 8480
    workstation_host: str = ""
    """Empty: loopback only, in plain; an address: over TLS with the front-end's own certificate."""
    metrics_port: int = 9465
    attach: Path | None = None
    heartbeat_s: float = 30.0
    silence_s: float = 10.0
    disk: DiskLimits = field(default_factory=DiskLimits)

    @property
    def identity(self) -> Identity:
        """The files `onecard enrol` has written."""
        return Identity(self.home / "ca.pem", self.home / "cert.pem", self.home / "key.pem")


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Who this front-end is, by its certificate."""

    line_id: int
    fingerprint: bytes
    ca_pem: bytes


def read_enrolled(settings: FepSettings) -> Enrolled:
    """Raises InvalidInput when the home is not that of an enrolled front-end."""
    identity = settings.identity
    for path in (identity.ca, identity.certificate, identity.key):
        if not path.is_file():
            raise InvalidInput(
                f"{path} 不存在：请先登记（onecard enrol）", f"{path} is missing: enrol this front-end first (onecard enrol)"
            )
    try:
        certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
        name = str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        kind, _, number = name.partition("-")
        if kind != "line" or not number.isascii() or not number.isdigit():
            raise ValueError(f"the certificate is of {name}, not of a line")
    except (ValueError, IndexError) as error:
        raise InvalidInput(f"{identity.certificate}：{error}", f"{identity.certificate}: {error}") from None
    return Enrolled(int(number), certificate.fingerprint(SHA256()), identity.ca.read_bytes())


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT, [IPv6]:PORT. Raises InvalidInput."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise InvalidInput(f"地址应为 主机:端口，不是 {text}", f"an address is HOST:PORT, not {text}")
    return host.strip("[]"), int(port)
