"""Telling people: signed webhooks and mail over real sockets, retried and logged; a flood is one message."""

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from onecard.kernel.clock import ManualClock
from onecard.kernel.errors import Forbidden, InvalidInput
from onecard.services.devices import api
from onecard.services.devices.models import AlarmMessage, AlarmRecipient, MessageAttempt
from onecard.services.devices.registry import messages, recipients, webhook
from onecard.services.devices.registry.recipients import NewRecipient
from tests.devices.conftest import NOW, SYSTEM, Places, bound
from tests.gateway.pki import Authority


class Receiver(HTTPServer):
    """Somebody's server: keeps what it was sent and answers as told."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
        status, headers = self.server.answers.pop(0) if self.server.answers else (204, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return


class _Smtp(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs; keeps the messages in `server.mails`."""

    def handle(self) -> None:
        self.wfile.write(b"220 test\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(part)
                self.server.mails.append(b"".join(lines))  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                return


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver() as server:
        monkeypatch.setenv("ONECARD_WEBHOOK_PORTS", f"1,{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Smtp) as server:
        server.mails = []  # type: ignore[attr-defined]
        monkeypatch.setenv("ONECARD_MAIL_HOST", "127.0.0.1")
        monkeypatch.setenv("ONECARD_MAIL_PORT", str(server.server_address[1]))
        monkeypatch.setenv("ONECARD_MAIL_FROM", "alarm@city.example.cn")
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.mails  # type: ignore[attr-defined]
        server.shutdown()


def hook(url: str, **more: Any) -> AlarmRecipient:
    return recipients.add_recipient(NewRecipient("duty", "webhook", url, **more), actor=SYSTEM)


def tell(clock: ManualClock, seconds: float = 0) -> int:
    clock.advance(timedelta(seconds=seconds))
    api.write_messages(clock=clock)
    return messages.send_messages(clock=clock)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The vector of the specification's own text."""
    signed = webhook.sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1_614_265_330, UTC),
        b'{"test": 2432232314}',
        secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_alarm_is_posted_signed_and_once(places: Places, clock: ManualClock, receiver: Receiver) -> None:
    made = hook(receiver.url)
    api.raise_alarm("tamper", terminal_id=places.terminals[0], detail="lid", clock=clock)
    assert tell(clock) == 1 and tell(clock) == 0
    ((headers, body),) = receiver.heard
    secret = recipients.secret_for(made.pk, actor=SYSTEM)
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert headers["webhook-signature"] == webhook.sign(headers["webhook-id"], at, body, secrets=[secret])
    told = json.loads(body)
    step = told["data"]["steps"][0]
    assert told["type"] == "onecard.alarms" and (step["kind"], step["step"], step["detail"]) == ("tamper", "raised", "lid")
    assert (step["operator_id"], step["unit_id"], step["terminal_id"]) == (
        places.school_operator,
        places.school,
        places.terminals[0],
    )


def test_a_message_is_tried_again_the_same_and_every_try_is_written_down(
    places: Places, clock: ManualClock, receiver: Receiver
) -> None:
    hook(receiver.url)
    receiver.answers = [(503, {}), (429, {"Retry-After": "900"}), (302, {"Location": "http://127.0.0.1:1/"})]
    api.raise_alarm("tamper", line_id=places.front_end, detail="lid", clock=clock)
    assert tell(clock) == 0
    assert tell(clock, 6) == 0, "five seconds later at the most"
    assert tell(clock, 600) == 0 and len(receiver.heard) == 2, "who asks for a quarter of an hour is left alone for it"
    assert tell(clock, 301) == 0 and len(receiver.heard) == 3, "a redirect is not followed"
    assert tell(clock, 3600) == 1
    assert len({(headers["webhook-id"], body) for headers, body in receiver.heard}) == 1
    assert list(MessageAttempt.objects.order_by("id").values_list("delivered", "detail")) == [
        (False, "HTTP 503"),
        (False, "HTTP 429"),
        (False, "HTTP 302"),
        (True, "HTTP 204"),
    ]
    message = AlarmMessage.objects.get()
    assert (message.state, message.attempts, AlarmRecipient.objects.get().problem) == ("sent", 4, "")


def test_what_cannot_be_delivered_for_a_day_is_given_up_and_who_is_gone_is_told_no_more(
    places: Places, clock: ManualClock, receiver: Receiver
) -> None:
    dead = hook("https://127.0.0.1:1/")
    api.raise_alarm("tamper", line_id=places.front_end, detail="lid", clock=clock)
    for hours in (0, 1, 24):
        tell(clock, hours * 3600)
    assert AlarmMessage.objects.get().state == "failed" and "refused" in AlarmRecipient.objects.get().problem.lower()
    recipients.set_active(dead.pk, False, actor=SYSTEM)
    gone = hook(receiver.url)
    receiver.answers = [(410, {})]
    api.raise_alarm("tamper", line_id=places.straight, detail="lid", clock=clock)
    tell(clock)
    assert not AlarmRecipient.objects.get(pk=gone.pk).active


def test_a_killed_worker_s_message_is_sent_by_the_next_one(
    places: Places, clock: ManualClock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook(receiver.url)
    api.raise_alarm("tamper", line_id=places.front_end, detail="lid", clock=clock)
    api.write_messages(clock=clock)
    with monkeypatch.context() as patched:
        patched.setattr(messages, "_send", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            messages.send_messages(clock=clock)
    assert messages.send_messages(clock=clock) == 0, "it is still claimed"
    assert tell(clock, 121) == 1 and len(receiver.heard) == 1


def test_a_flood_is_one_message_and_what_follows_waits_for_the_next(
    places: Places, clock: ManualClock, receiver: Receiver
) -> None:
    hook(receiver.url)
    lines = api.create_lines(api.NewLine(f"fe{n}", "front_end", unit_id=places.school) for n in range(400))
    for line in lines[:250]:
        api.raise_alarm("line_lost", line_id=line, detail="", clock=clock)
    assert tell(clock) == 1
    for line in lines[250:]:
        api.raise_alarm("line_lost", line_id=line, detail="", clock=clock)
        if line == lines[300]:
            assert tell(clock, 5) == 0
    assert tell(clock, 5) == 0
    assert tell(clock, 60) == 1
    told = [json.loads(body)["data"] for _, body in receiver.heard]
    assert [(len(each["steps"]), each["more"]) for each in told] == [(100, 150), (100, 50)]


def test_an_operator_hears_of_its_own_and_of_the_level_it_asked_for(
    places: Places, clock: ManualClock, receiver: Receiver
) -> None:
    hook(receiver.url + "/school", operator_id=places.school_operator)
    hook(receiver.url + "/worst", severity=3)
    hook(receiver.url + "/kinds", kinds=["error"], severity=1)
    api.raise_alarm("line_lost", line_id=places.factory_line, detail="", clock=clock)
    api.raise_alarm("line_lost", line_id=places.front_end, detail="", clock=clock)
    api.raise_alarm("tamper", terminal_id=places.factory_terminal, detail="", clock=clock)
    api.raise_alarm("error", detail="the platform's own", clock=clock)
    tell(clock)
    told = {
        message.recipient.address.rpartition("/")[2]: [(step["kind"], step["line_id"]) for step in message.steps]
        for message in AlarmMessage.objects.select_related("recipient")
    }
    assert told == {"school": [("line_lost", places.front_end)], "worst": [("tamper", None)], "kinds": [("error", None)]}


def test_mail_goes_out_through_the_server_that_is_set_and_waits_without_one(
    places: Places, clock: ManualClock, mails: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipients.add_recipient(NewRecipient("值班", "mail", "duty@example.cn"), actor=SYSTEM)
    api.raise_alarm("tamper", line_id=places.front_end, detail="lid", clock=clock)
    with monkeypatch.context() as patched:
        patched.delenv("ONECARD_MAIL_HOST")
        assert tell(clock) == 0
    assert "ONECARD_MAIL_HOST" in AlarmRecipient.objects.get().problem
    assert tell(clock, 6) == 1
    from email import message_from_bytes
    from email.header import decode_header, make_header

    (mail,) = map(message_from_bytes, mails)
    assert str(make_header(decode_header(mail["Subject"]))) == "[One-Card] 严重 发生: 防拆报警 – 一中 一中前置机"
    assert (mail["From"], mail["To"], mail["Message-ID"].partition("@")[2]) == (
        "alarm@city.example.cn",
        "duty@example.cn",
        "city.example.cn>",
    )
    payload = mail.get_payload(decode=True)
    assert isinstance(payload, bytes) and "lid" in payload.decode()


def test_for_a_day_after_a_change_of_keys_both_secrets_sign(places: Places, clock: ManualClock, receiver: Receiver) -> None:
    made = hook(receiver.url)
    old = recipients.secret_for(made.pk, actor=SYSTEM)
    new = recipients.change_key(made.pk, actor=SYSTEM, clock=clock)
    made.refresh_from_db()
    assert messages.signing_secrets(made, NOW) == [new, old]
    assert messages.signing_secrets(made, NOW + timedelta(days=1)) == [new]


def test_addresses_are_checked_and_an_operator_s_staff_adds_only_its_own(places: Places) -> None:
    for url in (
        "http://example.cn/",
        "https://user:x@example.cn/",
        "ftp://example.cn",
        "https://",
        "nonsense",
        "https://x.cn:99999/",
    ):
        with pytest.raises(InvalidInput, match="webhook's address"):
            hook(url)
    with pytest.raises(InvalidInput, match="not a mail address"):
        recipients.add_recipient(NewRecipient("x", "mail", "nobody"), actor=SYSTEM)
    school = bound(places.school_operator)
    for operator_id in (None, places.factory_operator):
        with pytest.raises(Forbidden):
            recipients.add_recipient(NewRecipient("x", "mail", "a@example.cn", operator_id=operator_id), actor=school)
    recipients.add_recipient(NewRecipient("x", "mail", "a@example.cn", operator_id=places.school_operator), actor=school)


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest/meta-data/",
        "https://[fe80::1]/",
        "https://[::ffff:169.254.1.1]/",
        "https://224.0.0.1/",
        "https://127.0.0.1:5432/",
        "http://localhost:8000/",
        "http://[::1]:8000/",
        "https://127.9.9.9/",
        "https://0.0.0.0:8000/",
        "https://[::]:8000/",
        "https://[::ffff:127.0.0.1]:8000/",
        "https://x.localhost/",
    ],
)
def test_no_recipient_is_on_this_machine_or_its_link(places: Places, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ONECARD_WEBHOOK_PORTS", "9999")
    with pytest.raises(InvalidInput, match="no webhook goes to"):
        hook(url)


def test_a_port_of_this_machine_has_to_be_allowed_by_the_installation_and_stays_so(
    places: Places, clock: ManualClock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook(receiver.url)
    monkeypatch.delenv("ONECARD_WEBHOOK_PORTS")
    api.raise_alarm("tamper", line_id=places.front_end, detail="lid", clock=clock)
    assert tell(clock) == 0 and receiver.heard == []
    assert "no webhook goes to 127.0.0.1" in MessageAttempt.objects.get().detail


@pytest.mark.parametrize("name", ["2130706433", "0x7f.1", "metadata.example.cn"])
def test_a_name_that_leads_to_this_machine_is_not_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Told apart from a connection that failed: nothing may be learned of what listens here."""
    monkeypatch.delenv("ONECARD_WEBHOOK_PORTS")
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more, **how: resolve("127.0.0.1" if host == name else host, *more, **how)
    )
    outcomes = [webhook.post(f"https://{name}:{port}/", "m", {}, at=NOW, secrets=[]) for port in (receiver.server_port, 1)]
    assert [(one.delivered, "no webhook goes to" in one.detail) for one in outcomes] == [(False, True)] * 2
    assert receiver.heard == []


def test_over_tls_only_who_proves_the_name_is_told(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority = Authority(tmp_path_factory.mktemp("tls"))
    issued = authority.issue("localhost").identity
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(issued.certificate, issued.key)
    receiver.socket = tls.wrap_socket(receiver.socket, server_side=True)
    urls = [f"https://{host}:{receiver.server_port}/hook" for host in ("localhost", "127.0.0.2")]
    assert "CERTIFICATE_VERIFY_FAILED" in webhook.post(urls[0], "m", {}, at=NOW, secrets=[]).detail
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    assert [webhook.post(url, "m", {}, at=NOW, secrets=[]).delivered for url in urls] == [True, False]
    assert len(receiver.heard) == 1
