"""The mission's whole tree in a home of its own: operators, units, a line for each unit's front-end, and certificates."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from onecard.datacenter.home import Home

OPERATORS, UNITS = 64, 255
_CHUNK = 1_000
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Lines and their files: `folder` holds line.key, shared by all, and certificates.bin (length and DER of each)."""

    lines: tuple[int, ...]
    folder: Path
    terminals: tuple[int, ...]
    """One of each line."""
    operator: int
    """The root, whose cards are paid with."""
    card_type: int


def build_tree(home: Home, *, operators: int = OPERATORS, units: int = UNITS, say: Say) -> Fleet:
    """Make it through the services' own functions; units are opened in one statement, for the password of each takes 50 ms."""
    from onecard.services.devices import api as devices
    from onecard.services.operators import api as tree
    from onecard.services.operators.choices import UnitState
    from onecard.services.operators.models import Unit

    root = tree.create_operator("ROOT", "测试城市", parent_id=None, holder_cap=100_000_000)
    card_type = tree.create_card_type("STD", "普通卡")
    now = datetime.now(UTC)
    until = now + timedelta(days=365)
    lines: list[int] = []
    terminals: list[int] = []
    for number in range(operators):
        operator = tree.create_operator(f"OP{number:02d}", f"运营单位{number}", parent_id=root.pk, holder_cap=1_000_000)
        made = Unit.objects.bulk_create(
            Unit(operator=operator, code=f"U{number:02d}{n:03d}", name=f"单位{number}-{n}", state=UnitState.ACTIVE,
                 valid_from=now, valid_until=until)
            for n in range(units)
        )  # fmt: skip
        merchants = [tree.create_merchant("食堂", unit_id=unit.pk, public=True).pk for unit in made]
        own = devices.create_lines(
            devices.NewLine(f"{unit.name} 前置机", kind=devices.LineKind.FRONT_END, unit_id=unit.pk) for unit in made
        )
        terminals += devices.create_terminals(
            devices.NewTerminal(merchant, line_id=line) for merchant, line in zip(merchants, own, strict=True)
        )
        lines += own
    say(f"{operators} operators, {len(lines):,} units, each with a front-end and a terminal")
    folder = _enrol(home, lines)
    say(f"{len(lines):,} certificates issued")
    return Fleet(tuple(lines), folder, tuple(terminals), root.pk, card_type.pk)


def _enrol(home: Home, lines: list[int]) -> Path:
    """Certificates of all lines, each its own; the key is one, because making keys is not what is measured."""
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificate

    from onecard.services.devices import api as devices

    devices.ensure_gateway_files()
    folder = home.path / "fleet"
    folder.mkdir()
    key, request = devices.build_request()
    (folder / "line.key").write_bytes(key)
    with (folder / "certificates.bin").open("wb") as stream:
        for start in range(0, len(lines), _CHUNK):
            for pem in devices.enrol_many([(line, request) for line in lines[start : start + _CHUNK]]):
                der = load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
                stream.write(struct.pack(">I", len(der)) + der)
    return folder
