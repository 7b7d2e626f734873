"""The status board: who is on line, by what a gateway reports and by what was heard, whichever is newer."""

from collections.abc import Callable
from datetime import datetime, timedelta

from onecard.kernel.clock import ManualClock
from onecard.protocol.proto import app_pb2, device_pb2
from onecard.services.devices.registry.board import Filter, board
from onecard.services.devices.reports import report_lines
from tests.devices.conftest import NOW, Places, heartbeat, report


def _states(places: Places, at: datetime) -> tuple[str, str]:
    """Of the front-end's line, and of the first terminal behind it."""
    (line,) = board(Filter(line_id=places.front_end), now=at)
    (terminal,) = board(Filter(terminals=True, terminal_id=places.terminals[0]), now=at)
    return line.state, terminal.state


def _reported(at: datetime, *online: int) -> None:
    report_lines(app_pb2.LineReport(gateway="gw", online_line_id=online), clock=ManualClock(at))


def test_a_line_that_a_gateway_reports_as_lost_is_off_line_at_once(places: Places, take: Callable[..., None]) -> None:
    behind = [device_pb2.DeviceState(terminal_id=places.terminals[0], online=True)]
    second = timedelta(seconds=1)
    take(report(heartbeat(places.front_end, NOW, devices=behind)))
    assert _states(places, NOW + second) == ("online", "online")  # heard of, and no gateway has reported yet
    _reported(NOW + second, places.front_end)
    take(report(heartbeat(places.front_end, NOW + 2 * second)), NOW + 2 * second)
    assert _states(places, NOW + 3 * second) == ("online", "online")
    _reported(NOW + 4 * second)
    assert _states(places, NOW + 5 * second) == ("offline", "offline")
    take(report(heartbeat(places.front_end, NOW + 6 * second)), NOW + 6 * second)
    assert _states(places, NOW + 6 * second) == ("online", "online")  # heard of again, before the gateway's next report


def test_what_is_heard_of_no_more_is_off_line_after_two_minutes_where_no_gateway_reports(
    places: Places, take: Callable[..., None]
) -> None:
    take(report(heartbeat(places.front_end, NOW)))
    assert _states(places, NOW + timedelta(seconds=119))[0] == "online"
    assert _states(places, NOW + timedelta(seconds=121))[0] == "offline"
