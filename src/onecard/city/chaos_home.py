"""A home of its own for a chaos run: made before anything of the platform is imported, gone afterwards unless it failed."""

import os
import shutil
import tempfile
from pathlib import Path

from rich.console import Console


def run_chaos(console: Console, *, seed: int, seconds: int, keep: bool, relay: bool = False) -> bool:
    """Run it and print what came of it; whether everything agreed. A failed run keeps its folder, and says the seed."""
    folder = Path(tempfile.mkdtemp(prefix="onecard-chaos-"))
    folder.chmod(0o711)  # PostgreSQL's user passes through
    os.environ["ONECARD_HOME"] = str(folder / "home")
    for name in ("ONECARD_DATABASE", "ONECARD_APP_DATABASE"):
        os.environ.pop(name, None)

    from onecard.datacenter import dj, prepared
    from onecard.datacenter.embedded import EmbeddedServer
    from onecard.datacenter.home import Home

    home = Home.from_environment()
    problems = ["did not finish"]
    try:
        prepared.ensure(home)
        dj.setup()
        from onecard.city.chaos import chaos

        run = chaos(home, seed=seed, seconds=seconds, console=console, relay=relay)
        problems = run.problems
        console.print(f"种子 seed {seed}，kill -9: {dict(run.kills)}", soft_wrap=True)
        console.print(f"前置机线路 the front-end's line, {run.form}: {dict(run.weather)}", soft_wrap=True)
        for outcome, count in sorted(run.outcomes.items()):
            console.print(f"  {count:>7,}  {outcome}")
    finally:
        EmbeddedServer(home).stop(immediate=True)
        if problems or keep:
            console.print(f"种子 seed {seed}，目录 folder {folder}", soft_wrap=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    for problem in problems:
        console.print(f"[red]{problem}[/]", soft_wrap=True)
    if not problems:
        verdict = "每笔均与回单一致，审计无误 every record agrees with its receipt, the auditor is content"
        console.print(f"[green]{verdict}[/]", soft_wrap=True)
    return not problems
