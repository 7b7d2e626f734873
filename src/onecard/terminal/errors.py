"""What a terminal's program has to expect.

TerminalError
├── LineDown            no connection, or it broke: what was sent and not answered is uncertain
└── LineRefused         the platform closed the line for a reason it named
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


class LineRefused(TerminalError):  # noqa: N818 - a state of the line
    """The platform closed the line; `result` says why."""

    code = "TERMINAL.LINE_REFUSED"

    def __init__(self, result: int, reason: str) -> None:
        text = RESULT_TEXT.get(Result(result)) if result in Result._value2member_map_ else None
        super().__init__(f"平台拒绝线路：{text.zh if text else result}", f"The platform refuses the line: {reason}")
        self.result = result
        self.reason = reason
