"""`onecard up`: data centre, demonstration city and all roles on this machine, from the home's lock to the last stop."""

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from rich.console import Console

from onecard.city import keeper, roles
from onecard.city.database import revive_embedded, stop_embedded
from onecard.city.lock import HomeLock
from onecard.city.ports import Ports
from onecard.city.supervisor import Role, Supervisor
from onecard.datacenter import dj, dsn, prepared
from onecard.datacenter.home import Home

ADMINISTRATOR = "admin"


@dataclass(frozen=True, slots=True)
class Options:
    """What `onecard up` was asked for; `seconds` 0 means until Ctrl-C."""

    holders: int
    ports: Ports
    traffic: bool = True
    rate: int = 30
    seconds: int = 0


def up(home: Home, options: Options, console: Console) -> None:
    """Run the city of a home until Ctrl-C, SIGTERM or the time given. Raises AlreadyRunning while another `up` runs it."""
    started = time.monotonic()
    home.prepare()
    with ExitStack() as stack:
        lock = HomeLock(home.path / "up.lock")
        lock.acquire()
        stack.callback(lock.release)
        guard = keeper.spawn(lock_fd=lock.fd)
        stack.callback(guard.dismiss)
        stack.callback(_stop_database, home, console)
        with _interruptible():
            password = _prepare(home, options, console)
        supervisor = Supervisor(
            log_dir=home.log_dir,
            inherit_fds=(guard.writing_fd,),
            on_restart=lambda name, code: console.print(f"[yellow]{name} 退出（{code}），正在重启 ended, starting again[/]"),
        )
        stack.callback(_stop_roles, supervisor, console)
        with supervisor.signals():
            _start_roles(supervisor, home, options, console)
            if not supervisor.stopping:
                _banner(home, options, console, password=password, seconds=time.monotonic() - started)
                supervisor.watch(lambda: _look_after_database(home, console))
                supervisor.run(until=time.monotonic() + options.seconds if options.seconds else None)
            supervisor.stopping = True
            _stop_roles(supervisor, console)


def _prepare(home: Home, options: Options, console: Console) -> str | None:
    """Database, schema, city, administrator; gives the one-time password when the administrator was made just now."""
    with console.status("数据中心启动 starting the data centre …") as status:
        prepared.ensure(home, progress=lambda line: status.update(f"数据中心 data centre: {line}"))
    dj.setup()
    from onecard.city.load import load_city

    load_city(home, holders=options.holders, console=console)
    from onecard.consoles.centre.api import ensure_admin

    return ensure_admin(ADMINISTRATOR)


def _start_roles(supervisor: Supervisor, home: Home, options: Options, console: Console) -> None:
    ports = options.ports
    ports.save(home.run_dir / "up.json")
    with console.status("启动各角色 starting the roles …") as status:
        for role in _wanted(home, options):
            if supervisor.stopping:
                return
            status.update(f"启动 starting {role.name} …")
            supervisor.start(role)


def _wanted(home: Home, options: Options) -> Iterator[Role]:
    """One role after another; the next is asked for when the last one serves."""
    from onecard.city.fronts import enrol_devices, find_front_end, name_gateway

    ports = options.ports
    name_gateway(ports.enrol)
    yield from (roles.app_role(home), roles.gateway_role(home, ports), roles.worker_role(home), roles.web_role(home, ports))
    if not options.traffic:
        return
    rate: tuple[str, ...] = ("--rate", str(options.rate))
    front = find_front_end(home)
    if front is not None:
        enrol_devices(front, port=ports.enrol)
        yield from (roles.line_role(home, ports, front.unit), roles.fep_role(home, ports, front.folder))
        yield roles.room_role(home, ports)
        rate = (*rate, "--front-port", str(ports.fep_native))
    yield from (roles.station_role(home), roles.traffic_role(home, ports, rate))


def _banner(home: Home, options: Options, console: Console, *, password: str | None, seconds: float) -> None:
    sign_in = (
        f"用户 user [b]{ADMINISTRATOR}[/]  一次性密码 one-time password [b]{password}[/]"
        if password
        else (f"用户 user [b]{ADMINISTRATOR}[/]，密码不变 the password you have chosen（忘记 forgotten: onecard city password）")
    )
    database = "内嵌 embedded" if dsn.is_embedded() else "ONECARD_DATABASE"
    # Plain lines, never wrapped or cut: the address and the password are there to be copied.
    lines = (
        f"[b]城市一卡通 One-Card[/]  （{seconds:.1f} s）",
        f"  管理中心 Management centre  [b]http://127.0.0.1:{options.ports.web}/centre/[/]",
        f"  登录 Sign in                {sign_in}",
        f"  网关 Gateway                原生 native {options.ports.native}，ISO 8583 {options.ports.iso}（TLS 1.3）",
        *_front_lines(options),
        f"  数据 Data                   {home.path}（数据库 database: {database}；日志 logs: {home.log_dir}）",
        "  停止 Stop                   Ctrl-C",
    )
    console.print("\n".join(lines), soft_wrap=True, highlight=False)


def _front_lines(options: Options) -> tuple[str, ...]:
    if not options.traffic:
        return ()
    from onecard.city.fronts import UNIT

    return (
        f"  前置机 Front-end            {UNIT}：剪断线路 cut its line [b]onecard city cut {UNIT}[/]，接通 mend it "
        f"[b]onecard city mend {UNIT}[/]",
        f"  单位工作站 Workstation      http://127.0.0.1:{options.ports.workstation}/workstation/",
    )


def _look_after_database(home: Home, console: Console) -> None:
    if revive_embedded(home):
        console.print("[yellow]数据库曾退出，已重启 the database had ended and was started again[/]")


def _stop_roles(supervisor: Supervisor, console: Console) -> None:
    if supervisor.is_idle:
        return
    with console.status("正在停止 stopping …"):
        supervisor.stop(order=roles.STOP_ORDER)


def _stop_database(home: Home, console: Console) -> None:
    stop_embedded(home)
    console.print("已停止 stopped。再次运行 onecard up 继续 run it again to go on.")


@contextmanager
def _interruptible() -> Iterator[None]:
    """While loading, SIGTERM and SIGHUP end the work as Ctrl-C does, so that everything begun is put away."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def quiet_logs() -> None:
    """The supervisor's own notes go to the screen through the console, not through logging."""
    logging.getLogger("onecard").setLevel(logging.ERROR)
