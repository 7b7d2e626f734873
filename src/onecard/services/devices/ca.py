"""The platform's own certificate authority: its root, server certificates, and the lines' client certificates (G1, G2).

All keys are EC P-256. The root's key is behind the key vault (`admit/authority.py`); without a vault it is a file, 0600, made
once also when two processes start at the same moment. A certificate says only which line or terminal it is; whether that one may
speak is decided by the authorised list at every moment: there is no revocation list.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from onecard.kernel.errors import InvalidInput
from onecard.protocol import lease

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
KEY_FILE = "ca.key"
OWN_HOSTS = ("localhost", "127.0.0.1", "::1")
"""Names every listener's certificate carries."""
FRONT_END_HOSTS = ("localhost", "127.0.0.1")
"""Names of every front-end for its own terminals, beside those it asked for. That a gateway has them too is no harm: who answers
a line must be called `gateway` (terminal/tls.py), which no device's certificate is."""
CA_DAYS = 20 * 365
CLIENT_DAYS = 5 * 365
SERVER_DAYS = 825
LEASE_KEY_DAYS = 2 * 365
RENEW_BEFORE = timedelta(days=30)
# Clocks of machines are not the same to the second: a certificate made now must be valid at its reader's now.
_BACKDATED = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """What a TLS listener of the platform needs."""

    ca: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate issued to a line; `sha256` is of its DER form and is what the authorised list names."""

    pem: bytes
    sha256: bytes
    not_after: datetime


class CertificateAuthority:
    """Signs for the platform. Made by `load_or_create`."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self._key = key

    @property
    def pem(self) -> bytes:
        """The root certificate, which every line and gateway trusts."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def sha256(self) -> bytes:
        """Of the root certificate's DER form: what a device that has nothing yet is told."""
        return self.certificate.fingerprint(hashes.SHA256())

    @classmethod
    def load_or_create(cls, tls_dir: Path, *, now: datetime | None = None) -> "CertificateAuthority":
        """The authority of a folder without a key vault, kept there as `ca.pem` and `ca.key`; made the first time."""
        tls_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        bundle = tls_dir / KEY_FILE
        if not bundle.exists():
            create_once(bundle, build_root(now or datetime.now(UTC)))
        authority = cls.from_bundle(bundle.read_bytes())
        authority.publish(tls_dir)
        return authority

    @classmethod
    def from_bundle(cls, content: bytes) -> "CertificateAuthority":
        """From key and certificate, which stand together so that no crash leaves one without the other."""
        key = serialization.load_pem_private_key(content, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(x509.load_pem_x509_certificate(content), key)

    def publish(self, tls_dir: Path) -> None:
        """`ca.pem`: a copy of the root certificate for readers."""
        public = tls_dir / "ca.pem"
        if not public.exists() or public.read_bytes() != self.pem:
            _replace(public, self.pem, mode=0o644)

    def has_issued(self, certificate: x509.Certificate) -> bool:
        """Whether a certificate bears this authority's signature."""
        return has_issued(self.certificate, certificate)

    def issue_client(
        self, csr_pem: bytes, *, common_name: str, now: datetime, days: int = CLIENT_DAYS, hosts: Sequence[str] | None = None
    ) -> ClientCertificate:
        """A client certificate for the key of a signing request; of the request only the key is taken, never its names.

        With `hosts` (a front-end's) it is a server's too, under these names: its terminals check it. Raises InvalidInput when
        the request is damaged, not signed by its own key or not of an EC P-256 key.
        """
        key = _requested_key(csr_pem)
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if hosts is not None:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        certificate = self._sign(key, common_name, now=now, days=days, usages=usages, hosts=hosts or ())
        return ClientCertificate(
            certificate.public_bytes(serialization.Encoding.PEM),
            certificate.fingerprint(hashes.SHA256()),
            certificate.not_valid_after_utc,
        )

    def ensure_server(self, tls_dir: Path, *, now: datetime, name: str = "gateway", hosts: Iterable[str] = ()) -> ServerFiles:
        """`<name>.key` and `<name>.pem` in a folder, for this machine's own names and `hosts`; renewed in its last 30 days."""
        files = server_files(tls_dir, name)
        wanted = {*OWN_HOSTS, *hosts}
        if current_server(files, now=now + RENEW_BEFORE, hosts=wanted, root=self.certificate) is not None:
            return files
        key = ec.generate_private_key(ec.SECP256R1())
        # Client as well: a gateway shows the same certificate to application servers on other machines.
        usages = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
        certificate = self._sign(key.public_key(), name, now=now, days=SERVER_DAYS, usages=usages, hosts=sorted(wanted))
        _replace(files.key, _key_pem(key), mode=0o600)
        _replace(files.certificate, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
        return files

    def issue_lease_key(self, public: ed25519.Ed25519PublicKey, *, now: datetime) -> x509.Certificate:
        """The certificate of a key that signs leases (O4), good for nothing else."""
        return self._sign(public, lease.COMMON_NAME, now=now, days=LEASE_KEY_DAYS, usages=(lease.PURPOSE,))

    def _sign(
        self,
        key: PublicKey,
        common_name: str,
        *,
        now: datetime,
        days: int,
        usages: Iterable[x509.ObjectIdentifier],
        hosts: Iterable[str] = (),
    ) -> x509.Certificate:
        builder = (
            _builder(key, _name(common_name), self.certificate.subject, now=now, days=days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        names = [_general_name(host) for host in hosts]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def server_files(tls_dir: Path, name: str = "gateway") -> ServerFiles:
    """Where a listener's files are, made or not."""
    return ServerFiles(tls_dir / "ca.pem", tls_dir / f"{name}.pem", tls_dir / f"{name}.key")


def current_server(
    files: ServerFiles, *, now: datetime, hosts: Iterable[str] = OWN_HOSTS, root: x509.Certificate | None = None
) -> x509.Certificate | None:
    """The certificate of a listener if it is there, the root's own, still valid at `now` and has all the names; needs no key."""
    if not (files.certificate.exists() and files.key.exists() and (root is not None or files.ca.exists())):
        return None
    current = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    issuer = root or x509.load_pem_x509_certificate(files.ca.read_bytes())
    good = has_issued(issuer, current) and current.not_valid_after_utc > now and set(hosts) <= hosts_of(current)
    return current if good else None


def has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether a certificate bears an authority's signature."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _requested_key(csr_pem: bytes) -> ec.EllipticCurvePublicKey:
    try:
        csr = x509.load_pem_x509_csr(csr_pem)
        signed = csr.is_signature_valid
        key = csr.public_key()
    except Exception as error:  # the parser's own errors are of many kinds, all of them mean the same here
        raise InvalidInput("证书请求无法解析", "The signing request cannot be read") from error
    if not signed:
        raise InvalidInput("证书请求签名错误", "The signing request is not signed by its own key")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidInput("证书请求的密钥须为 EC P-256", "The key of the signing request must be EC P-256")
    return key


def request_key_sha256(csr_pem: bytes) -> bytes:
    """Of the public key in a signing request: which device asks. Raises InvalidInput."""
    info = _requested_key(csr_pem).public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(info).digest()


def build_request(common_name: str = "onecard") -> tuple[bytes, bytes]:
    """A new EC P-256 key and a signing request for it, both PEM: what a terminal or front-end does by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder().subject_name(_name(common_name)).sign(key, hashes.SHA256())
    return _key_pem(key), csr.public_bytes(serialization.Encoding.PEM)


def build_root(now: datetime) -> bytes:
    """Key and certificate of a new authority, PEM, in one piece."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"One-Card platform CA {secrets.token_hex(4)}")])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    root = (
        _builder(key.public_key(), name, name, now=now, days=CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return _key_pem(key) + root.public_bytes(serialization.Encoding.PEM)


def _builder(key: PublicKey, subject: x509.Name, issuer: x509.Name, *, now: datetime, days: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def hosts_of(certificate: x509.Certificate) -> set[str]:
    """The names a server's certificate is for."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write_aside(path: Path, content: bytes, *, mode: int) -> Path:
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return aside


def _replace(path: Path, content: bytes, *, mode: int) -> None:
    _write_aside(path, content, mode=mode).replace(path)


def create_once(path: Path, content: bytes) -> None:
    """Puts a whole file in place unless another process was first: linking fails where renaming would overwrite."""
    aside = _write_aside(path, content, mode=0o600)
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        pass
    finally:
        aside.unlink()
