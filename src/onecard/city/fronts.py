"""The unit of the demonstration city that has a real front-end: which one, and how its devices come onto the authorised list.

They are enrolled as real ones are: a one-time code from the platform, a key made in the device's folder, a certificate from the
enrolment port (G2). A folder that is enrolled stays as it is.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from onecard.datacenter.home import Home, own_folder
from onecard.services.actors import Actor
from onecard.services.devices import api as devices
from onecard.services.devices.admit.settings import LEASE_HOURS
from onecard.services.devices.models import Line, Terminal
from onecard.terminal.enrol import Invitation, enrol, load_enrolment
from onecard.terminal.tls import Identity

UNIT = "UNI01"
_ACTOR = Actor.system("demo")


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """The front-end of a unit: its line, its folder, and the terminals behind it with theirs."""

    unit: str
    line_id: int
    folder: Path
    terminals: dict[int, Path]

    def identity_of(self, terminal_id: int) -> Identity:
        """The files of a terminal behind it, which is enrolled."""
        enrolled = load_enrolment(self.terminals[terminal_id])
        assert enrolled is not None, "enrol_devices first"
        return enrolled.identity


def find_front_end(home: Home, unit: str = UNIT) -> FrontEnd | None:
    """The front-end of a unit by its code; None where the city has no such unit."""
    line = Line.objects.filter(unit__code=unit, kind=devices.LineKind.FRONT_END, state=devices.LineState.ACTIVE).first()
    if line is None:
        return None
    folder = home.path / "fronts"
    own_folder(folder, 0o700)
    behind = Terminal.objects.filter(line=line, state=devices.TerminalState.ACTIVE, driver=devices.Driver.NATIVE)
    ids = list(behind.order_by("pk").values_list("pk", flat=True))
    own = folder / unit
    return FrontEnd(unit, line.pk, own, {pk: own / "terminals" / str(pk) for pk in ids})


def name_gateway(port: int) -> None:
    """Have the codes that the management centre shows name this machine's enrolment port."""
    now = devices.admission_settings()
    hours = {name: getattr(now, name) for name in LEASE_HOURS}
    devices.set_admission_settings(f"127.0.0.1:{port}", hours, actor=_ACTOR)


def enrol_devices(front: FrontEnd, *, port: int) -> int:
    """Enrol the front-end and its terminals at the gateway's port where they are not yet; how many were.

    Raises LineDown, LineRefused.
    """
    done = 0
    for terminal_id, folder in ((0, front.folder), *front.terminals.items()):
        if load_enrolment(folder) is not None:
            continue
        line_id = None if terminal_id else front.line_id
        code = devices.make_enrolment_code(line_id=line_id, terminal_id=terminal_id or None, actor=_ACTOR)
        invitation = replace(Invitation.parse(code.uri), host="127.0.0.1", port=port)
        enrol(invitation, folder, hosts=() if terminal_id else ("localhost",))
        done += 1
    return done
