"""`python -m onecard.services.offline.bench`: how large a deny list is, and what it costs to publish, read and look up.

300,000 cards of one issuer over four lanes, 1 % of them barred; in a database of its own, dropped afterwards.
"""

import random
import statistics
import time
from collections.abc import Callable

import psycopg

from onecard.kernel.numbers import build_account_no, build_card_no
from onecard.ledger.opening import AccountRow, open_accounts
from onecard.protocol.cardindex import CardEntry, build_card_index, parse_card_index
from onecard.protocol.cardset import build_card_set, parse_card_set

CARDS, LANES, ISSUER = 300_000, 4, 8800
BARRED = CARDS // 100
UNIT_CARDS = 20_000
_SCRATCH = "onecard_bench_offline"
_SEED = 20_260_301
_TEN_BITS = 10
"""A byte on a serial line: with its start and stop bit."""


def run() -> None:
    """Print the figures."""
    from onecard.datacenter import dj, dsn, prepared
    from onecard.datacenter.scratch import scratch_database

    prepared.start()
    dj.setup()
    _sizes()
    with scratch_database(dsn.owner_dsn(), _SCRATCH) as (owner, app):
        _database(owner, app)


def _sizes() -> None:
    chosen = random.Random(_SEED).sample(range(1, CARDS + 1), BARRED)  # noqa: S311 - a sample, not a secret
    cards = [_card(serial) for serial in chosen]
    data = build_card_set(cards, version=1)
    seconds = {baud: len(data) * _TEN_BITS / baud for baud in (9_600, 115_200)}
    print(f"deny list, {BARRED:,} of {CARDS:,} cards: {len(data):,} bytes, {len(data) * 8 / BARRED:.1f} bits a card")
    print("at " + ", ".join(f"{baud:,} baud {s:.1f} s" for baud, s in seconds.items()))
    print(f"built in {_ms(lambda: build_card_set(cards, version=1)):.0f} ms, read in {_ms(lambda: parse_card_set(data)):.0f} ms")
    compact = parse_card_set(data)
    look_up = _ms(lambda: [card in compact for card in cards[:1000]])
    print(f"look-up without decoding the list (a reader's way): {look_up:.0f} µs")
    entries = {_card(serial): CardEntry(serial % 5, frozenset({serial % 40})) for serial in range(1, UNIT_CARDS + 1)}
    index = build_card_index(entries, version=1, unit_id=1)
    read = _ms(lambda: parse_card_index(index))
    print(f"cards file of a unit with {UNIT_CARDS:,} cards: {len(index):,} bytes, read in {read:.0f} ms")


def _database(owner: str, app: str) -> None:
    from onecard.services.offline.deny import BARRED_SQL

    rows = (
        AccountRow(build_account_no(lane=serial % LANES, serial=serial), _card(serial), operator_id=1, card_type_id=1)
        for serial in range(1, CARDS + 1)
    )
    with psycopg.connect(app, autocommit=True) as connection, psycopg.connect(owner, autocommit=True) as keeper:
        connection.execute("SELECT ledger.ensure_partitions(1)")
        open_accounts(connection, rows)
        for serial in random.Random(_SEED).sample(range(1, CARDS + 1), BARRED):  # noqa: S311
            connection.execute("SELECT ledger.set_card_status(%s, 2)", [_card(serial)])
        keeper.execute("VACUUM ANALYZE ledger.card")
        read = _ms(lambda: connection.execute(BARRED_SQL).fetchall())
        whole = _ms(lambda: connection.execute("SELECT count(*) FROM ledger.card WHERE NOT denied").fetchall())
        print(f"barred cards read by their index: {read:.1f} ms; every card looked at: {whole:.1f} ms")


def _card(serial: int) -> int:
    return build_card_no(issuer=ISSUER, lane=serial % LANES, serial=serial)


def _ms(work: Callable[[], object], times: int = 5) -> float:
    taken = []
    for _ in range(times):
        before = time.perf_counter()
        work()
        taken.append((time.perf_counter() - before) * 1000)
    return statistics.median(taken)


if __name__ == "__main__":
    run()
