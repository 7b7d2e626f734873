"""The base of every error the platform raises on purpose.

OneCardError
├── InvalidInput          bad argument, row or file: says what and where
├── RuleViolated          a numbered rule of the mission refuses it (O1, O2, P2 …)
├── Forbidden             who asks lacks the permission
├── NotFound              the thing named does not exist
└── Unavailable           cannot be done now; trying again can help
"""

from typing import ClassVar


class OneCardError(Exception):
    """Something a caller must stop for.

    `code` is stable and machine readable, `zh` and `en` are for people; `retryable` says whether trying again can help.
    """

    code: ClassVar[str] = "ONECARD.ERROR"
    retryable: ClassVar[bool] = False

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} / {en}")
        self.zh = zh
        self.en = en


class InvalidInput(OneCardError):
    """Bad input, refused whole: the message says what is wrong and where."""

    code = "INPUT.INVALID"


class RuleViolated(OneCardError):
    """A numbered rule of the mission refuses the change; `rule` is its number and `limit` the figure, where there is one."""

    code = "RULE.VIOLATED"

    def __init__(self, zh: str, en: str, *, rule: str, limit: int | None = None) -> None:
        super().__init__(zh, en)
        self.rule = rule
        self.limit = limit


class Forbidden(OneCardError):
    """Who asks lacks the permission, or a second person has to do it."""

    code = "FORBIDDEN"


class NotFound(OneCardError):
    """The thing named does not exist, or is not the caller's to see."""

    code = "NOT_FOUND"


class Unavailable(OneCardError):
    """It cannot be done now; trying again can help."""

    code = "UNAVAILABLE"
    retryable = True
