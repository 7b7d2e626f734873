"""What can go wrong between a terminal and a card.

TerminalError
└── ReaderError
    ├── CardRemoved      the card left the field or lost power: what was sent last is uncertain
    ├── ReaderGone       the reader itself is gone, or never was there
    └── ReaderMissing    the machine has no PC/SC (pyscard or pcscd)
"""

from onecard.terminal.errors import TerminalError


class ReaderError(TerminalError):
    """Base of reader errors."""

    code = "READER.ERROR"


class CardRemoved(ReaderError):  # noqa: N818 - what happened
    """The card is gone; whether it did what was sent last shows at the next touch."""

    code = "READER.CARD_REMOVED"
    retryable = True

    def __init__(self, zh: str = "卡片已离开读卡器", en: str = "The card is gone from the reader") -> None:
        super().__init__(zh, en)


class ReaderGone(ReaderError):  # noqa: N818 - what happened
    """The reader is gone."""

    code = "READER.GONE"
    retryable = True


class ReaderMissing(ReaderError):  # noqa: N818 - what is missing
    """This machine cannot speak PC/SC; the message says what to install."""

    code = "READER.MISSING"
