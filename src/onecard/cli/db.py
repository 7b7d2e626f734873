"""`onecard db`: the data centre's life cycle, for the person who keeps it."""

import os
from pathlib import Path
from typing import Annotated

import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from onecard.datacenter import backup as backups
from onecard.datacenter import binaries, dsn, prepared
from onecard.datacenter.embedded import EmbeddedServer
from onecard.datacenter.home import Home
from onecard.kernel.clock import SystemClock
from onecard.kernel.errors import InvalidInput

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="数据中心：PostgreSQL 的启动、停止、备份、恢复与迁移。The data centre."
)


def _server() -> EmbeddedServer:
    if not dsn.is_embedded():
        raise InvalidInput(
            "已设置 ONECARD_DATABASE：该服务器不由 One-Card 启停",
            "ONECARD_DATABASE is set: One-Card does not start or stop that server",
        )
    return EmbeddedServer(Home.from_environment())


@app.command()
def start() -> None:
    """启动内嵌 PostgreSQL Start the embedded PostgreSQL; it stays when this command ends."""
    server = _server()
    started = server.start()
    typer.echo(f"{'已启动 started' if started else '已在运行 running already'}  {server.socket_dir}")


@app.command()
def stop() -> None:
    """停止内嵌 PostgreSQL Stop the embedded PostgreSQL."""
    typer.echo("已停止 stopped" if _server().stop() else "未在运行 was not running")


@app.command()
def status() -> None:
    """状态 Whether it runs, where its data lies. Exit code 3 when it does not run."""
    if not dsn.is_embedded():
        import psycopg

        with psycopg.connect(dsn.app_dsn() if os.environ.get("ONECARD_APP_DATABASE") else dsn.owner_dsn()) as connection:
            typer.echo(f"运行中 running  PostgreSQL {connection.info.parameter_status('server_version')}  (ONECARD_DATABASE)")
        return
    found = _server().status()
    state = "运行中 running" if found.is_running else "启动或停止中 starting or stopping" if found.pid else "未运行 not running"
    version = found.version or (f"{binaries.version()} (embedded)")
    typer.echo(f"{state}  PostgreSQL {version}{f'  pid {found.pid}' if found.pid else ''}")
    typer.echo(
        f"数据 data    {found.pg_data}\n套接字 socket {found.socket_dir}\n日志 log     {_server().home.log_dir / 'postgres'}"
    )
    if not found.is_running:
        raise typer.Exit(3)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(
    context: typer.Context,
    owner: Annotated[bool, typer.Option("--owner", help="以所有者身份 as the owner of the schema")] = False,
    admin: Annotated[bool, typer.Option("--admin", help="以超级用户身份（内嵌） as the superuser (embedded)")] = False,
) -> None:
    """打开 psql，默认以应用角色 Open psql, as the application unless said otherwise; more words go to psql."""
    prepared.start()
    chosen = _server().admin_dsn("onecard") if admin else dsn.owner_dsn() if owner else dsn.app_dsn()
    parts = conninfo_to_dict(chosen)
    password = parts.pop("password", None)
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    program = binaries.tool("psql")
    os.execve(program, [program, make_conninfo(**parts), *context.args], environment)  # type: ignore[arg-type]  # noqa: S606


@app.command()
def migrate() -> None:
    """迁移数据库到本版本 Bring the database to this program's schema."""
    prepared.ensure(progress=lambda line: typer.echo(line, err=True))
    typer.echo("数据库已是本版本 the database is current")


@app.command()
def admin(
    name: Annotated[str, typer.Argument(help="用户名 user name")],
    role: Annotated[str, typer.Option(help="角色 role: administrator, key-officer …")] = "administrator",
) -> None:
    """新建管理中心用户，显示一次性密码 A new user of the management centre, with a one-time password."""
    from onecard.datacenter import dj

    prepared.ensure()
    dj.setup()
    from django.contrib.auth.models import User
    from django.core.exceptions import ValidationError

    from onecard.consoles.centre.roles import Role, sync_roles
    from onecard.consoles.centre.staff import create_staff

    if role not in list(Role):
        raise InvalidInput(f"没有这种角色：{role}（{', '.join(Role)}）", f"no such role: {role} ({', '.join(Role)})")
    try:
        User.username_validator(name)
    except ValidationError:
        raise InvalidInput(f"用户名只用字母、数字与 @.+-_：{name}", f"letters, digits and @.+-_ only: {name}") from None
    if len(name) > 150 or User.objects.filter(username__iexact=name).exists():
        raise InvalidInput(f"用户已存在，或名称过长：{name}", f"there is such a user, or the name is too long: {name}")
    sync_roles()
    _user, password = create_staff(name, Role(role))
    typer.echo(f"{name}  {role}  一次性密码 one-time password  {password}")


@app.command()
def backup(
    target: Annotated[Path | None, typer.Argument(help="备份目录，须不存在 a folder that does not exist yet")] = None,
) -> None:
    """备份 Back the database up to a folder, while everything goes on working."""
    home = Home.from_environment()
    prepared.start(home)
    if target is None:
        home.prepare()
        target = home.spool / f"backup-{SystemClock().now():%Y%m%dT%H%M%SZ}"
    typer.echo("备份中 backing up …", err=True)
    manifest = backups.back_up(dsn.owner_dsn(home), target)
    typer.echo(f"{target}  {sum(file.stat().st_size for file in target.iterdir()):,} B  onecard {manifest.onecard}")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="备份目录 a backup's folder")],
    replace: Annotated[bool, typer.Option("--replace", help="覆盖已有数据 replace what the database holds")] = False,
) -> None:
    """恢复 Restore a backup, whole or not at all; then migrate it to this program's schema."""
    backups.check(source)
    home = Home.from_environment()
    prepared.start(home)
    owner = dsn.owner_dsn(home)
    admin = EmbeddedServer(home).admin_dsn() if dsn.is_embedded() else make_conninfo(owner, dbname="postgres")
    typer.echo("校验并恢复中 checking and restoring …", err=True)
    manifest = backups.restore(source, owner, admin_dsn=admin, replace=replace)
    prepared.ensure(home)
    typer.echo(f"已恢复 restored  {manifest.taken_at}  onecard {manifest.onecard}")
