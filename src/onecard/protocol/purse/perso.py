"""Personalisation of a purse card and of a SAM as pure data: named steps in a fixed order, and the commands they become (K1, C2).

The create-file and key-load commands are those of FMCOS-like card systems (docs/cards-chip.md says what of it is unverified).

Every step may be repeated: creating or adding what is there is answered 6A89 and counts as done, updates write the same again.
So an interrupted card is resumed at the step the journal names, or rolled back by `erase`. The last step replaces the maker's
transport key by the card's own control key: until then the maker's key opens the card, afterwards only the platform's.
If the answer to that step was lost, ask `is_sealed`.

    for exchange in …:  run = personalise(plan, keys, start=k)          # a generator: nothing here talks to a reader
        exchange = next(run);  while True: exchange = run.send(Response.parse(transmit(bytes(exchange.command))))
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final, Protocol

from onecard.protocol.purse.apdu import Command, Response, Status
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.files import FileId


@unique
class CardKey(StrEnum):
    """The keys of a card or SAM by their use; the values are the vault's names of the uses."""

    PURCHASE = "purchase"
    LOAD = "load"
    TAC = "tac"
    UNLOAD = "unload"
    OVERDRAFT = "overdraft"
    CARD_CONTROL = "card_control"
    CARD_MAINTENANCE = "card_maintenance"
    APP_CONTROL = "app_control"
    APP_MAINTENANCE = "app_maintenance"
    PIN_UNBLOCK = "pin_unblock"
    PIN_RELOAD = "pin_reload"
    BLOCK = "block"
    SAM_CONTROL = "sam_control"


KeyVersions = Mapping[Any, tuple[int, int, int]]
"""Use → (version, index on the card, algorithm)."""


class KeySource(Protocol):
    """Who holds the keys: they leave it only inside ciphered commands. `initial` means the maker's transport key instead."""

    def external_authentication(self, use: Any, challenge: bytes, *, initial: bool) -> bytes: ...

    def key_command(
        self, header: bytes, plain_prefix: bytes, use: Any, *, challenge: bytes, under: Any, initial: bool
    ) -> bytes: ...

    def mac(self, header: bytes, body: bytes, *, challenge: bytes, under: Any, initial: bool) -> bytes: ...


@unique
class Where(StrEnum):
    """The directory a step works in."""

    MASTER = "master"
    APPLICATION = "application"


@dataclass(frozen=True, slots=True)
class Plain:
    """A command sent as it is."""

    command: Command
    challenge_bytes: int = 0

    def build(self, keys: KeySource, challenge: bytes) -> Command:
        return self.command


@dataclass(frozen=True, slots=True)
class Maced:
    """A command with its line protection MAC."""

    header: bytes
    body: bytes
    under: CardKey
    initial: bool = False
    challenge_bytes: int = 4

    def build(self, keys: KeySource, challenge: bytes) -> Command:
        mac = keys.mac(self.header, self.body, challenge=challenge, under=self.under, initial=self.initial)
        return Command.of(self.header, self.body + mac)


@dataclass(frozen=True, slots=True)
class LoadKey:
    """84 D4: a key, ciphered and with MAC. `prefix` is the five bytes that stand before the key."""

    header: bytes
    prefix: bytes
    use: CardKey
    under: CardKey
    initial: bool
    challenge_bytes: int = 4

    def build(self, keys: KeySource, challenge: bytes) -> Command:
        raw = keys.key_command(self.header, self.prefix, self.use, challenge=challenge, under=self.under, initial=self.initial)
        return Command.parse(raw)


@dataclass(frozen=True, slots=True)
class Authenticate:
    """00 82: EXTERNAL AUTHENTICATE with key 00 of the directory."""

    use: CardKey
    initial: bool
    challenge_bytes: int = 8

    def build(self, keys: KeySource, challenge: bytes) -> Command:
        return Command(0x00, 0x82, 0x00, 0x00, keys.external_authentication(self.use, challenge, initial=self.initial))


@dataclass(frozen=True, slots=True)
class PersoStep:
    """One step: its stable name, the directory it works in, what it sends."""

    name: str
    where: Where
    action: Plain | Maced | LoadKey | Authenticate


@dataclass(frozen=True, slots=True)
class PersoPlan:
    """All writes in order, and what opens each directory beforehand (again after every interruption; it writes nothing)."""

    steps: tuple[PersoStep, ...]
    openings: Mapping[Where, tuple[PersoStep, ...]]
    control: CardKey
    algorithm: Algorithm

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the steps, in order."""
        return tuple(step.name for step in self.steps)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A command to send now; `index` is the step's in the plan, the same for its opening and its GET CHALLENGE.

    `writes` marks the command that changes the card: journal the step before sending it.
    """

    index: int
    name: str
    command: Command
    writes: bool


class PersoRefused(Exception):  # noqa: N818 - what the card did
    """The card answered a step with a status word that is none of its good ones."""

    def __init__(self, name: str, response: Response) -> None:
        super().__init__(f"{name}: {response.sw:04X} {response.text.zh} / {response.text.en}")
        self.name = name
        self.sw = response.sw


GET_CHALLENGE: Final = b"\x00\x84\x00\x00"
_DONE: Final = frozenset({int(Status.OK), int(Status.ALREADY_EXISTS)})
Run = Generator[Exchange, Response, None]


def personalise(plan: PersoPlan, keys: KeySource, *, start: int = 0) -> Run:
    """The commands from step `start` on, each answered by `send(response)`. Raises PersoRefused."""
    where: Where | None = None
    for index in range(start, len(plan.steps)):
        step = plan.steps[index]
        if step.where is not where:
            for opening in plan.openings[step.where]:
                yield from _run_step(opening, keys, index=index, writes=False)
            where = step.where
        yield from _run_step(step, keys, index=index, writes=True)


def erase(plan: PersoPlan, keys: KeySource, *, initial: bool = True) -> Run:
    """Roll back: everything but the control key goes. `initial=False` for a sealed card, which only its own key opens."""
    for step in (*master_opening(plan.control, initial=initial, algorithm=plan.algorithm), _ERASE):
        yield from _run_step(step, keys, index=0, writes=step is _ERASE)


def is_sealed(plan: PersoPlan, keys: KeySource) -> Generator[Exchange, Response, bool]:
    """Whether the card's own control key opens it. One that is not sealed counts a failed try, cleared by the next success."""
    try:
        for step in master_opening(plan.control, initial=False, algorithm=plan.algorithm):
            yield from _run_step(step, keys, index=len(plan.steps) - 1, writes=False)
    except PersoRefused as refused:
        if refused.sw & 0xFFF0 == 0x63C0:
            return False
        raise
    return True


def _run_step(step: PersoStep, keys: KeySource, *, index: int, writes: bool) -> Run:
    challenge = b""
    if size := step.action.challenge_bytes:
        answer = yield Exchange(index, step.name, Command.of(GET_CHALLENGE, le=size), writes=False)
        if not answer.is_ok or len(answer.data) != size:
            raise PersoRefused(step.name, answer)
        challenge = answer.data
    answer = yield Exchange(index, step.name, step.action.build(keys, challenge), writes=writes)
    if answer.sw not in _DONE:
        raise PersoRefused(step.name, answer)


def select(file_id: int) -> Plain:
    """00 A4 by file number."""
    return Plain(Command(0x00, 0xA4, 0x00, 0x00, file_id.to_bytes(2, "big"), 256))


def master_opening(control: CardKey, *, initial: bool, algorithm: Algorithm) -> tuple[PersoStep, ...]:
    """Select the master directory and show its control key."""
    challenge = 16 if algorithm is Algorithm.SM4 else 8
    return (
        PersoStep("master.select", Where.MASTER, select(FileId.MASTER)),
        PersoStep("master.authenticate", Where.MASTER, Authenticate(control, initial, challenge)),
    )


_ERASE: Final = PersoStep("master.erase", Where.MASTER, Plain(Command(0x80, 0x0E, 0x00, 0x00)))


# ---- what both plans are built from

OPEN: Final = 0xF0
NEVER: Final = 0xEF
MASTER_AUTHENTICATED: Final = 0x0A
"""Access byte: the state of the master directory is A or higher, which its control key gives."""
APPLICATION_AUTHENTICATED: Final = 0xF1
_KEY_FILE: Final = 0xFF
"""Type 3F with both bits of line protection: keys are taken in ciphered form only."""
CONTROL_PREFIX: Final = bytes((0x39, OPEN, MASTER_AUTHENTICATED, 0xAA, 0xFF))
"""Of a control key: type | usage | change right | state after success | error counter."""


def create_file(file_id: int, kind: int, size: int, *, read: int, write: int, last: int = 0xFF) -> Plain:
    """80 E0: an elementary file. A record file's size is count and length."""
    body = bytes((kind,)) + size.to_bytes(2, "big") + bytes((read, write, 0xFF, last))
    return Plain(Command(0x80, 0xE0, file_id >> 8, file_id & 0xFF, body))


def create_directory(file_id: int, size: int, name: bytes) -> Plain:
    """80 E0: an application's directory; creating in it and erasing it need the master's control key."""
    rights = bytes((MASTER_AUTHENTICATED, MASTER_AUTHENTICATED))
    body = b"\x38" + size.to_bytes(2, "big") + rights + b"\x95\xff\xff" + name
    return Plain(Command(0x80, 0xE0, file_id >> 8, file_id & 0xFF, body))


def create_key_file(size: int) -> Plain:
    """80 E0: the key file, first in its directory."""
    body = bytes((_KEY_FILE,)) + size.to_bytes(2, "big") + bytes((0x95, MASTER_AUTHENTICATED, 0xFF, 0xFF))
    return Plain(Command(0x80, 0xE0, 0x00, 0x00, body))


def load_key(prefix: bytes, key_id: int, use: CardKey, *, under: CardKey, initial: bool, replace: bool = False) -> LoadKey:
    """84 D4 01 adds a key, 84 D4 02 replaces one."""
    return LoadKey(bytes((0x84, 0xD4, 0x02 if replace else 0x01, key_id)), prefix, use, under, initial)
