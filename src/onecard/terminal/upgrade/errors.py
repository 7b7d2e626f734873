"""What a device refuses of a repository or a roll-out.

OneCardError
├── NotTrusted        not signed, expired (freeze), older than what is known (roll-back), mixed, longer than signed, not as signed
│   └── NotForThis    signed, but for other hardware, of another kind, or not newer than what is installed
├── CannotRead        signed, but this device cannot read it: the last good one stays
├── NoSuchFile        (NotFound) the repository has no such target
└── NoLine            (Unavailable) it could not be fetched now
"""

from typing import ClassVar

from onecard.kernel.errors import NotFound, OneCardError, Unavailable


class NotTrusted(OneCardError):  # noqa: N818 - a state of the repository
    """The repository, or a file of it, is not what the holders of its keys have signed."""

    code: ClassVar[str] = "UPDATE.NOT_TRUSTED"

    def __init__(self, reason: str) -> None:
        super().__init__(f"升级库不可信：{reason}", f"the repository is not to be trusted: {reason}")


class NotForThis(NotTrusted):
    """Signed, but not for this device."""

    code: ClassVar[str] = "UPDATE.NOT_FOR_THIS"


class CannotRead(OneCardError):  # noqa: N818 - what happened
    """A file that is signed and that the device can make nothing of."""

    code: ClassVar[str] = "UPDATE.CANNOT_READ"

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"无法使用数据 {kind}：{reason}", f"cannot use the data {kind}: {reason}")


class NoSuchFile(NotFound):
    """The repository names no such target."""

    def __init__(self, path: str) -> None:
        super().__init__(f"升级库中没有 {path}", f"the repository has no {path}")


class NoLine(Unavailable):
    """Nothing could be fetched."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"暂时取不到：{reason}", f"cannot be fetched now: {reason}")
