"""A purchase with the purse in the chip, off line: card, SAM, journal; and what happens when the card leaves too early (P5).

The order is what makes it safe. The sale is in the journal before DEBIT is sent; an answer that is lost leaves it there in doubt.
When the card comes back it is asked first what became of it: its proof gives the TAC that was lost, and nothing is debited again;
if it did not debit, the sale goes on as if new. A card that never comes back leaves a gray record (`ChipJournal.give_up`).
Loads are in chipload.py, what both know of cards and SAMs in chipcard.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.clock import Clock, SystemClock
from onecard.protocol.purse import commands, files
from onecard.protocol.purse.apdu import Status
from onecard.protocol.purse.commands import Proof, PurchaseInit
from onecard.protocol.purse.files import PublicData
from onecard.protocol.purse.proofs import TransactionType, bcd_moment
from onecard.terminal.chipcard import ChipError, ChipRefused, InDoubt, OpenCard, ProofWrong, SamSlot, open_card
from onecard.terminal.chipjournal import ChipJournal, ChipRecord, Sale, SaleState
from onecard.terminal.chipload import LoadGrant, LoadHost, load
from onecard.terminal.reader.base import Reader
from onecard.terminal.reader.errors import ReaderError

__all__ = [
    "CachedRecord", "ChipError", "ChipJournal", "ChipRecord", "ChipRefused", "InDoubt", "LoadGrant", "LoadHost", "ProofWrong",
    "PurchaseTerms", "SamSlot", "load", "purchase",
]  # fmt: skip

_UNCERTAIN: Final = frozenset({int(Status.MEMORY_ERROR)})
"""Status words after which a card may have debited all the same."""


@dataclass(frozen=True, slots=True)
class CachedRecord:
    """A record that a composite purchase writes with its debit. `make` gets the balance after the debit."""

    sfi: int
    make: Callable[[int], bytes]
    record_id: int = 0


@dataclass(frozen=True, slots=True)
class PurchaseTerms:
    """How this terminal sells.

    `retap`: a card that comes back within this time after a sale in doubt of the same amount completes that sale instead of
    beginning the next (a validator, where the tap is all there is). `admit` may refuse a card by raising, before any debit: deny
    lists, limits; it gets the public data and the balance.
    """

    key_index: int = 1
    aid: bytes = files.PURSE_AID
    retap: timedelta = timedelta(0)
    admit: Callable[[PublicData, int], None] | None = None
    cached: Sequence[CachedRecord] = field(default=())
    """With records this is a composite purchase (复合消费)."""

    @property
    def transaction_type(self) -> TransactionType:
        """Type 06, or 09 for composite purchases."""
        return TransactionType.COMPOSITE if self.cached else TransactionType.EP_PURCHASE


def purchase(
    reader: Reader, sam: SamSlot, amount_fen: int, *, sale_no: int, journal: ChipJournal,
    terms: PurchaseTerms | None = None, clock: Clock | None = None,
) -> ChipRecord:  # fmt: skip
    """Debit a card; the record, which stays in the journal's outbox until `taken`.

    `sale_no` is the terminal's own number of the sale: however often it is repeated, it debits once. Raises InDoubt (show the
    same card again), ChipRefused, CardUnusable, ProofWrong, CardRemoved and the other reader errors (nothing was debited).
    """
    terms, now = terms or PurchaseTerms(), (clock or SystemClock()).now().replace(microsecond=0)
    known = journal.sale(sam.terminal_no, sale_no)
    if known and known.state is not SaleState.ARMED:
        return known.record
    with open_card(reader, aid=terms.aid) as card:
        if known and known.record.card_no != card.card_no:
            raise InDoubt(known.record.card_no)
        for sale in journal.armed(sam.terminal_no, card.card_no):
            record = _settle(card, sam, sale, journal=journal)
            if record and (sale.sale_no == sale_no or _is_retap(record, amount_fen, terms=terms, now=now)):
                return record
        return _debit(card, sam, amount_fen, sale_no=sale_no, journal=journal, terms=terms, now=now)


def _is_retap(record: ChipRecord, amount_fen: int, *, terms: PurchaseTerms, now: datetime) -> bool:
    age = now - record.occurred_at
    same = record.amount_fen == amount_fen and record.transaction_type == terms.transaction_type
    return same and timedelta(0) <= age < terms.retap


# ---- a new purchase


def _debit(
    card: OpenCard, sam: SamSlot, amount_fen: int, *, sale_no: int, journal: ChipJournal, terms: PurchaseTerms, now: datetime
) -> ChipRecord:
    card.check_dates(now.astimezone(PLATFORM_ZONE).date())
    if terms.admit:
        terms.admit(card.public, commands.parse_balance(card.ask(commands.get_balance(), "balance")))
    moment = bcd_moment(now)
    init = _initialize(card, amount_fen, sam.terminal_no, terms=terms)
    mac1 = sam.mac1(card.public, init, amount_fen=amount_fen, transaction_type=terms.transaction_type, moment=moment)
    record = ChipRecord(
        card_no=card.card_no, amount_fen=amount_fen, occurred_at=now, card_counter=init.counter,
        balance_before_fen=init.balance_fen, sam_terminal_no=sam.terminal_no, sam_seq=mac1.terminal_seq,
        transaction_type=int(terms.transaction_type), key_version=init.key_version, algorithm=int(init.algorithm),
    )  # fmt: skip
    sale = Sale(sale_no, record, SaleState.ARMED)
    journal.arm(sale_no, record)  # from here on the card may be debited
    try:
        response = card.send(commands.debit_for_purchase(mac1.terminal_seq, moment, mac1.mac1))
    except ReaderError as error:
        raise InDoubt(card.card_no) from error
    if response.sw in _UNCERTAIN or (response.is_ok and len(response.data) != 8):
        raise InDoubt(card.card_no)
    if not response.is_ok:
        journal.forget(sale)
        raise ChipRefused("debit", response.sw)
    return _accept(sam, sale, Proof.parse_debit(response.data), journal=journal)


def _initialize(card: OpenCard, amount_fen: int, terminal_no: int, *, terms: PurchaseTerms) -> PurchaseInit:
    command = commands.initialize_for_purchase(amount_fen, terminal_no, key_index=terms.key_index, composite=bool(terms.cached))
    data = card.ask(command, "initialize")
    try:
        init = PurchaseInit.parse(data)
    except ValueError:
        raise ChipRefused("initialize", Status.WRONG_DATA) from None
    for cached in terms.cached:
        record = cached.make(init.balance_fen - amount_fen)
        card.ask(commands.cache_record(cached.sfi, record, record_id=cached.record_id), "cache")
    return init


def _accept(sam: SamSlot, sale: Sale, proof: Proof, *, journal: ChipJournal) -> ChipRecord:
    """The card says it debited. The record is stored before the SAM is asked: a SAM that fails now loses nothing."""
    record = journal.finish(sale, SaleState.DEBITED, tac=int.from_bytes(proof.tac, "big"))
    try:
        fits = sam.mac2_fits(record.sam_seq, proof.mac2)
    except ReaderError:
        fits = None  # the platform checks the TAC
    if fits is False:
        raise ProofWrong("卡片交易证明错误，请勿放行", "The card's proof is wrong: do not hand over")
    return record


# ---- a sale in doubt, its card shown again


def _settle(card: OpenCard, sam: SamSlot, sale: Sale, *, journal: ChipJournal) -> ChipRecord | None:
    """What became of it: the record if the card debited, None if it did not (the sale is forgotten)."""
    record = sale.record
    response = card.send(commands.get_transaction_prove(record.transaction_type, record.card_counter))
    proof = Proof.parse_prove(response.data) if response.is_ok and len(response.data) == 8 else None
    if proof and sam.mac2_fits(record.sam_seq, proof.mac2):
        return _accept_proven(sale, proof, journal=journal)
    # The proof may be that of another terminal's purchase under the same counter, or gone; the card's log names the terminal.
    is_ours = _is_in_log(card, sale)
    if is_ours is False:
        journal.forget(sale)
        return None
    if is_ours and proof:
        return _accept_proven(sale, proof, journal=journal)
    return journal.finish(sale, SaleState.GRAY)


def _accept_proven(sale: Sale, proof: Proof, *, journal: ChipJournal) -> ChipRecord:
    return journal.finish(sale, SaleState.DEBITED, tac=int.from_bytes(proof.tac, "big"))


def _is_in_log(card: OpenCard, sale: Sale) -> bool | None:
    """Whether the card's log has this sale; None where neither log nor counter can tell."""
    record = sale.record
    offline = (TransactionType.EP_PURCHASE, TransactionType.COMPOSITE)
    try:
        entry = card.log_record(record.card_counter, offline)
    except ChipRefused:
        entry = None
    if entry:
        ours = (entry.amount_fen, entry.transaction_type, entry.terminal_no, entry.moment)
        return ours == (record.amount_fen, record.transaction_type, record.sam_terminal_no, bcd_moment(record.occurred_at))
    response = card.send(commands.initialize_for_purchase(0, record.sam_terminal_no))
    if response.is_ok and len(response.data) == 15 and PurchaseInit.parse(response.data).counter == record.card_counter:
        return False  # the counter did not move: nothing was debited
    return None
