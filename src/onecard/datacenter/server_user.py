"""Under which user the embedded server runs: never root.

An ordinary user runs it as himself. Root runs it as the owner of the data folder, and makes a new data folder for, in this order:
`ONECARD_POSTGRES_USER`; the system user `onecard`, created where it is missing; an existing user `postgres`.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from onecard.kernel.errors import InvalidInput, Unavailable

_SYSTEM_USER = "onecard"
_FALLBACK_USER = "postgres"


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The server's user. `switch` says whether a process has to be started under another user than ours."""

    name: str
    uid: int
    gid: int
    switch: bool


def server_user(pg_data: Path) -> ServerUser:
    """The user the server of this data folder runs under. Raises Unavailable or InvalidInput where there is none."""
    if os.geteuid() != 0:
        return _as_user(_by_uid(os.geteuid()), switch=False)
    if pg_data.exists() and pg_data.stat().st_uid != 0:
        return _as_user(_by_uid(pg_data.stat().st_uid), switch=True)
    named = os.environ.get("ONECARD_POSTGRES_USER")
    if named:
        return _as_user(_named(named), switch=True)
    entry = _find(_SYSTEM_USER) or _create(_SYSTEM_USER) or _find(_FALLBACK_USER)
    if entry is None:
        raise Unavailable(
            "PostgreSQL 不能以 root 运行，且无法建立系统用户 onecard；请执行 useradd --system onecard"
            "，或设置 ONECARD_POSTGRES_USER",
            "PostgreSQL does not run as root and the system user onecard could not be created: run `useradd --system onecard`"
            " or set ONECARD_POSTGRES_USER",
        )
    return _as_user(entry, switch=True)


def require_reachable(folder: Path, user: ServerUser) -> None:
    """Raises Unavailable where the server's user cannot pass a parent of the folder; we do not change what is not ours."""
    if not user.switch:
        return
    for parent in reversed(folder.parents):
        found = parent.stat()
        shift = 6 if found.st_uid == user.uid else 3 if found.st_gid == user.gid else 0
        if not found.st_mode >> shift & 1:
            raise Unavailable(
                f"PostgreSQL 的用户 {user.name} 无法进入 {parent}；请将 ONECARD_HOME 设在其他位置，例如 /var/lib/onecard",
                f"PostgreSQL's user {user.name} may not pass {parent}: set ONECARD_HOME elsewhere, such as /var/lib/onecard",
            )


def _named(name: str) -> pwd.struct_passwd:
    entry = _find(name)
    if entry is None or entry.pw_uid == 0:
        raise InvalidInput(
            f"ONECARD_POSTGRES_USER：用户 {name} 不可用", f"ONECARD_POSTGRES_USER: the server cannot run as {name}"
        )
    return entry


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _by_uid(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise Unavailable(f"系统中没有用户号 {uid} 的用户名", f"the user number {uid} has no name on this system") from None


def _create(name: str) -> pwd.struct_passwd | None:
    """Create a system user; None where that cannot be done. Another process may have been faster, which is as good."""
    program = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is not None:
        words = [
            program,
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/usr/sbin/nologin",
            name,
        ]
        subprocess.run(words, capture_output=True, check=False)
    return _find(name)


def _as_user(entry: pwd.struct_passwd, *, switch: bool) -> ServerUser:
    return ServerUser(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid, switch=switch)
