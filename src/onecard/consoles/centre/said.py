"""What devices and the platform have said of themselves, in the reader's language: kinds of data, reasons, moments.

Details are stored as they came, in the words of the programs of this platform (`fep`, `terminal`, `services`); what these say is
known here, sentence by sentence, and put into the reader's language. Whatever another maker's device says is shown as it is.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from onecard.consoles.centre import formats, labels
from onecard.kernel.codes import RESULT_TEXT, Operation
from onecard.protocol.lease import STEP_TEXT, Step

DATA_NAMES: dict[str, str | Promise] = {
    "firmware": gettext_lazy("Firmware"),
    "deny": gettext_lazy("Deny list"),
    "rules": gettext_lazy("Offline rules"),
    "cards": gettext_lazy("Cards of the unit"),
    "parameters": gettext_lazy("Parameters"),
    "tariff": gettext_lazy("Tariff"),
}
REFUSALS: dict[str, str | Promise] = {
    "certificate_missing": gettext_lazy("no certificate shown"),
    "certificate_untrusted": gettext_lazy("certificate of a foreign authority"),
    "handshake_failed": gettext_lazy("handshake broken off"),
    "not_listed": gettext_lazy("not on the authorised list"),
    "terminal_not_allowed": gettext_lazy("not on the authorised list"),
    "unit_expired": gettext_lazy("the unit's validity has run out"),
    "unit_suspended": gettext_lazy("the unit is not in service"),
    "enrolment_code": gettext_lazy("bad enrolment code"),
}
"""What gateways and front-ends call the commonest reasons; others are shown as they are called."""

_KIND = r"(?P<kind>firmware|deny|rules|cards|parameters|tariff)"
_PATH = r"(?P<path>[\w.-]+(?:/[\w.-]+)+)"
# A sentence as it is stored, and as it is shown. `kind`, `why`, `reason` … are put into words themselves (`_WORDS`).
_SENTENCES: tuple[tuple[str, str], ...] = (
    (rf"{_KIND} (?P<version>\d+)", gettext_noop("%(kind)s %(version)s")),
    (rf"{_KIND} (?P<version>\d+), (?P<size>\d+) bytes", gettext_noop("%(kind)s %(version)s, %(size)s bytes")),
    (rf"{_KIND} (?P<version>\d+): (?P<why>.+)", gettext_noop("%(kind)s %(version)s: %(why)s")),
    (rf"{_KIND} (?P<version>\d+) not stored: (?P<raw>.+)", gettext_noop("%(kind)s %(version)s could not be stored: %(raw)s")),
    (rf"{_KIND}\.(?:bin|last) cannot be read: (?P<raw>.+)", gettext_noop("%(kind)s: the stored file cannot be read: %(raw)s")),
    (r"metadata: (?P<why>.+)", gettext_noop("signatures of the repository: %(why)s")),
    (r"older than (?P<version>\d+), which is in use", gettext_noop("older than %(version)s, which is in use")),
    (
        r"would refuse (?P<cards>\d+) of the last (?P<recent>\d+) cards, more than (?P<permille>\d+) of 1000",
        gettext_noop("would refuse %(cards)s of the last %(recent)s cards, more than %(permille)s ‰"),
    ),
    (r"not the announced content: it is version (?P<version>\d+)", gettext_noop("not what was announced: version %(version)s")),
    (r"of unit (?P<unit>\d+)", gettext_noop("of another unit (%(unit)s)")),
    (r"cannot be read", gettext_noop("cannot be read")),
    (r"card set: (?P<raw>.+)", gettext_noop("the list cannot be read (%(raw)s)")),
    (r"card index: (?P<raw>.+)", gettext_noop("the cards cannot be read (%(raw)s)")),
    (r"offline rules, (?P<raw>.+)", gettext_noop("the rules cannot be read (%(raw)s)")),
    (r"the repository is not to be trusted: (?P<why>.+)", gettext_noop("the repository is not to be trusted: %(why)s")),
    (r"the repository has no (?P<path>\S+)", gettext_noop("the repository has no %(path)s")),
    (rf"cannot use the data {_KIND}: (?P<why>.+)", gettext_noop("%(kind)s cannot be used: %(why)s")),
    (r"cannot be fetched now: (?P<raw>.+)", gettext_noop("cannot be fetched now: %(raw)s")),
    (r"self test failed", gettext_noop("the self test failed")),
    (r"self test: (?P<raw>.+)", gettext_noop("the self test failed: %(raw)s")),
    (r"restarted during the self test", gettext_noop("restarted during the self test")),
    (rf"{_PATH}: not the signed content", gettext_noop("%(path)s is not what was signed")),
    (rf"{_PATH}: not the announced content", gettext_noop("%(path)s is not what was announced")),
    (
        rf"{_PATH}: (?P<size>\d+) bytes, more than the (?P<most>\d+) there is room for",
        gettext_noop("%(path)s has %(size)s bytes, there is room for %(most)s"),
    ),
    (rf"no data {_KIND} here", gettext_noop("the device has no %(kind)s")),
    (rf"{_PATH}: for (?P<meant>.*), not (?P<hardware>[^,]+)", gettext_noop("%(path)s is for %(meant)s, not for %(hardware)s")),
    (
        rf"{_PATH}: release counter (?P<version>\d+) is not above (?P<other>\d+), which is installed",
        gettext_noop("%(path)s is version %(version)s; version %(other)s is installed already"),
    ),
    (
        rf"{_PATH}: release counter (?P<version>\S+), not (?P<other>\d+)",
        gettext_noop("%(path)s is version %(version)s, not %(other)s"),
    ),
    (r"its window has not begun", gettext_noop("its window has not begun")),
    (r"its window is over", gettext_noop("its window is over")),
    (r"unsent money", gettext_noop("records are still to be sent")),
    (r"selling goes on", gettext_noop("selling goes on")),
    (r"unsent money, or selling goes on", gettext_noop("records are still to be sent, or selling goes on")),
    (r"off line", gettext_noop("off line")),
    (r"disk: (?P<raw>.+)", gettext_noop("disk: %(raw)s")),
    (r"nothing heard", gettext_noop("nothing heard")),
    (r"heard again", gettext_noop("heard again")),
    (r"(?P<n>-?\d+) (?P<si>ms|s) off", gettext_noop("off by %(n)s %(si)s")),
    (r"the platform does not answer", gettext_noop("the platform does not answer")),
    (r"the line is down", gettext_noop("the line is down")),
    (r"after (?P<n>\d+) s, (?P<records>\d+) records wait", gettext_noop("after %(n)s s; %(records)s records wait")),
    (r"(?P<n>\d+) MB free", gettext_noop("%(n)s MB free")),
    (r"(?P<n>\d+) MB free; nothing is sold off line", gettext_noop("%(n)s MB free; nothing is sold off line")),
    (rf"(?P<step>[0-4]) (?:{'|'.join(text.en for text in STEP_TEXT.values())})", "%(step)s"),
    (
        r"(?P<operation>[A-Z_]+) (?P<seq>\d+), (?P<fen>\d+) fen: (?P<code>\d+) .+",
        gettext_noop("%(operation)s no. %(seq)s, %(fen)s yuan: %(code)s"),
    ),
    (
        r"(?P<address>\d+(?:\.\d+){3}|[0-9a-f]*:[0-9a-f:]+) (?P<reason>[a-z]+(?:_[a-z]+)*)",
        gettext_noop("%(address)s: %(reason)s"),
    ),
    (r"(?P<operation>[A-Z_]+) (?P<seq>\d+): (?P<result>[^:]+)", gettext_noop("%(operation)s no. %(seq)s: %(result)s")),
    (r"门未关 door held open", gettext_noop("the door is held open")),
    (r"设备已不在线路上", gettext_noop("the device is no longer on the line")),
    (r"黑名单 (?P<version>\d+) 已停止下达：(?P<why>.+)", gettext_noop("deny list %(version)s was stopped: %(why)s")),
    (r"黑名单 (?P<version>\d+) 已全面下达", gettext_noop("deny list %(version)s has gone to all")),
    (
        r"先行 (?P<lines>\d+) 台中 (?P<refused>\d+) 台拒用：(?P<place>[^：]+)：(?P<why>.+)",
        gettext_noop("%(refused)s of the %(lines)s front-ends that had it first refused it; %(place)s: %(why)s"),
    ),
)
_KNOWN = tuple((re.compile(f"{pattern}", re.DOTALL), text) for pattern, text in _SENTENCES)
_UTC = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")


def data_name(kind: str) -> str:
    """A kind of data by its name for people."""
    return str(DATA_NAMES.get(kind, kind))


def in_words(detail: str) -> str:
    """A stored detail in the reader's language, with the platform's own time of day."""
    for pattern, text in _KNOWN:
        found = pattern.fullmatch(detail)
        if found:
            said = _(text) % {name: _WORDS[name](value) if name in _WORDS else value for name, value in found.groupdict().items()}
            return _with_local_times(said)
    return _with_local_times(detail)


def first_with_reason(detail: str, *, names_place: bool) -> str:
    """Why a deny list was stopped; without the name of the place for those who may not see it."""
    return in_words(detail if names_place else re.sub(r"：[^：]+：", "：…：", detail, count=1))


def _with_local_times(text: str) -> str:
    def local(found: re.Match[str]) -> str:
        try:
            return formats.moment(datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
        except ValueError:  # looks like a moment, and is none
            return found[0]

    return _UTC.sub(local, text)


def _result(said: str) -> str:
    return next((labels.own_language(text) for text in RESULT_TEXT.values() if said == f"{text.zh} {text.en}"), said)


def _operation(name: str) -> str:
    return labels.operation_text(Operation[name]) if name in Operation.__members__ else name


_WORDS: dict[str, Callable[[str], str]] = {
    "kind": data_name,
    "why": in_words,
    "reason": lambda reason: str(REFUSALS.get(reason, reason)),
    "step": lambda step: labels.own_language(STEP_TEXT[Step(int(step))]),
    "operation": _operation,
    "fen": lambda fen: formats.yuan(int(fen)),
    "result": _result,
    "code": lambda code: labels.result_text(int(code)),
}
