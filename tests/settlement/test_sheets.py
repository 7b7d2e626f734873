"""The sheets as files: headings in both languages, amounts in yuan, names that no spreadsheet runs, one workbook a run."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest
from openpyxl import load_workbook

from onecard.kernel.errors import InvalidInput
from onecard.services.settlement import api
from tests.settlement.city import City


@pytest.fixture
def run(city: City) -> api.SettlementRun:
    city.merchants["shop"].name = '=HYPERLINK("http://x")'
    city.merchants["shop"].save()
    a, b = city.holder("A"), city.holder("B")
    city.pay(a, "canteen", 1050)
    city.pay(b, "canteen", 333)
    city.pay(a, "shop", 123_456)
    return api.run_settlement(api.day_cut().pk)


def read(run: api.SettlementRun, sheet: str, **who: int) -> list[dict[str, str]]:
    data = b"".join(api.csv_chunks(run.pk, sheet, **who))
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def test_a_csv_sheet_has_dates_and_a_total_for_each_party(city: City, run: api.SettlementRun) -> None:
    canteen = read(run, "merchant", party_id=city.merchants["canteen"].pk)
    assert [row["业务日期 Business date"] for row in canteen] == ["2026-03-02", "合计 Total"]
    assert [row["清分金额 Gross CNY"] for row in canteen] == ["13.83", "13.83"]
    assert [(row["手续费 Fee CNY"], row["应付净额 Net payable CNY"]) for row in canteen] == [("0.00", "0.00"), ("0.08", "13.75")]


def test_a_sheet_of_what_is_below_one_parent(city: City, run: api.SettlementRun) -> None:
    below = read(run, "merchant", parent_id=city.units["works"].pk)
    assert {row["名称 Name"] for row in below} == {"canteen"}
    terminals = read(run, "terminal", parent_id=city.merchants["canteen"].pk)
    assert [row["交易笔数 Transactions"] for row in terminals] == ["2", "2"]


def test_every_operator_has_its_row_and_netting_its_sheet(city: City, run: api.SettlementRun) -> None:
    rows = {row["编号 Id"]: row for row in read(run, "operator") if row["业务日期 Business date"] == "合计 Total"}
    assert set(rows) == {str(operator.pk) for operator in city.operators.values()}
    assert rows[str(city.operators["C"].pk)]["轧差净额 Net position CNY"] == "0.00"
    assert rows[str(city.operators["B"].pk)]["轧差应付 Netting payable CNY"] == "5.94"  # 3.33, and 0.7 × 3.72 of its fee
    assert {row["项目 Basis"] for row in read(run, "netting")} == {"purchases", "fees"}
    assert len(read(run, "netting", party_id=city.operators["root"].pk)) == 2


def test_a_name_is_never_a_formula(run: api.SettlementRun) -> None:
    assert '\'=HYPERLINK("http://x")' in {row["名称 Name"] for row in read(run, "merchant")}


def test_the_workbook_has_every_sheet_with_numbers(city: City, run: api.SettlementRun, tmp_path: Path) -> None:
    (path,) = api.export(run.pk, tmp_path, fmt="xlsx")
    book = load_workbook(path)
    assert book.sheetnames == list(api.SHEET_TITLES.values())
    page = book["商户 Merchants"]
    head = [cell.value for cell in page[1]]
    total = next(row for row in page.iter_rows(min_row=2) if row[2].value == "canteen" and row[3].value == "合计 Total")
    assert Decimal(str(total[head.index("应付净额 Net payable CNY")].value)) == Decimal("13.75")
    named = next(row[2] for row in page.iter_rows(min_row=2) if str(row[2].value).startswith("="))
    assert named.data_type != "f"


def test_export_writes_a_file_a_sheet(run: api.SettlementRun, tmp_path: Path) -> None:
    paths = api.export(run.pk, tmp_path / "new", fmt="csv")
    assert [path.name.rsplit("-", 1)[1] for path in paths] == [f"{sheet}.csv" for sheet in api.SHEET_TITLES]
    assert all(path.stat().st_size > 100 for path in paths)


def test_an_unknown_sheet_is_refused(run: api.SettlementRun) -> None:
    with pytest.raises(InvalidInput):
        api.sheet_rows(run.pk, "holder")
