"""A front-end's home for measurements: an authority, certificates of many terminals, a lease, lists of a real size."""

import asyncio
import json
import random
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from onecard.fep import book
from onecard.fep.journal import Journal
from onecard.kernel.clock import to_epoch_us
from onecard.kernel.numbers import build_card_no
from onecard.protocol.cardindex import CardEntry, build_card_index
from onecard.protocol.cardset import build_card_set
from onecard.protocol.lease import COMMON_NAME, PURPOSE, Lease, build_lease, signed_bytes
from onecard.protocol.offline import CardTypeRule, OfflineRules, build_rules
from onecard.protocol.proto.device_pb2 import LineTerminalRef, Welcome
from onecard.terminal.tls import Identity

LINE, UNIT, CARD_TYPE = 1, 1, 1
CARDS, DENIED = 20_000, 3_000
"""Of the unit; and of 300,000 in the city, one in a hundred."""


@dataclass(frozen=True, slots=True)
class BenchHome:
    """What the load needs to know."""

    folder: Path
    terminals: dict[int, Identity]
    cards: list[int]


class _Authority:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name("bench authority")
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(self.sign("bench authority", self.key.public_key(), is_ca=True).public_bytes(Encoding.PEM))

    def sign(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey | object,
        *,
        is_ca: bool = False,
        purpose: x509.ObjectIdentifier | None = None,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self.name)
            .public_key(key)  # type: ignore[arg-type]
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        )
        if purpose is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, name: str, *, certificate: str, key: str) -> tuple[Identity, bytes]:
        own = ec.generate_private_key(ec.SECP256R1())
        signed = self.sign(name, own.public_key())
        identity = Identity(self.ca, self.folder / certificate, self.folder / key, LINE)
        identity.certificate.write_bytes(signed.public_bytes(Encoding.PEM))
        identity.key.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return identity, signed.fingerprint(hashes.SHA256())


def make_home(folder: Path, *, terminals: int, seed: int) -> BenchHome:
    """Everything on the disk, and the terminals in the journal, as an earlier line would have left them."""
    authority = _Authority(folder)
    authority.issue(f"line-{LINE}", certificate="cert.pem", key="key.pem")
    issued = {
        number: authority.issue(f"terminal-{number}", certificate=f"{number}.pem", key=f"{number}.key")
        for number in range(1, terminals + 1)
    }
    cards = _write_lists(folder, random.Random(seed))  # noqa: S311 - a measurement that can be repeated
    _write_lease(folder, authority)
    refs = [
        LineTerminalRef(terminal_id=number, tid=f"{number:08d}", certificate_sha256=fingerprint)
        for number, (_, fingerprint) in issued.items()
    ]
    welcome = Welcome(line_id=LINE, window=8, terminals=refs).SerializeToString()
    journal = Journal(folder / "journal.db")
    asyncio.run(journal.run(lambda db: book.write_setting(db, "welcome", welcome)))
    journal.close()
    return BenchHome(folder, {number: identity for number, (identity, _) in issued.items()}, cards)


def _write_lists(folder: Path, rng: random.Random) -> list[int]:
    data = folder / "data"
    data.mkdir()
    rules = OfflineRules(version=1, unit_id=UNIT, card_types={CARD_TYPE: CardTypeRule(offline=True, per_transaction_fen=100_000)})
    (data / "rules.bin").write_bytes(build_rules(rules))
    city = rng.sample(range(1, 300_001), CARDS + DENIED)
    numbers = [build_card_no(issuer=6212, lane=serial % 64, serial=serial) for serial in city]
    cards, denied = numbers[:CARDS], numbers[CARDS:]
    (data / "cards.bin").write_bytes(build_card_index(dict.fromkeys(cards, CardEntry(CARD_TYPE)), version=1, unit_id=UNIT))
    (data / "deny.bin").write_bytes(build_card_set(denied, version=1))
    return cards


def _write_lease(folder: Path, authority: _Authority) -> None:
    now = datetime.now(UTC)
    key = Ed25519PrivateKey.generate()
    certificate = authority.sign(COMMON_NAME, key.public_key(), purpose=PURPOSE)
    steps = [to_epoch_us(now + timedelta(days=days)) for days in (1, 2, 3, 4)]
    lease = build_lease(Lease(LINE, UNIT, 1, to_epoch_us(now), *steps))
    content = {"lease": lease, "signature": key.sign(signed_bytes(lease)), "certificate": certificate.public_bytes(Encoding.DER)}
    (folder / "lease.json").write_text(json.dumps({name: b64encode(value).decode() for name, value in content.items()}))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
