"""TLS 1.3 with client certificates over a plain transport, through memory buffers (ADR 0030).

asyncio's and uvloop's own TLS keep a read buffer of 256 KB per connection and copy through two protocols. Here one read buffer
is shared by all connections of a listener: the loop fills it and hands it over in one step, so that it never holds two
connections' bytes. An idle line costs the OpenSSL object and a few small Python objects.
"""

import asyncio
import contextlib
import hashlib
import ssl
from pathlib import Path
from typing import Protocol

_READ_BYTES = 65_536
_CLOSE_GRACE_S = 3.0


def server_context(tls_dir: Path) -> ssl.SSLContext:
    """TLS 1.3 only, client certificate of the platform's CA required, session tickets on.

    `tls_dir` holds ca.pem, gateway.pem and gateway.key. A resumed session brings its client certificate along in the ticket,
    and admission looks at it again, so that a ticket lets in nobody whom the list no longer has.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(tls_dir / "ca.pem")
    context.load_cert_chain(tls_dir / "gateway.pem", tls_dir / "gateway.key")
    context.num_tickets = 1
    return context


class TlsHandler(Protocol):
    """Who sits on a TlsConnection. Nothing is called after `lost`."""

    def secured(self, fingerprint: bytes) -> None:
        """The handshake is over; SHA-256 of the peer's certificate."""

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

    def __init__(self, context: ssl.SSLContext, handler: TlsHandler, *, shared: memoryview) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
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

    def _abort_if_open(self) -> None:
        if not self._lost:
            self.transport.abort()

    def _handshake(self) -> bool:
        self._ssl.do_handshake()
        self._secured = True
        certificate = self._ssl.getpeercert(binary_form=True)
        assert certificate is not None, "a client certificate is required"
        if self._outgoing.pending:
            self.transport.write(self._outgoing.read())
        self._handler.secured(hashlib.sha256(certificate).digest())
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
