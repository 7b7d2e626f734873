"""The proofs of purse transactions (standards 1.5–1.9): session keys, MAC1, MAC2, TAC, and exactly what each is made over.

Integers are big-endian, amounts in fen in 4 bytes, dates YYYYMMDD and times HHMMSS in BCD, terminal numbers 6 bytes.
SM4 forms come from a single public source and are switchable for that reason (standards 1.10).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, unique

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.protocol.purse.ciphers import MAC_BYTES, Algorithm, cbc_mac, encrypt_ecb

_ALL_ONES = (1 << 64) - 1


@unique
class TransactionType(IntEnum):
    """交易类型标识 (standards 1.4)."""

    ED_LOAD = 1
    EP_LOAD = 2
    UNLOAD = 3
    ED_WITHDRAWAL = 4
    ED_PURCHASE = 5
    EP_PURCHASE = 6
    OVERDRAFT = 7
    COMPOSITE = 9


def bcd_moment(moment: datetime) -> bytes:
    """Date and time of a moment in the city's local time: 7 bytes, whole seconds."""
    return bytes.fromhex(moment.astimezone(PLATFORM_ZONE).strftime("%Y%m%d%H%M%S"))


def parse_bcd_moment(data: bytes) -> datetime:
    """The reverse of `bcd_moment`. Raises ValueError where it is no date."""
    return datetime.strptime(data.hex(), "%Y%m%d%H%M%S").replace(tzinfo=PLATFORM_ZONE)


def terminal_bytes(number: int) -> bytes:
    """The 6 bytes of a terminal number."""
    return number.to_bytes(6, "big")


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a purchase's MAC1 and TAC are made over; `moment` is date and time, 7 bytes (`bcd_moment`)."""

    amount_fen: int
    transaction_type: int
    terminal_no: int
    terminal_seq: int
    moment: bytes

    def mac1_data(self) -> bytes:
        """amount 4 | type 1 | terminal 6 | date 4 | time 3."""
        return self._head() + self.moment

    def tac_data(self) -> bytes:
        """amount 4 | type 1 | terminal 6 | terminal sequence 4 | date 4 | time 3: 22 bytes."""
        return self._head() + self.terminal_seq.to_bytes(4, "big") + self.moment

    def _head(self) -> bytes:
        return self.amount_fen.to_bytes(4, "big") + bytes((self.transaction_type,)) + terminal_bytes(self.terminal_no)


@dataclass(frozen=True, slots=True)
class Load:
    """What a load's proofs are made over. `online_counter` is the chip's before the load; `moment` the host's."""

    amount_fen: int
    transaction_type: int
    terminal_no: int
    old_balance_fen: int
    online_counter: int
    moment: bytes = b""

    def mac1_data(self) -> bytes:
        """old balance 4 | amount 4 | type 1 | terminal 6: the chip proves itself to the host."""
        return self.old_balance_fen.to_bytes(4, "big") + self._head()

    def mac2_data(self) -> bytes:
        """amount 4 | type 1 | terminal 6 | date 4 | time 3: the host proves itself to the chip."""
        return self._head() + self.moment

    def tac_data(self) -> bytes:
        """new balance 4 | online sequence before it rose 2 | amount 4 | type 1 | terminal 6 | date 4 | time 3."""
        new = self.old_balance_fen + self.amount_fen
        return new.to_bytes(4, "big") + self.online_counter.to_bytes(2, "big") + self._head() + self.moment

    def _head(self) -> bytes:
        return self.amount_fen.to_bytes(4, "big") + bytes((self.transaction_type,)) + terminal_bytes(self.terminal_no)


def session_key(algorithm: Algorithm, key: bytes, seed: bytes) -> bytes:
    """A session key from 8 seed bytes: 8 bytes with 3DES (single DES from then on), 16 with SM4."""
    assert len(seed) == 8
    if algorithm is Algorithm.SM4:
        value = int.from_bytes(seed, "big")
        seed = (value << 64 | value ^ _ALL_ONES).to_bytes(16, "big")
    return encrypt_ecb(algorithm, key, seed)


def purchase_session(algorithm: Algorithm, key: bytes, *, random: bytes, card_counter: int, terminal_seq: int) -> bytes:
    """SESPK = E(DPK, random 4 | offline sequence 2 | the terminal sequence's low 2)."""
    seed = random + card_counter.to_bytes(2, "big") + (terminal_seq & 0xFFFF).to_bytes(2, "big")
    return session_key(algorithm, key, seed)


def load_session(algorithm: Algorithm, key: bytes, *, random: bytes, online_counter: int) -> bytes:
    """SESLK = E(DLK, random 4 | online sequence 2 | 80 00)."""
    return session_key(algorithm, key, random + online_counter.to_bytes(2, "big") + b"\x80\x00")


def mac4(algorithm: Algorithm, session: bytes, data: bytes) -> bytes:
    """A MAC1 or MAC2: the first 4 bytes of the CBC-MAC under a session key."""
    return cbc_mac(algorithm, session, data)[:MAC_BYTES]


def purchase_mac2(algorithm: Algorithm, session: bytes, amount_fen: int) -> bytes:
    """MAC2 of a purchase: the chip proves to the terminal that it debited the amount."""
    return mac4(algorithm, session, amount_fen.to_bytes(4, "big"))


def tac_key(algorithm: Algorithm, key: bytes) -> bytes:
    """The key a TAC is made with: with 3DES the two halves of DTK folded by XOR (8 bytes), with SM4 the whole (unverified)."""
    if algorithm is Algorithm.SM4:
        return key
    return bytes(left ^ right for left, right in zip(key[:8], key[8:16], strict=True))


def tac(algorithm: Algorithm, key: bytes, data: bytes) -> bytes:
    """The TAC over `tac_data()` under a card's DTK of 16 bytes: 4 bytes."""
    return cbc_mac(algorithm, tac_key(algorithm, key), data)[:MAC_BYTES]
