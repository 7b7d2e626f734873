"""The MAC keys of terminals that have signed on. In memory only: after a restart terminals are asked to sign on again (77)."""

from collections.abc import Iterable

from onecard.protocol.mac import UnionPayMac


class WorkingKeys:
    """By terminal id; survives a terminal's reconnect, because a new sign-on opens a new settlement batch."""

    def __init__(self) -> None:
        self._macs: dict[int, UnionPayMac] = {}

    def __len__(self) -> int:
        return len(self._macs)

    def get(self, terminal_id: int) -> UnionPayMac | None:
        """The terminal's MAC, if it has signed on."""
        return self._macs.get(terminal_id)

    def put(self, terminal_id: int, key: bytes) -> None:
        """Raises ValueError if the key has not 8 bytes."""
        self._macs[terminal_id] = UnionPayMac(key)

    def drop(self, terminals: Iterable[int]) -> None:
        """Forget keys: signed off, or no longer on the list."""
        for terminal_id in terminals:
            self._macs.pop(terminal_id, None)
