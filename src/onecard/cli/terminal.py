"""`onecard terminal KIND`: one terminal against a gateway or front-end, worked by a script or from the keyboard."""

import asyncio
import contextlib
import json
import os
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onecard.kernel.errors import InvalidInput, OneCardError
from onecard.terminal.errors import CertificateRefused, LineDown, LineRefused
from onecard.terminal.tls import ANY_HOST

if TYPE_CHECKING:
    from onecard.terminal.kinds.parts import Display
    from onecard.terminal.kinds.program import Program, Setup
    from onecard.terminal.reader.base import Reader

app = typer.Typer(add_completion=False, no_args_is_help=True, help="终端模拟器 Terminals: pos, door, attendance, kiosk, meter.")

_FIRST_ATTEMPT_S = 3.0
Folder = Annotated[Path, typer.Option("--line", exists=True, file_okay=False, help="开通所得目录 Folder `onecard enrol` made.")]
Connect = Annotated[str, typer.Option(help="网关或前置机 HOST:PORT of a gateway or front-end.")]
Script = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="脚本文件 Script; else standard input.")]
Keypad = Annotated[bool, typer.Option("--keypad", help="交互键盘，出错继续 Interactive: a mistake does not end it.")]
State = Annotated[Path | None, typer.Option(file_okay=False, help="本机数据目录 Where the terminal keeps its journal.")]
Terminal = Annotated[int, typer.Option(help="终端编号，线路仅一台时可省 Id of the terminal, where the line has several.")]
Sam = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="虚拟 SAM 文件（收银机）File of a virtual SAM (POS).")
]
Chip = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="虚拟芯片卡文件 File of the virtual chip in the slot.")
]
Server = Annotated[
    str,
    typer.Option("--gateway-name", "--server-name", help="对端证书另有名称时 Name of a server's certificate of another kind."),
]
FrontEnd = Annotated[
    int, typer.Option("--front-end", help="前置机线路，接替后用 The front-end's line, where another has replaced it.")
]


def _add(name: str, zh: str, en: str) -> None:
    def command(
        line: Folder, connect: Connect, script: Script = None, keypad: Keypad = False, state: State = None,
        terminal: Terminal = 0, server_name: Server = ANY_HOST, front_end: FrontEnd = 0, sam: Sam = None, chip: Chip = None,
    ) -> None:  # fmt: skip
        setup = _setup(name, line, connect, state=state, terminal_id=terminal)
        setup = replace(setup, server_hostname=server_name)
        if front_end:
            setup = replace(setup, identity=replace(setup.identity, front_end=front_end))
        try:
            asyncio.run(_run(_with_sam(setup, sam), script, slot=_slot(chip), keypad=keypad))
        except (LineRefused, CertificateRefused) as error:  # not a mistake of who typed, which is 2
            typer.echo(f"错误：{error.zh}\nerror: {error.en}", err=True)
            raise typer.Exit(1) from None

    app.command(name, help=f"{zh} {en}")(command)


_add("pos", "收银机：金额、定价、菜单、计次，撤销、退货", "POS: amount, fixed price, menu, count, void, refund.")
_add("door", "门禁控制器", "Access controller.")
_add("attendance", "考勤机", "Attendance reader.")
_add("kiosk", "自助机：余额、现金充值", "Self-service kiosk: balance, top-up with cash.")
_add("meter", "水电表：预扣、计量、结算", "Meter: hold, pulses, final amount.")


def _setup(kind: str, line: Path, connect: str, *, state: Path | None, terminal_id: int) -> "Setup":
    from onecard.terminal.kinds.program import KINDS, Setup
    from onecard.terminal.tls import Identity

    host, colon, port = connect.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise InvalidInput(f"--connect 应为 HOST:PORT：{connect}", f"--connect takes HOST:PORT: {connect}")
    identity = Identity(line / "ca.pem", line / "cert.pem", line / "key.pem")
    for file in (identity.ca, identity.certificate, identity.key):
        if not file.exists():
            raise InvalidInput(
                f"{line} 缺少 {file.name}：请先 onecard enrol", f"{line} has no {file.name}: run onecard enrol first"
            )
    enrolled_as, front_end = _enrolled_as(line)
    return Setup(
        KINDS[kind], state or line / kind, host or "localhost", int(port), replace(identity, front_end=front_end),
        terminal_id or enrolled_as, on_display=_show,
    )  # fmt: skip


def _with_sam(setup: "Setup", sam: Path | None) -> "Setup":
    if sam is None:
        return setup
    from onecard.terminal.chipcard import SamSlot
    from onecard.terminal.reader.local import LocalReader
    from onecard.terminal.sam.virtual import VirtualSam

    return replace(setup, sam=SamSlot(LocalReader(VirtualSam.open(sam))))


def _slot(chip: Path | None) -> "Reader | None":
    if chip is None:
        return None
    from onecard.terminal.card.virtual import VirtualCard
    from onecard.terminal.reader.local import LocalReader

    return LocalReader(VirtualCard.open(chip))


def _enrolled_as(line: Path) -> tuple[int, int]:
    """The terminal a certificate behind a front-end belongs to, and the front-end's line; 0, 0: a line's own certificate."""
    file = line / "line.json"
    if not file.exists():
        return 0, 0
    try:
        told = json.loads(file.read_text("utf-8"))
        terminal_id = int(told.get("terminal_id") or 0)
        return terminal_id, int(told.get("line_id") or 0) if terminal_id else 0
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput(f"{file} 无法读取", f"{file} cannot be read") from None


def _show(display: "Display") -> None:
    sys.stdout.write(f"[{display.text}]\n")
    sys.stdout.flush()


async def _run(setup: "Setup", script: Path | None, *, slot: "Reader | None", keypad: bool) -> None:
    from onecard.terminal.kinds.program import Program

    try:
        async with Program.start(setup) as program:
            _show(program.device.display)
            await _first_attempt(program)
            await _play(program, script, slot=slot, keypad=keypad)
            if program.client.refused is not None:
                raise program.client.refused
    except BaseExceptionGroup as group:
        expected = group.subgroup(OneCardError)
        if expected is None:
            raise
        raise _first(expected) from None


async def _play(program: "Program", script: Path | None, *, slot: "Reader | None", keypad: bool) -> None:
    """The steps of a script or the keyboard, to their end or the step that ends it."""
    from onecard.terminal.kinds.script import parse_line, run_step

    number = 0
    async for line in _lines(script):
        number += 1
        try:
            for step in parse_line(line, slot=slot):
                if not await run_step(program, step):
                    return
        except OneCardError as error:
            if not keypad:
                where = f"{script or '-'}:{number}"
                raise InvalidInput(f"{where}：{error.zh}", f"{where}: {error.en}") from error
            sys.stdout.write(f"{error.zh} / {error.en}\n")


async def _first_attempt(program: "Program") -> None:
    """A terminal that is refused says so and ends; one whose line is merely down says why and works off line.

    Raises LineRefused, CertificateRefused.
    """
    attempt = asyncio.ensure_future(program.client.connect())
    await asyncio.wait((attempt,), timeout=_FIRST_ATTEMPT_S)
    if not attempt.done():
        attempt.add_done_callback(lambda done: done.cancelled() or done.exception())  # the program goes on trying by itself
        return
    try:
        attempt.result()
    except CertificateRefused:
        raise
    except LineDown as error:
        sys.stdout.write(f"{error.zh} / {error.en}\n")


def _first(group: BaseException) -> BaseException:
    """What ended the program, out of the groups its tasks have put around it."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


async def _lines(script: Path | None) -> AsyncIterator[str]:
    if script is not None:
        with script.open(encoding="utf-8") as stream:
            for line in stream:
                yield line
        return
    typed: asyncio.Queue[str | None] = asyncio.Queue()
    threading.Thread(target=_type, args=(asyncio.get_running_loop(), typed), daemon=True).start()
    while (key_line := await typed.get()) is not None:
        yield key_line


def _type(loop: asyncio.AbstractEventLoop, typed: "asyncio.Queue[str | None]") -> None:
    """Lines of the keyboard. Not through sys.stdin: nobody could end the program while a thread waits for a key in there."""
    rest = b""
    with contextlib.suppress(RuntimeError, OSError):  # the loop has gone
        while data := os.read(0, 4096):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                loop.call_soon_threadsafe(typed.put_nowait, line.decode("utf-8", "replace"))
        loop.call_soon_threadsafe(typed.put_nowait, rest.decode("utf-8", "replace") or None)
        loop.call_soon_threadsafe(typed.put_nowait, None)
