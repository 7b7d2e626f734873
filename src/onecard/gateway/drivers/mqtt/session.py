"""Wireless terminals behind a broker as a port: requests by topic, answers with their correlation data, each record once.

QoS 1 may bring a message twice, and a terminal that missed its answer sends it again. The same payload in flight waits for the
same answer, one decided lately gets it at once, and anything else is recognised by the ledger's exactly-once key. A terminal
keeps its own journal: what the gateway took from the broker and lost with its process, the terminal sends again.
"""

import asyncio
import contextlib
import logging
import random
import ssl
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from onecard.gateway.drivers.base import LineNow, PortSettings, Services
from onecard.gateway.drivers.mqtt.codec import DOWN, OFFLINE, ONLINE, STATE, UP, is_device_name, parse_records, topic
from onecard.kernel.codes import Result
from onecard.kernel.errors import InvalidInput
from onecard.protocol.native import constant_answers
from onecard.protocol.proto.records_pb2 import Answers, Records

_log = logging.getLogger(__name__)
_REMEMBERED = 4096
_NOT_DECIDED = frozenset((int(Result.BUSY), int(Result.UNAVAILABLE)))
_AGAIN_S = (0.2, 1.0)
_LONGEST_WAIT_S = 15.0
_ANSWER_EXPIRY_S = 30
_IN_FLIGHT = 256
_OPTIONS = {"prefix", "username", "password_file", "ca", "certificate", "key", "share"}


class MqttPort:
    """A Port (drivers/base.py)."""

    def __init__(self, settings: PortSettings, line: LineNow, services: Services) -> None:
        kind, _, address = settings.transport.partition(":")
        host, _, port = address.rpartition(":")
        unknown = set(settings.options) - _OPTIONS
        if kind not in ("mqtt", "mqtts") or not host or not port.isdecimal() or unknown:
            raise _wrong(settings, f"{settings.transport} (mqtt:host:port or mqtts:); unknown options: {', '.join(unknown)}")
        if bad := [name for name in settings.terminals if not is_device_name(name)]:
            raise _wrong(settings, f"can't be a level of a topic: {', '.join(bad)}")
        self._settings = settings
        self._line = line
        self._services = services
        self._prefix = str(settings.options.get("prefix", "onecard"))
        self._host, self._port = host, int(port)
        self._tls = _tls(settings) if kind == "mqtts" else None
        self._online: set[str] = set()
        self._open: dict[bytes, asyncio.Future[bytes]] = {}
        self._decided: OrderedDict[bytes, bytes] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_connected = False

    async def run(self) -> None:
        wait_s = _AGAIN_S[0]
        try:
            while True:
                try:
                    async with self._client() as client:
                        wait_s = _AGAIN_S[0]
                        await self._serve(client)
                except aiomqtt.MqttError as error:
                    _log.warning("broker of %s: %s", self._settings.name, error)
                self.is_connected = False
                self._online.clear()
                await asyncio.sleep(random.uniform(0.5, 1.5) * wait_s)  # noqa: S311 - spreading, not a secret
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        finally:
            self.is_connected = False
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def status(self) -> Mapping[str, bool]:
        return {device: device in self._online for device in self._settings.terminals}

    def _client(self) -> aiomqtt.Client:
        options = self._settings.options
        password = Path(options["password_file"]).read_text("utf-8").strip() if "password_file" in options else None
        gateway = f"{self._prefix}/gateway-{self._settings.name}/{STATE}"
        return aiomqtt.Client(
            self._host,
            self._port,
            username=options.get("username"),
            password=password,
            protocol=aiomqtt.ProtocolVersion.V5,
            will=aiomqtt.Will(gateway, OFFLINE, qos=1, retain=True),
            tls_context=self._tls,
            timeout=10.0,
            max_queued_incoming_messages=10_000,
        )

    async def _serve(self, client: aiomqtt.Client) -> None:
        shared = f"$share/{self._settings.options['share']}/" if "share" in self._settings.options else ""
        for device in self._settings.terminals:
            await client.subscribe(shared + topic(self._prefix, device, UP), qos=1)
            await client.subscribe(topic(self._prefix, device, STATE), qos=1)
        self.is_connected = True
        slots = asyncio.Semaphore(_IN_FLIGHT)
        async for message in client.messages:
            device, _, leaf = message.topic.value.removeprefix(self._prefix + "/").rpartition("/")
            terminal_id = self._settings.terminals.get(device)
            if terminal_id is None:
                continue
            if leaf == STATE:
                self._set_state(device, terminal_id, bytes(message.payload))
                continue
            await slots.acquire()
            task = asyncio.get_running_loop().create_task(self._answer(client, device, terminal_id, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: slots.release())

    def _set_state(self, device: str, terminal_id: int, state: bytes) -> None:
        if state == ONLINE:
            self._online.add(device)
            self._services.heard[terminal_id] = asyncio.get_running_loop().time()
        else:
            self._online.discard(device)
            self._services.heard.pop(terminal_id, None)

    async def _answer(self, client: aiomqtt.Client, device: str, terminal_id: int, message: aiomqtt.Message) -> None:
        self._services.counters.frames["mqtt"] += 1
        payload = bytes(message.payload)
        asked = message.properties
        reply_to = str(getattr(asked, "ResponseTopic", "") or topic(self._prefix, device, DOWN))
        if not reply_to.startswith(topic(self._prefix, device, "")):
            self._services.counters.closed["response_topic"] += 1
            _log.warning("device %s wants its answer at %s: not its own topic", device, reply_to)
            return
        try:
            records = parse_records(payload, frozenset((terminal_id,)))
        except ValueError as wrong:
            self._services.counters.results[int(Result.FORMAT)] += 1
            _log.warning("device %s: %s", device, wrong)
            answer = constant_answers(1, Result.FORMAT).SerializeToString()
        else:
            self._set_state(device, terminal_id, ONLINE)
            answer = await self._decide(payload, records)
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = _ANSWER_EXPIRY_S
        if (correlation := getattr(asked, "CorrelationData", None)) is not None:
            properties.CorrelationData = correlation
        with contextlib.suppress(aiomqtt.MqttError):  # the terminal asks again
            await client.publish(reply_to, answer, qos=1, properties=properties)

    async def _decide(self, payload: bytes, records: Records) -> bytes:
        """The answer to this payload, asked for once while it is in flight or remembered."""
        if (known := self._decided.get(payload)) is not None:
            return known
        if (waiting := self._open.get(payload)) is not None:
            return await asyncio.shield(waiting)
        waiting = self._open[payload] = asyncio.get_running_loop().create_future()
        try:
            answers = await self._submit(records)
            answer = answers.SerializeToString()
            waiting.set_result(answer)
            if not _NOT_DECIDED & set(answers.code):
                self._decided[payload] = answer
                if len(self._decided) > _REMEMBERED:
                    self._decided.popitem(last=False)
            return answer
        finally:
            del self._open[payload]
            if not waiting.done():
                waiting.cancel()

    async def _submit(self, records: Records) -> Answers:
        """The answers; UNAVAILABLE while the line is cut off, so that the terminal keeps its records for its return (O4)."""
        count = len(records.op)
        line = self._line()
        if line is None or not line.terminal_ids >= set(records.terminal_id):
            return constant_answers(count, Result.UNAVAILABLE)
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answers] = loop.create_future()
        since = loop.time()

        def done(answers: Answers) -> None:
            self._services.counters.results.update(answers.code)
            self._services.counters.latency.observe(loop.time() - since, times=count)
            if not answered.done():
                answered.set_result(answers)

        refusal = self._services.uplink.submit_many(line.line_id, records, count=count, done=done)
        return constant_answers(count, refusal) if refusal is not None else await answered


def _tls(settings: PortSettings) -> ssl.SSLContext:
    """The broker is proven by `ca` (else by the system's), the gateway by `certificate` and `key` where the broker asks."""
    options: Mapping[str, Any] = settings.options
    try:
        context = ssl.create_default_context(cafile=options.get("ca"))
        if "certificate" in options:
            context.load_cert_chain(options["certificate"], options.get("key"))
    except OSError as error:
        raise _wrong(settings, str(error)) from None
    return context


def _wrong(settings: PortSettings, what: str) -> InvalidInput:
    return InvalidInput(f"端口 {settings.name}：{what}", f"port {settings.name}: {what}")
