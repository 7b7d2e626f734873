"""Cutting and mending the line of a unit's front-end in the running demonstration city (`onecard city cut UNIT`).

The role `line` is a relay between front-end and gateway that looks at a file: while it is there, the line is cut. So the state
outlives both, and anybody who may write to the home may change it.
"""

import asyncio
import logging
import random
import signal
from pathlib import Path

from onecard.city.weather.proxy import LineProxy
from onecard.city.weather.weather import CLEAR, CUT
from onecard.datacenter.home import Home, own_folder
from onecard.kernel.errors import NotFound

log = logging.getLogger(__name__)
_LOOK_S = 0.2


def _marks(home: Home) -> Path:
    folder = home.path / "lines"
    own_folder(folder, 0o700)
    return folder


def _mark(home: Home, unit: str) -> Path:
    return _marks(home) / f"{unit}.cut"


def cut_line(home: Home, unit: str) -> None:
    """Cut the line of a unit by its code. Raises NotFound, naming those that have a front-end in this home."""
    _check(home, unit)
    _mark(home, unit).touch()


def mend_line(home: Home, unit: str) -> None:
    """Mend it. Raises as `cut_line`."""
    _check(home, unit)
    _mark(home, unit).unlink(missing_ok=True)


def is_cut(home: Home, unit: str) -> bool:
    """Whether the line of a unit is cut now."""
    return _mark(home, unit).exists()


def _check(home: Home, unit: str) -> None:
    fronts = home.path / "fronts"
    known = sorted(path.name for path in fronts.iterdir()) if fronts.is_dir() else []
    if unit not in known:
        names = ", ".join(known) or "-"
        raise NotFound(
            f"单位 {unit} 在本城没有前置机（有的：{names}）", f"unit {unit} has no front-end here (there are: {names})"
        )


async def serve_line(home: Home, unit: str, *, port: int, gateway_port: int) -> None:
    """The role `line`: relay until SIGTERM or SIGINT, cut while the mark is there."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    proxy = LineProxy(gateway_port, rng=random.Random())  # noqa: S311 - a simulation
    mark = _mark(home, unit)
    proxy.weather = CUT if mark.exists() else CLEAR
    await proxy.start(port)
    log.info("line of %s: 127.0.0.1:%d to the gateway at %d", unit, port, gateway_port)
    while not stop.is_set():
        weather = CUT if mark.exists() else CLEAR
        if weather != proxy.weather:
            proxy.weather = weather
            log.info("line of %s is %s", unit, "cut" if weather.cut else "mended")
        try:
            async with asyncio.timeout(_LOOK_S):
                await stop.wait()
        except TimeoutError:
            continue
    await proxy.stop()
