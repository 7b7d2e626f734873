"""Meters as a port: a card is presented, an amount is held, the valve opens with that credit, and what flowed is taken.

Nothing is lost or doubled over a loss of power on either side, because each step leaves its number where the next can find it:
the HOLD is in the journal before it is sent; its sequence number is written into the meter as the session before the valve opens,
and the meter keeps it with the counter at that moment; the COMMIT that names it is in the journal before the session is cleared.
So a session in the meter without a COMMIT in the journal is still to be taken, and a HOLD that no meter has is given back.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onecard.gateway.buses.line import parse_spec
from onecard.gateway.drivers.base import LineNow, PortSettings, Services
from onecard.gateway.drivers.manifest import read_manifest
from onecard.gateway.drivers.modbus.bus import RETRIES, MeterBus, MeterSilentError
from onecard.gateway.drivers.modbus.codec import (
    MeterMap,
    amount_fen_rounded_down,
    build_map,
    parse_card,
    pulses_rounded_down,
    used_pulses,
)
from onecard.gateway.drivers.till import JournalRecord, Till, delivering
from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import InvalidInput

_log = logging.getLogger(__name__)
_SESSION_BITS = 32
_RESTS = (0, 1, 3, 9)
"""After the first silence in a row, the second, …: in silences."""
_ENDS = (Operation.COMMIT, Operation.RELEASE)


@dataclass(slots=True)
class _Watch:
    """What the driver remembers of a meter between two looks; nothing of it matters for money."""

    is_online: bool = False
    silences: int = 0
    """In a row."""
    used: int = -1
    moved_at: float = 0.0
    is_orphan: bool = False
    hold: JournalRecord | None = None
    """Of the session that was seen last."""
    is_clean: bool = False
    """No hold is open but that of the meter's session."""


class ModbusPort:
    """A Port (drivers/base.py)."""

    def __init__(self, settings: PortSettings, line: LineNow, services: Services) -> None:
        options = dict(settings.options)
        self._spec = parse_spec(settings.transport)
        try:
            self._map = _map(str(options.pop("map")))
            self._price_fen = _positive(options, "price_fen")
            self._hold_fen = _positive(options, "hold_fen")
            self._poll_s = float(options.pop("poll_s", 0.5))
            self._idle_s = float(options.pop("idle_s", 60.0))
            self._timeout_s = float(options.pop("timeout_s", 0.5))
            self._is_rtu = options.pop("framing", "tcp") == "rtu"
            self._meters = {int(address): terminal for address, terminal in settings.terminals.items()}
            if options:
                raise ValueError(f"unknown options {', '.join(options)}")
        except (KeyError, ValueError) as error:
            raise InvalidInput(f"端口 {settings.name}：{error}", f"port {settings.name}: {error}") from None
        self._bits = 16 if "counter_16_bit" in settings.quirks else 16 * self._map.total.words
        self._settings = settings
        self._line = line
        self._services = services
        self._watches = {address: _Watch() for address in self._meters}
        self.till: Till | None = None

    async def run(self) -> None:
        till = Till(self._settings.state_dir, line=self._line, services=self._services)
        quirks = self._settings.quirks
        low_first, is_single = "words_swapped" in quirks, "single_values" in quirks
        async with (
            delivering(till),
            MeterBus(self._spec, is_rtu=self._is_rtu, timeout_s=self._timeout_s, low_first=low_first, is_single=is_single) as bus,
        ):
            self.till = till
            till.adopt(frozenset(self._meters.values()))
            try:
                async with asyncio.TaskGroup() as group:
                    for address in self._meters:
                        group.create_task(self._serve(bus, till, address))
            finally:
                await asyncio.shield(self._close_valves(bus))

    def status(self) -> Mapping[str, bool]:
        return {str(address): watch.is_online for address, watch in self._watches.items()}

    async def _serve(self, bus: MeterBus, till: Till, address: int) -> None:
        watch = self._watches[address]
        while True:
            try:
                await self._look(bus, till, address, watch)
                watch.silences = 0
                till.hear(self._meters[address])
            except MeterSilentError as silent:
                if watch.is_online:
                    _log.info("meter %d of %s is off line: %s", address, self._settings.name, silent)
                watch.is_online = False
                watch.silences += 1
            await asyncio.sleep(self._rest_s(watch))

    def _rest_s(self, watch: _Watch) -> float:
        """Between two looks: a dead meter's silence may take one tenth of the bus from the others, and no more."""
        if not watch.silences:
            return self._poll_s
        silence_s = (1 + RETRIES) * self._timeout_s
        return max(self._poll_s, _RESTS[min(watch.silences, len(_RESTS)) - 1] * silence_s)

    async def _look(self, bus: MeterBus, till: Till, address: int, watch: _Watch) -> None:
        """One step. Raises MeterSilentError."""
        terminal_id = self._meters[address]
        seen = await bus.read_all(address, self._map.places)
        session = seen["session"]
        watch.is_online = True  # at once: this look may open its valve, which has to be closed should the port end meanwhile
        self._services.counters.frames["modbus"] += 1
        if not watch.is_clean:
            self._give_back(till, terminal_id, but=session)
            watch.is_clean = True
        if session:
            await self._flowing(bus, till, address, watch, seen=seen)
            return
        watch.is_orphan = False
        if seen["card"]:
            await self._begin(bus, till, address, card=seen["card"])

    async def _begin(self, bus: MeterBus, till: Till, address: int, *, card: int) -> None:
        terminal_id = self._meters[address]
        self._watches[address].is_clean = False
        # First, so that a card is asked for once, however often the meter falls silent here.
        await bus.write(address, self._map.card, 0)
        try:
            card_no = parse_card(card)
        except ValueError as error:
            _log.warning("meter %d of %s: %s", address, self._settings.name, error)
            return
        hold = await till.ask(Operation.HOLD, terminal_id, card_no=card_no, amount_fen=self._hold_fen)
        if hold.code != Result.APPROVED:
            return
        pulses = pulses_rounded_down(self._hold_fen, price_fen=self._price_fen, pulses_per_unit=self._map.pulses_per_unit)
        places = {name: self._map.places[name] for name in ("credit", "session")}
        await bus.write_all(address, places, {"credit": pulses, "session": _session_of(hold)})
        await bus.write(address, self._map.valve, 1)
        watch = self._watches[address]
        watch.used, watch.moved_at = -1, asyncio.get_running_loop().time()

    async def _flowing(self, bus: MeterBus, till: Till, address: int, watch: _Watch, *, seen: Mapping[str, int]) -> None:
        terminal_id, session = self._meters[address], seen["session"]
        if watch.hold is None or _session_of(watch.hold) != session:
            watch.hold = _find_hold(till, terminal_id, session)
        hold = watch.hold
        if hold is None:
            # Not ours: of another gateway, or of a journal that is lost. Somebody has to look; nothing more flows.
            if not watch.is_orphan:
                _log.error("meter %d of %s holds session %d that is not in the journal", address, self._settings.name, session)
            watch.is_orphan = True
            await bus.write(address, self._map.valve, 0)
            return
        if _find_end(till, hold) is None:
            if await self._goes_on(bus, address, watch, seen=seen):
                return
            # The counter is read after the valve has closed: nothing flows unseen between the two.
            await bus.write(address, self._map.valve, 0)
            counted = {name: self._map.places[name] for name in ("total", "start")}
            self._end(till, hold, self._used(await bus.read_all(address, counted)))
        await bus.write(address, self._map.session, 0)
        watch.used = -1

    async def _goes_on(self, bus: MeterBus, address: int, watch: _Watch, *, seen: Mapping[str, int]) -> bool:
        """Whether the valve is open, somebody uses it, and the card was not presented again to stop."""
        used, now = self._used(seen), asyncio.get_running_loop().time()
        if used != watch.used:
            watch.used, watch.moved_at = used, now
        if seen["card"]:
            await bus.write(address, self._map.card, 0)
            return False
        return bool(seen["valve"]) and now - watch.moved_at < self._idle_s

    def _used(self, seen: Mapping[str, int]) -> int:
        return used_pulses(seen["total"], seen["start"], bits=self._bits)

    def _end(self, till: Till, hold: JournalRecord, used: int) -> None:
        cost = amount_fen_rounded_down(used, price_fen=self._price_fen, pulses_per_unit=self._map.pulses_per_unit)
        amount = min(cost, hold.amount_fen)
        op = Operation.COMMIT if amount else Operation.RELEASE
        till.tell(op, hold.terminal_id, card_no=hold.card_no, amount_fen=amount, orig_seq=hold.terminal_seq)

    def _give_back(self, till: Till, terminal_id: int, *, but: int) -> None:
        """Holds that were approved and never reached the meter: the driver stopped in between."""
        records = till.journal.records(terminal_id)
        ended = {record.orig_seq for record in records if record.op in _ENDS}
        for record in records:
            is_hold = record.op == Operation.HOLD and record.code == Result.APPROVED
            if is_hold and _session_of(record) != but and record.terminal_seq not in ended:
                till.tell(Operation.RELEASE, terminal_id, card_no=record.card_no, amount_fen=0, orig_seq=record.terminal_seq)
        till.trim(terminal_id)

    async def _close_valves(self, bus: MeterBus) -> None:
        """The line is cut off or the gateway closes: nothing flows unwatched. What cannot be reached closes by its credit."""
        for address, watch in self._watches.items():
            if watch.is_online:
                for _ in range(2):
                    try:
                        await bus.write(address, self._map.valve, 0)
                        break
                    except MeterSilentError:
                        continue


def _session_of(hold: JournalRecord) -> int:
    """Sequence numbers as the meter's 32 bits; never 0, because they begin at 1 and are trimmed long before they wrap."""
    return hold.terminal_seq % (1 << _SESSION_BITS)


def _find_hold(till: Till, terminal_id: int, session: int) -> JournalRecord | None:
    found = till.journal.records(terminal_id)
    return next((r for r in found if r.op == Operation.HOLD and _session_of(r) == session), None)


def _find_end(till: Till, hold: JournalRecord) -> JournalRecord | None:
    found = till.journal.records(hold.terminal_id, hold.terminal_seq)
    return next((r for r in found if r.op in _ENDS and r.orig_seq == hold.terminal_seq), None)


def _map(name: str) -> MeterMap:
    from pathlib import Path

    maps: Mapping[str, Any] = read_manifest(Path(__file__).parent).data["maps"]
    if name not in maps:
        raise ValueError(f"no register map {name} (there are: {', '.join(maps)})")
    return build_map(maps[name])


def _positive(options: dict[str, Any], name: str) -> int:
    value = options.pop(name)
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is a whole number above 0")
    return value
