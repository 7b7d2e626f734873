"""What a terminal's program has to expect.

TerminalError
├── LineDown            no connection, or it broke: what was sent and not answered is uncertain
│   └── CertificateRefused   TLS ended because the platform does not know who signed the terminal's certificate, or it has run out
└── LineRefused         the platform closed the line for a reason it named
    └── WrongServer          somebody else answered: the terminal has closed the line itself, before it sent anything
"""

from onecard.kernel.codes import RESULT_TEXT, Result
from onecard.kernel.errors import OneCardError


class TerminalError(OneCardError):
    """Base of the terminal SDK's errors."""

    code = "TERMINAL.ERROR"


class LineDown(TerminalError):  # noqa: N818 - a state of the line
    """The line is down; it comes back by itself. Repeat with the same sequence number, or reverse."""

    code = "TERMINAL.LINE_DOWN"
    retryable = True


class CertificateRefused(LineDown):
    """The other side's TLS does not accept the terminal's certificate. Enrolling again helps, waiting does not."""

    code = "TERMINAL.CERTIFICATE_REFUSED"

    def __init__(self, why: str) -> None:
        super().__init__(f"平台不接受本机证书：{why}", f"The platform does not accept this device's certificate: {why}")


class LineRefused(TerminalError):  # noqa: N818 - a state of the line
    """The platform closed the line; `result` says why."""

    code = "TERMINAL.LINE_REFUSED"

    def __init__(self, result: int, reason: str) -> None:
        text = RESULT_TEXT.get(Result(result)) if result in Result._value2member_map_ else None
        # A reason for people is said in both languages (`OneCardError`), one for programs in English.
        zh, both, en = reason.partition(" / ")
        if not both or zh.isascii():
            zh, en = str(text.zh if text else result), reason
        super().__init__(f"平台拒绝线路：{zh}", f"The platform refuses the line: {en}")
        self.result = result
        self.reason = reason


class WrongServer(LineRefused):
    """Who answered has a certificate of the platform's authority, but is not whom this device may speak to."""

    code = "TERMINAL.WRONG_SERVER"

    def __init__(self, answered: str, expected: str) -> None:
        # Not a refusal by the platform: as far as this device can tell, the platform is not there.
        self.result = int(Result.UNAVAILABLE)
        self.reason = f"{answered} answered, not {expected}"
        OneCardError.__init__(
            self, f"对端不是平台：应答者为 {answered}，应为 {expected}", f"This is not the platform: {self.reason}"
        )
