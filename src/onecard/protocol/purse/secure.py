"""Secure messaging of card commands, and external authentication (standards 1.9, 1.10).

The line protection MAC is made over the command as it is sent, Lc already counting the 4 MAC bytes, from an IV that is the
card's challenge. A ciphered body is `length | data`, padded by `80 00…` unless it fills its blocks.
"""

from onecard.protocol.purse.ciphers import MAC_BYTES, Algorithm, cbc_mac, decrypt_ecb, encrypt_ecb, retail_mac


def challenge_iv(algorithm: Algorithm, challenge: bytes) -> bytes:
    """The IV a challenge of 4, 8 or 16 bytes gives: zeros fill it up to a block."""
    return challenge.ljust(algorithm.block_bytes, b"\0")[: algorithm.block_bytes]


def command_mac(algorithm: Algorithm, key: bytes, header: bytes, body: bytes, *, challenge: bytes) -> bytes:
    """The 4 MAC bytes of a command: header CLA INS P1 P2, body without the MAC."""
    data = header + bytes((len(body) + MAC_BYTES,)) + body
    iv = challenge_iv(algorithm, challenge)
    if algorithm is Algorithm.DES3 and len(key) == 16:
        return retail_mac(key, data, iv=iv)[:MAC_BYTES]
    return cbc_mac(algorithm, key, data, iv=iv)[:MAC_BYTES]


def cipher_body(algorithm: Algorithm, key: bytes, data: bytes) -> bytes:
    """The ciphered form of a command's body. Raises ValueError over 250 bytes."""
    if len(data) > 250:
        raise ValueError(f"{len(data)} bytes do not fit into one command")
    plain = bytes((len(data),)) + data
    size = algorithm.block_bytes
    if len(plain) % size:
        plain = (plain + b"\x80").ljust(-(-(len(plain) + 1) // size) * size, b"\0")
    return encrypt_ecb(algorithm, key, plain)


def decipher_body(algorithm: Algorithm, key: bytes, body: bytes) -> bytes:
    """The reverse of `cipher_body`. Raises ValueError where length or padding do not fit (another key, a torn command)."""
    if not body or len(body) % algorithm.block_bytes:
        raise ValueError("not whole blocks")
    plain = decrypt_ecb(algorithm, key, body)
    size = plain[0]
    rest = plain[1 + size :]
    if 1 + size > len(plain) or (rest and rest != b"\x80".ljust(len(rest), b"\0")) or len(rest) > algorithm.block_bytes:
        raise ValueError("wrong padding")
    return plain[1 : 1 + size]


def external_authentication(algorithm: Algorithm, key: bytes, challenge: bytes) -> bytes:
    """The 8 bytes that answer a card's challenge: 3DES-ECB of it; with SM4 the two halves of the block XORed."""
    sealed = encrypt_ecb(algorithm, key, challenge_iv(algorithm, challenge))
    if algorithm is Algorithm.SM4:
        return bytes(left ^ right for left, right in zip(sealed[:8], sealed[8:], strict=True))
    return sealed
