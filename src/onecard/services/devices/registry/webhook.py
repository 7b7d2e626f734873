"""Webhooks by Standard Webhooks: signing, checking an address, one POST.

The secret of a recipient is derived from the installation's own and the recipient's number: none stands in the database.
"""

import base64
import hashlib
import hmac
import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from onecard.datacenter.home import Home
from onecard.kernel.errors import InvalidInput
from onecard.services.devices.registry import outward

PREFIX = "whsec_"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_TIMEOUT_S = 10
_GONE, _TOO_MANY = 410, 429


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try. `gone`: the other side wants nothing any more; `wait_s`: it asked to be left alone for so long."""

    delivered: bool
    detail: str
    gone: bool = False
    wait_s: int = 0


def check_url(text: str) -> str:
    """An address to post to. Raises InvalidInput unless it is https (http on this machine only), without a name or password.

    On this machine, only ports that the installation allows; see `outward`.
    """
    url = text.strip()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    plain = parts.scheme == "http" and host in _LOOPBACK
    if not host or not (parts.scheme == "https" or plain) or "@" in parts.netloc or len(url) > 300 or not url.isascii():
        raise InvalidInput("Webhook 地址须为 https://…", "a webhook's address is https://…")
    outward.check_place(host, port or (443 if parts.scheme == "https" else 80))
    return url


def secret_of(recipient_id: int, generation: int) -> str:
    """The secret that a recipient checks signatures by, as it is handed to him."""
    root = Home.from_environment().secret("webhook-key").encode()
    key = hmac.digest(root, f"recipient/{recipient_id}/{generation}".encode(), hashlib.sha256)
    return PREFIX + base64.b64encode(key).decode()


def sign(message_id: str, at: datetime, body: bytes, *, secrets: Sequence[str]) -> str:
    """The header `webhook-signature`: one signature a secret, so that a change of keys loses no message."""
    signed = f"{message_id}.{int(at.timestamp())}.".encode() + body
    keys = [base64.b64decode(secret.removeprefix(PREFIX)) for secret in secrets]
    return " ".join("v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)


def post(url: str, message_id: str, payload: dict[str, Any], *, at: datetime, secrets: Sequence[str]) -> Outcome:
    """One try. Redirects are not followed, and nothing of the answer is kept but its number."""
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {
        "content-type": "application/json",
        "user-agent": "onecard",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": sign(message_id, at, body, secrets=secrets),
    }
    try:
        request = urllib.request.Request(check_url(url), data=body, headers=headers, method="POST")  # noqa: S310 - https, see check_url
    except InvalidInput as error:  # written down under other rules
        return Outcome(False, error.en)
    try:
        with outward.opener(url).open(request, timeout=_TIMEOUT_S) as answer:
            return Outcome(True, f"HTTP {answer.status}")
    except HTTPError as error:
        with error:
            wait = error.headers.get("Retry-After", "") if error.code == _TOO_MANY else ""
            return Outcome(False, f"HTTP {error.code}", error.code == _GONE, int(wait) if wait.isdecimal() else 0)
    except (URLError, OSError, ValueError) as error:
        return Outcome(False, f"{type(error).__name__}: {getattr(error, 'reason', error)}"[:300])
