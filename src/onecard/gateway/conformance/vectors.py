"""Vectors and hostile bytes against a driver's codec: pure functions, nothing is opened."""

import random
from types import ModuleType
from typing import Any

_INTERESTING = (0x00, 0x01, 0x0F, 0x10, 0x53, 0x7F, 0x80, 0x99, 0xA0, 0xF0, 0xFF)


def run_vectors(codec: ModuleType, vectors: list[dict[str, Any]]) -> list[str]:
    """What is wrong, one line each; empty when every vector holds in both directions."""
    return [f"{vector.get('name', vector['hex'][:24])}: {fault}" for vector in vectors if (fault := _fault(codec, vector))]


def _fault(codec: ModuleType, vector: dict[str, Any]) -> str:
    try:
        data = bytes.fromhex(vector["hex"])
    except ValueError:
        return "'hex' is not hexadecimal"
    return _refusal_fault(codec, data, vector["error"]) if "error" in vector else _content_fault(codec, data, vector)


def _refusal_fault(codec: ModuleType, data: bytes, expected: str) -> str:
    try:
        codec.decode(data)
    except ValueError as error:
        return "" if expected in str(error) else f"refused with {str(error)!r}, not with {expected!r}"
    except Exception as error:
        return f"{type(error).__name__} instead of ValueError: {error}"
    return "taken although it is wrong"


def _content_fault(codec: ModuleType, data: bytes, vector: dict[str, Any]) -> str:
    try:
        fields = codec.decode(data)
    except Exception as error:
        return f"not decoded: {error!r}"
    if fields != vector.get("fields"):
        return f"decoded to {fields!r}"
    if vector.get("encode", True):
        try:
            built = codec.encode(fields)
        except Exception as error:
            return f"can't be encoded: {error!r}"
        if built != data:
            return f"encoded to {built.hex()}"
    return ""


def run_malformed(codec: ModuleType, vectors: list[dict[str, Any]], *, inputs: int, seed: int) -> list[str]:
    """Mutated vectors: a codec refuses with ValueError or decodes, and never does anything else. At most three findings."""
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    sources = [bytes.fromhex(vector["hex"]) for vector in vectors]
    found: list[str] = []
    for _ in range(inputs):
        data = mutate(rng, rng.choice(sources))
        try:
            codec.decode(data)
        except ValueError:
            continue
        except Exception as error:
            found.append(f"{type(error).__name__}: {error} for {data.hex()}")
            if len(found) == 3:
                break
    return found


def mutate(rng: random.Random, data: bytes) -> bytes:
    """Some bytes changed, cut, doubled or added."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(6):
            case 0:
                del changed[at:]
            case 1:
                changed[at:at] = rng.randbytes(rng.randint(1, 8))
            case 2:
                changed[at:at] = changed[: rng.randint(1, 16)]
            case 3 if at < len(changed):
                changed[at] = rng.choice(_INTERESTING)
            case 4 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case _:
                del changed[at : at + rng.randint(1, 4)]
    return bytes(changed)
