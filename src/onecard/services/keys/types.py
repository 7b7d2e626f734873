"""The values that callers of the vault hand in and get back. No key is among them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, unique

from onecard.services.keys.uses import KeyAlgorithm, KeyUse, Level


@dataclass(frozen=True, slots=True)
class CardRef:
    """A card as the key tree sees it; `unit_id` is that of a unit's private application, 0 for the public purse."""

    operator_id: int
    card_no: int
    unit_id: int = 0

    def __str__(self) -> str:
        return f"card {self.card_no}"


@unique
class TacVerdict(IntEnum):
    """What became of one TAC."""

    OK = 0
    WRONG = 1
    NO_KEY = 2
    """No key of this version and algorithm is in force, or there is no such algorithm or operator."""


@dataclass(frozen=True, slots=True)
class TacBatch:
    """Records whose TACs are to be verified, in columns of one length.

    `data` is `Purchase.tac_data()` or `Load.tac_data()`, `tac` its 4 bytes as a big-endian number, `sam_no` the terminal
    number in the record, 0 where it is unknown.
    """

    operator_id: Sequence[int]
    card_no: Sequence[int]
    key_version: Sequence[int]
    algorithm: Sequence[int]
    data: Sequence[bytes]
    tac: Sequence[int]
    sam_no: Sequence[int]

    def __post_init__(self) -> None:
        sizes = {len(getattr(self, name)) for name in self.__slots__}
        assert len(sizes) == 1, f"columns of {sorted(sizes)} entries"

    def __len__(self) -> int:
        return len(self.tac)


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """What may be known of a key by whoever may see the keys."""

    key_id: int
    key_set: str
    use: KeyUse
    algorithm: KeyAlgorithm
    level: Level
    owner: int
    version: int
    index: int
    state: str
    origin: str
    exportable: bool
    kcv: str
    parent_id: int | None
    created_at: datetime
    activated_at: datetime | None
    retiring_until: datetime | None
    retired_at: datetime | None
    destroyed_at: datetime | None
    count: int
    last_used_at: datetime | None
    public: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Exported:
    """A key on its way to another institution: ciphered under the zone key, with the check values of both."""

    cryptogram: bytes
    kcv: str
    zone_kcv: str
    algorithm: KeyAlgorithm
