"""A chip record on its way in: what the terminal sent, and what the directory says of the terminal. No I/O."""

import hashlib
import struct
from dataclasses import dataclass

from onecard.kernel.clock import from_epoch_us
from onecard.protocol.purse.proofs import Purchase, bcd_moment

# 14 numbers of the wire, in one fixed form: the content whose digest names a kept record.
_CONTENT = struct.Struct(">qqqqqIIQIIIII?")


_SMALL = 0x7FFF
_YEAR_9999_US = 253_370_764_800_000_000


def has_form(key_version: int, algorithm: int, occurred_at_us: int) -> bool:
    """Whether a chip's numbers are of a size that the tables hold, and its moment one that a calendar knows."""
    return 0 <= key_version <= _SMALL and 0 <= algorithm <= _SMALL and 0 <= occurred_at_us < _YEAR_9999_US


@dataclass(frozen=True, slots=True)
class ChipRecord:
    """One CHIP_PURCHASE. The wire's fields first, then the directory's.

    `merchant` is the book account, `purse_order` one of ledger.codes.PurseOrder, `business_date` days since 2000-01-01,
    `precheck` the directory's Result (0: nothing against it).
    """

    terminal_id: int
    terminal_seq: int
    card_no: int
    amount_fen: int
    occurred_at_us: int
    card_counter: int
    balance_before_fen: int
    sam_no: int
    sam_seq: int
    transaction_type: int
    key_version: int
    algorithm: int
    tac: int
    gray: bool
    merchant: int
    purse_order: int
    business_date: int
    precheck: int

    def has_form(self) -> bool:
        """Whether key version, algorithm and time can be written down. What merely is not in force is a reason to keep it."""
        return has_form(self.key_version, self.algorithm, self.occurred_at_us)

    @property
    def key(self) -> tuple[int, int]:
        """Exactly once: terminal and sequence."""
        return self.terminal_id, self.terminal_seq

    def content(self) -> bytes:
        """SHA-256 of what the terminal sent: two records with one key and other content are two rows."""
        return hashlib.sha256(
            _CONTENT.pack(
                self.terminal_id, self.terminal_seq, self.card_no, self.amount_fen, self.occurred_at_us, self.card_counter,
                self.balance_before_fen, self.sam_no, self.sam_seq, self.transaction_type, self.key_version, self.algorithm,
                self.tac, self.gray,
            )
        ).digest()  # fmt: skip

    def tac_data(self) -> bytes:
        """What its TAC is made over (standards 1.5)."""
        moment = bcd_moment(from_epoch_us(self.occurred_at_us))
        return Purchase(self.amount_fen, self.transaction_type, self.sam_no, self.sam_seq, moment).tac_data()
