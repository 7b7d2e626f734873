"""The UnionPay MAC against a straightforward reading of the rule."""

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from hypothesis import given
from hypothesis import strategies as st

from onecard.protocol.mac import UnionPayMac, xor_blocks


def naive_mac(key: bytes, data: bytes) -> bytes:
    padded = data + bytes(-len(data) % 8)
    block = bytes(8)
    for at in range(0, len(padded), 8):
        block = bytes(a ^ b for a, b in zip(block, padded[at : at + 8], strict=True))
    text = block.hex().upper().encode()

    def des(data: bytes) -> bytes:
        encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()
        return encryptor.update(data) + encryptor.finalize()

    second = des(bytes(a ^ b for a, b in zip(des(text[:8]), text[8:], strict=True)))
    return second.hex().upper()[:8].encode()


@given(key=st.binary(min_size=8, max_size=8), data=st.binary(min_size=1, max_size=700))
def test_the_mac_is_that_of_the_rule(key, data):
    mac = UnionPayMac(key)
    assert mac.compute(data) == naive_mac(key, data)
    assert mac.matches(data, naive_mac(key, data))


def test_the_prepared_cipher_keeps_no_state_between_messages():
    mac = UnionPayMac(b"12345678")
    first = mac.compute(b"one")
    mac.compute(b"two")
    assert mac.compute(b"one") == first


def test_des_of_the_published_block():
    """FIPS PUB 81: DES(0123456789ABCDEF) of 'Now is t' is 3FA40E8A984D4815."""
    encryptor = UnionPayMac(bytes.fromhex("0123456789ABCDEF"))._des
    assert encryptor(b"Now is t").hex().upper() == "3FA40E8A984D4815"


def test_a_changed_byte_changes_the_mac():
    mac = UnionPayMac(b"12345678")
    assert not mac.matches(b"amount 000501", mac.compute(b"amount 000500"))
    assert not mac.matches(b"amount 000500", b"")


def test_blocks_are_padded_with_zeros():
    assert xor_blocks(b"\x01") == 0x0100000000000000
    assert xor_blocks(bytes(range(16))) == int.from_bytes(bytes(a ^ (a + 8) for a in range(8)), "big")


def test_a_key_of_another_length_is_refused():
    with pytest.raises(ValueError, match="8 bytes"):
        UnionPayMac(bytes(16))
