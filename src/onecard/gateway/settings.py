"""Every limit of a gateway in one place, with the reason for its size."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLimits:
    """What one connection may cost."""

    handshake_s: float = 10.0
    frame_s: float = 10.0
    """A frame that has begun must be whole after this time (slow senders)."""
    write_stall_s: float = 30.0
    """How long a peer may leave its answers unread."""
    write_buffer_bytes: int = 262_144
    connections_per_terminal_line: int = 4
    """Of a straight terminal: the newest stay, because an old one is usually half dead."""
    connections_per_front_end: int = 4096
    strikes: int = 10
    """Format errors that are answered before the line is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptLimits:
    """How fast new lines are taken, so that a whole city reconnecting leaves time for those already in."""

    per_second: int = 300
    waiting: int = 20_000
    connections: int = 40_000
    backlog: int = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkLimits:
    """How records go to the application server."""

    batch_records: int = 1000
    calls: int = 8
    """Post calls in flight over all application servers."""
    records_per_call: int = 16
    """With n calls in flight the next one waits for n times as many records …"""
    linger_s: float = 0.002
    """… or for this time."""
    waiting_records: int = 20_000
    """More than this is answered BUSY."""
    deadline_s: float = 8.0
    """After this a record is answered UNAVAILABLE (sent) or BUSY (never sent); shorter than a terminal's own patience."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """How old the authorised list may get."""

    silence_s: float = 3.0
    """No event for so long (the server sends one a second): the stream is lost, the next server is asked."""
    posting_s: float = 5.0
    """An older list can't keep the promise to cut off within 5 s: money records are answered UNAVAILABLE."""
    entry_s: float = 600.0
    """With a list older than this nobody new is let in; lines that are open stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLimits:
    """How states and events of devices go to the application server."""

    states_s: float = 2.0
    """States wait for so long: of 16,320 lines with a heartbeat every 30 s about a thousand go up together."""
    linger_s: float = 0.1
    """Events wait for so long for others."""
    batch: int = 2000
    """Lines, and events, in one report."""
    waiting_events: int = 50_000
    """More than this is answered BUSY; devices keep their events and send them again."""
    refused: int = 1000
    """Different refusals between two reports; more are counted only (metrics)."""
    call_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TellLimits:
    """How fast lines are told that their data or tasks have changed: each may fetch something then."""

    per_second: int = 1600
    spread_s: float = 10.0
    """At most so long, however many there are: a deny list has to be everywhere within a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolLimits:
    """How often strangers may try a code, so that trying costs the platform little; the codes themselves have 80 bits."""

    per_host: int = 10
    """Tries of one address at once …"""
    again_s: float = 6.0
    """… and then one in so many seconds."""
    hosts: int = 5000
    """Addresses remembered."""
    connection_s: float = 20.0
    accept: AcceptLimits = field(default_factory=lambda: AcceptLimits(per_second=20, waiting=200, connections=500, backlog=128))


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """One gateway process."""

    name: str
    apps: tuple[str, ...]
    tls_dir: Path
    host: str = "0.0.0.0"  # noqa: S104 - terminals come from outside; who may speak is decided by certificate
    native_port: int = 8444
    iso_port: int = 8583
    metrics_port: int = 9464
    enrol_port: int | None = None
    """For devices without a certificate yet; None: no such port, 0: any."""
    web: str = ""
    """The web tier for workstations behind front-ends, ``unix:/path`` or ``host:port``; empty: not served."""
    web_secret: bytes = b""
    """Shared with the web tier alone."""
    drain_s: float = 5.0
    report_s: float = 2.0
    line: LineLimits = field(default_factory=LineLimits)
    accept: AcceptLimits = field(default_factory=AcceptLimits)
    uplink: UplinkLimits = field(default_factory=UplinkLimits)
    admission: AdmissionLimits = field(default_factory=AdmissionLimits)
    reports: ReportLimits = field(default_factory=ReportLimits)
    tell: TellLimits = field(default_factory=TellLimits)
    enrol: EnrolLimits = field(default_factory=EnrolLimits)
    files_cache_bytes: int = 67_108_864
