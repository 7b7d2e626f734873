"""A wireless terminal in software: its journal's records over MQTT 5, with its last will, asking until it is answered."""

import asyncio
import contextlib
import secrets
import ssl

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from onecard.gateway.drivers.mqtt.codec import DOWN, OFFLINE, ONLINE, STATE, UP, parse_answers, topic
from onecard.protocol.proto.records_pb2 import Answers, Records

_EXPIRY_S = 20


class WirelessTerminal:
    """`async with WirelessTerminal(…) as terminal: await terminal.submit_surely(records)`."""

    def __init__(
        self, port: int, device: str, *, prefix: str = "onecard", tls: ssl.SSLContext | None = None, answer_s: float = 5.0
    ) -> None:
        self._port, self._device, self._prefix, self._tls = port, device, prefix, tls
        self._answer_s = answer_s
        self._waiting: dict[bytes, asyncio.Future[Answers]] = {}
        self._client: aiomqtt.Client | None = None
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "WirelessTerminal":
        self._task = asyncio.create_task(self._run())
        await self._connected.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def submit_surely(self, records: Records) -> Answers:
        """The same payload again and again until an answer comes."""
        while True:
            with contextlib.suppress(TimeoutError, aiomqtt.MqttError):
                return await self.submit(records.SerializeToString())
            await asyncio.sleep(0.05)

    async def submit(self, payload: bytes, *, copies: int = 1, reply_to: str = "") -> Answers:
        """One request. Raises TimeoutError, MqttError."""
        await self._connected.wait()
        assert self._client is not None
        correlation = secrets.token_bytes(8)
        answer: asyncio.Future[Answers] = asyncio.get_running_loop().create_future()
        self._waiting[correlation] = answer
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic = reply_to or topic(self._prefix, self._device, DOWN)
        properties.CorrelationData = correlation
        properties.MessageExpiryInterval = _EXPIRY_S
        try:
            async with asyncio.timeout(self._answer_s):
                for _ in range(copies):
                    await self._client.publish(topic(self._prefix, self._device, UP), payload, qos=1, properties=properties)
                return await answer
        finally:
            self._waiting.pop(correlation, None)

    async def _run(self) -> None:
        state = topic(self._prefix, self._device, STATE)
        while True:
            try:
                async with aiomqtt.Client(
                    "127.0.0.1", self._port, protocol=aiomqtt.ProtocolVersion.V5, timeout=5.0, tls_context=self._tls,
                    will=aiomqtt.Will(state, OFFLINE, qos=1, retain=True),
                ) as client:  # fmt: skip
                    await client.subscribe(topic(self._prefix, self._device, DOWN), qos=1)
                    await client.publish(state, ONLINE, qos=1, retain=True)
                    self._client = client
                    self._connected.set()
                    async for message in client.messages:
                        self._take(message)
            except aiomqtt.MqttError:
                self._connected.clear()
                await asyncio.sleep(0.05)

    def _take(self, message: aiomqtt.Message) -> None:
        answer = self._waiting.get(getattr(message.properties, "CorrelationData", b""))
        if answer is not None and not answer.done():
            answer.set_result(parse_answers(bytes(message.payload)))
