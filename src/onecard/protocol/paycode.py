"""The dynamic payment code (C4): what stands in the QR code on a holder's phone, as bytes and as text. Pure.

    byte   0        version, 1
    bytes  1…2      number of the signing key
    bytes  3…10     card number of the QR medium
    bytes 11…18     code id, random, never used twice
    bytes 19…22     issued at, seconds since 1970-01-01 UTC
    bytes 23…26     expires at
    bytes 27…30     offline limit in fen: up to this amount a terminal may accept the code without a line; 0: on line only
    byte  31        flags, 0
    bytes 32…95     Ed25519 signature

All numbers are big-endian. Signed are a fixed prefix, byte 0 and bytes 3…31: the key's number is known only when the vault has
signed, and a wrong one makes the signature wrong. As text it is `OC1:` and Base45 (RFC 9285), the alphanumeric mode of a QR code.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

VERSION = 1
TEXT_PREFIX = "OC1:"
CODE_BYTES = 96
MAX_LIFETIME_S = 3600
_PREFIX = b"onecard pay code\0"
_HEAD = struct.Struct(">BH")
_BODY = struct.Struct(">QQIIIB")
_SIGNATURE_BYTES = 64
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
assert _HEAD.size + _BODY.size + _SIGNATURE_BYTES == CODE_BYTES


class PayCodeError(ValueError):
    """Bytes or text that are no payment code of this version."""


@dataclass(frozen=True, slots=True)
class CodeBody:
    """What is signed."""

    card_no: int
    code_id: int
    """0 … 2^64 - 1."""
    issued_at: int
    """Seconds since 1970-01-01 UTC."""
    expires_at: int
    offline_limit_fen: int = 0

    def accepted_at(self, second: int, *, tolerance_s: int) -> bool:
        """Whether a clock that may be wrong by so much can have shown this second while the code was good."""
        return self.issued_at - tolerance_s <= second <= self.expires_at + tolerance_s


@dataclass(frozen=True, slots=True)
class PayCode:
    """A code as it was read; whether it is the platform's is for `is_signed` to say."""

    body: CodeBody
    key_no: int
    signature: bytes

    def is_signed(self, keys: Mapping[int, bytes]) -> bool:
        """Whether the key of that number (public, 32 bytes) made the signature."""
        public = keys.get(self.key_no)
        if public is None:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(self.signature, signed_bytes(self.body))
        except (InvalidSignature, ValueError):
            return False
        return True

    def to_bytes(self) -> bytes:
        """The reverse of `parse_code`."""
        return _HEAD.pack(VERSION, self.key_no) + _pack(self.body) + self.signature


def signed_bytes(body: CodeBody) -> bytes:
    """What the vault signs."""
    return _PREFIX + bytes((VERSION,)) + _pack(body)


def parse_code(data: bytes | str) -> PayCode:
    """A code from its bytes, or from its text as a scanner gives it (text, or the bytes of it). Raises PayCodeError."""
    raw = _from_text(data) if isinstance(data, str) else bytes(data)
    if raw.startswith(TEXT_PREFIX.encode()):
        raw = _from_text(raw.decode("ascii", "replace"))
    if len(raw) != CODE_BYTES:
        raise PayCodeError(f"a payment code has {CODE_BYTES} bytes, not {len(raw)}")
    version, key_no = _HEAD.unpack_from(raw)
    card_no, code_id, issued_at, expires_at, offline_limit_fen, flags = _BODY.unpack_from(raw, _HEAD.size)
    if version != VERSION or flags:
        raise PayCodeError(f"version {version} with flags {flags} is not known")
    if not 10**15 <= card_no < 10**16:
        raise PayCodeError("not a card number")
    if not issued_at < expires_at <= issued_at + MAX_LIFETIME_S:
        raise PayCodeError("a payment code lives longer than nothing and no longer than an hour")
    body = CodeBody(card_no, code_id, issued_at, expires_at, offline_limit_fen)
    return PayCode(body, key_no, raw[-_SIGNATURE_BYTES:])


def build_text(code: PayCode) -> str:
    """What the QR code shows."""
    return TEXT_PREFIX + encode_base45(code.to_bytes())


def encode_base45(data: bytes) -> str:
    """RFC 9285."""
    out: list[str] = []
    for at in range(0, len(data) - 1, 2):
        rest, low = divmod(data[at] << 8 | data[at + 1], 45)
        high, middle = divmod(rest, 45)
        out += (_ALPHABET[low], _ALPHABET[middle], _ALPHABET[high])
    if len(data) % 2:
        high, low = divmod(data[-1], 45)
        out += (_ALPHABET[low], _ALPHABET[high])
    return "".join(out)


def decode_base45(text: str) -> bytes:
    """The reverse. Raises PayCodeError; every byte string has one text only."""
    values = [_VALUES.get(character, -1) for character in text]
    if -1 in values or len(values) % 3 == 1:
        raise PayCodeError("not Base45")
    out = bytearray()
    for at in range(0, len(values), 3):
        group = values[at : at + 3]
        number = sum(value * 45**place for place, value in enumerate(group))
        size = len(group) - 1
        if number >= 256**size:
            raise PayCodeError("not Base45")
        out += number.to_bytes(size, "big")
    return bytes(out)


def _from_text(text: str) -> bytes:
    if not text.startswith(TEXT_PREFIX):
        raise PayCodeError(f"the text of a payment code begins with {TEXT_PREFIX}")
    return decode_base45(text.removeprefix(TEXT_PREFIX))


def _pack(body: CodeBody) -> bytes:
    return _BODY.pack(body.card_no, body.code_id, body.issued_at, body.expires_at, body.offline_limit_fen, 0)
