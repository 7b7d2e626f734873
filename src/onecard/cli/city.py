"""`onecard city`: the demonstration city's parts, one by one."""

from typing import Annotated

import typer

app = typer.Typer(help="演示城市 / The demonstration city", no_args_is_help=True, add_completion=False)


@app.command()
def load(
    holders: Annotated[int, typer.Option(min=1000, max=10_000_000, help="持卡人数 Cardholders.")] = 20_000,
) -> None:
    """装载演示城市，不启动任何角色；中断过的从断处继续 / Load the city without starting any role; resumes an interrupted load."""
    from rich.console import Console

    from onecard.city.database import as_found
    from onecard.datacenter import dj, prepared
    from onecard.datacenter.home import Home

    home = Home.from_environment()
    home.prepare()
    with as_found(home):
        prepared.ensure(home)
        dj.setup()
        from onecard.city.load import load_city

        load_city(home, holders=holders, console=Console())


@app.command()
def password(user: Annotated[str, typer.Argument(help="用户名 User name.")] = "admin") -> None:
    """为管理中心用户生成新的一次性密码 / A new one-time password for a user of the management centre."""
    from onecard.city.database import as_found
    from onecard.datacenter import dj, prepared
    from onecard.datacenter.home import Home
    from onecard.kernel.errors import NotFound

    home = Home.from_environment()
    with as_found(home):
        prepared.ensure(home)
        dj.setup()
        from django.contrib.auth.models import User

        from onecard.consoles.centre.staff import reset_password

        found = User.objects.filter(username=user).first()
        if found is None:
            raise NotFound(f"没有用户 {user}", f"there is no user {user}")
        typer.echo(f"{user}  一次性密码 one-time password  {reset_password(found)}")


@app.command()
def traffic(
    native_port: Annotated[int, typer.Option(help="网关原生协议端口 The gateway's native port.")] = 8444,
    iso_port: Annotated[int, typer.Option(help="网关 ISO 8583 端口 The gateway's ISO 8583 port.")] = 8583,
    rate: Annotated[int, typer.Option(min=1, max=5000, help="每秒笔数 Transactions a second.")] = 30,
    seed: Annotated[int | None, typer.Option(help="随机种子 Seed.")] = None,
    front_port: Annotated[int, typer.Option(help="演示前置机端口，0 为没有 The demonstration front-end's port, 0: none.")] = 0,
) -> None:
    """运行模拟终端，直到 Ctrl-C / Run the simulated terminals until Ctrl-C."""
    import asyncio
    import logging
    import sys

    from onecard.datacenter import dj, dsn
    from onecard.datacenter.home import Home

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    dj.setup()
    from onecard.city.fronts import find_front_end
    from onecard.city.traffic import Setup, serve
    from onecard.city.world import read_world

    home = Home.from_environment()
    front = find_front_end(home) if front_port else None
    setup = Setup(native_port=native_port, iso_port=iso_port, rate=rate, seed=seed, front=front, front_port=front_port)
    asyncio.run(serve(home, read_world(dsn.app_dsn(home)), setup))


@app.command()
def station() -> None:
    """运行演示发卡台：为每个进行中的制卡批次制作虚拟卡，直到 Ctrl-C / Make virtual cards for every batch that runs."""
    import logging
    import sys

    from onecard.datacenter import dj
    from onecard.datacenter.home import Home

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    dj.setup()
    from onecard.city.chips.folder import ChipFolder
    from onecard.city.chips.station import serve

    serve(ChipFolder(Home.from_environment()))


@app.command()
def chaos(
    seed: Annotated[int | None, typer.Option(help="种子，缺省随机 Seed, else a random one.")] = None,
    seconds: Annotated[int, typer.Option(min=1, help="持续秒数 How long to kill.")] = 60,
    keep: Annotated[bool, typer.Option("--keep", help="保留其目录 Keep its folder.")] = False,
    relay: Annotated[
        bool, typer.Option("--relay", help="线路风暴只用中继，不用网络命名空间 Storm the line by a relay, not in a namespace.")
    ] = False,
) -> None:
    """在临时目录中随机 kill -9 小城市的进程、让前置机的线路起风暴，最后逐笔核对

    Kill a small city's processes at random, storm the line of its front-end, check every record.
    """
    import random

    from rich.console import Console

    from onecard.city.chaos_home import run_chaos

    seed = random.randrange(10**6) if seed is None else seed  # noqa: S311
    if not run_chaos(Console(), seed=seed, seconds=seconds, keep=keep, relay=relay):
        raise typer.Exit(1)


@app.command()
def line(
    unit: Annotated[str, typer.Argument(help="单位编码 Code of the unit.")],
    port: Annotated[int, typer.Option(help="前置机所用端口 The front-end's side.")] = 8446,
    gateway_port: Annotated[int, typer.Option(help="网关原生协议端口 The gateway's native port.")] = 8444,
) -> None:
    """运行前置机与网关之间的线路，可剪断，直到 Ctrl-C / Run the line of a front-end, which can be cut, until Ctrl-C."""
    import asyncio
    import logging
    import sys

    from onecard.city.cutting import serve_line
    from onecard.datacenter.home import Home

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve_line(Home.from_environment(), unit, port=port, gateway_port=gateway_port))


@app.command()
def cut(unit: Annotated[str, typer.Argument(help="单位编码 Code of the unit.")] = "UNI01") -> None:
    """剪断一个单位前置机的线路：它转为脱机，继续营业 / Cut the line of a unit's front-end: it goes on by itself."""
    from onecard.city.cutting import cut_line
    from onecard.datacenter.home import Home

    cut_line(Home.from_environment(), unit)
    typer.echo(f"{unit} 的线路已剪断 line cut。恢复 mend it: onecard city mend {unit}")


@app.command()
def mend(unit: Annotated[str, typer.Argument(help="单位编码 Code of the unit.")] = "UNI01") -> None:
    """接通一个单位前置机的线路：脱机记录随即上送 / Mend the line of a unit's front-end: what it kept comes up."""
    from onecard.city.cutting import mend_line
    from onecard.datacenter.home import Home

    mend_line(Home.from_environment(), unit)
    typer.echo(f"{unit} 的线路已接通 line mended")


@app.command()
def room(
    front_port: Annotated[int, typer.Option(help="演示前置机端口 The demonstration front-end's port.")] = 8454,
) -> None:
    """运行设备展示室：各种终端，及一次成功、一次被叫停的升级，直到 Ctrl-C / Run devices of every kind, and two roll-outs."""
    import asyncio
    import logging
    import sys
    import threading

    from onecard.datacenter import dj, dsn
    from onecard.datacenter.home import Home

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("tuf").setLevel(logging.WARNING)
    dj.setup()
    from onecard.city.fronts import find_front_end
    from onecard.city.room import room_devices, serve_room
    from onecard.city.roomshow import show_rollouts
    from onecard.city.updates import key_folder
    from onecard.city.world import read_unit_cards
    from onecard.kernel.errors import NotFound

    home = Home.from_environment()
    front, shown = find_front_end(home), room_devices()
    if front is None or not shown:
        raise NotFound("本城没有设备展示室", "this city has no device room")
    cards = read_unit_cards(dsn.app_dsn(home), front.unit)
    root = (key_folder(home) / "root.json").read_bytes()
    wanted = sum(device.kind == "pos" for device in shown)
    threading.Thread(target=show_rollouts, args=(home,), kwargs={"wanted": wanted}, daemon=True).start()
    asyncio.run(serve_room(front, shown, cards, port=front_port, root=root))
