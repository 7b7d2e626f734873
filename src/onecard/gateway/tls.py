"""TLS 1.3 with client certificates over a plain transport, through memory buffers (ADR 0030).

asyncio's and uvloop's own TLS keep a read buffer of 256 KB per connection and copy through two protocols. Here one read buffer
is shared by all connections of a listener: the loop fills it and hands it over in one step, so that it never holds two
connections' bytes. An idle line costs the OpenSSL object and a few small Python objects.
"""

import _ssl
import asyncio
import contextlib
import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

_READ_BYTES = 65_536
_CLOSE_GRACE_S = 3.0
_HANDSHAKE, _CERTIFICATE = 22, 11


@dataclass(frozen=True, slots=True)
class TlsContexts:
    """`handshake` sees the certificates that are shown; when it is over a connection goes on with `open`, which does not."""

    handshake: ssl.SSLContext
    open: ssl.SSLContext


def server_contexts(certificate: Path, key: Path, *, ca: Path | None, names_ca: Path | None = None) -> TlsContexts:
    """TLS 1.3 only, session tickets on; with `ca` a client certificate of that authority is required.

    A resumed session brings its client certificate along in the ticket, and admission looks at it again, so that a ticket lets in
    nobody whom the list no longer has. `names_ca` is an authority whose certificate is sent along in the chain, for devices that
    know its hash only.
    """
    handshake = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    handshake.minimum_version = ssl.TLSVersion.TLSv1_3
    if ca is not None:
        handshake.verify_mode = ssl.CERT_REQUIRED
        handshake.load_verify_locations(ca)
        _note_shown_certificates(handshake)
    elif names_ca is not None:
        handshake.load_verify_locations(names_ca)  # OpenSSL completes the chain it sends from what it trusts
    handshake.load_cert_chain(certificate, key)
    handshake.num_tickets = 1
    steady = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    steady.minimum_version = ssl.TLSVersion.TLSv1_3
    return TlsContexts(handshake, steady)


def server_context(tls_dir: Path) -> TlsContexts:
    """Of a gateway: `tls_dir` holds ca.pem, gateway.pem and gateway.key."""
    return server_contexts(tls_dir / "gateway.pem", tls_dir / "gateway.key", ca=tls_dir / "ca.pem")


def _note_shown_certificates(context: ssl.SSLContext) -> None:
    """Keep the certificate that a peer shows as `shown` of its SSLObject, also when it is not trusted.

    OpenSSL gives an untrusted certificate to nobody afterwards, and Python has no hook for verification; but the messages of a
    handshake can be watched by an attribute that CPython keeps for debugging. Without it the report lacks the certificate.
    """

    def watch(peer: Any, direction: str, version: int, content: int, kind: int, data: bytes) -> None:
        if content == _HANDSHAKE and kind == _CERTIFICATE and direction == "read":
            peer.shown = bytes(data)

    with contextlib.suppress(AttributeError):
        _ssl._SSLContext._msg_callback.__set__(context, watch)  # type: ignore[attr-defined]


def _first_certificate(message: bytes) -> bytes:
    """The DER certificate of a TLS 1.3 Certificate message (RFC 8446, 4.4.2); empty where there is none."""
    start = 4 + 1 + message[4] + 3 if len(message) > 4 else 0
    size = int.from_bytes(message[start : start + 3], "big")
    found = message[start + 3 : start + 3 + size]
    return found if start and size and len(found) == size else b""


class TlsHandler(Protocol):
    """Who sits on a TlsConnection. Nothing is called after `lost`."""

    def secured(self, fingerprint: bytes) -> None:
        """The handshake is over; SHA-256 of the peer's certificate, empty where none was asked for."""

    def received(self, data: bytes) -> None:
        """Decrypted bytes."""

    def write_paused(self, paused: bool) -> None:
        """The peer reads too slowly (True), or has caught up."""

    def lost(self, reason: str) -> None:
        """The connection is gone; `reason` is empty for an ordinary end."""


class TlsConnection(asyncio.BufferedProtocol):
    """One connection, from accept to close."""

    __slots__ = (
        "_closing",
        "_contexts",
        "_handler",
        "_incoming",
        "_lost",
        "_outgoing",
        "_reason",
        "_secured",
        "_shared",
        "_ssl",
        "parked",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, contexts: TlsContexts, handler: TlsHandler, *, shared: memoryview) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._contexts = contexts
        self._ssl = contexts.handshake.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._handler = handler
        self._shared = shared
        self._secured = False
        self.parked = False
        """While set, at most one buffer is read and the handshake is not begun."""
        self._closing = False
        self._lost = False
        self._reason = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._shared

    def buffer_updated(self, nbytes: int) -> None:
        if self._closing:
            return
        self._incoming.write(self._shared[:nbytes])
        if self.parked:
            self.transport.pause_reading()
        else:
            self._process()

    def unpark(self) -> None:
        """Begin the handshake with what has been read so far."""
        self.parked = False
        if not self._closing:
            self.transport.resume_reading()
            self._process()

    def _process(self) -> None:
        try:
            if not self._secured and not self._handshake():
                return
            self._deliver()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.close()
        except ssl.SSLError as error:
            self.fail(_reason_of(error, self._secured))
        if self._outgoing.pending and not self._lost:
            self.transport.write(self._outgoing.read())

    def eof_received(self) -> bool:
        self.close()
        return False

    def pause_writing(self) -> None:
        self._handler.write_paused(True)

    def resume_writing(self) -> None:
        self._handler.write_paused(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = self._closing = True
        self._handler.lost(self._reason)

    def write(self, data: bytes) -> None:
        """Encrypt and send; silently nothing once the connection is closing."""
        if self._closing:
            return
        self._ssl.write(data)
        self.transport.write(self._outgoing.read())

    def close(self, reason: str = "") -> None:
        """Send what is written and the TLS end, then close; cut after three seconds if the peer does not take it."""
        if self._closing:
            return
        self._closing = True
        self._reason = reason
        if self._secured:
            # It wants the peer's answer to close_notify, for which nobody waits.
            with contextlib.suppress(ssl.SSLError):
                self._ssl.unwrap()
        if self._outgoing.pending:
            self.transport.write(self._outgoing.read())
        self.transport.close()
        asyncio.get_running_loop().call_later(_CLOSE_GRACE_S, self._abort_if_open)

    def fail(self, reason: str) -> None:
        """Close because of the peer: sends the TLS alert if there is one."""
        if self._closing:
            return
        self._closing = True
        self._reason = reason
        if self._outgoing.pending:
            self.transport.write(self._outgoing.read())
        self.transport.close()
        asyncio.get_running_loop().call_later(_CLOSE_GRACE_S, self._abort_if_open)

    def abort(self, reason: str) -> None:
        """Drop the connection at once."""
        self._closing = True
        self._reason = self._reason or reason
        self.transport.abort()

    def shown_certificate(self) -> bytes:
        """The certificate (DER) that the peer has shown, trusted or not; empty if none was, or it can't be known."""
        if self._secured:
            return self._ssl.getpeercert(binary_form=True) or b""
        return _first_certificate(getattr(self._ssl, "shown", b""))

    def _abort_if_open(self) -> None:
        if not self._lost:
            self.transport.abort()

    def _handshake(self) -> bool:
        self._ssl.do_handshake()
        self._secured = True
        self._ssl.context = self._contexts.open
        self._ssl.__dict__.pop("shown", None)
        certificate = self._ssl.getpeercert(binary_form=True)
        if self._outgoing.pending:
            self.transport.write(self._outgoing.read())
        self._handler.secured(hashlib.sha256(certificate).digest() if certificate else b"")
        return not self._closing

    def _deliver(self) -> None:
        # `pending` is asked first because the exception that ends the loop costs more than the read.
        while self._incoming.pending or self._ssl.pending():
            data = self._ssl.read(_READ_BYTES)
            if not data:
                self.close()
                return
            self._handler.received(data)
            if self._closing:
                return


def shared_read_buffer() -> memoryview:
    """The read buffer of one listener."""
    return memoryview(bytearray(_READ_BYTES))


def _reason_of(error: ssl.SSLError, secured: bool) -> str:
    if secured:
        return "tls_broken"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "certificate_untrusted"
    if error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return "certificate_missing"
    return "handshake_failed"
