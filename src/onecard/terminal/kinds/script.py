"""The words by which a script or a person at a keyboard works a terminal: one line, one thing that happens.

1250 enter        keys one after another: digits, or the names of `Key`
tap CARD          a card; `tear CARD`: it leaves too early; `chip`: the purse card in the slot
code TEXT         a payment code        cash FEN   a note        pulse N   the meter        door open|shut
expect TEXT       the display shows TEXT (within 10 s)           wait sent   nothing waits to go up
sleep SECONDS     quit                  # a comment
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from onecard.kernel.errors import InvalidInput, RuleViolated
from onecard.terminal.kinds.parts import DIGITS, Act, Cash, ChipTap, Contact, Key, Press, Pulse, Show, Tap
from onecard.terminal.kinds.program import Program
from onecard.terminal.reader.base import Reader

EXPECT_S = 10.0
SENT_S = 60.0
_LOOK_S = 0.02
_KEYS = frozenset(Key)


@dataclass(frozen=True, slots=True)
class Expect:
    """The display has to show a text."""

    text: str


@dataclass(frozen=True, slots=True)
class WaitSent:
    """Everything owed goes up."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Time passes."""

    ms: int


@dataclass(frozen=True, slots=True)
class Quit:
    """The program ends."""


Step = Act | Expect | WaitSent | Sleep | Quit
_TEXTS: Mapping[str, Callable[[str], Step]] = {"code": Show, "expect": lambda text: Expect(text.split("#", 1)[0].strip())}
_NUMBERS: Mapping[str, Callable[[int], Step]] = {
    "tap": Tap, "tear": lambda card_no: Tap(card_no, torn=True), "cash": Cash, "pulse": Pulse,
}  # fmt: skip
_WORDS: Mapping[tuple[str, ...], Step] = {
    ("door", "open"): Contact(True), ("door", "shut"): Contact(False), ("wait", "sent"): WaitSent(), ("quit",): Quit(),
}  # fmt: skip


def parse_line(line: str, *, slot: Reader | None = None) -> list[Step]:
    """The steps of a line. Raises InvalidInput naming what is not understood."""
    words = line.split("#", 1)[0].split()
    if not words:
        return []
    name = words[0].lower()
    if name in _TEXTS:
        return [_TEXTS[name](line.strip("\r\n").lstrip()[len(name) + 1 :])]
    if name in _NUMBERS:
        return [_NUMBERS[name](_number(words))]
    if name == "sleep":
        return [Sleep(_thousandths(words))]
    if words == ["chip"]:
        return [_chip(slot)]
    return [_WORDS[tuple(words)]] if tuple(words) in _WORDS else list(_presses(words))


async def run_step(program: Program, step: Step) -> bool:
    """Do one. False: the script ends here. Raises RuleViolated where an expectation is not met."""
    match step:
        case Expect(text):
            await _expect(program, text)
        case WaitSent():
            await _sent(program)
        case Sleep(ms):
            await asyncio.sleep(ms / 1000)
        case Quit():
            return False
        case _:
            await program.act(step)
    return True


async def _expect(program: Program, text: str) -> None:
    try:
        async with asyncio.timeout(EXPECT_S):
            while text not in program.device.display.text:  # noqa: ASYNC110 - a display tells of no change to come
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        shown = program.device.display.text
        raise RuleViolated(f"应显示 {text}，而显示 {shown}", f"expected {text}, the display shows {shown}", rule="D1") from None


async def _sent(program: Program) -> None:
    try:
        async with asyncio.timeout(SENT_S):
            await program.settled.wait()
    except TimeoutError:
        unsent = program.device.teller.unsent
        raise RuleViolated(f"仍有 {unsent} 笔未上送", f"{unsent} records still wait to go up", rule="P4") from None


def _presses(words: list[str]) -> Iterator[Step]:
    for word in words:
        if set(word) <= DIGITS:
            yield from (Press(digit) for digit in word)
        elif word.lower() in _KEYS:
            yield Press(word.lower())
        else:
            raise InvalidInput(f"不认识 {word}", f"{word} is not understood")


def _number(words: list[str]) -> int:
    if len(words) != 2 or not set(words[1]) <= DIGITS:
        raise InvalidInput(f"{words[0]} 后应为一个数", f"{words[0]} takes one number")
    return int(words[1])


def _chip(slot: Reader | None) -> Step:
    if slot is None:
        raise InvalidInput("卡槽里没有卡（--chip）", "there is no card in the slot (--chip)")
    return ChipTap(slot)


def _thousandths(words: list[str]) -> int:
    whole, _, part = (words[1] if len(words) == 2 else "").partition(".")
    if not whole or not set(whole + part) <= DIGITS:
        raise InvalidInput("sleep 后应为秒数", "sleep takes seconds")
    return int(whole) * 1000 + int((part + "000")[:3])
