"""What a terminal does with data that its line's Tasks name: what is not for it is left, what is wrong is refused once."""

from onecard.kernel.codes import Result
from onecard.kernel.events import EventKind
from onecard.protocol.cardset import build_card_set
from onecard.protocol.parameters import build_parameters
from onecard.protocol.proto.device_pb2 import DataVersion, LeaseReply, Tasks
from onecard.terminal.kinds.following import Following
from onecard.terminal.kinds.pos import Pos
from tests.kinds.bench import TERMINAL, card, make


class Line:
    """A line that has this lease, or none."""

    def __init__(self, reply: LeaseReply) -> None:
        self.reply = reply

    async def ask_lease(self) -> LeaseReply:
        return self.reply


class Files:
    """The repository by path; what is not in it must not be asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    async def refresh(self) -> None:
        pass

    async def get(self, path: str, at_most: int) -> bytes:
        return self.files[path]


def named(**versions: int) -> Tasks:
    return Tasks(current=[DataVersion(name=name.replace("_", "/"), version=version) for name, version in versions.items()])


def told(pos: Pos) -> list[tuple[int, str]]:
    return [(event.kind, event.detail) for event in pos.journal.events(limit=100)]


NO_LEASE = LeaseReply(code=Result.TERMINAL_NOT_ALLOWED)


async def test_a_terminal_without_a_unit_leaves_units_files_and_takes_the_rest():
    pos = make(Pos)
    files = {
        "deny/4.bin": build_card_set([card(1)], version=4),
        "parameters/7/2.json": build_parameters(7, 2, {0: {"amount_max_fen": 50}}, front_end=False),
    }
    following = Following(pos, Line(NO_LEASE), Files(files))
    assert await following.bring(named(rules=3, cards=3, deny=4, parameters_7=2, timestamp=9, parameters=5, deny_1=5))
    assert (pos.data.version("deny"), pos.data.parameters.amount_max_fen, pos.data.rules) == (4, 50, None)
    assert told(pos) == [(EventKind.DATA_TAKEN, "parameters 2")], "the heartbeat tells of the deny list"


async def test_a_parameter_file_that_is_wrong_is_refused_once_and_one_that_does_not_name_the_terminal_is_left():
    pos = make(Pos)
    files = {
        "parameters/7/2.json": build_parameters(7, 2, {0: {}, TERMINAL: {"amount_max_fen": 50}}, front_end=True),
        "parameters/7/3.json": b"{",
        "parameters/7/4.json": build_parameters(8, 4, {TERMINAL: {}}, front_end=True),
        "parameters/7/5.json": build_parameters(7, 5, {TERMINAL: {"amount_max_fen": 0}}, front_end=True),
        "parameters/7/6.json": build_parameters(7, 6, {0: {"amount_max_fen": 60}}, front_end=True),
        "parameters/9/1.json": build_parameters(9, 1, {TERMINAL: {"amount_max_fen": 70}}, front_end=True),
    }
    following = Following(pos, Line(NO_LEASE), Files(files))
    for version in (2, 3, 3, 4, 5, 6):
        assert await following.bring(named(parameters_7=version))
    assert (pos.data.parameters.amount_max_fen, pos.data.version("parameters")) == (50, 2)
    kinds, details = zip(*told(pos), strict=True)
    assert kinds == (EventKind.DATA_TAKEN, *[EventKind.DATA_REFUSED] * 3)
    assert "not JSON" in details[1] and "of line 8" in details[2] and "amount_max_fen" in details[3]
    assert await following.bring(named(parameters_9=1))
    assert pos.data.parameters.amount_max_fen == 70, "a terminal that has moved follows its new line from its first version"
