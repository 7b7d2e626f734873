"""Interruptions: a slot whose card or whose programme fails at one command, in one of three ways."""

from enum import Enum
from typing import Any

import pytest
from django.db import OperationalError

from onecard.protocol.purse.apdu import Command, Response
from onecard.services.issuing import journal
from onecard.services.issuing.models import LinePhase
from onecard.terminal.reader.base import exchange
from onecard.terminal.reader.errors import CardRemoved
from tests.issuing.conftest import CardSlot


class Way(Enum):
    """Where between two journal lines it fails."""

    BEFORE_COMMAND = "before"
    BEFORE_ANSWER = "written, no answer"
    BEFORE_JOURNAL = "answered, not journalled"


class TornSlot(CardSlot):
    """Fails at the `at`-th command (from 1)."""

    def __init__(self, card: Any, at: int, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(card)
        self.at, self.way, self.patch = at, way, monkeypatch

    def exchange(self, command: Command) -> Response:
        self.trips += 1
        if self.trips != self.at:
            return exchange(self.reader, command)
        if self.way is Way.BEFORE_COMMAND:
            self.reader.disconnect()
            raise CardRemoved
        answer = exchange(self.reader, command)
        if self.way is Way.BEFORE_ANSWER:
            self.reader.disconnect()
            raise CardRemoved
        self._take_database_away()
        return answer

    def release(self, *, wait: bool) -> None:
        self.patch.undo()
        super().release(wait=wait)

    def _take_database_away(self) -> None:
        def away(*arguments: Any, **named: Any) -> None:
            raise OperationalError("the server closed the connection unexpectedly")

        self.patch.setattr(journal, "write", away)
        self.patch.setattr(journal, "fenced", away)


class WritesSlot(CardSlot):
    """Notes which commands fall between an INTENT and its outcome."""

    def __init__(self, card: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(card)
        self.writes: dict[int, str] = {}
        real = journal.write

        def noted(job: Any, token: Any, step: str, phase: LinePhase, **rest: Any) -> None:
            real(job, token, step, phase, **rest)
            if phase is LinePhase.INTENT:
                self.writes[self.trips + 1] = step

        monkeypatch.setattr(journal, "write", noted)
