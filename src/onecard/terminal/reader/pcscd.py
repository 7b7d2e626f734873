"""A private pcscd with two virtual slots: for tests and trials, beside or without the machine's own.

pcscd has the path of its socket built in (/run/pcscd), and the driver vpcd listens on every address. So it runs in namespaces of
its own: a private folder lies over /run, and the network is a loopback that nobody else reaches (inside.py opens lines in it).
Clients find the socket by PCSCLITE_CSOCK_NAME, which libpcsclite reads once a process. Needs Debian's pcscd and
vsmartcard-vpcd, and root or user namespaces.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from onecard.terminal.reader.errors import ReaderGone, ReaderMissing
from onecard.terminal.reader.local import Chip
from onecard.terminal.reader.vpcd import DEFAULT_PORT, VpcdCard

DRIVER: Final = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
SOCKET_VARIABLE: Final = "PCSCLITE_CSOCK_NAME"
START_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.02
_SWAP_SECONDS: Final = 0.6
"""pcscd looks every 0.4 s whether a card is there; a card that follows another sooner it takes for the same, and loses it."""
_SCRIPT: Final = """
mount --bind "$1" /run || exit 1
"$4" -m onecard.terminal.reader.inside "$5" &
exec setpriv --pdeathsig TERM "$2" --foreground --config "$3"
"""


def find_pcscd() -> str:
    """The program. Raises ReaderMissing with what to install."""
    program = shutil.which("pcscd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None or not DRIVER.exists() or shutil.which("unshare") is None:
        raise ReaderMissing(
            "缺少 pcscd 或 vsmartcard-vpcd：请运行 scripts/install-test-packages",
            "pcscd or vsmartcard-vpcd is missing: run scripts/install-test-packages",
        )
    return program


class PrivatePcscd:
    """`with PrivatePcscd() as pcscd, pcscd.insert(card): …`; sets PCSCLITE_CSOCK_NAME of this process.

    libpcsclite keeps the first socket name a process asks for: the folder is one a process, and one pcscd at a time runs in it.
    """

    _folder: Path | None = None

    def __init__(self) -> None:
        self._program = find_pcscd()
        if PrivatePcscd._folder is None:
            PrivatePcscd._folder = Path(tempfile.gettempdir()) / f"onecard-pcscd-{os.getpid()}"
        self.folder = PrivatePcscd._folder
        self.socket = self.folder / "run" / "pcscd" / "pcscd.comm"
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._cards: dict[int, VpcdCard] = {}

    def __enter__(self) -> "PrivatePcscd":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait for its socket. Raises ReaderGone."""
        self.folder.mkdir(mode=0o700)
        for name in ("run", "conf"):
            (self.folder / name).mkdir()
        port = f"0x{DEFAULT_PORT:04X}"
        entry = f'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:{port}\nLIBPATH {DRIVER}\nCHANNELID {port}\n'
        (self.folder / "conf" / "vpcd").write_text(entry)
        self._channel, inner = socket.socketpair()
        with inner, (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command(inner.fileno()), stdout=log, stderr=log, stdin=subprocess.DEVNULL, pass_fds=[inner.fileno()]
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.socket.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = self.log()
                self.stop()
                raise ReaderGone("pcscd 无法启动", f"pcscd did not start: {text[-2000:]}")
            time.sleep(_POLL_SECONDS)
        os.environ[SOCKET_VARIABLE] = str(self.socket)

    def _command(self, channel: int) -> list[str]:
        namespaces = ["unshare", "--mount", "--propagation", "private", "--net"]
        if os.geteuid() != 0:
            namespaces[1:1] = ["--user", "--map-root-user"]
        folders = [str(self.folder / "run"), self._program, str(self.folder / "conf")]
        return [*namespaces, "sh", "-c", _SCRIPT, "sh", *folders, sys.executable, str(channel)]

    def insert(self, chip: Chip, *, slot: int = 0) -> VpcdCard:
        """Put a card into a slot; pcscd sees it within its polling time, half a second."""
        before = self._cards.get(slot)
        if before is not None:
            before.close()
            time.sleep(max(0.0, (before.closed_at or 0.0) + _SWAP_SECONDS - time.monotonic()))
        self._cards[slot] = VpcdCard(chip, port=DEFAULT_PORT + slot, line=self._dial)
        return self._cards[slot]

    def _dial(self, port: int) -> socket.socket:
        assert self._channel is not None, "not started"
        self._channel.sendall(port.to_bytes(2, "big"))
        answer, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
        if answer != b"+" or not descriptors:
            raise ReaderGone(f"虚拟读卡器未运行：{port}", f"No virtual reader at port {port}")
        return socket.socket(fileno=descriptors[0])

    def log(self) -> str:
        """What pcscd has said."""
        return (self.folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        """End it; cards still in it lose their power."""
        for card in self._cards.values():
            card.close()
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        os.environ.pop(SOCKET_VARIABLE, None)
        shutil.rmtree(self.folder, ignore_errors=True)
