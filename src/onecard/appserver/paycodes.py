"""Payment codes on their way in (C4): which records of a call need one, and what the service says of each, in its own thread.

A QR card pays with a code or not at all. Calls without either are not touched: they are told by one look at their card numbers,
which the database holds to (a card is of medium QR if and only if its number begins with the QR prefix).
The public keys that terminals check codes with leave from here too, with the authorised list.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from time import monotonic

from onecard.appserver.admit import Resolve, meal_at
from onecard.appserver.chipdesk import disconnect, or_unavailable
from onecard.appserver.dates import MINUTE_US, DayTable, believable_us
from onecard.kernel.clock import Clock, to_epoch_us
from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import OneCardError, Unavailable
from onecard.kernel.numbers import QR_ISSUER
from onecard.protocol.proto.records_pb2 import Records
from onecard.services.paycodes.records import CodeRecord

log = logging.getLogger(__name__)
_FIRST_QR, _LAST_QR = QR_ISSUER * 10**12, (QR_ISSUER + 1) * 10**12
_PAYS = frozenset((Operation.PURCHASE, Operation.ADVICE, Operation.HOLD))
_KEYS_FRESH_S = 10.0


def code_entries(records: Records) -> dict[int, bytes] | None:
    """Row of a record → its code; None where the columns are not of one length or the rows do not rise within the batch."""
    rows, codes = records.pay_codes.row, records.pay_codes.code
    rise = all(row < after for row, after in pairwise(rows))
    if len(rows) != len(codes) or not rise or (rows and not 0 <= rows[0] <= rows[-1] < len(records.op)):
        return None
    return dict(zip(rows, codes, strict=True))


def concerns_codes(records: Records) -> bool:
    """Whether any record of a call shows a code, or is of a card that must."""
    return records.HasField("pay_codes") or any(_FIRST_QR <= card < _LAST_QR for card in records.card_no)


class CodeDesk:
    """Judges records with codes. Django must be set up."""

    def __init__(self, clock: Clock, resolve: Resolve, days: DayTable) -> None:
        self._clock = clock
        self._resolve = resolve
        self._days = days
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pay-code")
        self._keys: dict[int, bytes] = {}
        self._keys_at = -_KEYS_FRESH_S

    async def watch_keys(self, tell: Callable[[Mapping[int, bytes]], None], *, every_s: float = _KEYS_FRESH_S) -> None:
        """Tells the public keys, at first and as they are every few seconds. While the vault is locked nothing is told."""
        said = ""
        while True:
            try:
                tell(await asyncio.get_running_loop().run_in_executor(self._thread, or_unavailable, self._read_keys))
                said = ""
            except OneCardError as error:
                if said != error.en:
                    said = error.en
                    log.warning("payment codes: the public keys are not known: %s", said)
            except Exception:
                log.exception("payment codes: the public keys could not be read")
            await asyncio.sleep(every_s)

    async def refused(self, records: Records, line_ids: Sequence[int], entries: dict[int, bytes]) -> dict[int, int]:
        """Row → answer of every record that may not be posted. A code is claimed for the others before this returns."""
        answers, asked, rows = {}, [], []
        for row in range(len(records.op)):
            code = entries.get(row)
            if code is None and not _FIRST_QR <= records.card_no[row] < _LAST_QR:
                continue
            if records.op[row] not in _PAYS:
                if code is not None:
                    answers[row] = int(Result.FORMAT)
                continue
            record = self._record(records, line_ids, row, code or b"")
            if record is not None:
                asked.append(record)
                rows.append(row)
        if asked:
            answers.update(await self._judge(asked, rows))
        return answers

    def _record(self, records: Records, line_ids: Sequence[int], row: int, code: bytes) -> CodeRecord | None:
        """None where the record is refused for another reason: a stranger must not use up somebody's code."""
        post = self._resolve(records.terminal_id[row])
        if post is None or post.line_id != line_ids[row] or records.terminal_seq[row] <= 0:
            return None
        if post.precheck and records.op[row] != Operation.ADVICE:
            return None
        occurred_us = records.occurred_at_us[row]
        at_us = believable_us(occurred_us, now_us=to_epoch_us(self._clock.now()), offline=records.op[row] == Operation.ADVICE)
        business_day, minute = self._days[at_us // MINUTE_US]
        return CodeRecord(
            terminal_id=records.terminal_id[row],
            terminal_seq=records.terminal_seq[row],
            op=records.op[row],
            card_no=records.card_no[row],
            amount_fen=records.amount_fen[row],
            occurred_at_us=occurred_us,
            merchant=post.merchant,
            code=code,
            unit=post.unit,
            purse_order=post.purse_order,
            business_date=business_day,
            meal=meal_at(post.meals, minute * 60 + at_us // 1_000_000 % 60) if post.meals else 0,
        )

    async def _judge(self, asked: list[CodeRecord], rows: list[int]) -> dict[int, int]:
        try:
            verdicts = await asyncio.get_running_loop().run_in_executor(self._thread, or_unavailable, self._work(asked))
        except Unavailable as error:
            log.warning("payment codes: %d answered UNAVAILABLE: %s", len(asked), error.en)
            return dict.fromkeys(rows, int(Result.UNAVAILABLE))
        return {row: int(verdict) for row, verdict in zip(rows, verdicts, strict=True) if verdict is not Result.APPROVED}

    def _work(self, asked: list[CodeRecord]) -> Callable[[], list[Result]]:
        def work() -> list[Result]:
            from onecard.services.paycodes import api

            keys = self._keys if monotonic() - self._keys_at <= _KEYS_FRESH_S else self._read_keys()
            return api.admit_records(asked, keys=keys, now=self._clock.now())

        return work

    def _read_keys(self) -> dict[int, bytes]:
        from onecard.services.paycodes import api

        self._keys, self._keys_at = api.public_keys(), monotonic()
        return self._keys

    def close(self) -> None:
        """Ends the thread and its connection."""
        self._thread.submit(disconnect)
        self._thread.shutdown()
