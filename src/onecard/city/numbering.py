"""Account and card numbers of simulated holders: a serial gives both, and spreads the accounts over the lanes in use."""

from onecard.kernel.numbers import build_account_no, build_card_no

LANES = 4
CITY_ISSUER, REPLAY_ISSUER = 8800, 8900
REPLAY_FIRST_SERIAL = 500_000_000
"""Serials of replayed cards lie above this one, those of the demonstration city below."""


def account_of(serial: int) -> int:
    """The account number of a serial."""
    return build_account_no(lane=serial % LANES, serial=serial)


def card_of(serial: int, *, issuer: int = CITY_ISSUER) -> int:
    """The number of the first card of that account."""
    return build_card_no(issuer=issuer, lane=serial % LANES, serial=serial)
