"""The embedded PostgreSQL: one server of our own per home, on a private unix socket, started and stopped by the machine's user.

Any process may call `start()`: whoever comes first starts the server under a lock, the others find it answering. It outlives all
of them, until `stop()`. It survives `kill -9` of anything: a leftover pid file is judged by what that process is, and a start
that PostgreSQL refuses while remains of the old server are dying is tried again.
"""

import fcntl
import logging
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from onecard.datacenter import binaries, roles, tuning
from onecard.datacenter.home import Home
from onecard.datacenter.postmaster import read_pid_file, remove_stale_pid_file
from onecard.datacenter.server_user import ServerUser, require_reachable, server_user
from onecard.kernel.errors import Unavailable

log = logging.getLogger(__name__)

DATABASE = "onecard"
ADMIN = "postgres"
_START_ATTEMPTS = 12
_RETRY_S = 0.5
_RECOVERY_S = 600  # a server that was killed under load replays its log before it answers


@dataclass(frozen=True, slots=True)
class Status:
    """What `onecard db status` shows of the embedded server."""

    is_running: bool
    pid: int | None
    version: str | None
    pg_data: Path
    socket_dir: Path


class EmbeddedServer:
    """The server of a home. `overrides` are settings that win over ours, for tests only."""

    def __init__(self, home: Home, *, overrides: Mapping[str, str] | None = None) -> None:
        self.home = home
        self._overrides = dict(overrides or {})

    @property
    def socket_dir(self) -> Path:
        return self.home.run_dir / "pg"

    def dsn(self, *, user: str, database: str = DATABASE) -> str:
        """The DSN of a role; without a password, since the server believes who the operating system says is calling."""
        return make_conninfo(host=str(self.socket_dir), user=user, dbname=database)

    def admin_dsn(self, database: str = "postgres") -> str:
        """The connection string of the server's own superuser."""
        return self.dsn(user=ADMIN, database=database)

    def start(self) -> bool:
        """Have the server answering, with its roles and its database; whether it was this call that started it.

        Raises Unavailable where it cannot be, saying what PostgreSQL said, or why the data folder is refused.
        """
        self._refuse_other_major()
        self.home.prepare()
        with self._lock():
            started = self._start()
            with self._connect() as connection:
                roles.create_roles_and_database(connection, DATABASE)
        return started

    def stop(self, *, immediate: bool = False) -> bool:
        """Stop the server; whether there was one. Open connections are ended, what they had not committed is rolled back."""
        if not self.home.pg_data.exists():
            return False
        with self._lock():
            found = read_pid_file(self.home.pg_data)
            if found is None or not found.is_alive:
                return False
            mode = "immediate" if immediate else "fast"
            done = self._run("pg_ctl", "stop", "-D", str(self.home.pg_data), "-m", mode, "-w", "-t", "120")
            if done.returncode != 0:
                raise Unavailable(f"PostgreSQL 未能停止：{done.stdout}", f"PostgreSQL did not stop: {done.stdout}")
        return True

    def status(self) -> Status:
        """Whether it answers; starts nothing."""
        pid_file = read_pid_file(self.home.pg_data) if self.home.pg_data.exists() else None
        version = None
        if pid_file is not None and pid_file.is_alive:
            try:
                with self._connect() as connection:
                    version = str(connection.execute("SHOW server_version").fetchone()[0])  # type: ignore[index]
            except psycopg.OperationalError:
                pass  # alive, and starting up or going down
        alive = pid_file is not None and pid_file.is_alive
        return Status(
            is_running=version is not None,
            pid=pid_file.pid if pid_file and alive else None,
            version=version,
            pg_data=self.home.pg_data,
            socket_dir=self.socket_dir,
        )

    def _start(self) -> bool:
        deadline = time.monotonic() + _RECOVERY_S
        attempts, launched, said = 0, False, ""
        while time.monotonic() < deadline:
            found = read_pid_file(self.home.pg_data) if self.home.pg_data.exists() else None
            if found is not None and found.is_alive:
                try:
                    self._connect().close()
                    return launched
                except psycopg.OperationalError as error:
                    said = str(error)  # starting up, in recovery or going down: each comes to an end
                    time.sleep(0.1)
                    continue
            if attempts == _START_ATTEMPTS:
                break
            if attempts:
                log.warning("PostgreSQL did not start, trying again (%d/%d): %s", attempts, _START_ATTEMPTS, said.strip()[-300:])
                time.sleep(_RETRY_S)
            attempts += 1
            launched, said = self._launch()
        raise Unavailable(
            f"PostgreSQL 无法启动（数据目录 {self.home.pg_data}）：\n{said}",
            f"PostgreSQL does not start (data folder {self.home.pg_data}):\n{said}",
        )

    def _launch(self) -> tuple[bool, str]:
        """One attempt: the data folder made if it is missing, the settings written, the server started. What PostgreSQL said."""
        user = server_user(self.home.pg_data)
        require_reachable(self.home.path, user)
        require_reachable(self.socket_dir, user)
        programs = binaries.private_copy(self.home)
        self._own(self.socket_dir, user)
        self._own(self._log_folder, user)
        if not self.home.pg_data.exists():
            self._initialise(programs, user)
        self._write_settings(user)
        remove_stale_pid_file(self.home.pg_data)
        startup_log = self._log_folder / "startup.log"
        startup_log.unlink(missing_ok=True)
        words = ("start", "-D", str(self.home.pg_data), "-l", str(startup_log), "-w", "-t", str(_RECOVERY_S))
        done = self._run("pg_ctl", *words)
        if done.returncode == 0:
            return True, ""
        told = startup_log.read_text(errors="replace") if startup_log.exists() else ""
        return False, told[-2000:] + done.stdout

    @property
    def _log_folder(self) -> Path:
        return self.home.log_dir / "postgres"

    def _initialise(self, programs: Path, user: ServerUser) -> None:
        """Make the data folder aside and name it when it is whole: a killed initdb leaves nothing to trip over."""
        aside = self.home.path / "pgdata.new"
        shutil.rmtree(aside, ignore_errors=True)
        self._own(aside, user)
        options = ("-U", ADMIN, "-A", "peer", "-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        done = self._run("initdb", "-D", str(aside), *options, cwd=aside, user=user)
        if done.returncode != 0:
            raise Unavailable(f"initdb 失败：{done.stdout}", f"initdb failed: {done.stdout}")
        aside.rename(self.home.pg_data)

    def _write_settings(self, user: ServerUser) -> None:
        pg_data = self.home.pg_data
        values = tuning.settings_for_this_machine(pg_data) | {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "log_directory": str(self._log_folder),
            # A refused row is somebody's: neither the statement nor the row's values (DETAIL) are written down.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        callers = sorted({user.name, server_user_name_of_caller()})
        files = {
            "postgresql.conf": tuning.render(values | self._overrides),
            # Peer: the kernel says who is at the socket. Those who may be are this server's user and whoever started it.
            "pg_hba.conf": "local all all peer map=onecard\nlocal replication all peer map=onecard\n",
            "pg_ident.conf": "".join(f"onecard {name} all\n" for name in callers),
        }
        for name, content in files.items():
            file = pg_data / name
            if not file.exists() or file.read_text() != content:
                aside = pg_data / f"{name}.new"
                aside.write_text(content)
                aside.chmod(0o600)
                if user.switch:
                    os.chown(aside, user.uid, user.gid)
                aside.rename(file)

    def _own(self, folder: Path, user: ServerUser) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        if user.switch:
            os.chown(folder, user.uid, user.gid)
        folder.chmod(0o700)

    def _run(
        self, program: str, *words: str, cwd: Path | None = None, user: ServerUser | None = None
    ) -> "subprocess.CompletedProcess[str]":
        user = user or server_user(self.home.pg_data)
        switch: dict[str, Any] = {"user": user.uid, "group": user.gid, "extra_groups": []} if user.switch else {}
        return subprocess.run(
            [str(binaries.private_copy(self.home) / program), *words],
            cwd=cwd or self.home.pg_data,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            umask=0o077,
            **switch,
        )

    def _connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(self.admin_dsn(), autocommit=True, connect_timeout=10)

    def _refuse_other_major(self) -> None:
        found = binaries.data_folder_major(self.home.pg_data) if os.access(self.home.path, os.X_OK) else None
        if found is None or found == binaries.major():
            return
        raise Unavailable(
            f"数据目录 {self.home.pg_data} 属于 PostgreSQL {found}，本程序内嵌 PostgreSQL {binaries.major()}："
            "请用原版本备份（onecard db backup），再在新的 ONECARD_HOME 恢复",
            f"the data folder {self.home.pg_data} is PostgreSQL {found}'s and this program carries PostgreSQL {binaries.major()}:"
            " back it up with the version that made it (onecard db backup) and restore it in a new ONECARD_HOME",
        )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.home.path / "datacenter.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def server_user_name_of_caller() -> str:
    """The name of the user this process runs as, as the server will see it at its socket."""
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name
