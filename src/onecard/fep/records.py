"""One record as the front-end handles it (`Asked`) and its answer (`Answer`); between them and the wire's columns."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from onecard.kernel.codes import ConflictField, Operation, Result
from onecard.protocol.proto.records_pb2 import Answers, ChipDetails, PayCodes, Records

KEPT = frozenset((Operation.ADVICE, Operation.CHIP_PURCHASE, Operation.REVERSAL, Operation.COMMIT, Operation.RELEASE))
"""What has happened already: stored and forwarded when the platform does not answer."""
DECIDED = frozenset((Operation.PURCHASE, Operation.HOLD))
"""What the front-end may decide itself."""
FACTS = frozenset((Operation.ADVICE, Operation.CHIP_PURCHASE))
"""Sales that have been made: never answered with a conflict here. The ledger posts them or keeps them for a person."""
_PURCHASES = frozenset((Operation.PURCHASE, Operation.ADVICE))
"""Two forms of one purchase under one number (docs/adr/0071)."""
_DAY_US = 86_400_000_000
_CHIP = (
    "card_counter",
    "balance_before_fen",
    "sam_terminal_no",
    "sam_seq",
    "transaction_type",
    "key_version",
    "algorithm",
    "tac",
    "gray",
)


class Key(NamedTuple):
    """What makes a record the same record."""

    terminal_id: int
    terminal_seq: int
    is_reversal: bool


class Asked(NamedTuple):
    """A record, in the order of the wire's columns; `chip` is a ChipDetails of one row, `pay_code` the code as read."""

    op: int
    terminal_id: int
    terminal_seq: int
    card_no: int
    amount_fen: int
    occurred_at_us: int
    orig_terminal_id: int = 0
    orig_seq: int = 0
    chip: bytes = b""
    pay_code: bytes = b""

    @property
    def key(self) -> Key:
        return Key(self.terminal_id, self.terminal_seq, self.op == Operation.REVERSAL)

    @property
    def original(self) -> tuple[int, int]:
        """Terminal and number of the record this one follows."""
        return self.orig_terminal_id or self.terminal_id, self.orig_seq

    def differs_from(self, first: "Asked") -> ConflictField:
        """In which field this record is another than one of the same key; NONE: it is a repeat."""
        if self.op != first.op and not {self.op, first.op} <= _PURCHASES:
            return ConflictField.OPERATION
        if self.card_no != first.card_no:
            return ConflictField.CARD_NO
        if self.amount_fen != first.amount_fen:
            return ConflictField.AMOUNT
        if self.original != first.original:
            return ConflictField.ORIGINAL
        return ConflictField.OCCURRED_AT if self._is_another_time_than(first) else ConflictField.NONE

    def _is_another_time_than(self, first: "Asked") -> bool:
        """As the ledger compares it: what was made off line carries its own time; the rest may have been stamped anew."""
        if self.op in FACTS and first.op in FACTS:
            return self.occurred_at_us != first.occurred_at_us
        return self.op != Operation.REVERSAL and abs(self.occurred_at_us - first.occurred_at_us) > _DAY_US


class Answer(NamedTuple):
    """The answer to one record."""

    code: int
    balance_fen: int = 0
    transfer_id: int = 0
    conflict_field: int = 0


UNKNOWN = frozenset((int(Result.BUSY), int(Result.UNAVAILABLE)))
"""Codes of the platform after which nothing is decided."""


def split(records: Records) -> list[Asked]:
    """The rows of columns that were checked."""
    chips = {row: at for at, row in enumerate(records.chip.row)} if records.HasField("chip") else {}
    codes = dict(zip(records.pay_codes.row, records.pay_codes.code, strict=True)) if records.HasField("pay_codes") else {}
    columns = zip(
        records.op, records.terminal_id, records.terminal_seq, records.card_no, records.amount_fen, records.occurred_at_us,
        records.orig_terminal_id, records.orig_seq, strict=True,
    )  # fmt: skip
    return [
        Asked._make((*row, _one_chip(records.chip, chips[at]) if at in chips else b"", codes.get(at, b"")))
        for at, row in enumerate(columns)
    ]


def join(asked: Sequence[Asked]) -> Records:
    """The columns of rows; the reverse of `split`."""
    built = Records()
    if not asked:
        return built
    columns = list(zip(*(row[:8] for row in asked), strict=True))
    for name, column in zip(Asked._fields[:8], columns, strict=True):
        getattr(built, name).extend(column)
    chips = [(at, row.chip) for at, row in enumerate(asked) if row.chip]
    if chips:
        for at, chip in chips:
            built.chip.MergeFrom(ChipDetails.FromString(chip))
            built.chip.row[-1] = at
    codes = [(at, row.pay_code) for at, row in enumerate(asked) if row.pay_code]
    if codes:
        built.pay_codes.CopyFrom(PayCodes(row=[at for at, _ in codes], code=[code for _, code in codes]))
    return built


def split_answers(answers: Answers) -> list[Answer]:
    """The rows of an answer. Raises ValueError when its columns differ in length."""
    columns = (answers.code, answers.balance_fen, answers.transfer_id, answers.conflict_field)
    return [Answer(*row) for row in zip(*columns, strict=True)]


def join_answers(rows: Iterable[Answer]) -> Answers:
    """The reverse."""
    code, balance_fen, transfer_id, conflict_field = zip(*rows, strict=True)
    return Answers(code=code, balance_fen=balance_fen, transfer_id=transfer_id, conflict_field=conflict_field)


def _one_chip(chips: ChipDetails, at: int) -> bytes:
    one = ChipDetails(row=[0])
    for name in _CHIP:
        getattr(one, name).append(getattr(chips, name)[at])
    return one.SerializeToString()
