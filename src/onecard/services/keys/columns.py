"""Verifying TACs in columns: records of one operator, version and algorithm share all above the cards and go together."""

from collections.abc import Sequence
from datetime import datetime

from onecard.protocol.purse.ciphers import Algorithm
from onecard.services.keys.book import Book, Family
from onecard.services.keys.keepers.base import Keeper
from onecard.services.keys.perso import Chosen
from onecard.services.keys.types import TacBatch, TacVerdict
from onecard.services.keys.uses import KeyAlgorithm, KeyUse

CARD_ALGORITHMS = {int(algorithm): KeyAlgorithm(algorithm) for algorithm in Algorithm}
_VERDICTS = (TacVerdict.WRONG, TacVerdict.OK)


def verify_columns(
    keeper: Keeper, book: Book, family: Family, batch: TacBatch, *, now: datetime
) -> tuple[list[TacVerdict], dict[int, int]]:
    """A verdict for each record in their order, and how often each key was used."""
    verdicts = [TacVerdict.NO_KEY] * len(batch)
    used: dict[int, int] = {}
    for place, rows in _groups(batch).items():
        found = _find(book, family, *place, now=now)
        if found is None:
            continue
        entry, path = found
        if len(rows) == len(batch):
            right = keeper.verify_tacs(path, batch.card_no, batch.data, batch.tac)
            verdicts = [_VERDICTS[ok] for ok in right]
        else:
            card_no, data, tac = ([column[row] for row in rows] for column in (batch.card_no, batch.data, batch.tac))
            for row, ok in zip(rows, keeper.verify_tacs(path, card_no, data, tac), strict=True):  # type: ignore[arg-type]
                verdicts[row] = _VERDICTS[ok]
        used[entry.key_id] = used.get(entry.key_id, 0) + len(rows)
    return verdicts, used


def _find(book: Book, family: Family, operator_id: int, version: int, algorithm: int, *, now: datetime) -> Chosen | None:
    cipher = CARD_ALGORITHMS.get(algorithm)
    if cipher is None or not 1 <= operator_id <= 99_999_999:
        return None
    return book.accepted(family, KeyUse.TAC, cipher, version, operator_id=operator_id, unit_id=0, now=now)


def _groups(batch: TacBatch) -> dict[tuple[int, int, int], Sequence[int]]:
    """The rows of each (operator, version, algorithm)."""
    places = list(zip(batch.operator_id, batch.key_version, batch.algorithm, strict=True))
    distinct = set(places)
    if len(distinct) == 1:
        return {places[0]: range(len(places))}
    groups: dict[tuple[int, int, int], list[int]] = {place: [] for place in distinct}
    for row, place in enumerate(places):
        groups[place].append(row)
    return dict(groups)
