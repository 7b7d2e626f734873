"""Reading a file of taps."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from onecard.city.replay.source import COLUMNS, Reject, Tap, TapFile
from onecard.kernel.clock import to_epoch_us
from onecard.kernel.errors import InvalidInput

HEADER = ",".join(COLUMNS)
GOOD = "SZ1,263032105,地铁五号线,metro_out,2018-08-31T22:14:50+08:00,200,250,0,,IGT-105,2018-09-01"


def _write(tmp_path: Path, *rows: str | bytes, header: str = HEADER) -> TapFile:
    path = tmp_path / "taps.csv"
    path.write_bytes(b"".join((row.encode() if isinstance(row, str) else row) + b"\n" for row in (header, *rows)))
    return TapFile(path)


def test_a_good_row_becomes_a_tap_whatever_its_holes(tmp_path: Path) -> None:
    (tap,) = _write(tmp_path, GOOD).rows()
    at = datetime(2018, 8, 31, 14, 14, 50, tzinfo=UTC)
    assert tap == Tap(2, "SZ1", 263032105, "地铁五号线", "metro_out", to_epoch_us(at), 200)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("SZ1,1,a,bus", "4 columns"),
        (GOOD.replace("SZ1", ""), "card_ref"),
        (GOOD.replace("263032105", "26303210X"), "terminal_id"),
        (GOOD.replace("263032105", "0"), "terminal_id"),
        (GOOD.replace("263032105", "٣٣"), "terminal_id"),
        (GOOD.replace("地铁五号线", "  "), "operator"),
        (GOOD.replace("metro_out", "ferry"), "unknown type"),
        (GOOD.replace("+08:00", ""), "txn_time"),
        (GOOD.replace("2018-08-31T", "2018-02-30T"), "txn_time"),
        (GOOD.replace("2018-08-31T", "2999-08-31T"), "future"),
        (GOOD.replace(",200,", ",-200,"), "amount_fen"),
        (GOOD.replace(",200,", ",2.00,"), "amount_fen"),
        (GOOD.replace(",200,", ",99999999999,"), "amount_fen"),
        (GOOD.replace(",200,", ",,"), "amount_fen"),
        (GOOD.replace("SZ1", '"SZ1'), "quote"),
        (GOOD.encode().replace(b"SZ1", b"\xff\xfe"), "UTF-8"),
        (GOOD.replace("SZ1", "S\0Z"), "NUL"),
        (GOOD.replace("SZ1", "S" * 200_000), "too long"),
    ],
)
def test_a_bad_row_is_listed_with_line_and_reason_and_the_next_row_is_taken(
    tmp_path: Path, row: str | bytes, reason: str
) -> None:
    reject, tap = _write(tmp_path, row, GOOD).rows()
    assert isinstance(reject, Reject)
    assert (reject.line, reason in reject.en) == (2, True), reject.en
    assert len(reject.text) <= 300
    assert isinstance(tap, Tap)
    assert tap.line == 3


def test_quoted_fields_byte_order_mark_other_column_order_and_blank_lines_are_taken(tmp_path: Path) -> None:
    header = "\ufeff" + ",".join((*reversed(COLUMNS), "extra"))
    row = ",".join((*reversed([f'"{value}"' for value in GOOD.split(",")]), "x"))
    (tap,) = _write(tmp_path, "", row, header=header).rows()
    assert isinstance(tap, Tap)
    assert (tap.line, tap.amount_fen) == (3, 200)


def test_a_wrong_header_is_refused_by_the_names_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="amount_fen"):
        list(_write(tmp_path, GOOD, header=HEADER.replace("amount_fen", "amount")).rows())
    with pytest.raises(InvalidInput, match="lacks"):
        list(_write(tmp_path, header="").rows())


def test_the_same_content_has_the_same_digest_plain_and_packed(tmp_path: Path) -> None:
    plain = _write(tmp_path, GOOD, GOOD)
    packed_path = tmp_path / "taps.csv.gz"
    packed_path.write_bytes(gzip.compress(plain.path.read_bytes()))
    packed = TapFile(packed_path)
    assert list(plain.rows()) == list(packed.rows())
    assert plain.digest == packed.digest


def test_a_cut_off_archive_is_refused_whole(tmp_path: Path) -> None:
    path = tmp_path / "taps.csv.gz"
    path.write_bytes(gzip.compress("\n".join([HEADER, *([GOOD] * 100)]).encode())[:-20])
    with pytest.raises(InvalidInput, match="damaged"):
        list(TapFile(path).rows())
