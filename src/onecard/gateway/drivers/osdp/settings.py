"""The options of an OSDP port, checked before anything is opened."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onecard.gateway.buses.line import LineSpec, parse_spec
from onecard.gateway.drivers.base import PortSettings
from onecard.gateway.drivers.osdp.codec import RULES
from onecard.gateway.drivers.osdp.keys import read_keys
from onecard.kernel.errors import InvalidInput

_MAX_ADDRESS = 126
_POLL_BYTES, _LONG_BYTES = 40, 300
MODES = ("pay", "identify", "attend")


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSettings:
    """One bus of readers."""

    spec: LineSpec
    keys: Mapping[int, bytes]
    rule: str
    mode: str
    amount_fen: int
    relay_ticks: int
    repeat_s: float
    deadline_s: float
    period_s: float
    clock_vendor: int | None


def read_settings(settings: PortSettings) -> BusSettings:
    """Raises InvalidInput naming the port and what is wrong."""
    options = dict(settings.options)
    spec = parse_spec(settings.transport)
    addresses = _addresses(settings)
    try:
        keys = read_keys(Path(options.pop("keys")), addresses)
        amount_fen = int(options.pop("amount_fen", 0))
        mode = str(options.pop("mode", "pay" if amount_fen else "identify"))
        period_s = float(options.pop("poll_period_ms", 150)) / 1000
        vendor = options.pop("clock_vendor", None)
        found = BusSettings(
            spec=spec,
            keys=keys,
            rule=str(options.pop("rule", "bcd16")),
            mode=mode,
            amount_fen=amount_fen,
            relay_ticks=int(options.pop("relay_ticks", 30)),
            repeat_s=float(options.pop("repeat_s", 2.0)),
            deadline_s=float(options.pop("poll_deadline_s", 0)) or default_deadline_s(len(addresses), spec.wire_s(1), period_s),
            period_s=period_s,
            clock_vendor=None if vendor is None else int(str(vendor), 16),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, KeyError):
            raise wrong(settings, "缺少 keys（密钥文件）", "no 'keys': the file of the readers' keys") from None
        raise wrong(settings, str(error), str(error)) from None
    _check(settings, found, options)
    return found


def _check(settings: PortSettings, found: BusSettings, left: Mapping[str, Any]) -> None:
    if left:
        names = ", ".join(sorted(left))
        raise wrong(settings, f"未知选项 {names}", f"unknown options {names}")
    if found.rule not in RULES:
        raise wrong(settings, f"没有卡号规则 {found.rule}", f"no card rule {found.rule} (there are: {', '.join(RULES)})")
    if found.mode not in MODES or (found.mode == "pay") != (found.amount_fen > 0):
        raise wrong(
            settings,
            f"模式 {found.mode} 与金额 {found.amount_fen} 不符",
            f"mode {found.mode} with amount_fen {found.amount_fen} (pay has an amount, identify and attend have none)",
        )


def _addresses(settings: PortSettings) -> list[int]:
    for name in settings.terminals:
        if not name.isdecimal() or int(name) > _MAX_ADDRESS or name != str(int(name)):
            raise wrong(
                settings, f"读卡器地址应为 0 至 {_MAX_ADDRESS}：{name}", f"reader {name}: an address is 0 to {_MAX_ADDRESS}"
            )
    return [int(name) for name in settings.terminals]


def default_deadline_s(readers: int, byte_s: float, period_s: float = 0.15) -> float:
    """Half as long again as a round in which every reader is polled and two get a packet of a file; 0.3 s at least."""
    return max(0.3, 2 * period_s, 1.5 * byte_s * (readers * _POLL_BYTES + 2 * _LONG_BYTES))


def wrong(settings: PortSettings, zh: str, en: str) -> InvalidInput:
    """A refusal that names the port."""
    return InvalidInput(f"端口 {settings.name}：{zh}", f"port {settings.name}: {en}")
