"""What terminals ask beside posting (`PlatformPort`): passed up the line; off line from what was kept, or not at all."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from onecard.fep import book
from onecard.fep.journal import Journal, JournalFull
from onecard.fep.line import Line
from onecard.gateway.admission import AdmittedLine
from onecard.gateway.errors import AppBusyError, AppUnavailableError
from onecard.kernel.codes import Result
from onecard.protocol.proto.device_pb2 import FetchReply, LeaseReply, LineState, SignedOn, Tasks, Totals
from onecard.protocol.proto.records_pb2 import ChipLoad, ChipLoadAnswer, PayCodeKey, PayCodeKeys
from onecard.terminal.errors import LineDown, LineRefused

_Out = TypeVar("_Out")
_FETCH_S = 30.0
_KEYS = "pay_code_keys"


class Platform:
    """A PlatformPort (gateway/drivers/base.py)."""

    def __init__(self, journal: Journal, line: Line, *, state: Callable[[], LineState], waiting: Mapping[int, int]) -> None:
        """`waiting` are the records of each terminal that the platform does not have yet."""
        self._journal = journal
        self._line = line
        self._waiting = waiting
        self.line_state = state
        self.pay_code_keys: PayCodeKeys | None = None
        self.serve_file: Callable[[str, int, int], Awaitable[FetchReply | None]] | None = None
        """From the cache of artefacts; None where it has no such file."""
        self.tasks_of: Callable[[int], Tasks | None] = lambda line_id: None
        self.certificate_of: Callable[[int], bytes] = lambda terminal_id: b""
        """Fingerprint of a terminal's own certificate."""

    async def load(self) -> None:
        """Read what the journal keeps."""
        kept = await self._journal.run(lambda db: book.read_setting(db, _KEYS))
        if isinstance(kept, bytes):
            self.pay_code_keys = PayCodeKeys.FromString(kept)

    @property
    def code_keys(self) -> dict[int, bytes]:
        """Public keys of payment codes."""
        return {key.key_no: key.public_key for key in self.pay_code_keys.keys} if self.pay_code_keys else {}

    async def take_keys(self, keys: dict[int, bytes]) -> None:
        """The keys as the platform has them now; terminals are told with their next frame. Raises JournalFull."""
        if keys != self.code_keys:
            self.pay_code_keys = PayCodeKeys(keys=[PayCodeKey(key_no=no, public_key=public) for no, public in keys.items()])
            content = self.pay_code_keys.SerializeToString()
            await self._journal.run(lambda db: book.write_setting(db, _KEYS, content))

    def tasks(self, line_id: int) -> Tasks | None:
        return self.tasks_of(line_id)

    async def load_chip(self, line_id: int, load: ChipLoad, *, deadline_s: float) -> ChipLoadAnswer:
        return await self._asked(lambda: self._line.ask.load_chip(load), deadline_s)

    async def sign_on(self, line_id: int, terminal_id: int, *, deadline_s: float) -> SignedOn:
        """New working keys; off line those of the last sign-on, so that a terminal can go on after a restart of either.

        Only for the box they were given to: another in its place would number from the beginning of the same batch.
        """
        name, certificate = f"sign_on:{terminal_id}", self.certificate_of(terminal_id)
        box = bytes((len(certificate),)) + certificate
        try:
            signed = await self._asked(lambda: self._line.ask.sign_on(terminal_id), deadline_s)
        except AppUnavailableError:
            kept = await self._journal.run(lambda db: book.read_setting(db, name))
            if not isinstance(kept, bytes) or not kept.startswith(box):
                raise
            return SignedOn.FromString(kept[len(box) :])
        if signed.code != Result.APPROVED:
            raise AppBusyError(f"sign-on refused: {signed.code}")
        content = box + signed.SerializeToString()
        try:
            await self._journal.run(lambda db: book.write_setting(db, name, content))
        except JournalFull:
            raise AppUnavailableError("the disk is full") from None
        return signed

    async def totals(self, line_id: int, terminal_id: int, *, batch_no: int, deadline_s: float) -> Totals:
        """Of a batch that is all up there: with a part of it still here a correct batch would look wrong."""
        if self._waiting.get(terminal_id):
            raise AppUnavailableError(f"{self._waiting[terminal_id]} records of terminal {terminal_id} are still on their way")
        reply = await self._asked(lambda: self._line.ask.totals(terminal_id, batch_no), deadline_s)
        if reply.code != Result.APPROVED:
            raise AppUnavailableError(f"totals refused: {reply.code}")
        return reply

    async def fetch(self, line: AdmittedLine, name: str, *, offset: int, length: int) -> FetchReply:
        if self.serve_file is not None:
            found = await self.serve_file(name, offset, length)
            if found is not None:
                return found
        return await self._asked(lambda: self._line.ask.fetch(name, offset, length), _FETCH_S)

    async def lease(self, line_id: int) -> LeaseReply:
        """A lease is of a line; the terminals behind a front-end are under the front-end's."""
        return LeaseReply(code=Result.NO_ORIGINAL)

    async def _asked(self, ask: Callable[[], Awaitable[_Out]], deadline_s: float) -> _Out:
        try:
            async with asyncio.timeout(deadline_s):
                return await ask()
        except (LineDown, LineRefused, TimeoutError) as error:
            raise AppUnavailableError(str(error)) from None
