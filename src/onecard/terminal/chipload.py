"""A load (圈存) at a terminal: the chip asks, the platform takes the money and answers with MAC2, the chip is written (P5).

Two writes that are not atomic, so every step is in the journal before the next begins. What is in doubt is settled when the card
is touched again: its online counter tells whether it was written, its proof carries the TAC. Nothing is asked twice for one load.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from onecard.kernel.clock import Clock, SystemClock
from onecard.protocol.purse import commands
from onecard.protocol.purse.apdu import Status
from onecard.protocol.purse.commands import LoadInit, Proof
from onecard.protocol.purse.proofs import TransactionType, bcd_moment
from onecard.terminal.chipcard import ChipRefused, InDoubt, OpenCard, open_card
from onecard.terminal.chipjournal import ChipJournal, LoadReport, LoadRequest, LoadState
from onecard.terminal.reader.base import Reader
from onecard.terminal.reader.errors import ReaderError

_TYPE: Final = TransactionType.EP_LOAD


@dataclass(frozen=True, slots=True)
class LoadGrant:
    """The platform took the money: MAC2 and the time it was made over."""

    mac2: bytes
    host_time: datetime


class LoadHost(Protocol):
    """The platform, as a load sees it."""

    def request(self, request: LoadRequest) -> LoadGrant | None:
        """Ask for MAC2. None: refused, no money was taken. Anything raised: not known whether it was."""
        ...

    def report(self, report: LoadReport) -> None:
        """Confirm a load that was written, or tell that it was not. Returns once the platform has it, raises otherwise."""
        ...


def load(
    reader: Reader, amount_fen: int, *, load_no: int, terminal_no: int, journal: ChipJournal, host: LoadHost,
    key_index: int = 1, clock: Clock | None = None,
) -> LoadReport | None:  # fmt: skip
    """Load a card; what became of it, None where the platform refused.

    An earlier load of this card that is in doubt is settled and reported first; if it is this very load, that is the outcome.
    Raises InDoubt (show the card again), ChipRefused, CardUnusable, reader errors, and what the host raises.
    """
    report_settled(journal, terminal_no, host)
    known = journal.load(terminal_no, load_no)
    if known and known.state not in (LoadState.ASKED, LoadState.GRANTED):
        return known
    with open_card(reader) as card:
        outcome: LoadReport | None = None
        for opened in journal.open_loads(terminal_no, card.card_no):
            settled = _settle(card, opened, journal=journal, key_index=key_index)
            outcome = settled if opened.request.load_no == load_no else outcome
        report_settled(journal, terminal_no, host)
        if outcome:
            return outcome
        now = (clock or SystemClock()).now().replace(microsecond=0)
        request = _request(card, amount_fen, load_no=load_no, terminal_no=terminal_no, key_index=key_index, now=now)
        outcome = _write(card, request, journal=journal, host=host, key_index=key_index)
    report_settled(journal, terminal_no, host)
    return outcome


def report_settled(journal: ChipJournal, terminal_no: int, host: LoadHost) -> None:
    """Tell the platform of every load that is settled; also to be called when the line is back. Raises what the host raises."""
    for report in journal.load_reports(terminal_no):
        host.report(report)
        journal.reported(report.request)


def _request(card: OpenCard, amount_fen: int, *, load_no: int, terminal_no: int, key_index: int, now: datetime) -> LoadRequest:
    data = card.ask(commands.initialize_for_load(amount_fen, terminal_no, key_index=key_index), "initialize")
    try:
        init = LoadInit.parse(data)
    except ValueError:
        raise ChipRefused("initialize", Status.WRONG_DATA) from None
    return LoadRequest(
        load_no=load_no, card_no=card.card_no, amount_fen=amount_fen, occurred_at=now, transaction_type=int(_TYPE),
        sam_terminal_no=terminal_no, old_balance_fen=init.balance_fen, online_counter=init.counter, key_version=init.key_version,
        algorithm=int(init.algorithm), random=int.from_bytes(init.random, "big"), mac1=int.from_bytes(init.mac1, "big"),
    )  # fmt: skip


def _write(card: OpenCard, request: LoadRequest, *, journal: ChipJournal, host: LoadHost, key_index: int) -> LoadReport | None:
    journal.ask(request)
    grant = host.request(request)
    if grant is None:
        journal.drop(request)
        return None
    journal.grant(request)
    try:
        response = card.send(commands.credit_for_load(bcd_moment(grant.host_time), grant.mac2))
        if response.is_ok and len(response.data) == 4:
            return _settled(journal, LoadReport(request, LoadState.WRITTEN, int.from_bytes(response.data, "big")))
        return _settle(card, LoadReport(request, LoadState.GRANTED), journal=journal, key_index=key_index)
    except ReaderError as error:
        raise InDoubt(card.card_no) from error


def _settled(journal: ChipJournal, report: LoadReport) -> LoadReport:
    journal.settle(report)
    return report


def _settle(card: OpenCard, opened: LoadReport, *, journal: ChipJournal, key_index: int) -> LoadReport:
    """Ask the card. Its counter unmoved: nothing was written, and a MAC2 for the earlier random number never can write it."""
    request = opened.request
    later = _request(
        card, request.amount_fen, load_no=request.load_no, terminal_no=request.sam_terminal_no, key_index=key_index,
        now=request.occurred_at,
    )  # fmt: skip
    if later.online_counter == request.online_counter:
        return _settled(journal, LoadReport(later, LoadState.NOT_WRITTEN))
    response = card.send(commands.get_transaction_prove(_TYPE, request.online_counter))
    if response.is_ok and len(response.data) == 8 and _is_in_log(card, request) is not False:
        tac = int.from_bytes(Proof.parse_prove(response.data).tac, "big")
        return _settled(journal, LoadReport(request, LoadState.WRITTEN, tac))
    return _settled(journal, LoadReport(later, LoadState.UNPROVEN))


def _is_in_log(card: OpenCard, request: LoadRequest) -> bool | None:
    """Whether the log's load with this counter is ours; None where the log has none. (The time is the host's: not compared.)"""
    try:
        entry = card.log_record(request.online_counter, (int(_TYPE),))
    except ChipRefused:
        return None
    if entry is None:
        return None
    return (entry.amount_fen, entry.terminal_no) == (request.amount_fen, request.sam_terminal_no)


__all__ = ["LoadGrant", "LoadHost", "load", "report_settled"]
