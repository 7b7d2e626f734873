"""A platform for the kit: a certificate authority, and an application server that remembers what it was sent and approves it.

Only the kit uses it; the gateway in front of it is the real one.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from onecard.kernel.codes import Operation, Result
from onecard.protocol.keys import WorkingKeys, build_de62
from onecard.protocol.proto import app_pb2 as app
from onecard.protocol.proto.app_pb2_grpc import ApplicationServicer, add_ApplicationServicer_to_server
from onecard.protocol.proto.records_pb2 import Answers
from onecard.terminal.tls import Identity

_HEARTBEAT_S = 0.5
_BALANCE_FEN = 10_000_000
Key = tuple[int, int, bool]
"""Terminal, sequence, whether it is a reversal."""


class KitPlatform(ApplicationServicer):
    """`records` is the first record of every key; `conflicts` what came later under a key with other content."""

    def __init__(self, line: app.Line, *, master_key: bytes, mac_key: bytes) -> None:
        self._line = line
        self._keys = master_key, mac_key
        self._server: grpc.aio.Server | None = None
        self._batch_no = 0
        self.records: dict[Key, tuple[int, int, int, int]] = {}
        """Operation, card, amount, original sequence, by key."""
        self.conflicts = 0
        self.arrivals: Counter[Key] = Counter()

    async def start(self, address: str) -> None:
        """Serve."""
        self._server = grpc.aio.server()
        add_ApplicationServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        self._server.add_insecure_port(address)
        await self._server.start()

    async def stop(self) -> None:
        """End."""
        if self._server is not None:
            await self._server.stop(0)

    async def Post(self, request: app.PostBatch, context: Any) -> app.PostReply:  # noqa: N802 - gRPC's name
        r = request.records
        rows = zip(r.op, r.terminal_id, r.terminal_seq, r.card_no, r.amount_fen, r.orig_seq, strict=True)
        codes = [self._take(*row) for row in rows]
        count = len(codes)
        return app.PostReply(
            answers=Answers(code=codes, balance_fen=[_BALANCE_FEN] * count, transfer_id=[1] * count, conflict_field=[0] * count)
        )

    def _take(self, op: int, terminal_id: int, seq: int, card_no: int, amount_fen: int, orig_seq: int) -> int:
        key = (terminal_id, seq, op == Operation.REVERSAL)
        content = (op, card_no, amount_fen, orig_seq)
        self.arrivals[key] += 1
        if self.records.setdefault(key, content) != content:
            self.conflicts += 1
            return int(Result.KEY_CONFLICT)
        is_undone = op != Operation.REVERSAL and (terminal_id, seq, True) in self.records
        return int(Result.REVERSED if is_undone else Result.APPROVED)

    def taken(self) -> list[tuple[int, int, int, int]]:
        """Terminal, sequence, operation and amount of what stands: posted and not reversed."""
        return [
            (terminal, seq, row[0], row[2])
            for (terminal, seq, is_reversal), row in self.records.items()
            if not is_reversal and (terminal, seq, True) not in self.records
        ]

    async def WatchAdmission(  # noqa: N802 - gRPC's name
        self, request: app.WatchAdmissionRequest, context: Any
    ) -> AsyncIterator[app.AdmissionEvent]:
        yield app.AdmissionEvent(lines=[self._line], snapshot_end=True)
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            yield app.AdmissionEvent()

    async def SignOn(self, request: app.SignOnRequest, context: Any) -> app.SignOnReply:  # noqa: N802 - gRPC's name
        self._batch_no += 1
        master, mac = self._keys
        de62 = build_de62(master, WorkingKeys(bytes(16), mac, bytes(16)))
        return app.SignOnReply(mac_key=mac, de62=de62, batch_no=self._batch_no)

    async def ReportLines(self, request: app.LineReport, context: Any) -> app.LineReportReply:  # noqa: N802 - gRPC's name
        return app.LineReportReply()

    async def ReportDevices(self, request: app.DeviceReport, context: Any) -> app.DeviceReportReply:  # noqa: N802 - gRPC's name
        return app.DeviceReportReply()


class KitAuthority:
    """Makes the certificates of one run, in a folder that goes away with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "driver check")])
        self._key = ec.generate_private_key(ec.SECP256R1())
        ca = self._build("driver check", self._key, is_ca=True)
        (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[Identity, bytes]:
        """Files `name`.pem and `name`.key, and the certificate's fingerprint."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._build(name, key, is_ca=False)
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
        return Identity(self.folder / "ca.pem", *files), certificate.fingerprint(hashes.SHA256())

    def _build(self, name: str, key: ec.EllipticCurvePrivateKey, *, is_ca: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self._name if is_ca else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())
