"""Secure channel keys of the readers of a bus, from a file of their own that only the gateway can read.

TOML. ``master`` (32 hex digits) with ``[cuid]``, a table of the readers' client UIDs (16 hex digits each, on the label): each
SCBK is derived. ``[scbk]`` names a reader's own key instead (32 hex digits), for readers that came with one.
"""

import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import ECB

from onecard.kernel.errors import InvalidInput

KEY_BYTES, CUID_BYTES = 16, 8
DEFAULT_SCBK = bytes(range(0x30, 0x40))
"""SCBK-D, which everybody knows: never a reader's key."""


def derive_scbk(master: bytes, cuid: bytes) -> bytes:
    """A reader's key: AES(master, cUID | NOT cUID)."""
    assert len(master) == KEY_BYTES
    assert len(cuid) == CUID_BYTES
    encryptor = Cipher(AES128(master), ECB()).encryptor()  # noqa: S305 - one block, as the standard has it
    return encryptor.update(cuid + bytes(byte ^ 0xFF for byte in cuid)) + encryptor.finalize()


def read_keys(path: Path, addresses: Iterable[int]) -> dict[int, bytes]:
    """The key of each reader. Raises InvalidInput naming the file and what is wrong in it, and never showing a key."""
    try:
        mode = path.stat().st_mode
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(path, str(error), str(error)) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _wrong(path, "密钥文件只应由本用户读取（chmod 600）", "a key file is for its owner alone (chmod 600)")
    if unknown := set(raw) - {"master", "cuid", "scbk"}:
        names = ", ".join(sorted(unknown))
        raise _wrong(path, f"未知项 {names}", f"unknown: {names}")
    keys = {address: _key_of(path, raw, address) for address in addresses}
    if DEFAULT_SCBK in keys.values():
        raise _wrong(path, "SCBK-D 是公开密钥，不能使用", "SCBK-D is public and can't be a reader's key")
    return keys


def _key_of(path: Path, raw: Mapping[str, Any], address: int) -> bytes:
    own, cuids = _table(path, raw, "scbk"), _table(path, raw, "cuid")
    if str(address) in own:
        return _hex(path, f"scbk.{address}", own[str(address)], KEY_BYTES)
    if str(address) not in cuids or "master" not in raw:
        raise _wrong(
            path,
            f"读卡器 {address} 没有密钥：需要 scbk，或 master 与 cuid",
            f"no key for reader {address}: its scbk, or master and its cuid",
        )
    master = _hex(path, "master", raw["master"], KEY_BYTES)
    return derive_scbk(master, _hex(path, f"cuid.{address}", cuids[str(address)], CUID_BYTES))


def build_keys(
    *, master: bytes | None = None, cuids: Mapping[int, bytes] | None = None, scbks: Mapping[int, bytes] | None = None
) -> str:
    """The text of a key file. It is for the caller to write it with mode 0600."""
    lines = [f'master = "{master.hex()}"'] if master is not None else []
    for name, table in (("cuid", cuids), ("scbk", scbks)):
        if table:
            lines += [f"[{name}]", *(f'{address} = "{value.hex()}"' for address, value in table.items())]
    return "\n".join(lines) + "\n"


def write_private(path: Path, text: str) -> None:
    """A new file that nobody else can ever read. Raises FileExistsError."""
    import os

    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _table(path: Path, raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = raw.get(name, {})
    if not isinstance(table, dict):
        raise _wrong(path, f"{name} 应为表", f"{name} is a table")
    return table


def _hex(path: Path, name: str, value: Any, size: int) -> bytes:
    try:
        key = bytes.fromhex(value)
    except (TypeError, ValueError):
        key = b""
    if len(key) != size:
        raise _wrong(path, f"{name} 应为 {2 * size} 位十六进制", f"{name} is {2 * size} hexadecimal digits")
    return key


def _wrong(path: Path, zh: str, en: str) -> InvalidInput:
    return InvalidInput(f"{path}：{zh}", f"{path}: {en}")
