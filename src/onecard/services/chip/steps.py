"""One step of a load as the terminal sends it, and the answer. No I/O."""

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import NamedTuple


@unique
class Step(IntEnum):
    """The step of a load, with the numbers of the wire."""

    REQUEST = 1
    CONFIRM = 2
    NOT_WRITTEN = 3


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """One step, as the terminal sent it (records.proto, ChipLoad)."""

    step: int
    terminal_id: int
    terminal_seq: int
    card_no: int
    amount_fen: int
    occurred_at_us: int
    transaction_type: int
    sam_no: int
    old_balance_fen: int
    online_counter: int
    key_version: int
    algorithm: int
    random: int
    mac1: int
    tac: int


class LoadReply(NamedTuple):
    """`host_time_us` is what MAC2 was made over, `balance_fen` of the account's public purse."""

    code: int
    mac2: int = 0
    host_time_us: int = 0
    balance_fen: int = 0
    transfer_id: int = 0
