"""Wrong data must not stop a city (D2): a deny list of every size on every kind is read, right, and refused when damaged."""

import hashlib
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from onecard.kernel.errors import InvalidInput
from onecard.protocol.cardset import DIGEST_BYTES, build_card_set
from onecard.terminal.kinds.attendance import Attendance
from onecard.terminal.kinds.device import Device
from onecard.terminal.kinds.door import Door
from onecard.terminal.kinds.kiosk import Kiosk
from onecard.terminal.kinds.meter import Meter
from onecard.terminal.kinds.parts import Tap
from onecard.terminal.kinds.pos import Pos
from tests.kinds.bench import BenchLine, card, give_unit, make, press, sell

SEED = 20180601
BOUNDARIES = [base + step for base in (4096, 8192, 65_536) for step in (-64, -1, 0, 1, 64)]
SIZES = [*range(2001), *BOUNDARIES]
DENIED = "黑名单卡"
MEMBERS = 10
"""So many of the listed come to the devices."""


async def _tap(device: Device, card_no: int) -> None:
    await device.act(Tap(card_no))


async def _pos(device: Device, card_no: int) -> None:
    """Off line, where the list is what counts; what was sold goes up, so that its journal stays short."""
    await sell(device, "1", card_no)
    device.fitting.line.is_open = True
    assert await device.teller.deliver()
    device.fitting.line.is_open = False


async def _kiosk(device: Device, card_no: int) -> None:
    await press(device, "balance")
    await device.act(Tap(card_no))


async def _meter(device: Device, card_no: int) -> None:
    await device.act(Tap(card_no))
    shown = device.display.text
    if isinstance(device, Meter) and device.session:
        await press(device, "stop")
        assert DENIED not in shown


@dataclass
class Bench:
    device: Device
    use: Callable[[Device, int], Awaitable[None]]
    good: str
    version: int = 0

    async def refuses(self, card_no: int) -> bool:
        await self.use(self.device, card_no)
        shown = self.device.display.text
        assert (DENIED in shown) != (self.good in shown), shown
        return DENIED in shown


@dataclass(frozen=True)
class City:
    """Card numbers close to one another: the first n of `listed` are a list of n; `good` stand among them and on no list."""

    listed: list[int]
    good: list[int]


@pytest.fixture(scope="module")
def city() -> City:
    rng = random.Random(SEED)
    listed, good = [], []
    for serial in range(1, 1_000_000):
        (listed if rng.random() < 0.4 else good).append(serial)
        if len(listed) == max(SIZES):
            break
    return City([card(serial) for serial in listed], [card(serial) for serial in rng.sample(good, 100) + good[:100]])


@pytest.fixture(scope="module")
def contents(city: City) -> dict[int, bytes]:
    """Each size's file, made once for all kinds."""
    return {size: build_card_set(city.listed[:size], version=size) for size in SIZES}


@pytest.fixture(scope="module")
def benches(city: City) -> list[Bench]:
    """One device of each kind for all sizes; everybody is of its unit."""
    made = [
        Bench(make(Pos), _pos, "成功"),
        Bench(make(Door), _tap, "请通行"),
        Bench(make(Attendance), _tap, "打卡成功"),
        Bench(make(Kiosk, line=BenchLine(is_open=True)), _kiosk, "余额 50.00"),
        Bench(make(Meter), _meter, "已用 0.00"),
    ]
    for bench in made:
        if "cards" in bench.device.USES:
            give_unit(bench.device, city.listed[:MEMBERS] + city.good)
    return made


def damaged(content: bytes, rng: random.Random) -> Iterator[bytes]:
    """A flipped bit, a lost end, and a count that is wrong under a digest that is right."""
    at = rng.randrange(len(content))
    yield content[:at] + bytes((content[at] ^ 1 << rng.randrange(8),)) + content[at + 1 :]
    yield content[: rng.randrange(len(content))]
    body = content[:12] + (int.from_bytes(content[12:16], "big") + 1).to_bytes(4, "big") + content[16:-DIGEST_BYTES]
    yield body + hashlib.sha256(body).digest()


async def check(bench: Bench, content: bytes, city: City, size: int, rng: random.Random) -> None:
    bench.version += 1
    bench.device.clock.advance(timedelta(minutes=2))
    data = bench.device.data
    for spoilt in damaged(content, rng):
        in_use = data.denied
        with pytest.raises(InvalidInput):
            data.take("deny", spoilt, version=bench.version)
        assert data.denied is in_use
    data.take("deny", content, version=bench.version)
    assert data.version("deny") == bench.version
    assert len(data.denied) == size
    places = {0, size - 1, size // 2, *range(63, size, 640)} if size else set()
    assert all(city.listed[place] in data.denied for place in places)
    strangers = (*city.listed[size : size + 2], *rng.sample(city.good, 4))
    assert not any(number in data.denied for number in strangers)
    assert not await bench.refuses(city.good[bench.version % 8])
    if size:
        assert await bench.refuses(city.listed[rng.randrange(min(size, MEMBERS))])  # few cards: the guard is test_data's


@pytest.mark.parametrize("kind", range(5), ids=["pos", "door", "attendance", "kiosk", "meter"])
async def test_every_list_size_is_read_answered_right_and_refused_when_damaged(
    benches: list[Bench], contents: dict[int, bytes], city: City, kind: int
) -> None:
    rng = random.Random(SEED)
    for size, content in contents.items():
        await check(benches[kind], content, city, size, rng)
