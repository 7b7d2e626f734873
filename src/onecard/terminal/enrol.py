"""Enrolling a device (G2): a key made here, a one-time code, and the platform's certificate for them in a folder.

The folder then holds `key.pem` (0600), `cert.pem`, `ca.pem` and `line.json`. Before anything is sent, the key is stored in
`enrolment.json`; the answer is stored there before the four files are put in place from it. Whoever is killed in between calls
`enrol` again with the same code and gets the same certificate: the platform repeats its answer to the same key for ten minutes.
"""

import contextlib
import hashlib
import json
import os
import secrets
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.codes import RESULT_TEXT, Result
from onecard.kernel.errors import InvalidInput
from onecard.protocol.framing import FrameError
from onecard.protocol.native import NativeViolationError, build_frame, frame_buffer, parse_platform_frame
from onecard.protocol.proto.device_pb2 import DeviceFrame, Enrol, Enrolled
from onecard.terminal.errors import LineDown, LineRefused
from onecard.terminal.tls import GATEWAY, Identity

KEY, CERTIFICATE, AUTHORITY, LINE = "key.pem", "cert.pem", "ca.pem", "line.json"
_STATE: Final = "enrolment.json"
_PATIENCE_S: Final = 20.0
_READ_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a QR code of the management centre says: where to enrol, the one-time code, and the hash of the platform's root."""

    host: str
    port: int
    code: str = field(repr=False)
    ca_sha256: bytes

    @classmethod
    def parse(cls, uri: str) -> "Invitation":
        """Of `onecard://enrol?gateway=HOST:PORT&code=…&ca=…`. Raises InvalidInput saying which part is wrong."""
        parts = urlsplit(uri.strip())
        if parts.scheme != "onecard" or parts.netloc != "enrol":
            raise InvalidInput("登记地址应以 onecard://enrol? 开头", "an enrolment address begins with onecard://enrol?")
        words = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        host, _, port = words.get("gateway", "").rpartition(":")
        if not host or not port.isascii() or not port.isdecimal() or not 1 <= int(port) <= 65_535:
            raise InvalidInput("登记地址缺少 gateway=主机:端口", "the enrolment address lacks gateway=HOST:PORT")
        if not words.get("code"):
            raise InvalidInput("登记地址缺少 code", "the enrolment address lacks its code")
        try:
            digest = bytes.fromhex(words.get("ca", ""))
        except ValueError:
            digest = b""
        if len(digest) != hashlib.sha256().digest_size:
            raise InvalidInput("登记地址的 ca 不是 SHA-256", "ca of the enrolment address is no SHA-256")
        return cls(host.removeprefix("[").removesuffix("]"), int(port), words["code"], digest)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An enrolled device: its line, its files, until when its certificate runs. `terminal_id` 0: it is the line's own device."""

    folder: Path
    line_id: int
    terminal_id: int
    gateway: str
    certificate_sha256: str
    until: datetime

    @property
    def identity(self) -> Identity:
        """For NativeClient, Iso8583Terminal and a front-end."""
        front_end = self.line_id if self.terminal_id else 0
        return Identity(self.folder / AUTHORITY, self.folder / CERTIFICATE, self.folder / KEY, front_end)


def enrol(invitation: str | Invitation, folder: Path, *, hosts: Sequence[str] = (), clock: Clock | None = None) -> Enrolment:
    """Enrol this device; with a new code an enrolled one gets a new key and certificate in place of the old.

    `hosts` are the names a front-end has in its own network. Raises InvalidInput (the address, the names), LineDown (no answer:
    call again) and LineRefused (the code is of no use, or the gateway is not the platform's).
    """
    asked = Invitation.parse(invitation) if isinstance(invitation, str) else invitation
    now = (clock or SystemClock()).now
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    code_sha256 = hashlib.sha256(asked.code.encode()).hexdigest()
    state = _read_state(folder)
    if state is not None and "answer" in state:
        _install(folder, state)
        state = None
    done = load_enrolment(folder)
    if done is not None and json.loads((folder / LINE).read_text()).get("code_sha256") == code_sha256:
        return done
    if state is None or state["code_sha256"] != code_sha256:
        state = {"code_sha256": code_sha256, "key_pem": _new_key()}
        _write(folder / _STATE, json.dumps(state), mode=0o600)
    answer, leaf_ca = _ask(asked, Enrol(submit_id=1, code=asked.code, csr_pem=_request(state["key_pem"]), hosts=hosts), now=now)
    state["answer"] = _checked(answer, state["key_pem"], leaf_ca) | {"gateway": f"{asked.host}:{asked.port}"}
    _write(folder / _STATE, json.dumps(state), mode=0o600)
    _install(folder, state)
    made = load_enrolment(folder)
    assert made is not None
    return made


def load_enrolment(folder: Path) -> Enrolment | None:
    """What `enrol` made in a folder; None where it has not (yet). Raises InvalidInput for files that do not belong together."""
    file = folder / LINE
    if not file.exists():
        return None
    try:
        told = json.loads(file.read_text())
        certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
        digest = certificate.fingerprint(hashes.SHA256()).hex()
        line_id, terminal_id, gateway = int(told["line_id"]), int(told["terminal_id"]), str(told["gateway"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"登记目录 {folder} 已损坏：{error}", f"the enrolment folder {folder} is damaged: {error}") from None
    return Enrolment(folder, line_id, terminal_id, gateway, digest, certificate.not_valid_after_utc)


# --- the platform


def _ask(asked: Invitation, ask: Enrol, *, now: Callable[[], datetime]) -> tuple[Enrolled, x509.Certificate]:
    """One connection: check who answers, then send the code. Raises LineDown, LineRefused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # There is nothing to check with yet but a hash: the chain is checked below, before a byte is sent.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((asked.host, asked.port), timeout=_PATIENCE_S) as plain,
            context.wrap_socket(plain, server_hostname=None if _is_address(asked.host) else asked.host) as line,
        ):
            root = _checked_root(_chain(line), asked.ca_sha256, at=now())
            line.sendall(build_frame(DeviceFrame(enrol=ask)))
            return _answer(line), root
    except OSError as error:  # ssl.SSLError and TimeoutError among them
        raise LineDown(
            f"无法连接 {asked.host}:{asked.port}：{error}", f"cannot reach {asked.host}:{asked.port}: {error}"
        ) from error


def _chain(line: ssl.SSLSocket) -> list[x509.Certificate]:
    """What the server showed, its own certificate first. Public from Python 3.13 on; before, on the object below."""
    public = getattr(line, "get_unverified_chain", None)
    if public is not None:
        return [x509.load_der_x509_certificate(der) for der in public()]
    inner: Any = line._sslobj  # type: ignore[attr-defined]
    return [x509.load_pem_x509_certificate(one.public_bytes().encode()) for one in inner.get_unverified_chain() or ()]


def _checked_root(chain: Sequence[x509.Certificate], ca_sha256: bytes, *, at: datetime) -> x509.Certificate:
    """The root that the invitation names, where the server is a gateway of it. Raises LineRefused."""
    roots = [one for one in chain if secrets.compare_digest(one.fingerprint(hashes.SHA256()), ca_sha256)]
    if not roots:
        raise _not_the_platform("its authority is not the one of the code")
    root, server = roots[0], chain[0]
    try:
        server.verify_directly_issued_by(root)
        usages = list(server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        names = [name.value for name in server.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except Exception as error:  # the parser's own errors are of many kinds, all of them mean the same here
        raise _not_the_platform("its certificate is not the authority's") from error
    if names != [GATEWAY] or ExtendedKeyUsageOID.SERVER_AUTH not in usages:
        raise _not_the_platform("it is no gateway")
    if not server.not_valid_before_utc <= at <= server.not_valid_after_utc:
        raise _not_the_platform(f"its certificate is not valid at {at:%Y-%m-%d %H:%M} UTC: is the clock right?")
    return root


def _answer(line: ssl.SSLSocket) -> Enrolled:
    buffer = frame_buffer()
    while True:
        data = line.recv(_READ_BYTES)
        if not data:
            raise ConnectionResetError("the gateway closed the connection")
        buffer.feed(data)
        try:
            frame = buffer.next_frame()
            told = None if frame is None else parse_platform_frame(frame)
        except (FrameError, NativeViolationError) as error:
            raise LineRefused(int(Result.FORMAT), str(error)) from None
        if told is None:
            continue
        refused = told.closing if told.HasField("closing") else told.enrolled
        if refused.code in (Result.UNAVAILABLE, Result.BUSY):
            raise LineDown(RESULT_TEXT[Result(refused.code)].zh, refused.reason)
        if told.HasField("closing") or told.enrolled.code != Result.APPROVED:
            raise LineRefused(refused.code or int(Result.FORMAT), refused.reason)
        return told.enrolled


def _checked(answer: Enrolled, key_pem: str, root: x509.Certificate) -> dict[str, Any]:
    """The answer as it is stored. Raises LineRefused unless the certificate is for our key and from the root we checked."""
    try:
        certificate = x509.load_pem_x509_certificate(answer.certificate_pem)
        certificate.verify_directly_issued_by(root)
    except Exception as error:
        raise LineRefused(int(Result.FORMAT), "the certificate is not the authority's") from error
    if _public(certificate.public_key()) != _public(_load_key(key_pem).public_key()) or answer.line_id < 1:
        raise LineRefused(int(Result.FORMAT), "the certificate is for another key")
    return {
        "certificate_pem": answer.certificate_pem.decode(),
        "ca_pem": root.public_bytes(serialization.Encoding.PEM).decode(),
        "line_id": answer.line_id,
        "terminal_id": answer.terminal_id,
    }


def _not_the_platform(reason: str) -> LineRefused:
    return LineRefused(int(Result.TERMINAL_NOT_ALLOWED), f"this is not the platform: {reason}")


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdecimal()


# --- keys


def _new_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


def _load_key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _request(key_pem: str) -> bytes:
    # The platform takes the key of a request only; the name is for who looks at it.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "onecard device")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(_load_key(key_pem), hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM)


def _public(key: Any) -> bytes:
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    found: bytes = key.public_bytes(*form)
    return found


# --- the folder


def _read_state(folder: Path) -> dict[str, Any] | None:
    file = folder / _STATE
    if not file.exists():
        return None
    try:
        state: dict[str, Any] = json.loads(file.read_text())
        _load_key(state["key_pem"])
    except (ValueError, KeyError, TypeError):
        # Written whole or not at all: this was changed by somebody. A new key costs nothing, the code is not used up yet.
        file.unlink()
        return None
    return state


def _install(folder: Path, state: dict[str, Any]) -> None:
    """Put the four files in place and forget the state; may be repeated from the start."""
    answer = state["answer"]
    certificate = x509.load_pem_x509_certificate(answer["certificate_pem"].encode())
    told = {
        "line_id": answer["line_id"],
        "terminal_id": answer["terminal_id"],
        "gateway": answer["gateway"],
        "code_sha256": state["code_sha256"],
        "certificate_sha256": certificate.fingerprint(hashes.SHA256()).hex(),
        "until": certificate.not_valid_after_utc.astimezone(UTC).isoformat(),
    }
    _write(folder / KEY, state["key_pem"], mode=0o600)
    _write(folder / CERTIFICATE, answer["certificate_pem"], mode=0o644)
    _write(folder / AUTHORITY, answer["ca_pem"], mode=0o644)
    _write(folder / LINE, json.dumps(told, indent=1) + "\n", mode=0o644)
    (folder / _STATE).unlink(missing_ok=True)


def _write(path: Path, content: str, *, mode: int) -> None:
    """The whole file or the one before, also after a power loss."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            aside.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
