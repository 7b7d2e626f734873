"""The yardstick of every measurement: `pgbench -M prepared` (TPC-B) on the same server, best of several client counts."""

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from onecard.datacenter import binaries, roles
from onecard.kernel.errors import Unavailable

_SCRATCH = "onecard_pgbench"
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_LATENCY = re.compile(r"^latency average = ([0-9.]+) ms", re.MULTILINE)
CLIENTS = (2, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The best of the runs: transactions a second, how many clients gave them and their mean latency."""

    tps: float
    clients: int
    latency_ms: float


def best_tps(server: str, *, seconds: int = 5, scale: int = 20, clients: Sequence[int] = CLIENTS) -> float:
    """Transactions a second of the best of several client counts, `seconds` each.

    `server` is the DSN of a role that may create databases, such as `dsn.owner_dsn()`.
    """
    return best(server, seconds=seconds, scale=scale, clients=clients).tps


def best(
    server: str,
    *,
    seconds: int = 5,
    scale: int = 20,
    clients: Sequence[int] = CLIENTS,
    progress: Callable[[str], None] = lambda line: None,
) -> Baseline:
    """`best_tps` with what belongs to it. The scratch database is dropped afterwards, also on Ctrl-C.

    Raises Unavailable where the server is not durable: a yardstick without fsync measures nothing.
    """
    with psycopg.connect(server, autocommit=True) as connection:
        _require_durable(connection)
        _drop_scratch(connection)
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_SCRATCH)))
        scratch = make_conninfo(server, dbname=_SCRATCH)
        try:
            _pgbench(scratch, "--initialize", "--quiet", "--scale", str(scale))
            with psycopg.connect(scratch, autocommit=True) as warm:
                warm.execute("CHECKPOINT") if _may_checkpoint(warm) else None
            runs = []
            for count in clients:
                runs.append(_run(scratch, count, seconds))
                progress(f"pgbench -M prepared -c {count}: {runs[-1].tps:,.0f}/s")
        finally:
            _drop_scratch(connection)
    return max(runs, key=lambda run: run.tps)


def _run(dsn: str, clients: int, seconds: int) -> Baseline:
    threads = str(min(clients, os.cpu_count() or 1))
    words = ("--protocol", "prepared", "--no-vacuum", "--client", str(clients), "--jobs", threads, "--time", str(seconds))
    said = _pgbench(dsn, *words)
    tps, latency = _TPS.search(said), _LATENCY.search(said)
    if tps is None or latency is None:
        raise Unavailable(f"pgbench 输出无法识别：{said[-500:]}", f"pgbench said something else: {said[-500:]}")
    return Baseline(tps=float(tps[1]), clients=clients, latency_ms=float(latency[1]))


def _pgbench(dsn: str, *words: str) -> str:
    parts = conninfo_to_dict(dsn)
    names = {
        "host": "PGHOST",
        "port": "PGPORT",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "dbname": "PGDATABASE",
        "sslmode": "PGSSLMODE",
    }
    environment = os.environ | {names[name]: str(value) for name, value in parts.items() if name in names and value}
    done = subprocess.run([binaries.tool("pgbench"), *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"pgbench 失败：{done.stderr.strip()[-800:]}", f"pgbench failed: {done.stderr.strip()[-800:]}")
    return done.stdout


def _require_durable(connection: "psycopg.Connection[tuple[str, ...]]") -> None:
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        row = connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone()
        if row is None or row[0] == "off":
            raise Unavailable(
                f"服务器未持久化（{name} = off），不能作基准", f"the server is not durable ({name} = off): no yardstick"
            )


def _may_checkpoint(connection: "psycopg.Connection[tuple[str, ...]]") -> bool:
    """Superusers may, and members of pg_checkpoint; the others begin with what the loading left dirty."""
    query = "SELECT rolsuper OR pg_has_role(current_user, 'pg_checkpoint', 'USAGE') FROM pg_roles WHERE rolname = current_user"
    row = connection.execute(query).fetchone()
    return row is not None and bool(row[0])


def _drop_scratch(connection: "psycopg.Connection[tuple[str, ...]]") -> None:
    roles.drop_database(connection, _SCRATCH)
