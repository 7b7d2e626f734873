"""What a file must not be, before anything in it is believed: too large, a zip bomb, an old spreadsheet, no table at all."""

import zipfile
from enum import StrEnum
from pathlib import Path
from typing import IO
from xml.parsers import expat

from onecard.kernel.errors import InvalidInput

MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_ROWS = 1_000_000
_MAX_UNPACKED = 1024 * 1024 * 1024
_MAX_STRINGS = 256 * 1024 * 1024  # the only part a reader has to hold in memory
_MAX_MEMBERS = 1_000
_MAX_RATIO = 200
_RATIO_FROM = 1024 * 1024
_LONG = ("xl/worksheets/", "xl/sharedstrings.xml")
_MAX_PART = 32 * 1024 * 1024
"""Of any part but sheets and strings: styles and the like are read as a whole."""
_MAX_PROLOG = 256 * 1024
_PIECE = 4096
_OLD_OFFICE = bytes.fromhex("d0cf11e0a1b11ae1")


class FileKind(StrEnum):
    """How a file is read; told from its content, never from its name."""

    CSV = "csv"
    XLSX = "xlsx"


def inspect_file(path: Path) -> FileKind:
    """The kind of a file that may be read. Raises InvalidInput."""
    size = path.stat().st_size
    if size == 0:
        raise InvalidInput("文件是空的", "the file is empty")
    if size > MAX_FILE_BYTES:
        limit = MAX_FILE_BYTES // 1024 // 1024
        raise InvalidInput(f"文件超过 {limit} MB", f"the file has more than {limit} MB")
    with path.open("rb") as stream:
        head = stream.read(8)
    if head.startswith(b"PK"):
        _inspect_archive(path)
        return FileKind.XLSX
    if head == _OLD_OFFICE:
        raise InvalidInput(
            "旧版 .xls 或加密的文件不能读取：请另存为 .xlsx 或 CSV", "an old or encrypted .xls: save it as .xlsx or CSV"
        )
    return FileKind.CSV


def _inspect_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = {member.filename for member in members}
            if "xl/workbook.xml" not in names:
                raise InvalidInput("不是 Excel 工作簿（.xlsx）", "not a workbook (.xlsx)")
            if len(members) > _MAX_MEMBERS or sum(member.file_size for member in members) > _MAX_UNPACKED:
                raise InvalidInput("工作簿展开后过大", "the workbook is too large when unpacked")
            for member in members:
                _inspect_member(archive, member)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise InvalidInput(f"工作簿损坏或加密：{error}", f"the workbook is damaged or encrypted: {error}") from None


def _inspect_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """The sizes stand in the archive's own directory; reading stops at them, so that they cannot lie downwards."""
    if member.file_size > _RATIO_FROM and member.file_size > member.compress_size * _MAX_RATIO:
        raise InvalidInput("工作簿压缩比异常", "the workbook is packed like a zip bomb")
    if member.filename.endswith("sharedStrings.xml") and member.file_size > _MAX_STRINGS:
        raise InvalidInput("工作簿展开后过大", "the workbook is too large when unpacked")
    if member.file_size > _MAX_PART and not member.filename.lower().startswith(_LONG):
        raise InvalidInput("工作簿展开后过大", "the workbook is too large when unpacked")
    with archive.open(member) as stream:
        _inspect_prolog(stream, member.filename)


def _inspect_prolog(stream: IO[bytes], name: str) -> None:
    """What stands before the root element, read by the very parser that will read the part: a DTD can hide from any search.

    A part's name is not believed, since the workbook says of itself which part is what; one that is no XML at all is left alone.
    """
    parser = expat.ParserCreate()
    seen_root = False

    def root(_name: str, _attributes: object) -> None:
        nonlocal seen_root
        seen_root = True

    def declared(*_declaration: object) -> None:
        raise InvalidInput("工作簿中有 DTD 声明", "the workbook declares a DTD")

    parser.StartElementHandler = root
    parser.StartDoctypeDeclHandler = declared
    parser.EntityDeclHandler = declared
    left = _MAX_PROLOG
    try:
        while not seen_root and left > 0 and (piece := stream.read(_PIECE)):
            left -= len(piece)
            parser.Parse(piece, False)
    except (expat.ExpatError, ValueError, LookupError):  # the last two: an encoding that expat does not know
        if not seen_root and name.endswith((".xml", ".rels")):
            raise InvalidInput(f"工作簿损坏：{name}", f"the workbook is damaged: {name}") from None
        return
    if not seen_root and left <= 0:
        raise InvalidInput(f"工作簿的 {name} 开头异常", f"the workbook's {name} begins like no part of a workbook")
