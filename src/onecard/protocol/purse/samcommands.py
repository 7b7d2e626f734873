"""The commands of a purse SAM (PSAM) and their answers as values (standards 1.5, 1.9).

P1 of 80 1A is particular to a card system; so is 80 CA.
"""

from dataclasses import dataclass

from onecard.protocol.purse.apdu import Command
from onecard.protocol.purse.commands import PurchaseInit

_MAC1_SIZES = (0x1C, 0x24)


def init_for_purchase(
    init: PurchaseInit, amount_fen: int, *, transaction_type: int, moment: bytes, card: bytes, area: bytes = b""
) -> Command:
    """INIT SAM FOR PURCHASE: `card` and `area` are diversification factors of 8 bytes; no area means one level."""
    purchase = SamPurchase(
        random=init.random,
        counter=init.counter,
        amount_fen=amount_fen,
        transaction_type=transaction_type,
        moment=moment,
        key_version=init.key_version,
        algorithm=int(init.algorithm),
        card=card,
        area=area,
    )
    return Command(0x80, 0x70, 0x00, 0x00, purchase.body(), 8)


@dataclass(frozen=True, slots=True)
class SamPurchase:
    """Body of 80 70.

    random 4 | sequence 2 | amount 4 | type 1 | moment 7 | key version 1 | algorithm 1 | card 8 | area 8 or none
    """

    random: bytes
    counter: int
    amount_fen: int
    transaction_type: int
    moment: bytes
    key_version: int
    algorithm: int
    card: bytes
    area: bytes

    def body(self) -> bytes:
        """The bytes."""
        head = self.random + self.counter.to_bytes(2, "big") + self.amount_fen.to_bytes(4, "big")
        keys = bytes((self.transaction_type,)) + self.moment + bytes((self.key_version, self.algorithm))
        return head + keys + self.card + self.area

    @classmethod
    def parse(cls, data: bytes) -> "SamPurchase":
        """The reverse. Raises ValueError for another length."""
        if len(data) not in _MAC1_SIZES:
            raise ValueError("28 or 36 bytes")
        return cls(
            random=data[:4],
            counter=int.from_bytes(data[4:6], "big"),
            amount_fen=int.from_bytes(data[6:10], "big"),
            transaction_type=data[10],
            moment=data[11:18],
            key_version=data[18],
            algorithm=data[19],
            card=data[20:28],
            area=data[28:36],
        )


@dataclass(frozen=True, slots=True)
class SamMac1:
    """terminal sequence 4 | MAC1 4."""

    terminal_seq: int
    mac1: bytes

    @classmethod
    def parse(cls, data: bytes) -> "SamMac1":
        """The answer of 80 70."""
        if len(data) != 8:
            raise ValueError("8 bytes")
        return cls(int.from_bytes(data[:4], "big"), data[4:])


def credit(mac2: bytes) -> Command:
    """CREDIT SAM FOR PURCHASE: checks the MAC2 of the transaction prepared last."""
    return Command(0x80, 0x72, 0x00, 0x00, mac2)


def init_for_cipher(usage: int, key_id: int, factors: bytes) -> Command:
    """INIT FOR DESCRYPT: prepares a card's key for `cipher` and `mac`. Factors: card first, then area."""
    return Command(0x80, 0x1A, usage, key_id, factors)


def cipher(data: bytes) -> Command:
    """Whole blocks under the prepared key."""
    return Command(0x80, 0xFA, 0x00, 0x00, data, 256)


def mac(iv: bytes, data: bytes) -> Command:
    """A MAC under the prepared key: the IV is a block, the data are padded by the SAM."""
    return Command(0x80, 0xFA, 0x05, 0x00, iv + data, 256)


def check_authentication_code(factors: bytes, code: bytes) -> Command:
    """Check the card authentication code (CJ/T 166 卡认证码): 4 bytes made from the card's factors."""
    return Command(0x80, 0xCA, 0x00, 0x00, factors + code)
