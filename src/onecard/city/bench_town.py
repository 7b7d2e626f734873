"""What `bench purchase` and `bench advice` run on: a home of their own with a durable embedded server, and a town loaded into it.

Nothing of the machine's own installation is touched; the home is removed at the end.
"""

import os
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from onecard.datacenter import dj, prepared
from onecard.datacenter.embedded import EmbeddedServer
from onecard.datacenter.home import Home
from onecard.kernel.numbers import build_account_no, build_card_no

LANES = 2
_MERCHANTS = 20
_ISSUER = 6212
_OPENING_FEN = 1_000_000_000
_FRONT_END_TERMINALS = 8

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BenchLine:
    """A line with its certificate, key and terminals (id, TID, MID)."""

    certificate: Path
    key: Path
    terminals: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class Town:
    """Where a measurement takes place."""

    home: Home
    cards: Path
    iso_lines: tuple[BenchLine, ...]
    native_lines: tuple[BenchLine, ...]

    @property
    def owner_dsn(self) -> str:
        return EmbeddedServer(self.home).dsn(user="onecard_owner")

    @property
    def admin_dsn(self) -> str:
        return EmbeddedServer(self.home).admin_dsn()


@contextmanager
def bench_home() -> Iterator[Home]:
    """A new home with its server running; stopped and removed at the end."""
    before = dict(os.environ)
    folder = Path(tempfile.mkdtemp(prefix="onecard-bench-"))
    for name in ("ONECARD_DATABASE", "ONECARD_APP_DATABASE"):
        os.environ.pop(name, None)
    os.environ["ONECARD_HOME"] = str(folder / "home")
    home = Home.from_environment()
    try:
        folder.chmod(0o711)
        home.prepare()
        prepared.ensure(home)
        yield home
    finally:
        EmbeddedServer(home).stop(immediate=True)
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.clear()
        os.environ.update(before)


def build_town(home: Home, *, accounts: int, terminals: int, front_ends: int, say: Say) -> Town:
    """Makes operator, merchants, lines and terminals through the services' api, and opens the accounts."""
    dj.setup()
    from onecard.services.devices import api as devices
    from onecard.services.operators import api as operators

    root = operators.create_operator("ROOT", "测试城市", parent_id=None, holder_cap=100_000_000)
    card_type = operators.create_card_type("STD", "普通卡")
    merchants = [operators.create_merchant(f"公共商户{n}", operator_id=root.pk, public=True).pk for n in range(_MERCHANTS)]
    say(f"{terminals} terminals, {front_ends} front-ends")
    lines = devices.create_lines(
        [devices.NewLine(f"T{n}", operator_id=root.pk) for n in range(terminals)]
        + [devices.NewLine(f"F{n}", kind=devices.LineKind.FRONT_END, operator_id=root.pk) for n in range(front_ends)]
    )
    owners = [*lines[:terminals], *(line for line in lines[terminals:] for _ in range(_FRONT_END_TERMINALS))]
    drivers = [devices.Driver.ISO8583] * terminals + [devices.Driver.NATIVE] * (front_ends * _FRONT_END_TERMINALS)
    places = [merchants[n % _MERCHANTS] for n in range(len(owners))]
    made = devices.create_terminals(
        devices.NewTerminal(merchant, line_id=line, driver=driver)
        for merchant, line, driver in zip(places, owners, drivers, strict=True)
    )
    devices.ensure_gateway_files()
    files = _enrol(home, lines)
    by_line: dict[int, list[tuple[int, str, str]]] = {line: [] for line in lines}
    for terminal, line, merchant in zip(made, owners, places, strict=True):
        by_line[line].append((terminal, f"{terminal:08d}", f"{merchant:015d}"))
    bench_lines = [BenchLine(*pem, tuple(by_line[line])) for line, pem in zip(lines, files, strict=True)]
    cards = open_bench_accounts(home, accounts, operator=root.pk, card_type=card_type.pk, say=say)
    return Town(home, cards, tuple(bench_lines[:terminals]), tuple(bench_lines[terminals:]))


def _enrol(home: Home, lines: Sequence[int]) -> list[tuple[Path, Path]]:
    """Keys and certificates of lines. All share one key: making two thousand is not what is measured."""
    from onecard.services.devices import api as devices

    folder = home.path / "lines"
    folder.mkdir()
    key_pem, request = devices.build_request()
    key = folder / "line.key"
    key.write_bytes(key_pem)
    files = []
    for line, pem in zip(lines, devices.enrol_many([(line, request) for line in lines]), strict=True):
        certificate = folder / f"{line}.pem"
        certificate.write_bytes(pem)
        files.append((certificate, key))
    return files


def open_bench_accounts(home: Home, count: int, *, operator: int, card_type: int, say: Say) -> Path:
    """So many accounts with one card each; gives the file of their numbers, 8 bytes each."""
    from onecard.ledger.opening import AccountRow, open_accounts

    cards = array("q")

    def rows() -> Iterator[AccountRow]:
        for serial in range(1, count + 1):
            lane = serial % LANES
            card = build_card_no(issuer=_ISSUER, lane=lane, serial=serial)
            cards.append(card)
            yield AccountRow(build_account_no(lane=lane, serial=serial), card, operator, card_type, public_fen=_OPENING_FEN)

    server = EmbeddedServer(home)
    with psycopg.connect(server.dsn(user="onecard_owner"), autocommit=True) as connection:
        opened = open_accounts(connection, rows())
    say(f"{opened.opened:,} accounts opened")
    with psycopg.connect(server.admin_dsn("onecard"), autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
    path = home.path / "cards.bin"
    path.write_bytes(cards.tobytes())
    return path
