"""The composite fields of the profile, each parsed and built at one place: DE37, DE38, DE48, DE54, DE60, DE61."""

from onecard.protocol.iso8583.messages import MAX_DETAILS, OfflineDetail, Original, Totals

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RRN_CHARACTERS = 12
AUTHORISATION_CHARACTERS = 6
CURRENCY_YUAN = "156"
_BALANCE_TYPE = "0002"  # account type 00, amount type 02: available
_DETAIL_DIGITS = 44
_TOTALS_DIGITS = 62
MAX_SUM_FEN = 10**12 - 1


def build_rrn(transfer_id: int) -> str:
    """DE37: the ledger's transfer id as 12 base-36 characters (enough for ids until the year 2055)."""
    characters = ""
    for _ in range(RRN_CHARACTERS):
        transfer_id, digit = divmod(transfer_id, 36)
        characters = _ALPHABET[digit] + characters
    return characters


def parse_rrn(rrn: str) -> int:
    """The transfer id of a DE37. Raises ValueError."""
    return int(rrn, 36)


def build_de54(balance_fen: int) -> str:
    """DE54: account type, amount type, currency, sign and 12 digits."""
    sign = "C" if balance_fen >= 0 else "D"
    return f"{_BALANCE_TYPE}{CURRENCY_YUAN}{sign}{abs(balance_fen):012d}"


def parse_de54(text: str) -> int:
    """The balance in fen of a DE54. Raises ValueError."""
    if len(text) != 20 or text[7] not in "CD":
        raise ValueError(f"not a balance: {text!r}")
    return int(text[8:]) if text[7] == "C" else -int(text[8:])


def build_de60(kind: str, batch_no: int, *, network: str = "000", capability: str = "60") -> str:
    """DE60: type n2, batch n6, network code n3 and, for financial messages, terminal capability n1 and chip condition n1."""
    return f"{kind}{batch_no:06d}{network}{capability}"


def parse_de60(digits: str) -> tuple[str, int, str]:
    """Type, batch number and network code (empty if absent) of a DE60. Raises ValueError."""
    if len(digits) < 8:
        raise ValueError(f"DE60 of {len(digits)} digits")
    return digits[:2], int(digits[2:8]), digits[8:11]


def build_de61(original: Original) -> str:
    """DE61: batch and STAN of the original."""
    return f"{original.batch_no:06d}{original.stan:06d}"


def parse_de61(digits: str) -> Original:
    """The original a DE61 names; a date after it is not needed and not looked at. Raises ValueError."""
    if len(digits) < 12:
        raise ValueError(f"DE61 of {len(digits)} digits")
    return Original(batch_no=int(digits[:6]), stan=int(digits[6:12]))


def build_details(details: tuple[OfflineDetail, ...]) -> str:
    """DE48 of a 0320: count n2, then card n16, amount n12, STAN n6, date n4 and time n6 of each."""
    assert len(details) <= MAX_DETAILS
    rows = (f"{d.card_no:016d}{d.amount_fen:012d}{d.stan:06d}{d.moment}" for d in details)
    return f"{len(details):02d}" + "".join(rows)


def parse_details(digits: str) -> tuple[OfflineDetail, ...]:
    """The details of a DE48. Raises ValueError when the count and the length disagree."""
    if len(digits) < 2:
        raise ValueError("DE48 without a count")
    count = int(digits[:2])
    if not 1 <= count <= MAX_DETAILS or len(digits) != 2 + count * _DETAIL_DIGITS:
        raise ValueError(f"DE48 announces {count} details in {len(digits)} digits")
    rows = (digits[at : at + _DETAIL_DIGITS] for at in range(2, len(digits), _DETAIL_DIGITS))
    return tuple(
        OfflineDetail(card_no=int(r[:16]), amount_fen=int(r[16:28]), stan=int(r[28:34]), moment=_digits(r[34:])) for r in rows
    )


def build_totals(totals: Totals, result: str = "0") -> str:
    """DE48 of a 0500/0510: sums n12 and counts n3 of debits and credits and a result digit; zeros for foreign cards.

    Counts are sent modulo 1000, because the field has three digits.
    """
    own = (
        f"{totals.debit_fen:012d}{totals.debit_count % 1000:03d}{totals.credit_fen:012d}{totals.credit_count % 1000:03d}{result}"
    )
    return own + "0" * (_TOTALS_DIGITS - len(own))


def parse_totals(digits: str) -> tuple[Totals, str]:
    """Totals and result digit of a DE48. Raises ValueError."""
    if len(digits) != _TOTALS_DIGITS:
        raise ValueError(f"DE48 of {len(digits)} digits, {_TOTALS_DIGITS} expected")
    _digits(digits)
    totals = Totals(
        debit_fen=int(digits[:12]),
        debit_count=int(digits[12:15]),
        credit_fen=int(digits[15:27]),
        credit_count=int(digits[27:30]),
    )
    return totals, digits[30]


def _digits(text: str) -> str:
    if not text.isdecimal():
        raise ValueError(f"not digits: {text!r}")
    return text
