"""Whose turn it is on a bus: pure. Time is in seconds of a monotonic clock.

Order: commands somebody waits for, readers whose poll is due or whose handshake goes on, then whatever fits before the next poll
is due (a packet of a file, a question to a reader that is off line), then an early poll. So a file never makes a tap late, and a
dead reader costs the others one short silence at a time (docs/adr/0079).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

REST_S = 0.055
"""libosdp polls a reader 50 ms after its last answer, not earlier."""
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.5, 4.0
_ASK_SHARE = 10
"""Silences of readers that are off line may take one tenth of the bus."""
_SLOW_ASK = 6
"""Every so many questions a reader that is off line is given the whole patience: it may be a slow one."""


class Kind(Enum):
    """Of a turn."""

    COMMAND = auto()
    POLL = auto()
    FRAGMENT = auto()
    ASK = auto()
    """Is a reader that was off line back?"""


@dataclass(slots=True)
class Seat:
    """One reader in the order of turns."""

    address: int
    is_live: bool = False
    """It answers: it is polled, or its handshake goes on."""
    is_secure: bool = False
    has_order: bool = False
    wants_fragment: bool = False
    last: float = 0.0
    """When its last turn ended."""
    ask_at: float = 0.0
    """When it is asked again, off line."""
    fails: int = 0
    last_fragment: float = 0.0


class Turns:
    """Chooses; the caller says how each turn went."""

    def __init__(self, addresses: Iterable[int], *, byte_s: float, period_s: float, patience_s: float) -> None:
        """`period_s`: a reader is polled at least so often, where the bus can do it."""
        self.seats = {address: Seat(address) for address in addresses}
        self._wanted_period_s = period_s
        self.patience_s = patience_s
        self._quick_s = min(patience_s, 0.04 + 80 * byte_s)
        self.poll_s = 0.003 + 32 * byte_s
        self.fragment_s = 0.004 + 300 * byte_s
        self._free_to_ask = 0.0

    @property
    def period_s(self) -> float:
        """The period that is kept: longer than a round of polls, or nothing else would ever fit."""
        live = sum(seat.is_live for seat in self.seats.values())
        return max(self._wanted_period_s, 1.15 * live * self.poll_s + 2 * self.fragment_s)

    def choose(self, now: float) -> tuple[Kind, Seat] | None:
        """The next turn; None: nothing to do before `wait_s`."""
        live = [seat for seat in self.seats.values() if seat.is_live]
        ordered = [seat for seat in live if seat.has_order and seat.is_secure]
        if ordered:
            return Kind.COMMAND, min(ordered, key=lambda seat: seat.last)
        period = self.period_s
        # A handshake goes on at once; between several, and with polls that are due, the one that has waited longest.
        due = [seat for seat in live if not seat.is_secure or seat.last + period <= now]
        if due:
            return Kind.POLL, min(due, key=lambda seat: seat.last)
        if (extra := self._extra(live, now, period)) is not None:
            return extra
        rested = [seat for seat in live if seat.last + REST_S <= now]
        is_sending = any(seat.wants_fragment for seat in live)
        # An early poll is for nothing else to wait: while a file is sent, time is saved up for its packets.
        return (Kind.POLL, min(rested, key=lambda seat: seat.last)) if rested and not is_sending else None

    def _extra(self, live: list[Seat], now: float, period: float) -> tuple[Kind, Seat] | None:
        lost = [seat for seat in self.seats.values() if not seat.is_live and seat.ask_at <= now]
        if lost and (self._free_to_ask <= now or not live):
            seat = min(lost, key=lambda seat: seat.ask_at)
            if self._fits(live, now, period, cost=min(self._quick_s, period / 2)):
                return Kind.ASK, seat
        sending = [seat for seat in live if seat.wants_fragment]
        if sending and self._fits(live, now, period, cost=self.fragment_s):
            return Kind.FRAGMENT, min(sending, key=lambda seat: seat.last_fragment)
        return None

    def _fits(self, live: list[Seat], now: float, period: float, *, cost: float) -> bool:
        """Whether every poll still comes in time when `cost` goes first; a reader late by one turn is not late."""
        at = now + cost
        for last in sorted(seat.last for seat in live):
            if at > max(last + period, now) + self.fragment_s:
                return False
            at += self.poll_s
        return True

    def ask_patience_s(self, seat: Seat) -> float:
        """How long a reader that is off line is waited for."""
        return self.patience_s if seat.fails % _SLOW_ASK == _SLOW_ASK - 1 else self._quick_s

    def went(self, kind: Kind, seat: Seat, *, is_answered: bool, is_secure: bool, began: float, ended: float) -> None:
        """A turn is over."""
        seat.last = ended
        if is_answered:
            seat.is_live, seat.is_secure, seat.fails = True, is_secure, 0
            self._learn(kind, ended - began)
            if kind is Kind.FRAGMENT:
                seat.last_fragment = ended
            return
        was_live = seat.is_live
        seat.is_live = seat.is_secure = False
        # One that was there a moment ago is asked again at once: an answer may have been spoilt on the wire.
        wait = 0.0 if was_live else min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** min(seat.fails, 5))
        seat.fails += 1
        seat.ask_at = ended + wait
        self._free_to_ask = ended + (_ASK_SHARE - 1) * (ended - began if not was_live else 0.0)

    def _learn(self, kind: Kind, took: float) -> None:
        """What turns cost on this bus, by and by."""
        if kind is Kind.FRAGMENT:
            self.fragment_s += 0.1 * (took - self.fragment_s)
        elif kind is Kind.POLL:
            self.poll_s += 0.02 * (took - self.poll_s)

    def wait_s(self, now: float) -> float:
        """How long there is nothing to do."""
        period = self.period_s
        times = [seat.last + (period if seat.wants_fragment else REST_S) for seat in self.seats.values() if seat.is_live]
        times += [max(seat.ask_at, self._free_to_ask) for seat in self.seats.values() if not seat.is_live]
        return max(0.001, min(min(times, default=now + 1.0) - now, 0.05))
