"""Three cards of a batch over the real card-reader stack: pcscd, the driver vpcd and pyscard; one is pulled in the middle."""

import os
from collections.abc import Iterator

import pytest

from onecard.cli.cards_readers import PcscSlot
from onecard.protocol.purse.apdu import Command, Response
from onecard.services.issuing import batches, station
from onecard.services.issuing.claims import Request
from onecard.services.issuing.engine import Outcome
from onecard.services.issuing.models import BatchState
from onecard.services.issuing.station import Report, Trouble
from onecard.terminal.card.virtual import VirtualCard
from onecard.terminal.reader.errors import ReaderError
from onecard.terminal.reader.pcscd import PrivatePcscd
from onecard.terminal.reader.vpcd import VpcdCard
from tests.issuing.conftest import DESK, City


@pytest.fixture
def pcscd() -> Iterator[PrivatePcscd]:
    try:
        stack = PrivatePcscd()
        stack.start()
    except ReaderError as missing:
        if os.environ.get("ONECARD_TEST_ALL"):
            raise
        pytest.skip(f"no card-reader stack: {missing.en}")
    yield stack
    stack.stop()


class HandSlot(PcscSlot):
    """A real reader with an operator's hand: lays the cards on, pulls one of them in the middle, takes the finished ones off."""

    def __init__(self, pcscd: PrivatePcscd, cards: list[VirtualCard], *, pull: tuple[int, int]) -> None:
        self._pcscd = pcscd
        self._cards = cards
        self._pull = pull
        self._touches = self._commands = 0
        self._line: VpcdCard | None = None
        self._first = pcscd.insert(cards[0])  # a reader is there once pcscd knows its slot
        super().__init__("Virtual PCD")
        self._first.close()

    def await_card(self) -> bool:
        if not self._cards:
            return False
        self._line = self._pcscd.insert(self._cards.pop(0))
        self._touches, self._commands = self._touches + 1, 0
        return super().await_card()

    def exchange(self, command: Command) -> Response:
        self._commands += 1
        if (self._touches, self._commands) == self._pull and self._line is not None:
            self._line.close()
        return super().exchange(command)

    def release(self, *, wait: bool) -> None:
        assert self._line is not None
        self._line.close()
        super().release(wait=wait)


def test_a_batch_over_pcsc_survives_a_card_pulled_out(city: City, pcscd: PrivatePcscd) -> None:
    cards = [city.blank() for _ in range(3)]
    batch = city.batch(3)
    reports: list[Report] = []
    slot = HandSlot(pcscd, [*cards, cards[1]], pull=(2, 34))
    state = station.run_batch(Request("pcsc", DESK, batch_id=batch.pk), slot, city.vault, reports.append)
    assert state is BatchState.FINISHED, reports
    assert [report.trouble for report in reports] == [None, Trouble.INTERRUPTED, None, None]
    last = reports[-1].result
    assert last is not None
    assert (last.outcome, last.resumed) == (Outcome.DONE, True)
    assert batches.progress(batch.pk).done == 3
    for report in reports:
        assert report.figures is None or report.figures.own_s < 1
    city.check(*cards)
