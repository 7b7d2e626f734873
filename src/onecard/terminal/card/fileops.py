"""File commands of the virtual chip: SELECT, CREATE, ERASE, READ, UPDATE, APPEND; with and without line protection.

Types of files and the access bytes are those of FMCOS-like systems: 28 binary, 2A fixed records, 2C variable, 2E cyclic,
2F purse, 38 directory, 3F key file; bit 7 asks for a MAC, bits 7 and 6 for a MAC and cipher.
"""

from collections.abc import Sequence

from onecard.protocol.purse.apdu import Command, Status
from onecard.protocol.purse.files import PPSE, FileId
from onecard.terminal.card.keyops import open_secured
from onecard.terminal.card.state import BLOCKED_FOR_GOOD, Directory, File, Purse
from onecard.terminal.card.system import SPACE_BYTES, ChipSystem, Handlers, Refused

BINARY, FIXED, VARIABLE, CYCLIC, PURSE, DIRECTORY, KEY_FILE = 0x28, 0x2A, 0x2C, 0x2E, 0x2F, 0x38, 0x3F
_RECORDS = (FIXED, VARIABLE, CYCLIC)


def _tlv(tag: str, value: bytes) -> bytes:
    size = bytes((len(value),)) if len(value) < 128 else bytes((0x81, len(value)))
    return bytes.fromhex(tag) + size + value


def select(chip: ChipSystem, command: Command) -> bytes:
    """By file number (P1 00) or by name (P1 04). A blocked application is selected all the same, so that it can be unblocked."""
    if command.p1 == 0x04:
        if command.data == PPSE:
            return _ppse(chip)
        directory = _by_name(chip.state.directories, command.data)
    elif command.p1 == 0x00:
        if len(command.data) not in (0, 2):
            raise Refused(Status.WRONG_LENGTH)
        number = int.from_bytes(command.data, "big") if command.data else int(FileId.MASTER)
        directory = chip.state.directory(number)
        if directory is None:
            chip.session.file = chip.need_file(chip.directory.file(number)).number
            return b""
    else:
        raise Refused(Status.WRONG_P1P2)
    if directory is None:
        raise Refused(Status.FILE_NOT_FOUND)
    _enter(chip, directory)
    if directory.block:
        for_good = directory.block == BLOCKED_FOR_GOOD
        raise Refused(Status.APPLICATION_BLOCKED_FOR_GOOD if for_good else Status.FUNCTION_NOT_SUPPORTED)
    return _fci(directory)


def _enter(chip: ChipSystem, directory: Directory) -> None:
    chip.session.directory, chip.session.file = directory.number, None
    chip.session.levels[directory.number] = 0


def _by_name(directories: Sequence[Directory], name: bytes) -> Directory | None:
    """The whole name, or its beginning."""
    names = [(directory, bytes.fromhex(directory.name)) for directory in directories]
    return next((directory for directory, own in names if name and own.startswith(name)), None)


def _fci(directory: Directory) -> bytes:
    public = directory.file(FileId.PUBLIC)
    own = _tlv("9F0C", bytes.fromhex(public.records[0])) if public and directory.number != FileId.MASTER else b""
    return _tlv("6F", _tlv("84", bytes.fromhex(directory.name)) + _tlv("A5", own))


def _ppse(chip: ChipSystem) -> bytes:
    """The directory of contactless applications: one entry a named application."""
    _enter(chip, chip.state.master)
    names = [directory.name for directory in chip.state.directories[1:] if directory.name and not directory.block]
    if not names:
        raise Refused(Status.FILE_NOT_FOUND)
    entries = b"".join(_tlv("61", _tlv("4F", bytes.fromhex(name))) for name in names)
    return _tlv("6F", _tlv("84", PPSE) + _tlv("A5", _tlv("BF0C", entries)))


# ---- making and erasing


def create(chip: ChipSystem, command: Command) -> bytes:
    """80 E0: a directory, the key file, an elementary or purse file. 6A89 where it is there already."""
    body = command.data
    if len(body) < 7:
        raise Refused(Status.WRONG_LENGTH)
    number, size = command.p1 << 8 | command.p2, int.from_bytes(body[1:3], "big")
    chip.require(chip.directory.create)
    if body[0] == DIRECTORY:
        _create_directory(chip, number, body)
    elif body[0] & 0x3F == KEY_FILE and number == FileId.KEYS:
        _create_key_file(chip, body)
    else:
        _create_file(chip, number, size, body=body)
    if chip.state.space_used() > SPACE_BYTES:
        raise Refused(Status.NO_SPACE)
    return b""


def _create_directory(chip: ChipSystem, number: int, body: bytes) -> None:
    if chip.directory is not chip.state.master or len(body) > 24:
        raise Refused(Status.WRONG_DATA)
    name = body[8:].hex()
    if chip.state.directory(number) or any(name and directory.name == name for directory in chip.state.directories):
        raise Refused(Status.ALREADY_EXISTS)
    chip.state.directories.append(Directory(number, name, create=body[3], erase=body[4]))


def _create_key_file(chip: ChipSystem, body: bytes) -> None:
    if chip.directory.key_file is not None:
        raise Refused(Status.ALREADY_EXISTS)
    chip.directory.key_file, chip.directory.add_key = body[0], body[4]


def _create_file(chip: ChipSystem, number: int, size: int, *, body: bytes) -> None:
    directory, shape = chip.directory, body[0] & 0x3F
    if directory.file(number) or directory.purse(number):
        raise Refused(Status.ALREADY_EXISTS)
    if directory.key_file is None:
        raise Refused(Status.CONDITIONS_NOT_SATISFIED)
    if shape == PURSE:
        directory.purses.append(Purse(number, log=body[6]))
        return
    if shape == BINARY:
        file = File(number, body[0], body[3], body[4], size, records=["00" * size])
    elif shape in _RECORDS:
        count, length = size >> 8, size & 0xFF
        if not count or not length:
            raise Refused(Status.WRONG_DATA)
        records = ["00" * length] * count if shape == FIXED else []
        file = File(number, body[0], body[3], body[4], length, count=count, records=records)
    else:
        raise Refused(Status.WRONG_DATA)
    directory.files.append(file)


def erase(chip: ChipSystem, command: Command) -> bytes:
    """80 0E: everything below the directory goes; of its keys the control key stays."""
    directory = chip.directory
    chip.require(directory.erase)
    directory.files, directory.purses, directory.block = [], [], 0
    directory.keys = [key for key in directory.keys if key.kind == 0x39 and key.number == 0]
    if directory is chip.state.master:
        chip.state.directories = [directory]
    chip.session.file = None
    return b""


# ---- reading


def read_binary(chip: ChipSystem, command: Command) -> bytes:
    """00 B0, by short identifier (P1 bit 7) or of the selected file."""
    file, offset = _binary(chip, command)
    chip.require(file.read)
    content = bytes.fromhex(file.records[0])
    if offset >= len(content) or command.le is None:
        raise Refused(Status.WRONG_OFFSET if command.le else Status.WRONG_LENGTH)
    if command.le == 256:
        return content[offset:]
    if offset + command.le > len(content):
        raise Refused(0x6C00 | len(content) - offset & 0xFF)
    return content[offset : offset + command.le]


def read_record(chip: ChipSystem, command: Command) -> bytes:
    """00 B2: a whole record by number."""
    file = _record_file(chip, command.p2)
    chip.require(file.read)
    return bytes.fromhex(file.records[_record_index(file, command.p1)])


def _binary(chip: ChipSystem, command: Command) -> tuple[File, int]:
    if command.p1 & 0x80:
        file, offset = chip.directory.file_by_sfi(command.p1 & 0x1F), command.p2
    elif chip.session.file is None:
        raise Refused(Status.NO_FILE_SELECTED)
    else:
        file, offset = chip.directory.file(chip.session.file), command.p1 << 8 | command.p2
    file = chip.need_file(file)
    if file.shape != BINARY:
        raise Refused(Status.WRONG_FILE_TYPE)
    return file, offset


def _record_file(chip: ChipSystem, p2: int) -> File:
    if p2 >> 3:
        file = chip.directory.file_by_sfi(p2 >> 3)
    elif chip.session.file is None:
        raise Refused(Status.NO_FILE_SELECTED)
    else:
        file = chip.directory.file(chip.session.file)
    file = chip.need_file(file)
    if file.shape not in _RECORDS:
        raise Refused(Status.WRONG_FILE_TYPE)
    return file


def _record_index(file: File, number: int) -> int:
    if not 1 <= number <= len(file.records):
        raise Refused(Status.RECORD_NOT_FOUND)
    return number - 1


# ---- writing


def update_binary(chip: ChipSystem, command: Command) -> bytes:
    """00 D6, or 04 D6 with MAC."""
    file, offset = _binary(chip, command)
    chip.require(file.write)
    data = open_secured(chip, command, file.protection)
    content = bytes.fromhex(file.records[0])
    if not data or offset + len(data) > len(content):
        raise Refused(Status.WRONG_LENGTH if not data else Status.WRONG_OFFSET)
    file.records[0] = (content[:offset] + data + content[offset + len(data) :]).hex()
    return b""


def update_record(chip: ChipSystem, command: Command) -> bytes:
    """00 DC, or 04 DC with MAC."""
    file = _record_file(chip, command.p2)
    chip.require(file.write)
    index = _record_index(file, command.p1)
    data = open_secured(chip, command, file.protection)
    if len(data) != len(file.records[index]) // 2:
        raise Refused(Status.WRONG_LENGTH)
    file.records[index] = data.hex()
    return b""


def append_record(chip: ChipSystem, command: Command) -> bytes:
    """00 E2, or 04 E2 with MAC: a variable record at the end, a cyclic one at the front."""
    file = _record_file(chip, command.p2)
    chip.require(file.write)
    data = open_secured(chip, command, file.protection)
    if file.shape == CYCLIC:
        push_record(file, data)
    elif file.shape == VARIABLE and data and len(file.records) < file.count:
        file.records.append(data.hex())
    else:
        raise Refused(Status.NO_SPACE)
    return b""


def push_record(file: File, data: bytes) -> None:
    """A newest record of a cyclic file; the oldest goes. Raises Refused for another length."""
    if len(data) != file.size:
        raise Refused(Status.WRONG_LENGTH)
    file.records = [data.hex(), *file.records][: file.count]


HANDLERS: Handlers = {
    (0x00, 0xA4): select,
    (0x80, 0xE0): create,
    (0x80, 0x0E): erase,
    (0x00, 0xB0): read_binary,
    (0x00, 0xB2): read_record,
    (0x00, 0xD6): update_binary,
    (0x00, 0xDC): update_record,
    (0x00, 0xE2): append_record,
}
