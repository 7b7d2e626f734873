"""Numbers of the accounts and QR cards that this domain makes: serials from one sequence, spread over the lanes in use."""

from django.db import connection

from onecard.kernel.numbers import QR_ISSUER, build_account_no, build_card_no

LANES = 4
"""As many as a city on one machine posts on (docs/adr/0050-a-batch-forms-while-the-lane-commits.md)."""


def new_serials(count: int) -> list[int]:
    """Serials that nobody had before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('people_serial') FROM generate_series(1, %s)", [count])
        return [int(row[0]) for row in cursor.fetchall()]


def account_no_of(serial: int) -> int:
    """The account number of a serial."""
    return build_account_no(lane=serial % LANES, serial=serial)


def qr_card_no_of(serial: int, *, lane: int | None = None) -> int:
    """The number of the QR card of a serial: on the serial's own lane, or on that of an account there is already."""
    return build_card_no(issuer=QR_ISSUER, lane=serial % LANES if lane is None else lane, serial=serial)
