"""The steps of a purse card: its keys, its files and what is written into them (see perso.py; layouts in files.py)."""

from dataclasses import dataclass
from typing import Final

from onecard.protocol.purse import files
from onecard.protocol.purse.apdu import Command
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.files import FileId, HolderData, PublicData
from onecard.protocol.purse.perso import (
    APPLICATION_AUTHENTICATED,
    CONTROL_PREFIX,
    MASTER_AUTHENTICATED,
    NEVER,
    OPEN,
    CardKey,
    KeyVersions,
    Maced,
    PersoPlan,
    PersoStep,
    Plain,
    Where,
    create_directory,
    create_file,
    create_key_file,
    load_key,
    master_opening,
    select,
)

_BINARY_MACED: Final = 0xA8
_FIXED_MACED: Final = 0xAA
_CYCLIC: Final = 0x2E
_PURSE: Final = 0x2F
_APP_CONTROL_PREFIX: Final = bytes((0x39, OPEN, MASTER_AUTHENTICATED, 0x44, 0xFF))
_KEY_TYPES: Final = {
    CardKey.TAC: 0x34,
    CardKey.OVERDRAFT: 0x3C,
    CardKey.UNLOAD: 0x3D,
    CardKey.PURCHASE: 0x3E,
    CardKey.LOAD: 0x3F,
}
_LINE_KEYS: Final = {
    CardKey.APP_MAINTENANCE: (0x36, 0),
    CardKey.BLOCK: (0x36, 1),
    CardKey.PIN_UNBLOCK: (0x37, 0),
    CardKey.PIN_RELOAD: (0x38, 0),
}
"""Key type and number of the keys that carry no version: application block is the second line protection key."""


def _create_purse(file_id: int, log_file: int) -> Plain:
    return Plain(
        Command(0x80, 0xE0, file_id >> 8, file_id & 0xFF, bytes((_PURSE, 0x02, 0x08, OPEN, 0x00, 0xFF, log_file & 0xFF)))
    )


def update_binary(file_id: int, data: bytes, *, under: CardKey, offset: int = 0) -> Maced:
    """04 D6 by short identifier, with MAC."""
    return Maced(bytes((0x04, 0xD6, 0x80 | files.sfi(file_id), offset)), data, under)


@dataclass(frozen=True, slots=True)
class PurseProfile:
    """What a purse card is made with. `pin` None: no PIN file, the purse needs none."""

    public: PublicData
    holder: HolderData
    aid: bytes = files.PURSE_AID
    pin: bytes | None = None
    with_deposit: bool = False
    """Also the electronic deposit (ED, file 0001), which asks for the PIN."""


def purse_plan(profile: PurseProfile, versions: KeyVersions, *, algorithm: Algorithm = Algorithm.DES3) -> PersoPlan:
    """The steps of a purse card. `algorithm` is that of control and maintenance keys, as the maker delivered the card.

    Raises ValueError where the versions of purchase, load and TAC key differ: INITIALIZE tells one version, and the TAC is
    looked up by it.
    """
    sets = {(versions[use][0], versions[use][2]) for use in (CardKey.PURCHASE, CardKey.LOAD, CardKey.TAC)}
    if len(sets) != 1:
        raise ValueError("purchase, load and TAC keys of a card must have one version and one algorithm")
    master, application = Where.MASTER, Where.APPLICATION
    steps = [
        PersoStep(
            "master.key.card_maintenance", master,
            load_key(bytes((0x36, OPEN, MASTER_AUTHENTICATED, 0xFF, 0x33)), 0, CardKey.CARD_MAINTENANCE,
                     under=CardKey.CARD_CONTROL, initial=True),
        ),
        PersoStep("purse.create", master, create_directory(FileId.PURSE_APPLICATION, 0x0F00, profile.aid)),
        PersoStep("purse.create.keys", application, create_key_file(0x0200)),
        *_purse_keys(versions, profile.pin),
        *_purse_files(profile),
        PersoStep(
            "master.key.card_control", master,
            load_key(CONTROL_PREFIX, 0, CardKey.CARD_CONTROL, under=CardKey.CARD_CONTROL, initial=True, replace=True),
        ),
    ]  # fmt: skip
    opening = master_opening(CardKey.CARD_CONTROL, initial=True, algorithm=algorithm)
    entry = PersoStep("purse.select", application, select(FileId.PURSE_APPLICATION))
    return PersoPlan(tuple(steps), {master: opening, application: (*opening, entry)}, CardKey.CARD_CONTROL, algorithm)


def _purse_keys(versions: KeyVersions, pin: bytes | None) -> list[PersoStep]:
    """The application's control key comes under the transport key, the others under the application's control key."""
    where = Where.APPLICATION
    control = load_key(_APP_CONTROL_PREFIX, 0, CardKey.APP_CONTROL, under=CardKey.CARD_CONTROL, initial=True)
    steps = [PersoStep("purse.key.app_control", where, control)]
    for use, kind in _KEY_TYPES.items():
        if use in versions:
            version, index, algorithm = versions[use]
            prefix = bytes((kind, OPEN, MASTER_AUTHENTICATED, version, algorithm))
            steps.append(
                PersoStep(f"purse.key.{use}", where, load_key(prefix, index, use, under=CardKey.APP_CONTROL, initial=False))
            )
    for use, (kind, number) in _LINE_KEYS.items():
        if use in versions:
            prefix = bytes((kind, OPEN, MASTER_AUTHENTICATED, 0xFF, 0x33))
            steps.append(
                PersoStep(f"purse.key.{use}", where, load_key(prefix, number, use, under=CardKey.APP_CONTROL, initial=False))
            )
    if pin is not None:
        body = bytes((0x3A, OPEN, NEVER, 0x11, 0x33)) + pin
        steps.append(PersoStep("purse.pin", where, Plain(Command(0x80, 0xD4, 0x01, 0x00, body))))
    return steps


def _purse_files(profile: PurseProfile) -> list[PersoStep]:
    cyclic_log = files.LOG_RECORDS << 8 | files.LOG_BYTES
    cyclic_trips = files.TRIP_RECORDS << 8 | files.TRIP_BYTES
    segments = 0x0200 | files.SEGMENT_BYTES
    actions: dict[str, Plain | Maced] = {
        "create.0015": create_file(FileId.PUBLIC, _BINARY_MACED, files.PUBLIC_BYTES, read=OPEN, write=OPEN),
        "create.0016": create_file(FileId.HOLDER, _BINARY_MACED, files.HOLDER_BYTES, read=APPLICATION_AUTHENTICATED, write=OPEN),
        "create.0017": create_file(FileId.MANAGEMENT, _BINARY_MACED, files.MANAGEMENT_BYTES, read=OPEN, write=OPEN),
        "create.0018": create_file(FileId.LOG, _CYCLIC, cyclic_log, read=OPEN, write=NEVER),
        "create.0019": create_file(FileId.SEGMENTS, _FIXED_MACED, segments, read=OPEN, write=OPEN),
        "create.001A": create_file(FileId.SEGMENTS_MORE, _FIXED_MACED, segments, read=OPEN, write=OPEN),
        "create.001E": create_file(FileId.TRIPS, _CYCLIC, cyclic_trips, read=OPEN, write=NEVER),
        "create.0002": _create_purse(FileId.PURSE, FileId.LOG),
    }
    if profile.with_deposit:
        actions["create.0001"] = _create_purse(FileId.DEPOSIT, FileId.LOG)
    actions["write.0016"] = update_binary(FileId.HOLDER, bytes(profile.holder), under=CardKey.APP_MAINTENANCE)
    for name, file_id in (("write.0019", FileId.SEGMENTS), ("write.001A", FileId.SEGMENTS_MORE)):
        actions[name] = _write_segment(file_id)
    actions["write.0015"] = update_binary(FileId.PUBLIC, bytes(profile.public), under=CardKey.APP_MAINTENANCE)
    return [PersoStep(f"purse.{name}", Where.APPLICATION, action) for name, action in actions.items()]


def _write_segment(file_id: int) -> Maced:
    """Record 1 gets the identifier 02, by which composite purchases address it."""
    record = b"\x02".ljust(files.SEGMENT_BYTES, b"\0")
    return Maced(bytes((0x04, 0xDC, 0x01, files.sfi(file_id) << 3 | 0x04)), record, CardKey.APP_MAINTENANCE)
