"""What every frame that is not money has to pass before anything is done with it: sizes, ranges, and whose terminals it names."""

import re
from collections.abc import Iterable, Sequence, Set

from onecard.kernel.codes import Result
from onecard.kernel.events import EventKind
from onecard.protocol.native import NativeViolationError
from onecard.protocol.proto.device_pb2 import DataVersion, DeviceEvent, DeviceState, Enrol, Fetch, Heartbeat, Hello, HttpRequest

MAX_EVENTS = 1000
MAX_DETAIL = 500
EVENT_ID_BYTES = 16
MAX_FETCH_BYTES = 524_288
MAX_REQUEST_PART = 262_144
MAX_HEADERS = 64
MAX_HEADER_BYTES = 16_384
MAX_CSR_BYTES = 16_384
MAX_HOSTS = 20
_MAX_TEXT = 100
_MAX_VERSIONS = 64
_MAX_DEVICES = 4096
_MAX_HOLES = 1000
_MAX_NUMBER = 1 << 63
_HASH_SIZES = (0, 32)
_FILE = re.compile(r"(?:metadata|targets)(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
_MAX_FILE = 300
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_KINDS = frozenset(int(kind) for kind in EventKind)


def check_hello(hello: Hello) -> None:
    """Raises NativeViolationError naming the first field that is wrong."""
    _check_texts("hello", hello, ("maker", "model", "firmware", "hardware", "serial"))
    check_versions("hello", hello.versions)


def check_heartbeat(heartbeat: Heartbeat, terminals: Set[int]) -> None:
    """Raises NativeViolationError naming the first field that is wrong."""
    _check_state("heartbeat", heartbeat)
    if heartbeat.disk_free_permille > 1000:
        raise NativeViolationError("heartbeat.disk_free_permille out of range")
    if len(heartbeat.holes) > _MAX_HOLES or len(heartbeat.devices) > _MAX_DEVICES:
        raise NativeViolationError("heartbeat: too many holes or devices")
    _check_terminals((hole.terminal_id for hole in heartbeat.holes), terminals)
    if any(not 0 < hole.from_seq <= hole.through_seq for hole in heartbeat.holes):
        raise NativeViolationError("heartbeat.holes out of range")
    _check_terminals((device.terminal_id for device in heartbeat.devices), terminals)
    for device in heartbeat.devices:
        _check_state("heartbeat.devices", device)
        _check_texts("heartbeat.devices", device, ("maker", "model", "firmware", "hardware", "serial"))


def check_versions(name: str, versions: Sequence[DataVersion]) -> None:
    """Raises NativeViolationError."""
    if len(versions) > _MAX_VERSIONS:
        raise NativeViolationError(f"{name}: {len(versions)} versions, at most {_MAX_VERSIONS} are allowed")
    for version in versions:
        _check_texts(f"{name}.versions", version, ("name",))
        if not version.name or version.version >= _MAX_NUMBER or len(version.sha256) not in _HASH_SIZES:
            raise NativeViolationError(f"{name}.versions out of range")


def check_events(events: Sequence[DeviceEvent], terminals: Set[int]) -> Result:
    """APPROVED when all may be passed on, FORMAT when a kind is not known here. Raises NativeViolationError.

    A kind that is not known is no reason to close a line over which money comes: the device may be newer than the platform.
    """
    if not 1 <= len(events) <= MAX_EVENTS:
        raise NativeViolationError(f"{len(events)} events, 1 to {MAX_EVENTS} are allowed")
    _check_terminals((event.terminal_id for event in events if event.terminal_id), terminals)
    for event in events:
        if len(event.event_id) != EVENT_ID_BYTES:
            raise NativeViolationError(f"event_id of {len(event.event_id)} bytes instead of {EVENT_ID_BYTES}")
        if len(event.detail) > MAX_DETAIL or "\0" in event.detail:
            raise NativeViolationError(f"event.detail of more than {MAX_DETAIL} characters, or with a zero byte")
        if event.card_no < 0 or event.action_id < 0 or event.progress_permille > 1000 or event.occurred_at_us < 0:
            raise NativeViolationError("event: a number out of range")
    return Result.APPROVED if all(event.kind in _KINDS for event in events) else Result.FORMAT


def check_fetch(fetch: Fetch) -> None:
    """Raises NativeViolationError."""
    if not 1 <= fetch.length <= MAX_FETCH_BYTES:
        raise NativeViolationError(f"fetch of {fetch.length} bytes, 1 to {MAX_FETCH_BYTES} are allowed")
    if fetch.offset >= _MAX_NUMBER:
        raise NativeViolationError("fetch.offset out of range")
    if len(fetch.name) > _MAX_FILE or not _FILE.fullmatch(fetch.name):
        raise NativeViolationError("fetch.name is not metadata/… or targets/…")


def check_http(request: HttpRequest) -> None:
    """One part of a request, its first one when it names a method (its head: `refused_head`). Raises NativeViolationError."""
    if not 0 < request.stream_id < _MAX_NUMBER:
        raise NativeViolationError("http.stream_id out of range")
    if len(request.body) > MAX_REQUEST_PART:
        raise NativeViolationError(f"http.body of {len(request.body)} bytes, at most {MAX_REQUEST_PART} are allowed")
    if not request.method and (request.target or request.headers):
        raise NativeViolationError("http: target or headers without a method")


def refused_head(target: str, headers: Iterable[tuple[str, str]]) -> int:
    """The status of a request whose head is not passed on, 0 if it may be.

    No violation: what a browser sends is not its front-end's doing, and no reason to close a line over which money comes.
    """
    size, count = len(target), 0
    for name, value in headers:
        size, count = size + len(name) + len(value), count + 1
        if size > MAX_HEADER_BYTES or count > MAX_HEADERS:
            return 431
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            return 400
    return 431 if size > MAX_HEADER_BYTES else 0


def check_enrol(enrol: Enrol) -> None:
    """Raises NativeViolationError."""
    if not enrol.code or len(enrol.code) > _MAX_TEXT or not enrol.csr_pem or len(enrol.csr_pem) > MAX_CSR_BYTES:
        raise NativeViolationError("enrol: code or signing request missing or too long")
    if len(enrol.hosts) > MAX_HOSTS or any(not host or len(host) > 253 for host in enrol.hosts):
        raise NativeViolationError("enrol.hosts out of range")


def _check_state(name: str, state: Heartbeat | DeviceState) -> None:
    check_versions(name, state.versions)
    if len(state.last_error) > MAX_DETAIL or "\0" in state.last_error:
        raise NativeViolationError(f"{name}.last_error of more than {MAX_DETAIL} characters, or with a zero byte")
    if state.backlog >= _MAX_NUMBER or state.oldest_unsent_us < 0:
        raise NativeViolationError(f"{name}: a number out of range")


def _check_texts(name: str, message: object, fields: Iterable[str]) -> None:
    for field in fields:
        text = getattr(message, field)
        if len(text) > _MAX_TEXT or "\0" in text:
            raise NativeViolationError(f"{name}.{field} of more than {_MAX_TEXT} characters, or with a zero byte")


def _check_terminals(named: Iterable[int], terminals: Set[int]) -> None:
    if not terminals >= set(named):
        raise NativeViolationError("a terminal that is not of this line", Result.TERMINAL_NOT_ALLOWED)
