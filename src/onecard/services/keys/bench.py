"""`onecard bench tac`: the keys of 100,000 different cards derived and a TAC of each verified, on one core, in both algorithms.

The baseline, in the same process on the same core, is the plain loop an engineer would write with `cryptography`: one CBC-MAC
a record with the card's key already derived. pgbench, the measure of the other benchmarks, says nothing: no database takes part.
"""

import json as jsonlib
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random
from statistics import median

from onecard.protocol.purse import proofs
from onecard.protocol.purse.ciphers import KEY_BYTES, Algorithm, cbc_mac
from onecard.protocol.purse.diversify import area_factor, diversify, diversify_cards
from onecard.services.keys.book import Book, Entry, Family
from onecard.services.keys.columns import verify_columns
from onecard.services.keys.custody.components import Scheme, split
from onecard.services.keys.keepers.base import Handle, KeyPath, Slot
from onecard.services.keys.keepers.envelope import new_data_key
from onecard.services.keys.keepers.software import SoftwareKeeper
from onecard.services.keys.types import TacBatch, TacVerdict
from onecard.services.keys.uses import KeyAlgorithm, KeyUse, Level

_RECORDS, _QUICK = 100_000, 20_000
_BATCH = 1000
_ROUNDS = 5
_SEED = 20180901
_FIRST_CARD = 4403_0000_0000_0000
_OPERATOR = 44030000
_NOW = datetime(2026, 5, 1, tzinfo=UTC)


def run(*, json: bool, quick: bool) -> None:
    """Measure 3DES and SM4, each against its baseline, the rounds taking turns."""
    with _one_core() as core:
        results = [_measure(algorithm, _QUICK if quick else _RECORDS, core) for algorithm in (Algorithm.DES3, Algorithm.SM4)]
    _print(results)
    if json:
        sys.stdout.write(jsonlib.dumps({"name": "tac", **results[0], "sm4": results[1]}, ensure_ascii=False) + "\n")


def _measure(algorithm: Algorithm, count: int, core: int) -> dict[str, float | str]:
    keeper = SoftwareKeeper(new_data_key(), b"benchmark")
    slot = Slot(1, KeyUse.TAC, KeyAlgorithm(algorithm), Level.ROOT, 0, 1)
    root = secrets.token_bytes(KEY_BYTES)
    scheme = Scheme(2, 2)
    parts = [keeper.seal_component(part, context="bench", cipher=algorithm) for part in split(scheme, root)]
    path = KeyPath(Handle(slot, keeper.combine(slot, scheme, parts).blob))
    family = Family(1, "PURSE", 2, slot.algorithm)
    book = Book(0, [family], [Entry(1, slot, 1, "active", None, path)])
    cards, data, keys = _records(algorithm, root, count)
    tacs = [proofs.tac(algorithm, key, one) for key, one in zip(keys, data, strict=True)]
    wrong = count // 2
    tacs[wrong] = bytes(byte ^ 1 for byte in tacs[wrong])
    batches = list(_batches(algorithm, cards, data, tacs))
    expected = [TacVerdict.OK] * count
    expected[wrong] = TacVerdict.WRONG
    folded = [proofs.tac_key(algorithm, key) for key in keys]

    def verify() -> list[TacVerdict]:
        return [verdict for batch in batches for verdict in verify_columns(keeper, book, family, batch, now=_NOW)[0]]

    def baseline() -> list[bool]:
        return [cbc_mac(algorithm, key, one)[:4] == tac for key, one, tac in zip(folded, data, tacs, strict=True)]

    ours: list[float] = []
    plain: list[float] = []
    processor: list[float] = []
    for _ in range(_ROUNDS):  # in turns, so that a slower minute of the machine falls on both
        before = time.process_time()
        seconds, verdicts = _timed(verify)
        processor.append(count / (time.process_time() - before))
        assert verdicts == expected
        ours.append(count / seconds)
        seconds, right = _timed(baseline)
        assert sum(right) == count - 1
        plain.append(count / seconds)
    rate, base = median(ours), median(plain)
    return {
        "algorithm": algorithm.name,
        "records": count,
        "core": core,
        "rate": round(rate),
        "processor_rate": round(median(processor)),
        "lowest": round(min(ours)),
        "highest": round(max(ours)),
        "baseline": round(base),
        "ratio": round(rate / base, 2),
    }


def _records(algorithm: Algorithm, root: bytes, count: int) -> tuple[list[int], list[bytes], list[bytes]]:
    """As many cards as records, a purchase of each, and the cards' keys for making the TACs."""
    random = Random(_SEED)  # noqa: S311 - the same records every time
    cards = [_FIRST_CARD + number for number in range(count)]
    random.shuffle(cards)
    moment = proofs.bcd_moment(_NOW)
    data = [
        proofs.Purchase(random.randrange(1, 5000), 6, random.randrange(1, 1 << 40), number, moment).tac_data()
        for number in range(count)
    ]
    block = diversify_cards(algorithm, diversify(algorithm, root, area_factor(_OPERATOR)), cards)
    return cards, data, [block[at : at + 16] for at in range(0, len(block), 16)]


def _batches(algorithm: Algorithm, cards: list[int], data: list[bytes], tacs: list[bytes]) -> Iterator[TacBatch]:
    numbers = [int.from_bytes(tac, "big") for tac in tacs]
    for at in range(0, len(cards), _BATCH):
        part = slice(at, at + _BATCH)
        size = len(cards[part])
        yield TacBatch(
            operator_id=[_OPERATOR] * size, card_no=cards[part], key_version=[1] * size,
            algorithm=[int(algorithm)] * size, data=data[part], tac=numbers[part], sam_no=[7] * size,
        )  # fmt: skip


def _timed(work: Callable[[], list[TacVerdict] | list[bool]]) -> tuple[float, list[TacVerdict] | list[bool]]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


@contextmanager
def _one_core() -> Iterator[int]:
    """This process on one core, where the system can say so (elsewhere it is one thread all the same); -1 there."""
    if not hasattr(os, "sched_setaffinity"):
        yield -1
        return
    before = os.sched_getaffinity(0)
    core = max(before)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, before)


def _print(results: list[dict[str, float | str]]) -> None:
    first = results[0]
    where = f"core {first['core']}" if first["core"] != -1 else "one thread"
    lines = [
        f"方法 Method: {first['records']:,} records of as many different cards, {_BATCH:,} a call, two-level diversification,",
        f"  derive and verify in one process on {where}; median of {_ROUNDS} rounds. Not in it: database, log, wire.",
        "对照 Baseline: the plain loop of `cryptography` CBC-MACs with the cards' keys given, in turns on the same core.",
        "  （pgbench 不涉及密码运算，在此不作对照 pgbench does no cryptography and is no measure here.)",
    ]
    lines += [
        f"{result['algorithm']:>5}: {result['rate']:,}/s ({result['lowest']:,} … {result['highest']:,},"
        f" {result['processor_rate']:,} a second of processor time);"
        f" baseline {result['baseline']:,}/s; {result['ratio']} x"
        for result in results
    ]
    sys.stdout.write("\n".join(lines) + "\n")
