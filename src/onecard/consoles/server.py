"""The role `web`: granian serving the consoles over WSGI with one worker process, whitenoise giving the static files.

WSGI because every page is a short synchronous query: a few threads with one connection each are simpler and no slower.
"""

import ipaddress
import logging
import os
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces
from granian.http import HTTP1Settings

from onecard.kernel.errors import InvalidInput

log = logging.getLogger("onecard.web")

DEFAULT_PORT = 8080
THREADS = 4


def run(
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    certificate: Path | None = None,
    key: Path | None = None,
    behind_proxy: bool = False,
) -> None:
    """管理中心网页，直到 SIGTERM 或 Ctrl-C / Serve the consoles until SIGTERM or SIGINT; requests under way are finished first.

    Plain HTTP is for loopback, or for a proxy that ends TLS (`behind_proxy`; set ONECARD_WEB_PROXIES to its address and
    ONECARD_WEB_HOSTS to the public name). Raises InvalidInput for plain HTTP on another address: cookies are Secure.
    """
    if certificate is None and not behind_proxy and not _is_loopback(host):
        raise InvalidInput(
            f"地址 {host} 不是本机回环地址：请给出证书，或说明前面有终结TLS的代理",
            f"{host} is not a loopback address: give a certificate, or say that a proxy ends TLS in front",
        )
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "onecard.settings")
    scheme = "https" if certificate else "http"
    log.info("web: serving on %s://%s:%d/centre/", scheme, host, port)
    Granian(
        "onecard.consoles.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=THREADS,
        backpressure=256,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
        log_access=False,
        respawn_failed_workers=True,
        workers_kill_timeout=15,
        ssl_cert=certificate,
        ssl_key=key,
    ).serve()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
