"""What a reader shows of a decision: relay, LED, buzzer as libosdp commands; and the command that sets a reader's clock."""

from collections.abc import Set
from typing import Any

from osdp import Command, CommandLEDColor

_LED_TICKS = 20
"""Of 100 ms: how long a decision is shown."""
_SET_CLOCK = 1


def build_show(*, is_open: bool, relay_ticks: int, quirks: Set[str]) -> list[dict[str, Any]]:
    """The commands, the one that counts first: the relay of a reader that has one, else the light."""
    is_green = is_open != ("leds_swapped" in quirks)
    commands: list[dict[str, Any]] = [
        {
            "command": Command.LED,
            "reader": 0,
            "led_number": 0,
            "control_code": 2,
            "on_count": 2,
            "off_count": 0 if is_open else 2,
            "on_color": CommandLEDColor.Green if is_green else CommandLEDColor.Red,
            "off_color": CommandLEDColor.Black,
            "timer_count": _LED_TICKS,
            "temporary": True,
        }
    ]
    if is_open and relay_ticks:
        commands.insert(0, {"command": Command.Output, "output_no": 0, "control_code": 5, "timer_count": relay_ticks})
    if "no_buzzer" not in quirks:
        repeats = 1 if is_open else 3
        commands.append(
            {"command": Command.Buzzer, "reader": 0, "control_code": 2, "on_count": 1, "off_count": 1, "rep_count": repeats}
        )
    return commands


def build_clock(vendor: int, now_us: int) -> dict[str, Any]:
    """A maker's own command, for OSDP has none any more: ``01 | microseconds since 1970 UTC(8)``, big-endian."""
    data = bytes((_SET_CLOCK,)) + now_us.to_bytes(8, "big")
    return {"command": Command.Manufacturer, "vendor_code": vendor, "data": data}


def parse_clock(data: bytes) -> int:
    """The time in such a command. Raises ValueError."""
    if len(data) != 9 or data[0] != _SET_CLOCK:
        raise ValueError("does not set a clock")
    return int.from_bytes(data[1:], "big")
