"""The one table between a `Result` and the answer code of a POS (DE39); nothing else maps either of them.

Every result has a code of its own, so that a terminal's log can be read back. Codes of the 银联 set are used with their own
meaning; what that set has no word for is a private code of letter and digit (L1 … L3, C1 … D2), which terminals show as refused.
"""

from onecard.kernel.codes import Result

SIGN_ON_AGAIN = "77"
"""Asks the terminal to sign on again: the gateway holds no working key for it. Not a result: nothing was decided or posted."""

DE39: dict[Result, str] = {
    Result.APPROVED: "00",
    Result.KEY_CONFLICT: "94",  # duplicate transmission
    Result.REVERSED: "21",  # no action taken
    Result.TERMINAL_NOT_ALLOWED: "97",  # terminal unknown
    Result.MERCHANT_CLOSED: "03",  # invalid merchant
    Result.UNIT_SUSPENDED: "58",  # not permitted to the terminal
    Result.UNIT_EXPIRED: "60",  # contact the acquirer
    Result.UNKNOWN_CARD: "14",
    Result.CARD_NOT_ACTIVE: "78",
    Result.CARD_LOST: "41",
    Result.CARD_FROZEN: "36",  # restricted, keep
    Result.CARD_EXPIRED: "54",
    Result.CARD_DENIED: "62",  # restricted
    Result.ACCOUNT_CLOSED: "46",
    Result.PURSE_NOT_ALLOWED: "57",  # not permitted to the cardholder
    Result.AMOUNT_INVALID: "13",
    Result.LIMIT_TRANSACTION: "61",
    Result.LIMIT_MEAL: "L1",
    Result.LIMIT_DAY: "65",
    Result.LIMIT_BALANCE: "L2",
    Result.INSUFFICIENT_FUNDS: "51",
    Result.NO_ORIGINAL: "25",
    Result.ORIGINAL_MISMATCH: "22",  # related transaction wrong
    Result.REFUND_EXCEEDS: "64",  # does not agree with the original amount
    Result.HOLD_CLOSED: "L3",
    Result.TAC_WRONG: "C1",
    Result.COUNTER_IMPOSSIBLE: "C2",
    Result.TIME_IMPLAUSIBLE: "C3",
    Result.SAM_BLOCKED: "C4",
    Result.KEY_VERSION: "C5",
    Result.GRAY: "C6",
    Result.CODE_INVALID: "C7",
    Result.CODE_EXPIRED: "C8",
    Result.CODE_USED: "C9",
    Result.MAC1_WRONG: "D1",
    Result.LOAD_IN_DOUBT: "D2",
    Result.BUSY: "91",  # nothing was posted: try again later
    Result.FORMAT: "30",
    Result.UNAVAILABLE: "98",  # no answer in time: reverse
    Result.MAC_WRONG: "A0",
}

_RESULT = {code: result for result, code in DE39.items()}
assert len(_RESULT) == len(DE39) == len(Result), "the table must be total and each code single-valued"
_BY_NUMBER = {int(result): code for result, code in DE39.items()}
_SYSTEM_ERROR = "96"


def de39_of(result: int) -> str:
    """The answer code of a result number; ``96`` (system error) for a number this release does not know."""
    return _BY_NUMBER.get(result, _SYSTEM_ERROR)


def result_of(de39: str) -> Result | None:
    """The result an answer code stands for; None for 77 and for codes that are not ours."""
    return _RESULT.get(de39)
