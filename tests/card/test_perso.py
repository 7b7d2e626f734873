"""Personalisation: complete, torn off anywhere and resumed or rolled back; and blank cards that nobody else opens."""

import pytest

from onecard.protocol.purse import commands, files
from onecard.protocol.purse.apdu import Status
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.files import FileId, HolderData, PublicData, sfi
from onecard.protocol.purse.perso import CardKey, PersoRefused, erase, is_sealed, personalise
from onecard.terminal.card.store import FileStore
from onecard.terminal.card.virtual import VirtualCard
from onecard.terminal.chipcard import CardUnusable, open_card
from onecard.terminal.reader.base import exchange
from onecard.terminal.reader.errors import CardRemoved
from onecard.terminal.reader.local import LocalReader
from tests.card.support import (
    AREA,
    CARD_NO,
    TERMINAL_NO,
    TRANSPORT,
    Keys,
    card_keys,
    card_plan,
    make_card,
    make_sam,
    module_plan,
    run,
    say,
)


def blank() -> tuple[VirtualCard, LocalReader]:
    card = VirtualCard.in_memory(transport_key=TRANSPORT)
    reader = LocalReader(card)
    reader.connect()
    return card, reader


def check_complete(card: VirtualCard, reader: LocalReader, finished: bytes) -> None:
    with open_card(reader) as opened:
        assert (opened.public.issuer, opened.card_no) == (AREA, CARD_NO)
        assert opened.ask(commands.get_balance(), "balance") == bytes(4)
    assert {k.kind: k.value for d in card.state.directories for k in d.keys} == finished


@pytest.fixture(scope="module")
def finished():
    return {key.kind: key.value for directory in make_card().state.directories for key in directory.keys}


def test_a_personalised_card_holds_its_files_and_only_derived_keys(finished):
    card = make_card()
    reader = LocalReader(card)
    check_complete(card, reader, finished)
    held = {key.value for directory in card.state.directories for key in directory.keys}
    keys = card_keys()
    assert held == {keys.key(use).hex() for use in keys.versions() if use is not CardKey.SAM_CONTROL}
    assert TRANSPORT.hex() not in held


def test_the_holders_data_are_not_for_everyone():
    reader = LocalReader(make_card())
    reader.connect()
    say(reader, "00A40000023F01")
    assert say(reader, "00B0960037") == "6982"
    keys = card_keys()
    challenge = exchange(reader, commands.get_challenge(8)).data
    answer = keys.external_authentication(CardKey.APP_CONTROL, challenge, initial=False)
    assert exchange(reader, commands.external_authenticate(answer)).is_ok
    data = exchange(reader, commands.read_binary(sfi(FileId.HOLDER), files.HOLDER_BYTES)).data
    assert HolderData.parse(data) == HolderData(1, "张三", "440300199001011234", 1)


def test_a_card_torn_off_at_every_byte_is_resumed_at_its_step(finished):
    keys, plan = card_keys(), card_plan(card_keys())
    card, reader = blank()
    moved = 0
    send = card.transmit

    def counting(command: bytes) -> bytes:
        nonlocal moved
        answer = send(command)
        moved += len(command) + len(answer)
        return answer

    card.transmit = counting
    run(reader, personalise(plan, keys))
    for cut in range(1, moved, 13):
        card, reader = blank()
        card.tear_after(cut)
        step = interrupted_at(reader, plan, keys)
        reader.connect()
        if step == len(plan.steps) - 1 and run(reader, is_sealed(plan, keys)):
            continue
        run(reader, personalise(plan, keys, start=step))
        check_complete(card, reader, finished)


def interrupted_at(reader, plan, keys) -> int:
    commands_ = personalise(plan, keys)
    step = next(commands_)
    with pytest.raises(CardRemoved):
        while True:
            step = commands_.send(exchange(reader, step.command))
    commands_.close()
    return step.index


@pytest.mark.parametrize("committed", [False, True])
def test_power_lost_around_every_write_is_resumed(finished, committed):
    keys, plan = card_keys(), card_plan(card_keys())
    for number in range(1, len(plan.steps) + 1):
        card, reader = blank()
        card.tear_at_write(number, committed=committed)
        step = interrupted_at(reader, plan, keys)
        assert step == number - 1
        reader.connect()
        sealed = step == len(plan.steps) - 1 and run(reader, is_sealed(plan, keys))
        assert sealed == (committed and number == len(plan.steps))
        if not sealed:
            run(reader, personalise(plan, keys, start=step))
        check_complete(card, reader, finished)


def test_an_interrupted_card_is_rolled_back_to_a_blank_one():
    keys, plan = card_keys(), card_plan(card_keys())
    card, reader = blank()
    before = card._store.load()
    card.tear_at_write(9, committed=True)
    interrupted_at(reader, plan, keys)
    reader.connect()
    run(reader, erase(plan, keys))
    assert card._store.load() == before
    run(reader, personalise(plan, keys))


def test_a_sealed_card_opens_to_its_own_key_only():
    card, keys = make_card(), card_keys()
    plan = card_plan(keys)
    reader = LocalReader(card)
    reader.connect()
    with pytest.raises(PersoRefused) as refused:
        run(reader, erase(plan, keys))
    assert refused.value.sw == 0x63CE
    run(reader, erase(plan, keys, initial=False))
    assert [directory.number for directory in card.state.directories] == [FileId.MASTER]
    with pytest.raises(CardUnusable), open_card(reader):
        pass


def test_a_blank_card_takes_nothing_without_its_transport_key():
    card, reader = blank()
    plan = card_plan(card_keys())
    assert exchange(reader, plan.steps[1].action.command).sw == Status.SECURITY_NOT_SATISFIED
    assert say(reader, "80D401001539F00AAAFF" + "00" * 16) == "6982"
    assert say(reader, "800E0000") == "6982"
    assert [directory.number for directory in card.state.directories] == [FileId.MASTER]


def test_keys_come_in_ciphered_form_only():
    _, reader = blank()
    keys = card_keys()
    commands_ = personalise(card_plan(keys), keys)
    step = next(commands_)
    while step.name != "master.key.card_maintenance":
        step = commands_.send(exchange(reader, step.command))
    assert say(reader, "80D401001536F00AFF33" + "00" * 16) == "6987"
    assert say(reader, "84D401001536F00AFF33" + "00" * 16) == "6984"


def test_a_card_of_sm4_control_keys(finished):
    card = make_card(algorithm=Algorithm.SM4)
    assert {key.kind for directory in card.state.directories for key in directory.keys} == set(finished)


def test_keys_of_different_versions_are_refused_before_anything_is_written():
    keys = card_keys()
    versions = keys.versions() | {CardKey.TAC: (2, 1, 0)}
    profile_plan = card_plan(keys)
    keys.versions = lambda: versions
    with pytest.raises(ValueError, match="one version"):
        card_plan(keys)
    assert profile_plan.names[-1] == "master.key.card_control"


def test_a_card_survives_in_its_file(tmp_path):
    path = tmp_path / "card.json"
    card = VirtualCard.create(FileStore(path), transport_key=TRANSPORT)
    reader, keys = LocalReader(card), card_keys()
    reader.connect()
    run(reader, personalise(card_plan(keys), keys))
    again = VirtualCard.open(path)
    with open_card(LocalReader(again)) as opened:
        assert opened.card_no == CARD_NO
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["card.json"]


def test_a_sam_is_personalised_and_counts_on_after_power_is_lost():
    sam = make_sam()
    reader = LocalReader(sam)
    reader.connect()
    assert say(reader, "00B0960006") == f"{TERMINAL_NO:012X}9000"
    assert say(reader, "00B095000E") == f"{77:020d}01000000" + "9000"
    ask = "8070000024A1B2C3D40005000000C8062026082310153001001000000000000123440300004403000008"
    for expected in ("00000001", "00000002"):
        say(reader, "00A4000002DF01")
        assert say(reader, ask)[:8] == expected
        reader.connect()
    sam.tear_at_write(1, committed=False)
    say(reader, "00A4000002DF01")
    with pytest.raises(CardRemoved):
        say(reader, ask)
    reader.connect()
    say(reader, "00A4000002DF01")
    assert say(reader, ask)[:8] == "00000003"


def test_a_sam_interrupted_at_every_write_is_resumed():
    from onecard.terminal.sam.virtual import VirtualSam

    keys = Keys()
    plan = module_plan(keys)
    for number in range(1, len(plan.steps) + 1):
        sam = VirtualSam.in_memory(transport_key=TRANSPORT)
        reader = LocalReader(sam)
        reader.connect()
        sam.tear_at_write(number, committed=number % 2 == 0)
        step = interrupted_at(reader, plan, keys)
        reader.connect()
        if not (step == len(plan.steps) - 1 and run(reader, is_sealed(plan, keys))):
            run(reader, personalise(plan, keys, start=step))
        assert len(sam.state.directories[1].keys) == 2


def test_public_data_name_their_operator():
    public = PublicData.of_card(17, CARD_NO, valid_from=None, valid_until=None)
    assert PublicData.parse(bytes(public)).operator_id == 17
    with pytest.raises(ValueError):
        PublicData.parse(b"\xff" * 30)
