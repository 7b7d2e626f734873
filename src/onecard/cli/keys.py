"""`onecard keys`: the vault, its keys, its use, and what takes two people. Ceremonies and SAMs have groups of their own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onecard.cli import keys_ceremony, keys_sams

if TYPE_CHECKING:
    from onecard.services.actors import Actor
    from onecard.services.keys.models.custody import KeyRequest

_HELP = "密钥：密钥库、分量仪式、SAM、双人控制 / Keys: the vault, the ceremony, SAMs, dual control"
app = typer.Typer(help=_HELP, no_args_is_help=True, add_completion=False)
app.add_typer(keys_ceremony.app, name="ceremony")
app.add_typer(keys_sams.app, name="sam")
transcript_app = typer.Typer(help="仪式记录书：导出、验签 / Transcripts: export, verify", no_args_is_help=True)
app.add_typer(transcript_app, name="transcript")
usage_app = typer.Typer(help="密钥使用日志 / The log of key uses", invoke_without_command=True)
app.add_typer(usage_app, name="usage")

User = Annotated[str | None, typer.Option("--user", help="管理中心用户名 user name of the management centre")]
Reason = Annotated[str, typer.Option(help="事由 reason")]
RequestId = Annotated[int, typer.Argument(help="申请号 number of the request")]


def ready() -> None:
    """A migrated database and Django; what every command of the group begins with."""
    from onecard.datacenter import dj, prepared

    prepared.ensure()
    dj.setup()


def system() -> "Actor":
    """The command line itself, for what needs no second person."""
    from onecard.services.actors import Actor

    return Actor.system("cli")


@app.command()
def init(
    demo: Annotated[
        bool,
        typer.Option(
            "--demo", help="演示用：随机口令存于数据目录，密钥在库内生成 for demonstrations: passphrase kept in the home"
        ),
    ] = False,
    pkcs11: Annotated[bool, typer.Option("--pkcs11", help="密钥保存在 PKCS#11 HSM 中 keep the keys in an HSM")] = False,
) -> None:
    """建立密钥保管库 / Make the vault."""
    ready()
    from onecard.datacenter.home import Home
    from onecard.kernel.errors import InvalidInput
    from onecard.services.keys import api
    from onecard.services.keys.passphrase import find_passphrase

    home = Home.from_environment()
    if demo and pkcs11:
        raise InvalidInput("--demo 与 --pkcs11 不能同时给出", "--demo and --pkcs11 exclude each other")
    if demo:
        api.init_demo(home)
        typer.echo("演示保管库已建立：口令就在数据目录中，任何真实的卡都不得使用它的密钥")
        typer.echo("the demonstration vault is ready: its passphrase lies beside it, its keys must never reach a real card")
        return
    passphrase = None if pkcs11 else bytes(find_passphrase(home, demonstration=False).value)
    api.init_vault(passphrase, actor=system(), keeper="pkcs11" if pkcs11 else "software")
    typer.echo("保管库已建立，尚无密钥：请进行密钥仪式 the vault is ready and has no keys yet: hold a ceremony")


@app.command()
def status() -> None:
    """密钥树：版本、状态、校验值、使用次数 / The key tree: versions, states, check values, uses."""
    ready()
    from onecard.services.keys import api
    from onecard.services.keys.models import KeyState

    for key in api.open_vault().status():
        until = f"  {key.retiring_until:%Y-%m-%d}" if key.state == KeyState.RETIRING and key.retiring_until else ""
        owner = f" {key.owner}" if key.owner else ""
        typer.echo(
            f"#{key.key_id:<4} {key.use:<17} {key.level.name.lower()}{owner:<9} {key.algorithm.name:<7} v{key.version:<3}"
            f" {KeyState(key.state).label} {key.state}{until}  KCV {key.kcv}  {key.count}"
        )


@app.command()
def rotate(
    use: Annotated[str, typer.Argument(help="用途 use: purchase, load, tac …")],
    algorithm: Annotated[str, typer.Option(help="3des | sm4 | ed25519")] = "3des",
    user: User = None,
) -> None:
    """在保管库内生成下一版本，待双人启用 / Make the next version inside the vault; two people activate it."""
    ready()
    from onecard.cli.signin import sign_in
    from onecard.kernel.errors import InvalidInput
    from onecard.services.keys import api

    names = {"3des": api.KeyAlgorithm.DES3} | {kind.name.lower(): kind for kind in api.KeyAlgorithm}
    if use not in list(api.KeyUse) or algorithm.lower() not in names:
        raise InvalidInput(
            f"没有这种用途或算法：{use} {algorithm}",
            f"no such use or algorithm: {use} {algorithm} ({', '.join(api.KeyUse)}; {', '.join(names)})",
        )
    made = api.open_vault().rotate(api.KeyUse(use), algorithm=names[algorithm.lower()], actor=sign_in(user))
    typer.echo(f"#{made.key_id}  {made.use} v{made.version}  {made.state}  KCV {made.kcv}")


@usage_app.callback()
def usage(context: typer.Context, limit: Annotated[int, typer.Option(help="行数 rows", min=1, max=10_000)] = 50) -> None:
    """密钥使用日志，最新在前 / The log of key uses, newest first."""
    if context.invoked_subcommand is not None:
        return
    ready()
    from onecard.services.keys import api

    for row in api.usages(limit=limit):
        failed = f"  不符 failed {row.failed}" if row.failed else ""
        typer.echo(f"{row.seq:>8}  {row.at:%Y-%m-%d %H:%M:%S}Z  {row.operation}  {row.count}{failed}  {row.subject}  {row.actor}")


@usage_app.command(name="verify")
def verify_usage() -> None:
    """从头校验日志的散列链 / Walk the whole chain of hashes."""
    ready()
    from onecard.services.keys import api

    report = api.verify_usage_chain()
    if not report.is_whole:
        typer.echo(f"日志在第 {report.broken_at} 条断开 broken at {report.broken_at}: {report.reason}", err=True)
        raise typer.Exit(1)
    typer.echo(f"完整 whole: {report.links}  {report.head}")


@app.command()
def alarms(every: Annotated[bool, typer.Option("--all", help="含已确认 acknowledged ones too")] = False) -> None:
    """异常使用告警 / Alarms on unusual use."""
    ready()
    from onecard.services.keys import api

    for alarm in api.alarms(open_only=not every):
        typer.echo(
            f"#{alarm.pk}  SAM {alarm.sam_no:012X}  {alarm.hour:%Y-%m-%d %H}:00Z  {alarm.get_kind_display()} {alarm.kind}"
            f"  {alarm.count} > {alarm.allowed}  {alarm.acknowledged_by or '-'}"
        )


@app.command()
def request(
    action: Annotated[str, typer.Argument(help="activate | destroy | export | sam_unblock")],
    subject: Annotated[str, typer.Argument(help="密钥号，或 SAM 编号 number of the key, or of the SAM")],
    reason: Reason,
    zone: Annotated[int | None, typer.Option(help="导出所用区域密钥号 zone key of an export")] = None,
    overlap: Annotated[int | None, typer.Option(help="启用后旧版本重叠天数 days the old version is still accepted")] = None,
    user: User = None,
) -> None:
    """申请双人操作 / Ask for what takes two people."""
    ready()
    from onecard.cli.signin import sign_in
    from onecard.kernel.errors import InvalidInput
    from onecard.services.keys.custody import requests
    from onecard.services.keys.models.custody import RequestAction
    from onecard.services.keys.sams import stock

    if action not in RequestAction.values:
        raise InvalidInput(f"没有这种操作：{action}", f"no such act: {action} ({', '.join(RequestAction.values)})")
    is_sam = action == RequestAction.SAM_UNBLOCK
    if not is_sam and not subject.isdecimal():
        raise InvalidInput(f"密钥号不是数字：{subject}", f"the number of a key has digits only: {subject}")
    asked = requests.ask(
        RequestAction(action),
        key_id=None if is_sam else int(subject),
        sam_no=stock.parse_sam_no(subject) if is_sam else None,
        parameters={name: n for name, n in (("zone_key_id", zone), ("overlap_days", overlap)) if n is not None},
        reason=reason,
        actor=sign_in(user),
    )
    _show(asked)


@app.command()
def approve(request_id: RequestId, user: User = None) -> None:
    """批准他人的申请并立即执行 / Approve another person's request; it is done at once."""
    ready()
    from onecard.cli.signin import sign_in
    from onecard.services.keys.custody import requests

    _show(requests.approve(request_id, actor=sign_in(user)))


@app.command()
def refuse(request_id: RequestId, user: User = None) -> None:
    """拒绝他人的申请 / Refuse another person's request."""
    ready()
    from onecard.cli.signin import sign_in
    from onecard.services.keys.custody import requests

    _show(requests.refuse(request_id, actor=sign_in(user)))


@app.command()
def withdraw(request_id: RequestId, user: User = None) -> None:
    """撤回自己的申请 / Take one's own request back."""
    ready()
    from onecard.cli.signin import sign_in
    from onecard.services.keys.custody import requests

    _show(requests.withdraw(request_id, actor=sign_in(user)))


@app.command(name="requests")
def list_requests(limit: Annotated[int, typer.Option(help="行数 rows", min=1)] = 20) -> None:
    """双人操作申请 / The requests."""
    ready()
    from onecard.services.keys.custody import requests

    for found in requests.requests(limit=limit):
        _show(found)


def _show(found: "KeyRequest") -> None:
    subject = f"SAM {found.sam_no:012X}" if found.sam_no is not None else f"key {found.key_id}"
    typer.echo(
        f"#{found.pk}  {found.get_action_display()} {found.action}  {subject}  {found.get_state_display()} {found.state}"
        f"  {found.requested_by} → {found.decided_by or '-'}  {found.reason}"
    )
    for name, value in found.result.items():
        typer.echo(f"    {name}: {value}")


@transcript_app.command()
def export(
    ceremony_id: Annotated[int, typer.Argument(help="仪式号 number of the ceremony")],
    out: Annotated[Path | None, typer.Option(help="写入文件，缺省为屏幕 file, else the screen")] = None,
) -> None:
    """导出已签名的仪式记录书 / Write out the signed transcript of a ceremony."""
    ready()
    from onecard.kernel.errors import InvalidInput
    from onecard.services.keys.custody import transcript

    text = transcript.dump(ceremony_id)
    if out is None:
        typer.echo(text, nl=False)
    else:
        try:
            out.write_text(text, "utf-8")
        except OSError as error:
            raise InvalidInput(f"无法写入 {out}：{error.strerror}", f"cannot write {out}: {error.strerror}") from None
        typer.echo(str(out))


@transcript_app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="记录书文件 transcript file", exists=True, dir_okay=False)],
    key: Annotated[str, typer.Option(help="只按此公钥验签，不连数据库 check against this public key, without a database")] = "",
) -> None:
    """验证记录书签名与内容 / Check a transcript's signature and content."""
    if not key:
        ready()
    from onecard.kernel.errors import InvalidInput
    from onecard.services.keys.custody import transcript_file

    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise InvalidInput(f"不是仪式记录书文件：{file}", f"this is no transcript file: {file}") from None
    checked = transcript_file.check(text)
    if key:
        ours = checked.public_key == key.strip().lower()
    else:
        from onecard.services.keys.custody import transcript

        ours = transcript.is_ours(checked)
    typer.echo(checked.text)
    if not ours:
        raise InvalidInput(
            f"签名成立，但不是指定的密钥所签：{checked.public_key}", f"signed, but with another key: {checked.public_key}"
        )
    typer.echo(f"签名有效 the signature holds: {checked.public_key}")
