"""Alarms by mail, through Django's mail and the server that the environment names.

`ONECARD_MAIL_HOST` and, where they differ, `ONECARD_MAIL_PORT` (25), `ONECARD_MAIL_FROM`, `ONECARD_MAIL_USER`,
`ONECARD_MAIL_TLS` (`starttls`, `tls` or empty); the password stands in the home's `secrets/mail-password`.
"""

import os
import smtplib

from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.validators import validate_email

from onecard.datacenter.home import Home
from onecard.kernel.errors import InvalidInput
from onecard.services.devices.registry.webhook import Outcome

_TIMEOUT_S = 10


def check_address(text: str) -> str:
    """An address to write to. Raises InvalidInput."""
    address = text.strip()
    try:
        validate_email(address)
    except ValidationError:
        raise InvalidInput("邮箱地址无效", "not a mail address") from None
    return address


def is_configured() -> bool:
    """Whether there is a server to hand mail to."""
    return bool(os.environ.get("ONECARD_MAIL_HOST"))


def send(address: str, subject: str, body: str, *, message_id: str) -> Outcome:
    """One try. A retry carries the same Message-ID, so that a mailbox shows it once."""
    if not is_configured():
        return Outcome(False, "no mail server: set ONECARD_MAIL_HOST")
    sender = os.environ.get("ONECARD_MAIL_FROM") or f"onecard@{os.environ['ONECARD_MAIL_HOST']}"
    headers = {"Message-ID": f"<{message_id}@{sender.rpartition('@')[2]}>", "Auto-Submitted": "auto-generated"}
    try:
        message = EmailMessage(" ".join(subject.split()), body, sender, [address], headers=headers, connection=_connection())
        message.send()
    except (OSError, smtplib.SMTPException, ValueError) as error:
        return Outcome(False, f"{type(error).__name__}: {error}"[:300])
    return Outcome(True, "handed to the mail server")


def _connection() -> BaseEmailBackend:
    user, tls = os.environ.get("ONECARD_MAIL_USER", ""), os.environ.get("ONECARD_MAIL_TLS", "")
    if tls not in ("", "tls", "starttls"):
        raise ValueError("ONECARD_MAIL_TLS is starttls, tls or empty")
    password = (Home.from_environment().secrets_dir / "mail-password").read_text().strip() if user else ""
    made: BaseEmailBackend = get_connection(
        "django.core.mail.backends.smtp.EmailBackend",
        host=os.environ["ONECARD_MAIL_HOST"],
        port=int(os.environ.get("ONECARD_MAIL_PORT") or 25),
        username=user,
        password=password,
        use_tls=tls == "starttls",
        use_ssl=tls == "tls",
        timeout=_TIMEOUT_S,
    )
    return made
