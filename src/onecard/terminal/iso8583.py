"""A POS of the ISO 8583 profile with a durable journal: what it owes the platform it pays before it does anything new.

A record is stored, then sent. When no answer comes, or none that can be believed, it is uncertain, and a reversal is sent before
the next transaction, over and over until the platform answers it (3 times at once, then again each time). Sequence numbers are
batch times a million plus STAN, so that they outlive a sign-on.
"""

import asyncio
import ssl
from dataclasses import dataclass

from onecard.kernel.clock import Clock, SystemClock, from_epoch_us, to_epoch_us
from onecard.kernel.codes import Operation, Result
from onecard.protocol.framing import add_prefix
from onecard.protocol.iso8583.answers import Answer, parse_answer
from onecard.protocol.iso8583.de39 import result_of
from onecard.protocol.iso8583.messages import (
    MAX_DETAILS,
    MAX_STAN,
    Balanced,
    IsoFormatError,
    Totals,
    build_terminal_seq,
    split_terminal_seq,
)
from onecard.protocol.keys import parse_de62
from onecard.protocol.mac import UnionPayMac
from onecard.terminal import isobuild
from onecard.terminal.errors import LineDown, WrongServer
from onecard.terminal.journal import Journal, JournalRecord, State
from onecard.terminal.tls import ANY_HOST, Identity, close_line, open_line

ANSWER_S = 15.0
REVERSAL_TRIES = 3
_DEBITS = (Operation.PURCHASE, Operation.ADVICE)
_CREDITS = (Operation.VOID, Operation.REFUND)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the terminal shows. `result` is None when no answer came: the record is being reversed."""

    terminal_seq: int
    result: Result | None
    balance_fen: int | None = None
    transfer_id: int = 0

    @property
    def is_approved(self) -> bool:
        return self.result is Result.APPROVED


class Iso8583Terminal:
    """One POS on its own line. Not for concurrent use: a POS does one thing at a time."""

    def __init__(
        self, host: str, port: int, identity: Identity | ssl.SSLContext, *, terminal_id: int, tid: str, mid: str,
        master_key: bytes, journal: Journal, clock: Clock | None = None, answer_s: float = ANSWER_S,
        server_hostname: str = ANY_HOST,
    ) -> None:  # fmt: skip
        self._host = host
        self._port = port
        self._context = identity.context() if isinstance(identity, Identity) else identity
        self._server_hostname = server_hostname
        self._front_end = identity.front_end if isinstance(identity, Identity) else 0
        self._wrong: WrongServer | None = None
        self.terminal_id = terminal_id
        self._ids = isobuild.Ids(tid, mid)
        self._master_key = master_key
        self._journal = journal
        self._clock = clock or SystemClock()
        self._answer_s = answer_s
        self._mac: UnionPayMac | None = None
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.batch_no = journal.read_setting(terminal_id, "batch")
        # What was open when the terminal lost its power is uncertain now.
        for record in journal.waiting(terminal_id, State.OPEN):
            if record.op != Operation.ADVICE:
                journal.mark(terminal_id, record.terminal_seq, State.UNCERTAIN)

    async def __aenter__(self) -> "Iso8583Terminal":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the line; the next message opens it again."""
        if self._line is not None:
            line, self._line = self._line, None
            await close_line(line[1])

    # sign-on

    async def sign_on(self) -> int:
        """Get working keys and a new batch number. Raises LineDown, also when the platform refuses; WrongServer."""
        message = isobuild.sign_on(self._ids, stan=self._next_stan(), batch_no=self.batch_no)
        answer = await self._exchange(message, None)
        if self._wrong is not None:
            raise self._wrong
        if answer is None or answer.de39 != "00":
            code = answer.de39 if answer else "-"
            raise LineDown(f"签到失败，应答码 {code}", f"Sign-on failed, answer code {code}")
        self._mac = UnionPayMac(parse_de62(self._master_key, answer.de62).mac_key)
        self.batch_no = answer.batch_no
        self._journal.write_setting(self.terminal_id, "batch", answer.batch_no)
        return answer.batch_no

    async def sign_off(self) -> None:
        """Give the working keys up."""
        await self._exchange(isobuild.sign_off(self._ids, stan=self._next_stan(), batch_no=self.batch_no), None)
        self._mac = None

    # transactions

    async def purchase(self, card_no: int, amount_fen: int) -> Outcome:
        """An on-line purchase (消费). Raises LineDown if it could not even be begun."""
        return await self._transact(Operation.PURCHASE, card_no, amount_fen=amount_fen)

    async def void(self, original_seq: int) -> Outcome:
        """Undo a purchase of this terminal whole (撤销)."""
        original = self._original(original_seq)
        return await self._transact(Operation.VOID, original.card_no, amount_fen=original.amount_fen, original=original)

    async def refund(self, original_seq: int, amount_fen: int) -> Outcome:
        """Give back a part of a purchase of this terminal (退货)."""
        original = self._original(original_seq)
        return await self._transact(Operation.REFUND, original.card_no, amount_fen=amount_fen, original=original)

    async def balance(self, card_no: int) -> Outcome:
        """Ask for a balance; nothing is stored, because nothing moves."""
        await self._ready()
        seq = self._next_seq()
        record = JournalRecord(self.terminal_id, seq, Operation.BALANCE, card_no, 0, to_epoch_us(self._clock.now()))
        answer = await self._send_record(record)
        if answer is None:
            return Outcome(seq, None)
        return Outcome(seq, result_of(answer.de39), answer.balance_fen)

    def store_offline(self, card_no: int, amount_fen: int) -> int:
        """A purchase made off line: only stored now, uploaded later. Its sequence number."""
        seq = self._next_seq()
        at = to_epoch_us(self._clock.now())
        self._journal.store([JournalRecord(self.terminal_id, seq, Operation.ADVICE, card_no, amount_fen, at)])
        return seq

    async def upload_offline(self) -> int:
        """Send up all that was made off line; how many records were answered. Raises LineDown if they can't be taken."""
        await self._ready()
        done = 0
        while waiting := self._journal.waiting(self.terminal_id, State.OPEN, op=Operation.ADVICE, limit=MAX_DETAILS):
            batch_no = split_terminal_seq(waiting[0].terminal_seq)[0]
            group = [record for record in waiting if split_terminal_seq(record.terminal_seq)[0] == batch_no]
            message = isobuild.upload(self._ids, group, stan=self._next_stan(), batch_no=batch_no)
            answer = await self._exchange(message, self._mac)
            codes = [answer.de62[i : i + 2].decode() for i in range(0, len(answer.de62), 2)] if answer else []
            if answer is None or answer.de39 != "00" or len(codes) != len(group):
                raise LineDown("脱机交易上送未完成", "The offline upload was not taken")
            results = [result_of(code) for code in codes]
            self._journal.answer(
                (self.terminal_id, record.terminal_seq, int(Result.FORMAT if result is None else result), 0, 0)
                for record, result in zip(group, results, strict=True)
            )
            done += len(group)
        return done

    # settlement

    def totals(self, batch_no: int) -> Totals:
        """The terminal's own totals of a batch: approved purchases and advices, and what was given back."""
        low = build_terminal_seq(batch_no=batch_no, stan=0)
        records = [r for r in self._journal.records(self.terminal_id, low, low + MAX_STAN) if r.is_approved]
        debits = [r.amount_fen for r in records if r.op in _DEBITS]
        credits = [r.amount_fen for r in records if r.op in _CREDITS]
        return Totals(sum(debits), len(debits), sum(credits), len(credits))

    async def settle(self, batch_no: int | None = None) -> Balanced:
        """Compare totals of a batch with the platform's (批结算); the current one by default. Raises LineDown."""
        await self._ready()
        batch = self.batch_no if batch_no is None else batch_no
        message = isobuild.settlement(self._ids, self.totals(batch), stan=self._next_stan(), batch_no=batch)
        answer = await self._exchange(message, self._mac)
        if answer is None or answer.totals is None:
            raise LineDown("批结算无应答", "No answer to the settlement")
        return Balanced(answer.totals[1])

    # reversals

    async def reverse_pending(self) -> int:
        """Send the reversals that are owed; how many were settled. Raises LineDown while one can't be."""
        done = 0
        for record in self._journal.waiting(self.terminal_id, State.UNCERTAIN):
            await self._reverse(record)
            done += 1
        return done

    async def _reverse(self, record: JournalRecord) -> None:
        for _ in range(REVERSAL_TRIES):
            answer = await self._send_record(record, reversal=True)
            result = result_of(answer.de39) if answer is not None else None
            # Anything decided ends it; what was not decided is sent again.
            if result is not None and result not in (Result.BUSY, Result.UNAVAILABLE, Result.MAC_WRONG, Result.FORMAT):
                self._journal.answer([(self.terminal_id, record.terminal_seq, int(Result.REVERSED), 0, 0)])
                return
        raise LineDown("冲正未完成", "A reversal could not be completed")

    # inside

    async def _ready(self) -> None:
        if self._mac is None:
            await self.sign_on()
        await self.reverse_pending()

    async def _transact(self, op: Operation, card_no: int, *, amount_fen: int, original: JournalRecord | None = None) -> Outcome:
        await self._ready()
        seq = self._next_seq()
        at = to_epoch_us(self._clock.now())
        orig_seq = original.terminal_seq if original else 0
        record = JournalRecord(self.terminal_id, seq, op, card_no, amount_fen, at, orig_seq)
        self._journal.store([record])
        answer = await self._send_record(record)
        result = result_of(answer.de39) if answer is not None else None
        if answer is None or result is Result.UNAVAILABLE or (answer.de39 == "00" and not answer.mac_valid):
            self._journal.mark(self.terminal_id, seq, State.UNCERTAIN)
            return Outcome(seq, None)
        # 77 and codes that are not ours: refused before anything was decided.
        code = Result.FORMAT if result is None else result
        self._journal.answer([(self.terminal_id, seq, int(code), answer.balance_fen or 0, answer.transfer_id)])
        return Outcome(seq, code, answer.balance_fen, answer.transfer_id)

    async def _send_record(self, record: JournalRecord, *, reversal: bool = False) -> Answer | None:
        """Send; sign on and send once more if the platform asks for it. None when no answer came."""
        for attempt in range(2):
            message = isobuild.financial(self._ids, record, at=from_epoch_us(record.occurred_at_us), reversal=reversal)
            answer = await self._exchange(message, self._mac)
            if answer is None or not answer.sign_on_required or attempt:
                return answer
            await self.sign_on()
        return None

    async def _exchange(self, fields: isobuild.Fields, mac: UnionPayMac | None) -> Answer | None:
        """One question, one answer; None when none came (and the line is closed, so that a late one can't be mistaken)."""
        stan = int(fields["11"])
        self._wrong = None
        frame = add_prefix(isobuild.encode(fields, mac), prefix_bytes=2)
        try:
            if self._line is None:
                self._line = await open_line(
                    self._host, self._port, self._context, server_hostname=self._server_hostname, front_end=self._front_end
                )
            reader, writer = self._line
            writer.write(frame)
            async with asyncio.timeout(self._answer_s):
                await writer.drain()
                while True:
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    answer = parse_answer(await reader.readexactly(size), mac)
                    if answer.stan == stan:
                        return answer
        except WrongServer as wrong:  # nothing was sent, but a record that was stored is reversed like any other
            self._wrong = wrong
            return None
        except (OSError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError, IsoFormatError):
            await self.close()
            return None

    def _original(self, seq: int) -> JournalRecord:
        record = self._journal.find(self.terminal_id, seq)
        assert record is not None, "the original is not in the journal"
        return record

    def _next_stan(self) -> int:
        stan = self._journal.read_setting(self.terminal_id, "stan") % MAX_STAN + 1
        self._journal.write_setting(self.terminal_id, "stan", stan)
        return stan

    def _next_seq(self) -> int:
        assert self.batch_no, "sign on first"
        return build_terminal_seq(batch_no=self.batch_no, stan=self._next_stan())
