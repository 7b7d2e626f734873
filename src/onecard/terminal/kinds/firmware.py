"""Firmware of the simulated terminals: what an image is, and the self test that decides whether it comes into force.

    ONECARD-SIM/1 MODEL VERSION healthy|faulty CRC32\\n   and a body of any length
The CRC covers the body. `faulty` is an image that starts and then fails its own test: what a roll-out's canary group is for.
"""

import zlib
from pathlib import Path

MAGIC = b"ONECARD-SIM/1"
_HEAD_BYTES = 200


def build_image(model: str, version: int, body: bytes = b"", *, healthy: bool = True) -> bytes:
    """An image for the terminals of a model (`Device.MODEL`)."""
    state = b"healthy" if healthy else b"faulty"
    return b"%s %s %d %s %08x\n%s" % (MAGIC, model.encode(), version, state, zlib.crc32(body), body)


def is_healthy(image: Path, model: str) -> bool:
    """Whether an image is whole, of this model, and passes its test."""
    content = image.read_bytes()
    head, newline, body = content.partition(b"\n")
    words = head.split(b" ") if newline and len(head) <= _HEAD_BYTES else []
    if len(words) != 5 or words[:2] != [MAGIC, model.encode()] or words[3] != b"healthy":
        return False
    return words[4] == b"%08x" % zlib.crc32(body)
