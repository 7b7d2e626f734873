"""Key diversification (密钥分散, K1): a key of its own for every operator, application and card, from the key above it.

    3DES   sub = E(K, F) | E(K, not F)        F: the 8-byte factor
    SM4    sub = E(K, F | not F)              one 16-byte block

Levels are applied one after another: area (operator) first, card last (standards 1.2). Key parity is not adjusted.
"""

from collections.abc import Iterable, Sequence

from onecard.protocol.purse.ciphers import Algorithm, encrypt_ecb

FACTOR_BYTES = 8
_ALL_ONES = (1 << 64) - 1


def card_factor(card_no: int) -> bytes:
    """The right-most 16 digits of a card number, two a byte (shorter ones zero-padded on the left)."""
    return bytes.fromhex(f"{card_no % 10**16:016d}")


def area_factor(operator_id: int) -> bytes:
    """The issuer (area) factor of an operator: its number in 8 digits, twice. Raises ValueError outside 1…99,999,999."""
    if not 1 <= operator_id <= 99_999_999:
        raise ValueError(f"operator {operator_id} has no area code of 8 digits")
    return bytes.fromhex(f"{operator_id:08d}" * 2)


def diversify(algorithm: Algorithm, key: bytes, factor: bytes) -> bytes:
    """The 16-byte sub-key of a key for one factor of 8 bytes."""
    assert len(factor) == FACTOR_BYTES
    return encrypt_ecb(algorithm, key, _both(factor))


def diversify_path(algorithm: Algorithm, key: bytes, factors: Iterable[bytes]) -> bytes:
    """The sub-key several levels down, the highest level's factor first."""
    for factor in factors:
        key = diversify(algorithm, key, factor)
    return key


def diversify_cards(algorithm: Algorithm, key: bytes, card_numbers: Sequence[int]) -> bytes:
    """The sub-keys of many cards under one key in one call of the cipher: 16 bytes each, one after another."""
    plain = b"".join([_both_of(int(f"{number % 10**16:016d}", 16)) for number in card_numbers])
    return encrypt_ecb(algorithm, key, plain) if plain else b""


def _both(factor: bytes) -> bytes:
    return _both_of(int.from_bytes(factor, "big"))


def _both_of(factor: int) -> bytes:
    return (factor << 64 | factor ^ _ALL_ONES).to_bytes(16, "big")
