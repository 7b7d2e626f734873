"""The unit's workstation browser (G1): a small HTTP server at the unit; its requests go over the line to the web tier.

h11 checks what the browser sends; headers that concern one connection alone stay here. The web tier is told the line's proven
identity, nothing the browser says of itself. One request at a time a connection; a browser that goes away ends its request.

Anybody in the unit's network can knock here, and the same process takes the unit's money: what is not a request of a console
goes no further than this file, and connections, bytes and time are counted before anybody is known.
"""

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import h11

from onecard.fep.browser import BUFFER_BYTES, Conversation, Patience, WebLine
from onecard.kernel.codes import RESULT_TEXT, Result

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 128
MAX_PER_ADDRESS = 16
"""A browser opens up to six."""
_END_S = 5.0
_PAGE = "<!doctype html><html lang=zh><meta charset=utf-8><title>{zh} / {en}</title><h1>{zh} / {en}</h1><p>{more_zh}<p>{more_en}"
_TEXTS = {
    400: ("请求无效", "Bad request"),
    404: ("没有此页", "Not found"),
    405: ("不允许", "Not allowed"),
    408: ("请求超时", "The request took too long"),
    413: ("内容过大", "Too large"),
    431: ("请求头过大，请清除浏览器 Cookie", "Headers too large; clear the browser's cookies"),
}


class WorkstationProxy:
    """Listens for the unit's browsers. Plain HTTP is for loopback alone: the console's cookies are Secure."""

    def __init__(
        self, line: WebLine, *, host: str, port: int, tls: ssl.SSLContext | None,
        no_sales: Callable[[], Result | None] = lambda: None, patience: Patience | None = None,
    ) -> None:  # fmt: skip
        """`no_sales` is why terminals do not sell while the line is down; None: they do."""
        self._line = line
        self._host = host
        self._port = port
        self._tls = tls
        self._no_sales = no_sales
        self._patience = patience or Patience()
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._by_address: Counter[str] = Counter()

    @property
    def port(self) -> int:
        """The port in use, where 0 was asked for."""
        assert self._socket is not None, "not started"
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Begin to listen. Raises OSError."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._socket = socket.create_server((self._host, self._port), family=family, backlog=MAX_CONNECTIONS)
        self._socket.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(self._socket))

    async def stop(self) -> None:
        """Stop listening and end what is open."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def run(self) -> None:
        """Listen until cancelled."""
        await self.start()
        try:
            await asyncio.Event().wait()
        finally:
            await self.stop()

    async def _accept(self, listening: socket.socket) -> None:
        """By hand, not asyncio's server: that one spends a handshake on everybody before we could count him."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:
                log.warning("fep: workstation: %s", error)
                await asyncio.sleep(1.0)  # no file descriptors left: at once again would be a busy loop
                continue
            who = str(address[0])
            if len(self._open) >= MAX_CONNECTIONS or self._by_address[who] >= MAX_PER_ADDRESS:
                accepted.close()
                await asyncio.sleep(0)  # an accept that need not wait lets nobody else have a turn
                continue
            self._by_address[who] += 1
            task = loop.create_task(self._serve(accepted))
            self._open.add(task)
            task.add_done_callback(lambda done, who=who: self._ended(done, who))  # type: ignore[misc]

    def _ended(self, task: asyncio.Task[None], who: str) -> None:
        self._open.discard(task)
        self._by_address[who] -= 1
        if not self._by_address[who]:
            del self._by_address[who]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("fep: workstation: a connection failed", exc_info=error)

    async def _serve(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(BUFFER_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        tls = {"ssl_handshake_timeout": self._patience.handshake, "ssl_shutdown_timeout": _END_S} if self._tls else {}
        try:
            accepted.setblocking(False)
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=self._tls, **tls)
        except (OSError, TimeoutError) as error:
            log.debug("fep: workstation: %s", error)
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await self._talk(reader, writer)
        except (OSError, TimeoutError, h11.ProtocolError) as error:
            log.debug("fep: workstation: %s", error)
        finally:
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_END_S):  # a browser that reads no more keeps nothing here
                    await writer.wait_closed()
            transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        scheme = "https" if self._tls is not None else "http"
        await Conversation(self._line, reader, writer, scheme=scheme, patience=self._patience, page=self._page).run()

    def _page(self, status: int) -> bytes:
        """What a browser is shown that gets no answer of the platform."""
        if status != 503:
            zh, en = _TEXTS.get(status, ("", ""))
            return f"<!doctype html><meta charset=utf-8><p>{zh} {en}".encode() if zh else b""
        why = self._no_sales()
        if why is None:
            more_zh = "前置机与平台的线路已断开，恢复后请刷新本页。终端继续营业，记录已保存。"
            more_en = "The line to the platform is down. Terminals go on selling; reload this page when the line is back."
        else:
            more_zh = f"前置机与平台没有连接，终端不能消费：{RESULT_TEXT[why].zh}。此前的记录保存在前置机内。"
            more_en = (
                f"There is no line to the platform, and terminals do not sell: {RESULT_TEXT[why].en}. Earlier records are kept."
            )
        return _PAGE.format(zh="脱机", en="Off line", more_zh=more_zh, more_en=more_en).encode()
