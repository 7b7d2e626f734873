"""What a measurement prints: lines for people as it goes, and one JSON object at the end for machines."""

import json as json_module
import os
from typing import Any

from onecard.datacenter import pgbench


def say(text: str) -> None:
    """One line."""
    print(text, flush=True)


def baseline(admin_dsn: str, *, quick: bool) -> float:
    """The yardstick on the same server in the same run."""
    say("pgbench -M prepared (TPC-B), same server, durable:")
    clients = (4, 16) if quick else pgbench.CLIENTS
    found = pgbench.best(admin_dsn, seconds=2 if quick else 6, clients=clients, progress=lambda line: say(f"  {line}"))
    say(f"  best {found.tps:,.0f}/s with {found.clients} clients")
    return found.tps


def say_result(title: str, result: dict[str, Any], cpu: dict[str, float]) -> None:
    """Rate, percentiles, results and where the processors' time went."""
    say(f"{title}: {result['rate']:,.0f}/s, p50 {result['p50_ms']} ms, p99 {result['p99_ms']} ms, results {result['results']}")
    whole = sum(cpu.values())
    shares = ", ".join(f"{name} {used:.2f}" for name, used in sorted(cpu.items(), key=lambda item: -item[1]))
    say(f"  processors used, of {os.cpu_count()}: {shares}; together {whole:.2f}")


def say_json(fields: dict[str, Any]) -> None:
    """The last line, for machines."""
    say(json_module.dumps(fields, ensure_ascii=False))
