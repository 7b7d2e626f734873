"""`onecard fuzz`: throw hostile bytes at the decoders of both protocols for as long as wanted."""

import secrets
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def fuzz(
    seconds: Annotated[float, typer.Option(help="运行多少秒 How long, in seconds.")] = 60.0,
    seed: Annotated[int | None, typer.Option(help="随机种子，用来重现一次运行 The seed of a run to repeat.")] = None,
) -> None:
    """用随机报文冲击解码器 Throw mutated messages at both decoders; ends with code 1 and the input if one breaks something."""
    from rich.console import Console

    from onecard.gateway.fuzz import Report, run

    seed = secrets.randbelow(2**32) if seed is None else seed
    console = Console(stderr=True)
    with console.status(f"seed {seed}") as status:

        def show(report: Report) -> None:
            status.update(f"seed {seed}: {report.inputs:,} 条报文 inputs")

        report = run(seconds=seconds, seed=seed, progress=show if console.is_terminal else None)
    for outcome, count in sorted(report.outcomes.items()):
        typer.echo(f"{outcome:<20}{count:>12,}")
    if report.finding is not None:
        typer.echo(
            f"发现问题 Found: {report.error}\n种子 seed {seed}, 第 {report.inputs + 1} 条 input, hex:\n{report.finding.hex()}",
            err=True,
        )
        raise typer.Exit(1)
    typer.echo(f"{report.inputs:,} 条报文，未发现问题 inputs, nothing found (seed {seed})")
