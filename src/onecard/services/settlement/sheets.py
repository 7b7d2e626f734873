"""Settlement sheets (结算单): their rows, and their files as CSV and XLSX. A repeated run gives byte-identical CSV.

Rows are streamed from the database to the file, so that a sheet of any length takes bounded memory.
"""

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Literal

from django.db.models import F, QuerySet

from onecard.kernel.errors import InvalidInput
from onecard.kernel.money import format_yuan
from onecard.services.settlement.columns import SHEET_COLUMNS, SHEET_TITLES, TOTAL, Column
from onecard.services.settlement.models import Level, NettingLine, SettlementRun, SheetRow

Format = Literal["csv", "xlsx"]
_LEVELS = {
    "terminal": Level.TERMINAL,
    "merchant": Level.MERCHANT,
    "unit": Level.UNIT,
    "operator": Level.OPERATOR,
    "platform": Level.ROOT,
}
_CHUNK = 2_000


def sheet_rows(run_id: int, sheet: str, *, party_id: int | None = None, parent_id: int | None = None) -> QuerySet[Any, Any]:
    """The rows of a sheet in their printed order: of every party, of one, or of all below one parent.

    `sheet` is a key of SHEET_TITLES. Raises InvalidInput for another. For `netting`, `party_id` is an operator on either side.
    """
    if sheet == "netting":
        lines = NettingLine.objects.filter(run_id=run_id).order_by("debtor_id", "creditor_id", "basis")
        return lines if party_id is None else lines.filter(debtor_id=party_id) | lines.filter(creditor_id=party_id)
    if sheet not in _LEVELS:
        raise InvalidInput(f"没有名为 {sheet} 的结算单", f"there is no sheet {sheet!r}: {', '.join(SHEET_TITLES)}")
    rows = SheetRow.objects.filter(run_id=run_id, level=_LEVELS[sheet])
    if party_id is not None:
        rows = rows.filter(party_id=party_id)
    if parent_id is not None:
        rows = rows.filter(parent_id=parent_id)
    return rows.order_by("parent_id", "party_id", F("business_date").asc(nulls_last=True))


def csv_chunks(run_id: int, sheet: str, *, party_id: int | None = None, parent_id: int | None = None) -> Iterator[bytes]:
    """A sheet as CSV (RFC 4180, UTF-8 with a byte order mark, so that spreadsheets take it as it is), in pieces."""
    columns = SHEET_COLUMNS.get(sheet, ())
    rows = sheet_rows(run_id, sheet, party_id=party_id, parent_id=parent_id)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([column.heading for column in columns])
    yield b"\xef\xbb\xbf"
    for count, values in enumerate(_values(rows, columns), 1):
        writer.writerow([_text(value, column) for value, column in zip(values, columns, strict=True)])
        if count % _CHUNK == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def write_xlsx(
    run_id: int, out: IO[bytes], *, sheets: tuple[str, ...] = (), party_id: int | None = None, parent_id: int | None = None
) -> None:
    """A workbook of a run: every sheet, or the ones named. Amounts are numbers in yuan."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    for sheet in sheets or tuple(SHEET_TITLES):
        columns = SHEET_COLUMNS[sheet]
        page = book.create_sheet(SHEET_TITLES[sheet])
        page.freeze_panes = "A2"
        page.append([column.heading for column in columns])
        for values in _values(sheet_rows(run_id, sheet, party_id=party_id, parent_id=parent_id), columns):
            page.append([_cell(page, value, column) for value, column in zip(values, columns, strict=True)])
    book.save(out)


def export(run_id: int, folder: Path, *, fmt: Format = "csv") -> list[Path]:
    """Write a run's sheets into `folder`: a CSV file each, or one workbook. Gives the paths."""
    run = SettlementRun.objects.get(pk=run_id)
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"settlement-{run.business_date:%Y%m%d}-{run.part_no:02d}-run{run.pk}"
    if fmt == "xlsx":
        path = folder / f"{stem}.xlsx"
        with path.open("wb") as out:
            write_xlsx(run_id, out)
        return [path]
    paths = []
    for sheet in SHEET_TITLES:
        path = folder / f"{stem}-{sheet}.csv"
        with path.open("wb") as out:
            out.writelines(csv_chunks(run_id, sheet))
        paths.append(path)
    return paths


def _values(rows: QuerySet[Any, Any], columns: tuple[Column, ...]) -> Iterator[tuple[Any, ...]]:
    return iter(rows.values_list(*(column.field for column in columns)).iterator(chunk_size=_CHUNK))


def _text(value: Any, column: Column) -> str:
    if column.kind == "fen":
        return format_yuan(value)
    if column.kind == "date":
        return TOTAL if value is None else value.isoformat()
    return _plain(value) if isinstance(value, str) else str(value)


def _plain(text: str) -> str:
    """A name that a spreadsheet would run as a formula is shown as text: names come from units, not from us."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _cell(page: Any, value: Any, column: Column) -> Any:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if column.kind == "fen":
        cell = WriteOnlyCell(page, value=Decimal(value).scaleb(-2))  # type: ignore[arg-type]  # the stubs forget it
        cell.number_format = "#,##0.00"
        return cell
    if column.kind == "date":
        return TOTAL if value is None else value.isoformat()
    if isinstance(value, str):
        cell = WriteOnlyCell(page, value=ILLEGAL_CHARACTERS_RE.sub("", value))
        cell.data_type = "s"
        return cell
    return value


def _taken(buffer: io.StringIO) -> bytes:
    data = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return data
