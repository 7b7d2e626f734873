"""`onecard driver`: which drivers there are, the conformance kit for makers, and figures of a bus of readers."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, help="驱动 Drivers of terminals.")


@app.command("list")
def list_drivers() -> None:
    """列出驱动：内置与厂商安装的 The drivers there are, built in and installed by makers."""
    from onecard.gateway.drivers.loader import find_drivers

    for name, found in find_drivers().items():
        manifest = found.manifest
        capabilities = ",".join(sorted(manifest.capabilities))
        typer.echo(f"{name:<12}{manifest.grade.name.lower():<8}{found.source:<16}{capabilities:<32}{manifest.protocol}")


@app.command()
def check(
    driver: Annotated[str, typer.Argument(help="驱动名或文件夹 Name or folder of a driver.")],
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="签名报告写到何处 Where the signed report goes.")] = None,
    key: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Ed25519 私钥（PEM）Key to sign with.")] = None,
    transactions: Annotated[int, typer.Option(min=1, max=100_000, help="交易笔数 Transactions.")] = 1000,
    project: Annotated[Path | None, typer.Option(file_okay=False, help="测试文件的根 Where tests are found from.")] = None,
    seed: Annotated[int, typer.Option(help="随机种子 Seed.")] = 1,
) -> None:
    """厂商自测：向量、畸形输入、断线、重复、慢速、千笔交易、升级；输出分级签名报告，未通过则以 1 结束。

    The conformance kit: vectors, malformed input, disconnects, duplicates, slow peers, a thousand transactions, upgrade.
    """
    import logging

    from onecard.gateway.conformance.kit import check as run
    from onecard.gateway.conformance.report import load_key, sign
    from onecard.gateway.drivers.loader import find_driver

    signing = load_key(key)
    found = find_driver(driver)
    # Hostile input is logged line by line; here it is wanted in the report only.
    logging.disable(logging.CRITICAL)
    try:
        report = run(found, project=project or Path.cwd(), transactions=transactions, seed=seed)
    finally:
        logging.disable(logging.NOTSET)
    signed = sign(report, signing)
    typer.echo(f"驱动 Driver {report.driver} ({report.maker}, {report.source})")
    for step in report.steps:
        mark = {"passed": "通过 passed", "failed": "失败 FAILED", "not run": "未运行 NOT RUN"}[step.outcome]
        typer.echo(f"  {mark:<16}{step.zh}　{step.en} ({step.seconds} s)")
        for detail in step.details:
            typer.echo(f"      {detail}")
    typer.echo(f"等级 Grade: 声明 claimed {report.claimed}, 取得 earned {report.earned}")
    typer.echo(f"签名公钥 Public key of the signature: {signed['public_key']}")
    if out is not None:
        out.write_text(json.dumps(signed, ensure_ascii=False, indent=1, default=str) + "\n", "utf-8")
    if not report.has_passed:
        raise typer.Exit(1)


@app.command()
def bus(
    readers: Annotated[int, typer.Option(min=1, max=126, help="读卡器数 Readers on the bus.")] = 32,
    baud: Annotated[int | None, typer.Option(min=1200, max=921_600, help="波特率 Baud rate; 9600, 115200 --upgrade.")] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="测量时长 How long to measure.")] = 20.0,
    seed: Annotated[int, typer.Option(help="随机种子 Seed.")] = 1,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="边刷卡边升级全部读卡器 Upgrade all while people tap.")] = False,
    image_bytes: Annotated[int, typer.Option(min=1, max=1 << 24, help="每台固件字节数 Bytes of firmware a reader.")] = 2048,
    decision_ms: Annotated[int, typer.Option(min=0, max=10_000, help="判定用时 What a decision takes.")] = 20,
) -> None:
    """在模拟 RS-485 总线上轮询 OSDP 读卡器并测量；--upgrade 时全部升级，刷卡须在 300 毫秒内得到服务。

    Poll OSDP readers on an emulated bus and measure; 1 if a poll was late. With --upgrade: send all of them a file meanwhile;
    1 if a reader did not get it or more than 1 % of taps waited longer than 300 ms.
    """
    from onecard.gateway.drivers.osdp.measure import measure, measure_upgrade

    if upgrade:
        figures = measure_upgrade(
            readers=readers, baud=baud or 115_200, image_bytes=image_bytes, decision_s=decision_ms / 1000, seed=seed
        )
    else:
        figures = measure(readers=readers, baud=baud or 9600, seconds=seconds, seed=seed)
    for line in figures.lines():
        typer.echo(line)
    if figures.has_failed:
        raise typer.Exit(1)
