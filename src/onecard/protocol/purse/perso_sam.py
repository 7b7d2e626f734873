"""The steps of a SAM: its number, its terminal number, and the keys it derives card keys from (see perso.py)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from onecard.protocol.purse.apdu import Command
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.files import FileId, SamPublicData
from onecard.protocol.purse.perso import (
    CONTROL_PREFIX,
    MASTER_AUTHENTICATED,
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


@dataclass(frozen=True, slots=True)
class SamSlot:
    """A key of a SAM: whose use it is at the vault, its purpose in the SAM, the levels the SAM diversifies it down."""

    use: CardKey
    purpose: int
    levels: int = 2

    @property
    def usage(self) -> int:
        """The usage byte: levels in the upper three bits, purpose below."""
        return self.levels << 5 | self.purpose


PURPOSE_PURCHASE: Final = 2
PURPOSE_TAC: Final = 4
PURPOSE_MAC: Final = 5
DEFAULT_SLOTS: Final = (SamSlot(CardKey.PURCHASE, PURPOSE_PURCHASE), SamSlot(CardKey.BLOCK, PURPOSE_MAC))


def sam_plan(
    public: SamPublicData, terminal_no: int, versions: KeyVersions, *,
    slots: Sequence[SamSlot] = DEFAULT_SLOTS, algorithm: Algorithm = Algorithm.DES3,
) -> PersoPlan:  # fmt: skip
    """The steps of a SAM for one terminal number (file 0016); every key comes under the maker's transport key."""
    master, application = Where.MASTER, Where.APPLICATION
    files_of_master: dict[str, Plain | Maced] = {
        "create.0015": create_file(FileId.PUBLIC, 0x28, 14, read=OPEN, write=MASTER_AUTHENTICATED),
        "write.0015": Plain(Command(0x00, 0xD6, 0x95, 0x00, bytes(public))),
        "create.0016": create_file(FileId.HOLDER, 0x28, 6, read=OPEN, write=MASTER_AUTHENTICATED),
        "write.0016": Plain(Command(0x00, 0xD6, 0x96, 0x00, terminal_no.to_bytes(6, "big"))),
        "application.create": create_directory(FileId.SAM_APPLICATION, 0x0400, b""),
    }
    steps = [PersoStep(f"master.{name}", master, action) for name, action in files_of_master.items()]
    steps.append(PersoStep("application.create.keys", application, create_key_file(0x0200)))
    for slot in slots:
        version, index, cipher = versions[slot.use]
        prefix = bytes((slot.usage, OPEN, MASTER_AUTHENTICATED, version, cipher))
        action = load_key(prefix, index, slot.use, under=CardKey.SAM_CONTROL, initial=True)
        steps.append(PersoStep(f"application.key.{slot.use}", application, action))
    seal = load_key(CONTROL_PREFIX, 0, CardKey.SAM_CONTROL, under=CardKey.SAM_CONTROL, initial=True, replace=True)
    steps.append(PersoStep("master.key.sam_control", master, seal))
    opening = master_opening(CardKey.SAM_CONTROL, initial=True, algorithm=algorithm)
    entry = PersoStep("application.select", application, select(FileId.SAM_APPLICATION))
    return PersoPlan(tuple(steps), {master: opening, application: (*opening, entry)}, CardKey.SAM_CONTROL, algorithm)
