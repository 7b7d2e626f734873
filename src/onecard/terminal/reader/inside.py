"""The helper inside a private network namespace: opens lines to the driver there and hands them out (`python -m …inside FD`).

The driver vpcd listens on every address. In a namespace of its own there is only the loopback, which nobody else reaches. A
socket opened here stays in this namespace also when another process uses it.
"""

import fcntl
import socket
import struct
import sys
from typing import Final

_GET_FLAGS: Final = 0x8913
_SET_FLAGS: Final = 0x8914
_UP: Final = 0x1


def raise_loopback() -> None:
    """The loopback of a new namespace is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(handle, _GET_FLAGS, request))[1]
        fcntl.ioctl(handle, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))


def serve(channel: socket.socket) -> None:
    """A port of two bytes in, a connected socket out, until the other end closes."""
    while request := channel.recv(2):
        try:
            with socket.create_connection(("127.0.0.1", int.from_bytes(request, "big")), timeout=5) as line:
                line.settimeout(None)
                socket.send_fds(channel, [b"+"], [line.fileno()])
        except OSError:
            channel.sendall(b"-")


def main() -> None:
    """Serve the socket whose number is the argument."""
    raise_loopback()
    serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
