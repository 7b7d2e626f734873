"""`onecard rollout`: the repository's keys, releases and their signatures, roll-outs from the plan to the end."""

import json
from datetime import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from onecard.services.actors import Actor
    from onecard.services.rollouts.api import GroupPlan, Progress

_HELP = "远程升级：升级库密钥、发布、升级计划 / Roll-outs: keys of the repository, releases, plans"
app = typer.Typer(help=_HELP, no_args_is_help=True, add_completion=False)
keys_app = typer.Typer(help="升级库的脱机密钥 / Off-line keys of the repository", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
release_app = typer.Typer(help="发布：登记、提交签名、撤回 / Releases: hand in, have signed, withdraw", no_args_is_help=True)
app.add_typer(release_app, name="release")

Passphrase = Annotated[Path, typer.Option("--passphrase-file", help="口令文件 file with the passphrase of the keys", exists=True)]
Out = Annotated[Path, typer.Option("--out", help="写入文件 file to write")]
RolloutId = Annotated[int, typer.Argument(help="升级计划编号 number of the roll-out")]
By = Annotated[str, typer.Option("--as", help="操作人姓名；审批人须另有其人 who does it; another one approves")]
Reason = Annotated[str, typer.Option(help="原因 reason")]


def ready() -> None:
    """A migrated database and Django."""
    from onecard.datacenter import dj, prepared

    prepared.ensure()
    dj.setup()


def _actor(name: str = "cli") -> "Actor":
    from onecard.services.actors import Actor

    return Actor.system(name)


# --- keys and signatures


@keys_app.command("init")
def keys_init(
    into: Annotated[Path, typer.Option("--into", help="存放脱机密钥的目录（介质） folder for the off-line keys")],
    passphrase_file: Passphrase,
    count: Annotated[int, typer.Option("--keys", help="每个角色的密钥数 keys of each role", min=2, max=9)] = 3,
    threshold: Annotated[int, typer.Option(help="须有几个签名 signatures needed", min=2, max=9)] = 2,
) -> None:
    """建立升级库：root、targets 密钥写入目录，库由其签名 / Make the repository, signed by keys written to a folder."""
    ready()
    from onecard.services.rollouts import api

    passphrase = passphrase_file.read_bytes().strip()
    root = api.init_repository(into, passphrase, actor=_actor(), count=count, threshold=threshold)
    (into / "root.json").write_bytes(root)
    typer.echo(f"升级库已建立。请将 {into} 中的密钥分发给各保管人并移离本机；root.json 供设备内置")
    typer.echo(f"the repository is made: hand the keys in {into} to their keepers, off this machine; devices take root.json")


@keys_app.command("renew")
def keys_renew(out: Out) -> None:
    """提出新的 root 文件（延长有效期，或保管库更换后） / Propose the next root file, to be signed off line."""
    ready()
    from onecard.services.rollouts import api

    out.write_bytes(api.propose_root(actor=_actor()))
    typer.echo(f"{out}：须由 root 密钥保管人签名 to be signed by the keepers of root keys")


@app.command()
def sign(
    file: Annotated[Path, typer.Argument(help="待签名文件 file to be signed", exists=True)],
    key: Annotated[list[Path], typer.Option("--key", help="脱机密钥文件，可多次给出 off-line key file, may be repeated")],
    passphrase_file: Passphrase,
) -> None:
    """脱机签名：无需数据库，在脱机的机器上运行 / Sign off line: needs no database."""
    from onecard.services.rollouts import tufkeys, tufsigning

    passphrase = passphrase_file.read_bytes().strip()
    signed = tufsigning.sign_off_line(file.read_bytes(), [tufkeys.read_key_file(path, passphrase) for path in key])
    file.write_bytes(signed)
    typer.echo(f"{file}：{len(json.loads(signed)['signatures'])} 个签名 signatures")


@app.command()
def accept(file: Annotated[Path, typer.Argument(help="已签名文件 signed file", exists=True)]) -> None:
    """导入已签名的 root 或 targets / Bring in a root or targets file that is signed."""
    ready()
    from onecard.services.rollouts import api

    role, version = api.accept(file.read_bytes(), actor=_actor())
    typer.echo(f"{role} {version} 已生效 is in force")


# --- releases


@release_app.command("add")
def release_add(
    file: Annotated[Path, typer.Argument(help="文件 file", exists=True, dir_okay=False)],
    version: Annotated[int, typer.Option(help="发布计数，只增不减 release counter, only grows", min=1)],
    kind: Annotated[str, typer.Option(help="firmware，或数据名称 firmware, or the name of the data")] = "firmware",
    hardware: Annotated[list[str] | None, typer.Option(help="硬件标识，可多次给出 hardware id, may be repeated")] = None,
    title: Annotated[str, typer.Option(help="名称 name")] = "",
    note: Annotated[str, typer.Option(help="说明 note")] = "",
) -> None:
    """登记一个文件，待签名 / Hand a file in, to be signed."""
    ready()
    from onecard.services.rollouts import api

    made = api.add_release(
        kind,
        title or file.stem,
        version=version,
        content=file.read_bytes(),
        hardware_ids=hardware or (),
        actor=_actor(),
        note=note,
    )
    typer.echo(f"发布 release {made.pk}：{made.path}，待签名 to be signed")


@release_app.command("propose")
def release_propose(
    out: Out,
    withdraw: Annotated[list[int] | None, typer.Option(help="撤回的发布，可多次给出 release to withdraw")] = None,
) -> None:
    """写出下一版 targets，供脱机签名 / Write the next targets file, to be signed off line."""
    ready()
    from onecard.services.rollouts import api

    out.write_bytes(api.propose_targets(actor=_actor(), withdraw=withdraw or ()))
    typer.echo(f"{out}：须由 targets 密钥保管人签名 to be signed by the keepers of targets keys")


@release_app.command("list")
def release_list() -> None:
    """所有发布 / All releases."""
    ready()
    from onecard.services.rollouts import api

    for one in api.releases(actor=_actor()):
        hardware = " ".join(one.hardware_ids)
        typer.echo(f"{one.pk:>5}  {one.kind} {one.version}  {one.title}  {one.get_state_display()}  {hardware}".rstrip())


# --- roll-outs


@app.command()
def plan(
    release: Annotated[int, typer.Argument(help="发布编号 number of the release")],
    title: Annotated[str, typer.Option(help="名称 name")],
    where: Annotated[str, typer.Option(help='目标条件 JSON，如 {"units": [3]} target, as JSON')] = "{}",
    group: Annotated[
        list[str] | None, typer.Option(help="分组 名称:占比‰:成功‰:故障‰[:观察秒] name:share:success:error[:soak], in permille")
    ] = None,
    canary_unit: Annotated[list[int] | None, typer.Option(help="先行单位 unit that goes first")] = None,
    window: Annotated[str, typer.Option(help="维护窗口 23:00-05:00 local times in which devices may install")] = "",
    by: By = "cli",
) -> None:
    """制定升级计划，待他人审批 / Plan a roll-out, for another person to approve."""
    ready()
    from onecard.services.rollouts import api

    target = api.TargetFilter.from_json(_json(where))
    groups = [_group(text) for text in group] if group else api.CANARY_FIRST
    made = api.plan_rollout(
        release,
        title=title,
        target=target,
        groups=groups,
        canary_units=canary_unit or (),
        window=_window(window),
        actor=_actor(by),
    )
    found = api.count_devices(release, target, actor=_actor(by))
    typer.echo(f"升级计划 roll-out {made.pk}：目前 {found} 台设备 devices now，待审批 to be approved")


@app.command()
def approve(rollout: RolloutId, by: By) -> None:
    """审批（须由他人） / Approve, by another person."""
    ready()
    from onecard.services.rollouts import api

    api.approve_rollout(rollout, actor=_actor(by))
    _show(rollout)


@app.command()
def start(rollout: RolloutId, by: By = "cli") -> None:
    """启动 / Start."""
    ready()
    from onecard.services.rollouts import api

    api.start_rollout(rollout, actor=_actor(by))
    _show(rollout)


@app.command()
def pause(rollout: RolloutId, by: By = "cli", reason: Reason = "") -> None:
    """暂停 / Pause."""
    ready()
    from onecard.services.rollouts import api

    api.pause_rollout(rollout, actor=_actor(by), reason=reason)
    _show(rollout)


@app.command()
def resume(rollout: RolloutId, by: By = "cli") -> None:
    """恢复 / Resume."""
    ready()
    from onecard.services.rollouts import api

    api.resume_rollout(rollout, actor=_actor(by))
    _show(rollout)


@app.command()
def cancel(rollout: RolloutId, by: By = "cli", reason: Reason = "") -> None:
    """取消 / Cancel."""
    ready()
    from onecard.services.rollouts import api

    api.cancel_rollout(rollout, actor=_actor(by), reason=reason)
    _show(rollout)


@app.command()
def status(rollout: Annotated[int | None, typer.Argument(help="升级计划编号 number of the roll-out")] = None) -> None:
    """进度：全部，或一个计划的分组与出错设备 / Progress: of all, or of one with its groups and errors."""
    ready()
    from onecard.services.rollouts import api

    if rollout is not None:
        _show(rollout)
        return
    for one in api.rollouts(actor=_actor()):
        typer.echo(_line(one))


def _show(number: int) -> None:
    from onecard.services.rollouts import api

    progress = api.rollout(number, actor=_actor())
    typer.echo(_line(progress))
    for group in progress.groups:
        name, state = group.group.title, group.group.get_state_display()
        counts = f"完成 done {group.done}/{group.size}  进行 under way {group.under_way}  出错 errors {group.errors}"
        typer.echo(f"  {group.group.no}. {name}  {state}  {counts}")
    for action in api.actions(number, actor=_actor(), states=("failed", "refused"), limit=20):
        typer.echo(f"  ! {action.line.name}/{action.terminal_id or 0}  {action.get_state_display()}  {action.detail}")


def _line(progress: "Progress") -> str:
    found = progress.rollout
    reason = f"  {found.reason}" if found.reason else ""
    return f"{found.pk:>5}  {found.title}  {found.get_state_display()}  {progress.done}/{progress.size}{reason}"


def _json(text: str) -> dict[str, object]:
    from onecard.kernel.errors import InvalidInput

    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"--where 不是 JSON：{error}", f"--where is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidInput("--where 须为 JSON 对象", "--where is a JSON object")
    return found


def _group(text: str) -> "GroupPlan":
    from onecard.kernel.errors import InvalidInput
    from onecard.services.rollouts.api import GroupPlan

    name, *figures = text.split(":")
    try:
        share, success, error, *soak = (int(figure) for figure in figures)
    except ValueError:
        raise InvalidInput(f"分组无效：{text}", f"not a group: {text}") from None
    return GroupPlan(name, share, success, error, soak[0] if soak else 0)


def _window(text: str) -> tuple[time, time] | None:
    from onecard.kernel.errors import InvalidInput

    if not text:
        return None
    try:
        begin, end = (time.fromisoformat(part) for part in text.split("-"))
    except ValueError:
        raise InvalidInput(f"维护窗口无效：{text}", f"not a window: {text}") from None
    return begin, end
