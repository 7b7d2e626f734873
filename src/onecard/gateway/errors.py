"""What the way up to the platform may answer instead of an answer; in a module of its own, so that drivers need no gRPC.

PlatformError
├── AppUnavailableError   nobody answered in time: nothing is known of what was sent
└── AppBusyError          the call was refused whole: nothing was done
"""


class PlatformError(Exception):
    """Base of both."""


class AppUnavailableError(PlatformError):
    """Nobody answered in time; nothing is known of what was sent."""


class AppBusyError(PlatformError):
    """The call was refused whole: nothing was posted."""
