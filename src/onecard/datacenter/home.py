"""Where one installation keeps its files: the data folder, the sockets, logs, keys and secrets below `ONECARD_HOME`."""

import hashlib
import os
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from onecard.kernel.errors import InvalidInput, Unavailable

# A unix socket's path holds 107 bytes; the longest name we put below `run_dir` is "pg/.s.PGSQL.5432" with some to spare.
_SOCKET_PATH_BYTES = 107
_LONGEST_SOCKET_NAME = 24
_MARKER = "ONECARD_HOME"


@dataclass(frozen=True, slots=True)
class Home:
    """The folders of one installation. Two homes are two cities that know nothing of each other."""

    path: Path

    @classmethod
    def from_environment(cls) -> "Home":
        """`ONECARD_HOME`, else `/var/lib/onecard` for root and the XDG data folder for anybody else."""
        named = os.environ.get("ONECARD_HOME")
        if named:
            return cls(Path(named).absolute())
        if os.geteuid() == 0:
            return cls(Path("/var/lib/onecard"))
        data = os.environ.get("XDG_DATA_HOME")
        return cls((Path(data) if data else Path.home() / ".local" / "share") / "onecard")

    @property
    def pg_data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.path / "pgdata"

    @property
    def run_dir(self) -> Path:
        """Sockets. Outside of the home where its path is too long for a unix socket."""
        inside = self.path / "run"
        if len(os.fsencode(inside)) + _LONGEST_SOCKET_NAME <= _SOCKET_PATH_BYTES:
            return inside
        name = f"onecard-{os.geteuid()}-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]}"
        return Path("/run" if os.geteuid() == 0 else tempfile.gettempdir()) / name

    @property
    def log_dir(self) -> Path:
        return self.path / "log"

    @property
    def tls_dir(self) -> Path:
        """The platform's certificate authority and the certificates it gave out."""
        return self.path / "tls"

    @property
    def secrets_dir(self) -> Path:
        return self.path / "secrets"

    @property
    def spool(self) -> Path:
        """Files on their way in or out: imports, sheets, backups."""
        return self.path / "spool"

    def prepare(self) -> None:
        """Make the folders that are missing. As root the home may be passed through (not listed) by PostgreSQL's user.

        Raises Unavailable where they cannot be made or where somebody else's folder stands in their place.
        """
        passable = 0o711 if os.geteuid() == 0 else 0o700
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(
                f"无法建立数据目录 {self.path}：{error}", f"cannot make the data folder {self.path}: {error}"
            ) from None
        _refuse_foreign_folder(self.path)
        own_folder(self.path, passable)
        (self.path / _MARKER).touch()
        own_folder(self.run_dir, passable)
        own_folder(self.log_dir, passable)
        for private in (self.tls_dir, self.secrets_dir, self.spool):
            own_folder(private, 0o700)

    def secret(self, name: str) -> str:
        """A random secret of this installation, made at its first use and the same ever after."""
        file = self.secrets_dir / name
        if not file.exists():
            self.prepare()
            _create_once(file, secrets.token_urlsafe(48))
        return file.read_text().strip()


def _refuse_foreign_folder(folder: Path) -> None:
    """What holds something and is not marked as a home is not taken: with `ONECARD_HOME=/var` we would close /var/log."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unavailable(f"无法读取数据目录 {folder}：{error}", f"cannot read the data folder {folder}: {error}") from None
    if names and _MARKER not in names:
        raise InvalidInput(
            f"ONECARD_HOME {folder} 不是空目录，也不是 One-Card 的数据目录",
            f"ONECARD_HOME {folder} is neither empty nor a data folder of One-Card",
        )


def own_folder(folder: Path, mode: int) -> None:
    """Make a folder with exactly these permissions, or give ours those.

    Raises InvalidInput where it is a link, no folder, or another user's: a socket below it could be a trap.
    """
    try:
        folder.mkdir(mode=mode, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise InvalidInput(f"{folder} 不是本用户的目录", f"{folder} is not a folder of this user")
        if stat.S_IMODE(found.st_mode) != mode:
            folder.chmod(mode)
    except OSError as error:
        raise Unavailable(f"无法建立目录 {folder}：{error}", f"cannot make the folder {folder}: {error}") from None


def _create_once(file: Path, content: str) -> None:
    """Write a private file unless it exists; a reader sees all of it or nothing."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(content + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        file.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
