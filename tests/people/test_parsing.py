"""Files of cardholders as they come: encodings, delimiters, workbooks, formulas, bombs; and what stands in their cells."""

import csv
import io
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onecard.kernel.errors import InvalidInput
from onecard.services.people.documents import DocumentHasher
from onecard.services.people.identity import DocumentType, check_character, document_type_of, fault_of
from onecard.services.people.loads import safety
from onecard.services.people.loads.fields import FIELDS, match_headers
from onecard.services.people.loads.problems import read_note
from onecard.services.people.loads.rows import COLUMNS, Terms, read_row
from onecard.services.people.loads.source import detect_delimiter, detect_encoding, open_source

ID_CARD = "11010519491231002X"


def terms(*columns: str, **more: object) -> Terms:
    values = {"document_type": DocumentType.ID_CARD, "unit_id": 7, "units": {"U": 7}, "departments": {}, "make_departments": True}
    return Terms(columns={name: n for n, name in enumerate(columns)}, hasher=DocumentHasher("key"), **(values | more))  # type: ignore[arg-type]


def faults(of: Terms, *cells: object) -> list[tuple[str, str]]:
    row = dict(zip(COLUMNS, read_row(of, 2, cells), strict=True))
    return [(field, fault.value) for field, fault in map(read_note, row["problems"])]


def table(path: Path, **more: str) -> tuple[list[str], list[tuple[int, list[object]]]]:
    with open_source(path, **more) as source:
        return list(source.headers), [(number, list(row)) for number, row in source.rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_and_delimiter_are_found(csv_file: Callable[..., Path], encoding: str, delimiter: str) -> None:
    path = csv_file(("姓名", "学号"), ("张三", "S1"), (), ("李䶮", "S2"), encoding=encoding, delimiter=delimiter)
    assert table(path) == (["姓名", "学号"], [(2, ["张三", "S1"]), (4, ["李䶮", "S2"])])


def test_the_whole_file_decides_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_bytes(b"name\n" + b"x\n" * 1_500_000 + "王".encode("gb18030"))
    assert detect_encoding(path) == ("gb18030", 1_500_001)
    path.write_bytes(b"name\n\xff\xff")
    with pytest.raises(InvalidInput, match="neither in UTF-8 nor in GB18030"):
        detect_encoding(path)


def test_what_is_no_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    for content, why in (
        (b"", "empty"),
        (b"a\0b", "NUL"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"x", r"\.xls"),
        (b"PK\3\4garbage", "damaged"),
        ('姓名,"a\n'.encode() + b"b,c\n", "cannot be read"),
    ):
        path.write_bytes(content)
        with pytest.raises(InvalidInput, match=why):
            table(path)
    path.write_text("姓名\n" + "x\n" * 4)
    monkeypatch.setattr("onecard.services.people.loads.source.MAX_ROWS", 3)
    with pytest.raises(InvalidInput, match="more than 3 rows"):
        table(path)
    monkeypatch.setattr(safety, "MAX_FILE_BYTES", 4)
    with pytest.raises(InvalidInput, match="more than"):
        table(path)


def test_a_workbook_is_read_with_the_row_numbers_a_spreadsheet_shows(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.create_sheet("其他")
    sheet = book.active
    assert sheet is not None
    for row in (("姓名", "学号", "公共钱包余额"), ("张三", 1001, 12.5), (None, None, None), ("李四", "002", None)):
        sheet.append(row)
    path = tmp_path / "people.csv"  # a name is not believed
    book.save(path)
    headers, rows = table(path)
    assert headers == ["姓名", "学号", "公共钱包余额"]
    assert rows == [(2, ["张三", 1001, 12.5]), (4, ["李四", "002", None])]
    with pytest.raises(InvalidInput, match="no sheet"):
        table(path, sheet="x")


def test_a_formula_in_a_workbook_is_seen_and_refused(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(("姓名", "学号"))
    sheet.append(('=HYPERLINK("http://x","张三")', "S1"))
    path = tmp_path / "f.xlsx"
    book.save(path)
    _, [(_, cells)] = table(path)
    assert faults(terms("name", "staff_no"), *cells) == [("name", "formula")]


def _archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"xl/workbook.xml": b"<workbook/>", **members}.items():
            archive.writestr(name, content)
    return path


def test_bombs_are_refused_before_anything_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.xlsx"
    with pytest.raises(InvalidInput, match="zip bomb"):
        table(_archive(path, **{"xl/sheet1.xml": bytes(20_000_000)}))
    with pytest.raises(InvalidInput, match="DTD"):
        table(_archive(path, **{"xl/sheet1.xml": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "a">]><x/>'}))
    with pytest.raises(InvalidInput, match="too large"):
        table(_archive(path, **{f"xl/{n}.xml": b"x" for n in range(1_001)}))
    monkeypatch.setattr(safety, "_MAX_STRINGS", 10)
    with pytest.raises(InvalidInput, match="too large"):
        table(_archive(path, **{"xl/sharedStrings.xml": b"x" * 11}))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "x")
    with pytest.raises(InvalidInput, match="not a workbook"):
        table(path)


DTD = b'<!DOCTYPE x [<!ENTITY a "a">]>'


@pytest.mark.parametrize(
    "content",
    [
        b"<!--" + b"x" * 20_000 + b"-->" + DTD + b"<x/>",
        b"\xff\xfe" + (DTD.decode() + "<x/>").encode("utf-16-le"),
        b"<?xml version='1.0'?>\n<?a b?>" + b" " * 5_000 + b"<!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>",
    ],
)
@pytest.mark.parametrize("name", ["xl/sheet1.xml", "xl/sheet1.bin"])
def test_a_dtd_hides_neither_behind_a_comment_nor_an_encoding_nor_a_name(tmp_path: Path, content: bytes, name: str) -> None:
    with pytest.raises(InvalidInput, match="declares a DTD"):
        table(_archive(tmp_path / "dtd.xlsx", **{name: content}))


def test_what_stands_before_a_root_is_read_no_further_than_its_bound(tmp_path: Path) -> None:
    endless = b"<!--" + os.urandom(400_000).hex().encode() + b"-->" + DTD + b"<x/>"
    with pytest.raises(InvalidInput, match="begins like no part"):
        table(_archive(tmp_path / "long.xlsx", **{"xl/sheet1.xml": endless}))


def test_a_row_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    for content, why in (
        (b"," * 20_000_000, "more than 64 KB"),
        (b'name\n"' + b"x\n" * 5_000_000, "more than 64 KB"),
        (b"name\n" + b"," * 100, "more than 100 columns"),
    ):
        path.write_bytes(content)
        for first in (True, False):
            tracemalloc.start()
            with pytest.raises(InvalidInput, match=why), open_source(path, first=first) as source:
                list(source.rows)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 8_000_000, why
    path.write_bytes(b"name\n" + b"x\n" * 100_000)
    assert len(table(path)[1]) == 100_000, "the bound is a row's, not a file's"


def test_the_first_rows_are_read_without_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes("姓名\n".encode("gb18030") + "张三\n".encode("gb18030") * 200_000 + b"\0")
    with open_source(path, first=True) as source:
        assert (source.headers, next(source.rows)) == (["姓名"], (2, ["张三"]))
        assert 190_000 < source.about < 210_000
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in range(60_000):
        sheet.append(["姓名" if row == 0 else f"{row:0100}"])
    path = tmp_path / "long.xlsx"
    book.save(path)
    tracemalloc.start()
    with open_source(path, first=True) as source:
        assert (source.headers, next(source.rows)) == (["姓名"], (2, (f"{1:0100}",)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16_000_000, "of ten megabytes of strings"


def test_columns_are_found_by_their_usual_headers_or_by_a_mapping() -> None:
    assert match_headers(["备注", " 姓 名 ".replace(" ", ""), "ID_Number", "Student No", "E-mail"], {}) == {
        "name": 1,
        "document_no": 2,
        "staff_no": 3,
    }
    assert match_headers(["姓名", "曾用名"], {"name": "曾用名"}) == {"name": 1}
    for headers, mapping, why in (
        (["姓名", "持卡人"], {}, "two columns"),
        (["编号"], {}, "no column of names"),
        (["姓名"], {"name": "名字"}, "not one header"),
        (["姓名"], {"nick": "姓名"}, "no field"),
    ):
        with pytest.raises(InvalidInput, match=why):
            match_headers(headers, mapping)


@pytest.mark.parametrize(
    ("column", "cell", "fault"),
    [
        ("name", "=1+1", "formula"),
        ("name", "@SUM(A1)", "formula"),
        ("name", "#REF!", "formula"),
        ("name", "张\x07三", "characters"),
        ("name", "张\u202e三", "characters"),
        ("name", "长" * 51, "too_long"),
        ("document_no", 110105194912310021, "number_format"),
        ("document_no", 1.10105194912310e17, "number_format"),
        ("document_no", "110105194912310020", "document_check"),
        ("document_no", "11010519490231002X", "document_check"),
        ("document_no", "123", "document_form"),
        ("staff_no", 12345678901234567, "number_format"),
        ("staff_no", 1.5e-7, "number_format"),
        ("phone", "12", "phone"),
        ("phone", "+cmd", "formula"),
        ("gender", "x", "unknown"),
        ("public_yuan", "1.005", "amount"),
        ("public_yuan", "-1", "amount"),
        ("public_yuan", "1e3", "amount"),
        ("public_yuan", "10000000001", "amount"),
        ("department", "a//b", "unknown"),
    ],
)
def test_a_wrong_cell_is_named(column: str, cell: object, fault: str) -> None:
    columns = ("name", column) if column != "name" else ("name",)
    assert faults(terms(*columns), *(("张三", cell) if column != "name" else (cell,))) == [(column, fault)]


def test_an_identity_number_with_a_day_that_does_not_exist_is_refused() -> None:
    number = "11010519490231002"
    assert faults(terms("name", "document_no"), "张三", number + check_character(number)) == [
        ("document_no", "document_birthday")
    ]


def test_cells_are_cleaned() -> None:
    of = terms("name", "document_no", "phone", "department", "staff_no")
    row = dict(
        zip(COLUMNS, read_row(of, 2, ("　张三 ", " 110105 19491231 002x", "+86 138-0013-8000", "信息 / 一班", 42.0)), strict=True)
    )
    assert (row["name"], row["document_last4"], row["phone"], row["department"], row["staff_no"], row["problems"]) == (
        "张三",
        "002X",
        "+8613800138000",
        "信息/一班",
        "42",
        [],
    )
    assert row["document_hash"] == DocumentHasher("key").hash("id_card", ID_CARD)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("身份证", ID_CARD, "010105194912310021"),
        ("护照", "E12345678", "E1"),
        ("回乡证", "H12345678", "A12345678"),
        ("台胞证", "12345678", "1234567"),
        ("居住证", "81000019900101001" + check_character("81000019900101001"), ID_CARD),
        ("外国人永久居留身份证", "CAN110080010101", "CA110080010101"),
        ("外国人永久居留身份证", "91112419870425123" + check_character("91112419870425123"), ID_CARD),
        ("其他", "A-17/4", "A"),
    ],
)
def test_each_kind_of_document_has_its_form(kind: str, good: str, bad: str) -> None:
    found = document_type_of(kind)
    assert found is not None
    assert fault_of(found, good) is None
    assert fault_of(found, bad) is not None


@given(st.integers(10**16, 9 * 10**16 - 1), st.integers(0, 17))
def test_one_wrong_digit_of_an_identity_number_is_always_found(first: int, place: int) -> None:
    whole = f"{first}{check_character(str(first))}"
    for digit in "0123456789":
        if digit != whole[place]:
            assert fault_of(DocumentType.ID_CARD, whole[:place] + digit + whole[place + 1 :]) is not None


@given(st.lists(st.lists(st.text(max_size=20), min_size=2, max_size=6), min_size=1, max_size=12), st.sampled_from(",;\t|"))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_any_text_is_read_as_the_csv_module_wrote_it_or_refused(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["姓名", "学号"])
    writer.writerows(rows)
    path = tmp_path_factory.getbasetemp() / "any.csv"
    try:
        path.write_bytes(out.getvalue().encode())
    except UnicodeEncodeError:
        return
    if "\0" in out.getvalue():
        with pytest.raises(InvalidInput):
            table(path)
        return
    _, found = table(path)
    expected = [row for row in rows if any(row)]
    assert [row for _, row in found] == expected


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_bytes_are_a_table_or_refused_and_never_anything_else(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(content)
    try:
        table(path)
    except InvalidInput as error:
        assert error.zh and error.en


_CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=60),
    st.dates(),
    st.datetimes(),
    st.sampled_from(["=1", ID_CARD]),
)


@given(st.lists(_CELLS, max_size=12))
@settings(max_examples=400)
def test_any_cells_make_a_row_that_the_database_takes(cells: list[object]) -> None:
    row = dict(zip(COLUMNS, read_row(terms(*FIELDS), 5, cells), strict=True))
    for note in row["problems"]:
        read_note(note)
    text = "".join(value for value in row.values() if isinstance(value, str))
    assert "\0" not in text and len(row["name"]) <= 50 and len(row["phone"]) <= 20 and len(row["staff_no"]) <= 32
    assert (row["document_hash"] is None) == (row["document_type"] == "")
    if not row["problems"]:
        assert row["name"] and (row["public_fen"] is None or row["public_fen"] >= 0)


def test_the_delimiter_inside_quotes_does_not_count() -> None:
    assert detect_delimiter('"a,b,c,d";x;y') == ";"
    assert detect_delimiter("姓名") == ","
