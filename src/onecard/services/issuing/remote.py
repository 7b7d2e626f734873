"""Touches over a distance: a workstation carries the commands to its own reader and the answers back, one call an APDU.

A session lives in this process's memory and holds nothing that matters: one that is lost (restart, time, another process) is
begun again, and the card is recognised and gone on with. One call a session at a time; a step repeated with the same number gets
the same answer.
"""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from onecard.kernel.errors import Forbidden, InvalidInput
from onecard.protocol.purse.apdu import Command, Response
from onecard.services.actors import Actor
from onecard.services.issuing import engine
from onecard.services.issuing.chip import Talk
from onecard.services.issuing.claims import Request
from onecard.services.issuing.engine import Result, Vault
from onecard.services.issuing.errors import SessionLost

MAX_SESSIONS = 256
IDLE_S = 120.0


@dataclass(frozen=True, slots=True)
class Step:
    """What the workstation does next: carry `command` to the card, or stop with `result`. `number` goes with the answer."""

    session: str
    number: int
    command: bytes | None
    result: Result | None


@dataclass(slots=True)
class _Session:
    actor: str
    talk: Talk[Result]
    touched: float
    last: Step | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Sessions:
    """The sessions of this process."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def begin(self, request: Request, vault: Vault) -> Step:
        """Begin with the card that lies on the workstation's reader. Raises what `engine.touch` raises."""
        name = secrets.token_urlsafe(18)
        session = _Session(request.actor.name, engine.touch(request, vault), self._clock())
        with self._lock:
            self._forget_idle()
            self._held[name] = session
        with session.lock:
            return self._advance(name, session, None, 1)

    def step(self, name: str, number: int, response: bytes, *, actor: Actor) -> Step:
        """Hand in the answer to command `number`; the next command, or the result.

        Raises SessionLost, Forbidden for another actor's session, InvalidInput for an answer out of order, and as `engine.touch`;
        after that the session is over.
        """
        with self._lock:
            session = self._held.get(name)
        if session is None:
            raise SessionLost
        if session.actor != actor.name:
            raise Forbidden("会话属于其他操作人", "the session is another person's")
        with session.lock:
            session.touched = self._clock()
            last = session.last
            if last is None or last.command is None:
                raise SessionLost
            if number == last.number - 1:
                return last  # the answer to it did not arrive: the same command again
            if number != last.number:
                raise InvalidInput(f"应答序号 {number} 不符", f"the answer {number} is out of order")
            try:
                answer = Response.parse(response)
            except ValueError as error:
                raise InvalidInput("应答长度不足", "the answer has no status word") from error
            return self._advance(name, session, answer, number + 1)

    def end(self, name: str, *, actor: Actor) -> None:
        """The card was taken away: the session is forgotten, the card is gone on with at its next touch. Raises Forbidden."""
        with self._lock:
            session = self._held.get(name)
            if session is None:
                return
            if session.actor != actor.name:
                raise Forbidden("会话属于其他操作人", "the session is another person's")
            del self._held[name]
        with session.lock:
            session.talk.close()

    def _advance(self, name: str, session: _Session, answer: Response | None, number: int) -> Step:
        command: Command
        try:
            command = next(session.talk) if answer is None else session.talk.send(answer)
        except StopIteration as end:
            self._drop(name)
            session.last = Step(name, number, None, end.value)
        except BaseException:
            self._drop(name)
            raise
        else:
            session.last = Step(name, number, bytes(command), None)
        return session.last

    def _drop(self, name: str) -> None:
        with self._lock:
            self._held.pop(name, None)

    def _forget_idle(self) -> None:
        """Under the lock: sessions nobody has stepped for a while, and the oldest where there are too many."""
        now = self._clock()
        idle = [name for name, session in self._held.items() if now - session.touched > IDLE_S]
        crowded = sorted(self._held, key=lambda name: self._held[name].touched)[: max(0, len(self._held) - MAX_SESSIONS + 1)]
        for name in {*idle, *crowded}:
            session = self._held[name]
            if session.lock.acquire(blocking=False):
                try:
                    del self._held[name]
                    session.talk.close()
                finally:
                    session.lock.release()


sessions = Sessions()
"""Those of this process; the web role has one process."""
