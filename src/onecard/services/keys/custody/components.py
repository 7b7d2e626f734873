"""Key components (密钥分量, K2): a key taken apart and put together, and the sheet a custodian reads a component from.

    XOR n      every one of n components is needed: the key is their XOR
    k of n     any k of n shares are enough (Shamir over GF(2^8), a polynomial for each byte, the key at x = 0)

Fewer components say nothing about the key. On paper a component is groups of 5 hexadecimal digits: first `k n x tag` (threshold,
number of custodians, number of this one, the ceremony's tag), then two bytes a group. The fifth digit is a check over GF(16) of
the other four and of the group's place: a wrong digit, two digits or two groups that changed places are found and named.

Everything here is pure. What runs on the values of components runs inside a keeper only.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from onecard.kernel.errors import InvalidInput
from onecard.protocol.purse.ciphers import KEY_BYTES, Algorithm, check_value

MAX_CUSTODIANS = 15
_DIGITS = 5
_HEX = "0123456789ABCDEF"


@dataclass(frozen=True, slots=True)
class Scheme:
    """How many of how many custodians it takes. `threshold == count` is the XOR of all."""

    threshold: int
    count: int

    def __post_init__(self) -> None:
        if not 2 <= self.threshold <= self.count <= MAX_CUSTODIANS:
            raise InvalidInput(
                f"分量方案须为 2 至 {MAX_CUSTODIANS} 人、门限 2 至人数，不是 {self.threshold}/{self.count}",
                f"2 to {MAX_CUSTODIANS} custodians and a threshold of 2 up to that, not {self.threshold} of {self.count}",
            )

    @property
    def is_xor(self) -> bool:
        """Whether every component is needed."""
        return self.threshold == self.count

    def __str__(self) -> str:
        return f"XOR {self.count}" if self.is_xor else f"{self.threshold} of {self.count}"

    @classmethod
    def parse(cls, text: str) -> "Scheme":
        """`3` or `xor3`: XOR of three; `2of3` or `2/3`: any two of three. Raises InvalidInput."""
        words = text.strip().lower().replace("xor", "").replace(" ", "").replace("/", "of").split("of")
        if not 1 <= len(words) <= 2 or not all(word.isascii() and word.isdecimal() for word in words):
            raise InvalidInput(f"不认识的分量方案：{text}（例：xor3、2of3）", f"no such scheme: {text} (for example xor3, 2of3)")
        return cls(int(words[0]), int(words[-1]))


@dataclass(frozen=True, slots=True)
class Component:
    """One component: its number x (1…n) and its bytes, which `repr` does not show."""

    number: int
    value: bytes = field(repr=False)


# --- putting together -------------------------------------------------------------------------------------------------


def combine(scheme: Scheme, components: Sequence[Component]) -> bytes:
    """The key. More shares than the threshold are taken as a check: all of them must lie on one polynomial.

    Raises InvalidInput for too few, for one given twice, and for shares that do not belong together.
    """
    points = {component.number: component.value for component in components}
    if len(points) != len(components):
        raise InvalidInput("同一分量给出了两次", "a component is there twice")
    if len(points) < scheme.threshold:
        raise InvalidInput(
            f"分量不足：{len(points)}/{scheme.threshold}", f"too few components: {len(points)} of {scheme.threshold}"
        )
    if not all(1 <= number <= scheme.count for number in points):
        raise InvalidInput("分量编号不在方案之内", "the number of a component is outside of the scheme")
    if len({len(value) for value in points.values()}) != 1:
        raise InvalidInput("分量长度不一致", "the components differ in length")
    if scheme.is_xor:
        return _xor_all(list(points.values()))
    first = dict(list(points.items())[: scheme.threshold])
    for number, value in list(points.items())[scheme.threshold :]:
        if _interpolate(first, number) != value:
            raise InvalidInput("分量不属于同一密钥，或有一个录入错误", "the shares are not of one key, or one of them is wrong")
    return _interpolate(first, 0)


def derive_share(scheme: Scheme, components: Sequence[Component], number: int) -> Component:
    """The share of another custodian, once `threshold` shares are there: they fix the polynomial and so all others."""
    assert not scheme.is_xor and len(components) >= scheme.threshold
    first = {component.number: component.value for component in components[: scheme.threshold]}
    return Component(number, _interpolate(first, number))


def _xor_all(values: Sequence[bytes]) -> bytes:
    if any(not any(value) for value in values) or len(set(values)) != len(values):
        raise InvalidInput("分量为全零，或两个分量相同", "a component is all zeros, or two components are the same")
    return reduce(lambda left, right: bytes(a ^ b for a, b in zip(left, right, strict=True)), values)


# --- taking apart -----------------------------------------------------------------------------------------------------


def new_component(number: int, *, size: int = KEY_BYTES, random: Callable[[int], bytes] = secrets.token_bytes) -> Component:
    """A random component. As many as the threshold, made independently, make a random key that nobody has ever held."""
    return Component(number, random(size))


def split(scheme: Scheme, key: bytes, *, random: Callable[[int], bytes] = secrets.token_bytes) -> list[Component]:
    """The components of a key that exists (a copy for safe keeping)."""
    if scheme.is_xor:
        values = [random(len(key)) for _ in range(scheme.count - 1)]
        last = reduce(lambda left, right: bytes(a ^ b for a, b in zip(left, right, strict=True)), values, key)
        return [Component(number, value) for number, value in enumerate([*values, last], start=1)]
    points = {0: key} | {number: random(len(key)) for number in range(1, scheme.threshold)}
    return [Component(number, points.get(number) or _interpolate(points, number)) for number in range(1, scheme.count + 1)]


def check_of(algorithm: Algorithm, value: bytes) -> str:
    """The check value of a component or key as people compare it: 6 hexadecimal digits."""
    return check_value(algorithm, value).hex().upper()


# --- GF(2^8) ----------------------------------------------------------------------------------------------------------


def _tables() -> tuple[list[int], list[int]]:
    """Powers and logarithms to the base 3 in the field of AES (x^8 + x^4 + x^3 + x + 1)."""
    powers, logs, value = [0] * 510, [0] * 256, 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = value
        logs[value] = exponent
        value ^= (value << 1) ^ (0x11B if value & 0x80 else 0)
    return powers, logs


_POWER, _LOG = _tables()


def _multiply(left: int, right: int) -> int:
    return _POWER[_LOG[left] + _LOG[right]] if left and right else 0


def _interpolate(points: Mapping[int, bytes], at: int) -> bytes:
    """The value at `at` of the polynomials through the points (Lagrange), byte by byte."""
    result = bytes(len(next(iter(points.values()))))
    for x, value in points.items():
        weight = 1
        for other in points:
            if other != x:
                weight = _multiply(weight, _POWER[255 + _LOG[at ^ other] - _LOG[x ^ other]] if at != other else 0)
        result = bytes(total ^ _multiply(weight, byte) for total, byte in zip(result, value, strict=True))
    return result


# --- on paper ---------------------------------------------------------------------------------------------------------


def format_component(scheme: Scheme, component: Component, *, tag: int) -> str:
    """The groups of a sheet, separated by spaces."""
    head = f"{scheme.threshold:X}{scheme.count:X}{component.number:X}{tag % 16:X}"
    digits = head + f"{int.from_bytes(component.value, 'big'):0{2 * len(component.value)}X}"
    groups = [digits[at : at + _DIGITS - 1] for at in range(0, len(digits), _DIGITS - 1)]
    return " ".join(group + _check_digit(group, place) for place, group in enumerate(groups))


def parse_component(text: str, scheme: Scheme, *, number: int, tag: int | None, who: str, size: int = KEY_BYTES) -> Component:
    """The component of custodian `number`, as typed in; `who` is named in what is wrong; `tag` None takes any ceremony's.

    Groups may be separated by spaces or dashes, or by nothing. Components that come from another institution without check
    digits are taken for XOR only: 8 groups of 4 digits, or 32 digits at a stretch; their check value has to find typing errors.

    Raises InvalidInput: which group of whose component is wrong.
    """
    groups = text.upper().replace("-", " ").split()
    joined = "".join(groups)
    if scheme.is_xor and len(joined) == 2 * size and (len(groups) == 1 or all(len(group) == 4 for group in groups)):
        return Component(number, _bytes_of(joined, who))
    count = size // 2 + 1
    if len(groups) == 1 and len(joined) == count * _DIGITS:
        groups = [joined[at : at + _DIGITS] for at in range(0, len(joined), _DIGITS)]
    bad = [place for place, group in enumerate(groups[:count]) if not _is_group(group, place)]
    if bad:
        named = "、".join(str(place + 1) for place in bad)
        raise InvalidInput(
            f"{who} 的分量第 {named} 组有误，请重新录入该组",
            f"{who}'s component is wrong in group {named.replace('、', ', ')}: type it again",
        )
    if len(groups) != count:
        raise InvalidInput(
            f"{who} 的分量应有 {count} 组，录入了 {len(groups)} 组",
            f"{who}'s component has {count} groups, {len(groups)} were typed",
        )
    _check_head(groups[0][:4], scheme, number=number, tag=tag, who=who)
    return Component(number, bytes.fromhex("".join(group[:4] for group in groups[1:])))


def share_number(text: str) -> int | None:
    """The custodian's number a sheet carries in its first group, or None where that group is wrong."""
    first = text.upper().replace("-", " ").strip()[:_DIGITS]
    return int(first[2], 16) if _is_group(first, 0) else None


def _check_head(head: str, scheme: Scheme, *, number: int, tag: int | None, who: str) -> None:
    wanted = f"{scheme.threshold:X}{scheme.count:X}{number:X}" + (head[3] if tag is None else f"{tag % 16:X}")
    if head != wanted:
        raise InvalidInput(
            f"{who} 的分量不是本次仪式中本人的分量（第 1 组应为 {wanted}，录入 {head}）",
            f"this is not {who}'s component of this ceremony (group 1 should be {wanted}, {head} was typed)",
        )


def _bytes_of(digits: str, who: str) -> bytes:
    if not all(digit in _HEX for digit in digits):
        raise InvalidInput(f"{who} 的分量含有非十六进制字符", f"{who}'s component has characters that are not hexadecimal")
    return bytes.fromhex(digits)


def _is_group(group: str, place: int) -> bool:
    return len(group) == _DIGITS and all(digit in _HEX for digit in group) and group[-1] == _check_digit(group[:-1], place)


def _check_digit(group: str, place: int) -> str:
    """Σ digit·g^i + place in GF(16) (x^4 + x + 1, g = x): distinct factors, so that any exchange of two digits shows."""
    total = place % 16
    for exponent, digit in enumerate(group, start=1):
        total ^= _times_power(int(digit, 16), exponent)
    return _HEX[total]


def _times_power(value: int, exponent: int) -> int:
    for _ in range(exponent):
        value = (value << 1) ^ (0x13 if value & 8 else 0)
    return value
