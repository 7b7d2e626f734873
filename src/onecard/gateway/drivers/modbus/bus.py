"""Registers of meters by name, over pymodbus: a bus of RTU meters, a serial server, or Modbus TCP. One request at a time."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

from onecard.gateway.buses.line import LineSpec
from onecard.gateway.drivers.modbus.codec import Place, join_words, plan_blocks, split_words

_PARITIES = {"none": "N", "even": "E", "odd": "O"}
_CONNECT_S = 2.0
RETRIES = 1
"""How often pymodbus asks again."""


class MeterSilentError(Exception):
    """No answer, or none that can be believed: whether a write was done is not known."""


class MeterBus:
    """`async with MeterBus(spec, …) as bus: await bus.read(1, place)`."""

    def __init__(self, spec: LineSpec, *, is_rtu: bool, timeout_s: float, low_first: bool, is_single: bool = False) -> None:
        """`is_rtu`: RTU frames over TCP, as a serial server passes them on. `is_single`: one value in a request."""
        self._low_first = low_first
        self._is_single = is_single
        self._turn = asyncio.Lock()
        options: dict[str, Any] = {"timeout": timeout_s, "retries": RETRIES, "reconnect_delay": 0.1, "reconnect_delay_max": 2.0}
        if spec.kind == "tcp":
            host, _, port = spec.target.rpartition(":")
            framer = FramerType.RTU if is_rtu else FramerType.SOCKET
            self._client: AsyncModbusTcpClient | AsyncModbusSerialClient = AsyncModbusTcpClient(
                host, port=int(port), framer=framer, **options
            )
        else:
            self._client = AsyncModbusSerialClient(spec.target, baudrate=spec.baud, parity=_PARITIES[spec.parity], **options)

    async def __aenter__(self) -> "MeterBus":
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(_CONNECT_S):
                await self._client.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.close()

    async def read(self, device: int, place: Place) -> int:
        """A value. Raises MeterSilentError."""
        return join_words(await self._registers(device, place), low_first=self._low_first)

    async def read_all(self, device: int, places: Mapping[str, Place]) -> dict[str, int]:
        """Several values, neighbours in one request: on a bus each request costs two silences. Raises MeterSilentError."""
        values = {}
        for block in plan_blocks(places, is_single=self._is_single):
            place = Place(block.address, block.words, block.table)
            registers = await self._registers(device, place)
            for name in block.names:
                words, registers = registers[: places[name].words], registers[places[name].words :]
                values[name] = join_words(words, low_first=self._low_first)
        return values

    async def _registers(self, device: int, place: Place) -> list[int]:
        read = self._client.read_input_registers if place.table == "input" else self._client.read_holding_registers
        answer = await self._ask(lambda: read(place.address, count=place.words, device_id=device))
        if len(answer.registers) != place.words:
            raise MeterSilentError("wrong number of registers")
        return list(answer.registers)

    async def write(self, device: int, place: Place, number: int) -> None:
        """Set a value. Raises MeterSilentError: then read it back."""
        await self.write_all(device, {"": place}, {"": number})

    async def write_all(self, device: int, places: Mapping[str, Place], numbers: Mapping[str, int]) -> None:
        """Set several values, neighbours in one request. Raises MeterSilentError: then read them back."""
        for block in plan_blocks(places, is_single=self._is_single):
            words = [w for name in block.names for w in self._split(numbers[name], places[name])]
            await self._ask(partial(self._client.write_registers, block.address, words, device_id=device))

    def _split(self, number: int, place: Place) -> list[int]:
        return split_words(number, place.words, low_first=self._low_first)

    async def _ask(self, request: Callable[[], Awaitable[Any]]) -> Any:
        async with self._turn:
            try:
                answer = await _whole(request())
            except (ModbusException, OSError, TimeoutError) as error:
                await self._reconnect()
                raise MeterSilentError(str(error)) from None
        if answer.isError():
            raise MeterSilentError(str(answer))
        return answer

    async def _reconnect(self) -> None:
        """pymodbus gives a connection up after some silences, and would otherwise not come back by itself."""
        if not self._client.connected:
            with contextlib.suppress(ModbusException, OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_S):
                    await self._client.connect()


async def _whole(request: Awaitable[Any]) -> Any:
    """The answer. Cancelled, it ends when the exchange has ended: a later answer would be taken for the next one's."""
    task = asyncio.ensure_future(request)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        task.cancelled() or task.exception()
        raise
