"""The application servers behind a gateway: which of them answer, and which one is asked next."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc

from onecard.gateway.errors import AppBusyError, AppUnavailableError
from onecard.gateway.metrics import Counters
from onecard.kernel.codes import Result
from onecard.protocol.proto.app_pb2 import AdmissionEvent, LoadChipCall, PostBatch, PostReply, WatchAdmissionRequest
from onecard.protocol.proto.app_pb2_grpc import ApplicationStub
from onecard.protocol.proto.records_pb2 import ChipLoadAnswer, PayCodeKeys

_log = logging.getLogger(__name__)
_REST_S = 0.5
_RETRY_S = 0.1
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.use_local_subchannel_pool", 1),
]
_T = TypeVar("_T")


@dataclass(slots=True)
class _App:
    address: str
    channel: grpc.aio.Channel
    stub: ApplicationStub
    in_flight: int = 0
    rests_until: float = 0.0


class AppServers:
    """Spreads calls over the addresses that answer, and tries the others when one does not."""

    def __init__(self, addresses: tuple[str, ...], *, gateway: str, counters: Counters, tls_dir: Path | None = None) -> None:
        assert addresses, "a gateway needs an application server"
        self._gateway = gateway
        self._counters = counters
        self._apps = [_connect(address, tls_dir) for address in addresses]
        self._complained_at = float("-inf")
        self.pay_code_keys: PayCodeKeys | None = None
        """The keys of payment codes as an application server said last; None until one has. Kept while none can say."""
        self._watched = random.randrange(len(self._apps))  # noqa: S311 - spreading, not a secret

    async def post(self, batch: PostBatch, *, deadline_s: float) -> PostReply:
        """One batch. Raises AppUnavailableError, AppBusyError.

        Sending a batch twice is safe: every record carries its exactly-once key, and the second one gets the first answer. But
        one that a server may have posted before it died is never BUSY, which says that nothing was posted.
        """
        reply: PostReply
        reply, in_doubt = await self._call(lambda stub, timeout: stub.Post(batch, timeout=timeout), deadline_s=deadline_s)
        if in_doubt and Result.BUSY in reply.answers.code:
            reply.answers.code[:] = [_when_in_doubt(code) for code in reply.answers.code]
        return reply

    async def load_chip(self, call: LoadChipCall, *, deadline_s: float) -> ChipLoadAnswer:
        """A step of a load; like a batch it is not BUSY where a server may have taken it. Raises as `post` does."""
        answer: ChipLoadAnswer
        answer, in_doubt = await self._call(lambda stub, timeout: stub.LoadChip(call, timeout=timeout), deadline_s=deadline_s)
        if in_doubt:
            answer.code = _when_in_doubt(answer.code)
        return answer

    async def call(self, rpc: Callable[[ApplicationStub, float], Awaitable[_T]], *, deadline_s: float) -> _T:
        """Any unary call, repeated at other servers until the deadline. Raises AppUnavailableError, AppBusyError."""
        reply, _ = await self._call(rpc, deadline_s=deadline_s)
        return reply

    async def _call(self, rpc: Callable[[ApplicationStub, float], Awaitable[_T]], *, deadline_s: float) -> tuple[_T, bool]:
        """The reply, and whether a server that went away before may have done what was asked."""
        in_doubt = False
        loop = asyncio.get_running_loop()
        deadline = loop.time() + deadline_s
        while (left := deadline - loop.time()) > 0:
            app = self._choose(loop.time())
            app.in_flight += 1
            try:
                return await rpc(app.stub, left), in_doubt
            except grpc.aio.AioRpcError as error:
                self._counters.app_failures += 1
                if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise (AppUnavailableError if in_doubt else AppBusyError) from None
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    self._complain(app.address, error)
                    raise AppUnavailableError from None
                in_doubt = True  # it may have been killed between its commit and its answer
                app.rests_until = loop.time() + _REST_S
            finally:
                app.in_flight -= 1
            await asyncio.sleep(min(_RETRY_S, max(0.0, deadline - loop.time())))
        raise AppUnavailableError

    async def watch_admission(self, silence_s: float) -> AsyncIterator[AdmissionEvent]:
        """One admission stream from the next server in turn; ends when it ends, fails or falls silent."""
        self._watched = (self._watched + 1) % len(self._apps)
        stream = self._apps[self._watched].stub.WatchAdmission(WatchAdmissionRequest(gateway=self._gateway))
        try:
            while True:
                # Not wait_for: before Python 3.12 it swallows a cancellation that comes together with an event.
                async with asyncio.timeout(silence_s):
                    event = await stream.read()
                if event is grpc.aio.EOF:  # type: ignore[attr-defined]
                    return
                if event.HasField("pay_code_keys") and event.pay_code_keys != self.pay_code_keys:
                    self.pay_code_keys = event.pay_code_keys
                yield event
        except (grpc.aio.AioRpcError, TimeoutError):
            return
        finally:
            stream.cancel()

    async def close(self) -> None:
        """Close all channels."""
        for app in self._apps:
            await app.channel.close(None)

    def _complain(self, address: str, error: grpc.aio.AioRpcError) -> None:
        """One line a second at most: a server in trouble fails every call."""
        now = asyncio.get_running_loop().time()
        if now - self._complained_at > 1.0:
            self._complained_at = now
            _log.warning("application server %s: %s %s", address, error.code().name, error.details())

    def _choose(self, now: float) -> _App:
        return min(self._apps, key=lambda app: (app.rests_until > now, app.in_flight))


def _when_in_doubt(code: int) -> int:
    return int(Result.UNAVAILABLE) if code == Result.BUSY else code


def _connect(address: str, tls_dir: Path | None) -> _App:
    if address.startswith("unix:") or tls_dir is None:
        channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
    else:
        credentials = grpc.ssl_channel_credentials(
            (tls_dir / "ca.pem").read_bytes(), (tls_dir / "gateway.key").read_bytes(), (tls_dir / "gateway.pem").read_bytes()
        )
        channel = grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
    return _App(address=address, channel=channel, stub=_stub(channel))


def _stub(channel: grpc.aio.Channel) -> ApplicationStub:
    return ApplicationStub(channel)  # type: ignore[no-untyped-call]
