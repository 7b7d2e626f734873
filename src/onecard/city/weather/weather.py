"""What a line can suffer (`Weather`), and storms of it made from a seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weather:
    """The state of a line. Shares are thousandths of the packets; the TCP relay knows only `cut` and `delay_ms`."""

    cut: bool = False
    delay_ms: tuple[int, int] = (0, 0)
    """Each packet is late by a time of this range, so that packets also overtake one another."""
    loss_permille: int = 0
    duplicate_permille: int = 0
    reorder_permille: int = 0
    """So many are held back long enough for the next ones to overtake them."""


CLEAR = Weather()
CUT = Weather(cut=True)


def storms(rng: random.Random, *, seconds: float) -> Iterator[tuple[float, Weather]]:
    """When which weather begins, in seconds from the start; clear at 0 and from `seconds` on. A seed repeats them."""
    yield 0.0, CLEAR
    at = rng.uniform(1.0, 4.0)
    while at < seconds:
        yield at, _storm(rng)
        at += rng.uniform(1.0, 6.0)
        if at < seconds:
            yield at, CLEAR
        at += rng.uniform(1.0, 5.0)
    yield seconds, CLEAR


def _storm(rng: random.Random) -> Weather:
    match rng.randrange(4):
        case 0:
            return CUT
        case 1:
            low = rng.randint(5, 300)
            return Weather(delay_ms=(low, low + rng.randint(0, 1_500)))
        case 2:
            return Weather(duplicate_permille=rng.randint(50, 400), reorder_permille=rng.randint(50, 400))
        case _:
            return Weather(delay_ms=(1, 40), loss_permille=rng.randint(10, 150), duplicate_permille=rng.randint(0, 200))
