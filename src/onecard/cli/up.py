"""`onecard up`: run the demonstration city on this machine."""

from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def up(
    holders: Annotated[
        int, typer.Option(min=1000, max=10_000_000, help="持卡人数（首次装载时） Cardholders, at the first start.")
    ] = 20_000,
    port: Annotated[
        int | None, typer.Option(help="管理中心端口，0 为自动选取全部端口 Port of the web, 0 picks all ports.")
    ] = None,
    native_port: Annotated[int | None, typer.Option(help="网关原生协议端口 Port of the native protocol.")] = None,
    iso_port: Annotated[int | None, typer.Option(help="网关 ISO 8583 端口 Port of ISO 8583.")] = None,
    traffic: Annotated[bool, typer.Option(help="是否运行模拟终端 Whether simulated terminals pay.")] = True,
    rate: Annotated[int, typer.Option(min=1, max=5000, help="模拟交易每秒笔数 Simulated transactions a second.")] = 30,
    seconds: Annotated[int, typer.Option(min=0, help="若干秒后自行停止，0 为不停 Stop by itself after so long; 0: never.")] = 0,
) -> None:
    """在本机运行一座演示城市：数据库、全部角色、模拟终端与管理中心。Ctrl-C 停止，再次运行则继续。

    Run a demonstration city on this machine: database, all roles, simulated terminals and the management centre.
    """
    from rich.console import Console

    from onecard.city.ports import choose_ports
    from onecard.city.up import Options, quiet_logs
    from onecard.city.up import up as run_city
    from onecard.datacenter.home import Home

    quiet_logs()
    ports = choose_ports(web=port, native=native_port, iso=iso_port)
    options = Options(holders=holders, ports=ports, traffic=traffic, rate=rate, seconds=seconds)
    run_city(Home.from_environment(), options, Console())
