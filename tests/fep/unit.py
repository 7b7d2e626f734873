"""A unit for tests: a home as `onecard enrol` would leave it, with lists, rules and a lease, and the gateway before it."""

import asyncio
import json
import shutil
from base64 import b64encode
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from onecard.fep.fep import Fep
from onecard.fep.settings import DiskLimits, FepSettings
from onecard.kernel.clock import to_epoch_us
from onecard.kernel.codes import Operation
from onecard.kernel.numbers import build_card_no
from onecard.protocol.cardset import build_card_set
from onecard.protocol.lease import COMMON_NAME, PURPOSE, Lease, SignedLease, build_lease, signed_bytes
from onecard.protocol.offline import CardTypeRule, OfflineRules, TerminalRule, build_rules
from onecard.protocol.proto.device_pb2 import LineState, LineTerminalRef, Welcome
from onecard.protocol.proto.records_pb2 import Records
from onecard.terminal.native import Listeners, NativeClient
from onecard.terminal.tls import Backoff, Identity
from tests.gateway.fake_app import mid_of
from tests.gateway.harness import House
from tests.gateway.pki import Authority

CARD, DENIED = build_card_no(issuer=1000, lane=1, serial=1), build_card_no(issuer=1000, lane=1, serial=2)
LINE, UNIT = 7, 1
TERMINALS = {71: "00000071", 72: "00000072"}


def rules(**changes: object) -> OfflineRules:
    values: dict = {
        "version": 1,
        "unit_id": UNIT,
        "unknown_card": CardTypeRule(offline=True, per_transaction_fen=5000, per_day_fen=20_000),
        "any_terminal": TerminalRule(total_fen=1_000_000),
        "fallback_ms": 1000,
    }
    return OfflineRules(**(values | changes))


def sign_lease(authority: Authority, *, hours: int = 24, ended: bool = False, line_id: int = LINE) -> SignedLease:
    now = datetime.now(UTC)
    key = Ed25519PrivateKey.generate()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)]))
        .issuer_name(authority._name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.ExtendedKeyUsage([PURPOSE]), critical=False)
        .sign(authority._key, hashes.SHA256())
    )
    at = [to_epoch_us(now + timedelta(hours=hours * step)) for step in (1, 2, 3, 4)]
    if ended:
        at = [to_epoch_us(now - timedelta(hours=step)) for step in (4, 3, 2, 1)]
    body = build_lease(Lease(line_id, UNIT, 1, to_epoch_us(now - timedelta(days=1)), *at))
    return SignedLease(body, key.sign(signed_bytes(body)), certificate.public_bytes(Encoding.DER))


def write_lease(home: Path, signed: SignedLease) -> None:
    content = {"lease": signed.lease, "signature": signed.signature, "certificate": signed.certificate_der}
    (home / "lease.json").write_text(json.dumps({name: b64encode(value).decode() for name, value in content.items()}))


def make_home(home: Path, authority: Authority, *, given: OfflineRules | None = None, line_id: int = LINE) -> Path:
    issued = authority.issue(f"line-{line_id}")
    (home / "data").mkdir(parents=True)
    shutil.copy(authority.ca, home / "ca.pem")
    shutil.copy(issued.identity.certificate, home / "cert.pem")
    shutil.copy(issued.identity.key, home / "key.pem")
    (home / "data" / "rules.bin").write_bytes(build_rules(given or rules()))
    (home / "data" / "deny.bin").write_bytes(build_card_set([DENIED], version=3))
    write_lease(home, sign_lease(authority, line_id=line_id))
    return home


@dataclass
class Unit:
    """A gateway before a fake application server, a front-end, and its terminals."""

    house: House
    home: Path
    fep: Fep | None = None
    states: list[LineState] = field(default_factory=list)
    _clients: list[NativeClient] = field(default_factory=list)

    async def start_gateway(self) -> None:
        """The house's clock stands still; the front-end must not follow it."""
        self.house.clock.at = datetime.now(UTC)
        await self.house.start()
        self.list_line()

    def list_line(self, terminals: dict[int, str] | None = None, **how: object) -> None:
        app = self.house.app
        fingerprint = x509.load_pem_x509_certificate((self.home / "cert.pem").read_bytes()).fingerprint(hashes.SHA256())
        listed = terminals or TERMINALS
        app.list_line(LINE, fingerprint, listed, front_end=True, **how)
        for entry in app.lines[LINE].terminals:
            entry.certificate_sha256 = self.house.issue(entry.terminal_id).fingerprint
        app._tell(_event(app.lines[LINE]))

    async def start(self, *, port: int | None = None, disk: DiskLimits | None = None, attach: Path | None = None) -> Fep:
        settings = FepSettings(
            home=self.home,
            gateway_host="127.0.0.1",
            gateway_port=port or (self.house.port("native") if self.house.gateway else 1),
            host="127.0.0.1",
            native_port=0,
            iso_port=0,
            workstation_port=None,
            attach=attach,
            heartbeat_s=0.5,
            silence_s=2.0,
            disk=disk or DiskLimits(low_bytes=1, low_permille=1, sales_bytes=1, ballast_bytes=4096),
        )
        self.fep = Fep(settings)
        await self.fep.start()
        return self.fep

    async def restart(self, *, port: int | None = None) -> Fep:
        assert self.fep is not None
        port = port or self.fep.settings.gateway_port
        await self.fep.stop()
        return await self.start(port=port)

    def identity(self, terminal_id: int) -> Identity:
        return replace(self.house.issue(terminal_id).identity, front_end=LINE)

    def terminal(self, terminal_id: int = 71) -> NativeClient:
        assert self.fep is not None
        client = NativeClient(
            "127.0.0.1",
            self.fep.lan.ports["native"],
            self.identity(terminal_id),
            backoff=Backoff(),
            answer_s=5.0,
            listeners=Listeners(on_line_state=self.states.append),
        )
        self._clients.append(client)
        return client

    async def stop(self) -> None:
        for client in self._clients:
            await client.close()
        if self.fep is not None:
            await self.fep.stop()


def _event(line):
    from onecard.protocol.proto.app_pb2 import AdmissionEvent

    return AdmissionEvent(lines=[line])


def record(op: Operation, seq: int, amount_fen: int = 500, *, card: int = CARD, terminal: int = 71, orig: int = 0) -> Records:
    now = to_epoch_us(datetime.now(UTC))
    return Records(
        op=[int(op)], terminal_id=[terminal], terminal_seq=[seq], card_no=[card], amount_fen=[amount_fen], occurred_at_us=[now],
        orig_terminal_id=[0], orig_seq=[orig],
    )  # fmt: skip


async def ask(client: NativeClient, op: Operation, seq: int, amount_fen: int = 500, **how) -> int:
    """One record; the code it is answered with."""
    async with asyncio.timeout(10):
        return (await client.submit(record(op, seq, amount_fen, **how))).code[0]


def recall_terminals(unit: Unit) -> Welcome:
    """What an earlier line would have left in the journal: the line's terminals."""
    refs = [
        LineTerminalRef(terminal_id=number, tid=tid, mid=mid_of(tid), certificate_sha256=unit.house.issue(number).fingerprint)
        for number, tid in TERMINALS.items()
    ]
    welcome = Welcome(line_id=LINE, window=8, terminals=refs)
    unit.fep._write("welcome", welcome.SerializeToString())
    return welcome
