"""Account and card numbers: how they are built, and the lane that stands inside them.

    account number  13 digits   1 LL SSSSSSSSS C
    card number     16 digits   IIII LL SSSSSSSSS C

`LL` are the lane digits, `S` the serial, `C` the Luhn check digit (ISO/IEC 7812-1 annex B) and `IIII` the issuer's prefix. A
replacement card takes the lane digits of the account it points to, so that an account never changes its lane (architecture,
decision 3). Both are handled as integers; zero padding is for people.
"""

ACCOUNT_DIGITS = 13
CARD_DIGITS = 16
MAX_LANE = 63
MAX_SERIAL = 999_999_999
QR_ISSUER = 8860
"""Issuer prefix of QR cards, and of no other medium: `ledger.card` holds both directions."""
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn_digit(payload: int) -> int:
    """The check digit to append to a number."""
    total, double = 0, True
    while payload:
        payload, digit = divmod(payload, 10)
        total += _DOUBLED[digit] if double else digit
        double = not double
    return -total % 10


def is_luhn_valid(number: int) -> bool:
    """Whether the last digit is the check digit of the rest."""
    return luhn_digit(number // 10) == number % 10


def build_account_no(*, lane: int, serial: int) -> int:
    """The account number of a lane and serial. Raises ValueError outside 0…63 and 1…999,999,999."""
    _check(lane, serial)
    payload = (100 + lane) * 1_000_000_000 + serial
    return payload * 10 + luhn_digit(payload)


def build_card_no(*, issuer: int, lane: int, serial: int) -> int:
    """The card number of an issuer prefix (1000…9999), lane and serial. Raises ValueError outside the ranges."""
    _check(lane, serial)
    if not 1000 <= issuer <= 9999:
        raise ValueError(f"issuer prefix {issuer} is not four digits")
    payload = (issuer * 100 + lane) * 1_000_000_000 + serial
    return payload * 10 + luhn_digit(payload)


def account_lane(account_no: int) -> int:
    """The lane digits of an account number (not checked for validity)."""
    return account_no // 10_000_000_000 % 100


def card_lane(card_no: int) -> int:
    """The lane digits of a card number (not checked for validity)."""
    return card_no // 10_000_000_000 % 100


def is_account_no(number: int) -> bool:
    """Whether a number has the form of an account number, check digit included."""
    return 10**12 <= number < 2 * 10**12 and account_lane(number) <= MAX_LANE and is_luhn_valid(number)


def is_card_no(number: int) -> bool:
    """Whether a number has the form of a card number, check digit included."""
    return 10**15 <= number < 10**16 and card_lane(number) <= MAX_LANE and is_luhn_valid(number)


def is_qr_card_no(number: int) -> bool:
    """Whether a card number begins with the prefix of QR cards."""
    return number // 10**12 == QR_ISSUER


PUBLIC_UNIT = 0
_UNIT_SLOTS = 100_000


def purse_id(account_no: int, unit_id: int) -> int:
    """The ledger id of a purse: the account number and the unit whose private purse it is (0: the public purse)."""
    assert 0 <= unit_id < _UNIT_SLOTS
    return account_no * _UNIT_SLOTS + unit_id


def split_purse_id(purse: int) -> tuple[int, int]:
    """Account number and unit of a purse id."""
    return divmod(purse, _UNIT_SLOTS)


def _check(lane: int, serial: int) -> None:
    if not 0 <= lane <= MAX_LANE:
        raise ValueError(f"lane {lane} is outside 0…{MAX_LANE}")
    if not 1 <= serial <= MAX_SERIAL:
        raise ValueError(f"serial {serial} is outside 1…{MAX_SERIAL}")
