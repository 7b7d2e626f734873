"""Length-prefixed frames cut out of a byte stream: 2-byte prefixes of ISO 8583, 4-byte prefixes of the native protocol."""


class FrameError(ValueError):
    """The length prefix is outside what may be sent: the stream can't be followed any further."""


class FrameBuffer:
    """Takes bytes as they come and hands out whole frames without their prefix.

    Holds at most one frame of `max_frame` bytes plus what was fed with it.
    """

    __slots__ = ("_data", "_max_frame", "_prefix", "_start")

    def __init__(self, *, prefix_bytes: int, max_frame: int) -> None:
        assert prefix_bytes in (2, 4)
        self._prefix = prefix_bytes
        self._max_frame = max_frame
        self._data = b""
        self._start = 0

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        if self._start == len(self._data):
            self._data = data
        else:
            self._data = self._data[self._start :] + data
        self._start = 0

    def next_frame(self) -> bytes | None:
        """The next whole frame, or None if more bytes are needed. Raises FrameError on an empty or oversized frame."""
        body = self._start + self._prefix
        if body > len(self._data):
            return None
        size = int.from_bytes(self._data[self._start : body], "big")
        if not 0 < size <= self._max_frame:
            raise FrameError(f"frame of {size} bytes, 1 to {self._max_frame} are allowed")
        end = body + size
        if end > len(self._data):
            return None
        self._start = end
        return self._data[body:end]

    @property
    def pending(self) -> int:
        """How many received bytes have not been handed out."""
        return len(self._data) - self._start


def add_prefix(frame: bytes, *, prefix_bytes: int) -> bytes:
    """The frame with its length before it."""
    return len(frame).to_bytes(prefix_bytes, "big") + frame
