"""The card's commands one by one: rights, PIN, secure messaging, blocking, composite records, unloading, and garbage."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from onecard.protocol.purse import commands, files, proofs, samcommands, secure
from onecard.protocol.purse.apdu import STATUS_TEXT, Command, Response, Status, status_text, tries_left
from onecard.protocol.purse.ciphers import Algorithm, cbc_mac, retail_mac
from onecard.protocol.purse.commands import Block, LoadInit, PurchaseInit, PurseKind
from onecard.protocol.purse.diversify import card_factor
from onecard.protocol.purse.files import PPSE, FileId, PublicData, sfi
from onecard.protocol.purse.perso import CardKey
from onecard.protocol.purse.proofs import Load
from onecard.terminal.card.virtual import VirtualCard
from onecard.terminal.reader.base import exchange
from onecard.terminal.reader.errors import CardRemoved
from onecard.terminal.reader.local import LocalReader
from tests.card.flows import set_balance
from tests.card.support import AREA, CARD_NO, TERMINAL_NO, TRANSPORT, Keys, card_keys, make_card, make_sam, say, send

PIN = b"\x12\x34\x56"
DATE = bytes.fromhex("20260823101530")


@pytest.fixture
def card():
    return make_card(pin=PIN, with_deposit=True)


@pytest.fixture
def reader(card):
    reader = LocalReader(card)
    reader.connect()
    assert send(reader, commands.select_name(files.PURSE_AID)).is_ok
    return reader


@pytest.fixture
def keys():
    return card_keys()


def secured(reader: LocalReader, keys: Keys, header: bytes, body: bytes, under: CardKey) -> Response:
    challenge = send(reader, commands.get_challenge(4)).data
    mac = keys.mac(header, body, challenge=challenge, under=under, initial=False)
    return send(reader, commands.secured(header, body, mac))


# ---- selecting and reading


def test_selection_by_name_gives_the_public_data_and_the_directory_of_applications_the_name(reader):
    fci = send(reader, commands.select_name(files.PURSE_AID)).data
    assert fci[:2] == bytes((0x6F, len(fci) - 2)) and files.PURSE_AID in fci
    public = fci[fci.index(b"\x9f\x0c") + 3 :]
    assert PublicData.parse(public).card_no == CARD_NO
    assert files.PURSE_AID in send(reader, commands.select_name(PPSE)).data
    assert send(reader, commands.select_name(files.TRANSIT_AID)).sw == Status.FILE_NOT_FOUND
    assert send(reader, commands.select_file(0x4F00)).sw == Status.FILE_NOT_FOUND


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        ("00B0951E01", 0x6B00),
        ("00B095001F", 0x6C1E),
        ("00B0980017", 0x6981),
        ("00B201C417", 0x6A83),
        ("00B0000010", 0x6986),
        ("00B29DF430", 0x6A83),
        ("80500102", 0x6700),
        ("8050090205", 0x6A86),
        ("805400000F", 0x6985),
        ("0012000000", 0x6D00),
        ("C012000000", 0x6E00),
        ("00", 0x6700),
        ("0084000003", 0x6700),
        ("805C000304", 0x6A86),
        ("805A0006020006", 0x9406),
        ("00D68500024455", 0x6A82),
        ("00D695000101", 0x6987),
        ("00E200C401AA", 0x6982),
    ],
)
def test_refusals_have_their_published_status_words(reader, apdu, sw):
    assert say(reader, apdu) == f"{sw:04X}"


def test_every_status_word_has_its_texts():
    assert set(STATUS_TEXT) == set(Status)
    assert (status_text(0x63C2).en, tries_left(0x63C2), tries_left(0x9000)) == ("Refused; 2 more tries", 2, None)
    assert "16" in status_text(0x6110).zh and "16" in status_text(0x6C10).zh and "6999" in status_text(0x6999).zh


def test_a_commands_repr_does_not_show_its_body():
    assert "123456" not in repr(commands.verify(PIN))


# ---- PIN


def test_a_pin_locks_after_three_tries_and_power_does_not_help(card, reader):
    assert send(reader, commands.verify(b"\x00\x00")).sw == 0x63C2
    reader.connect()
    send(reader, commands.select_name(files.PURSE_AID))
    assert say(reader, "00200000") == "63C2"
    assert send(reader, commands.verify(b"\x00\x00")).sw == 0x63C1
    assert send(reader, commands.verify(b"\x00\x00")).sw == Status.KEY_LOCKED
    assert send(reader, commands.verify(PIN)).sw == Status.KEY_LOCKED


def test_a_locked_pin_is_unblocked_by_its_key_with_a_new_value(reader, keys):
    for _ in range(3):
        send(reader, commands.verify(b"\x00\x00"))
    body = secure.cipher_body(Algorithm.DES3, keys.key(CardKey.PIN_UNBLOCK), b"\x65\x43\x21")
    assert secured(reader, keys, commands.unblock_pin_header(), body, CardKey.PIN_UNBLOCK).is_ok
    assert send(reader, commands.verify(b"\x65\x43\x21")).is_ok


def test_a_pin_is_changed_by_its_holder_and_reloaded_by_its_key(reader, keys):
    assert send(reader, commands.change_pin(b"\x11\x11", b"\x22\x22")).sw == 0x63C2
    assert send(reader, commands.change_pin(PIN, b"\x22\x22")).is_ok
    assert send(reader, commands.verify(b"\x22\x22")).is_ok
    mac = proofs.tac(Algorithm.DES3, keys.key(CardKey.PIN_RELOAD), b"\x33\x33")
    assert send(reader, Command(0x80, 0x5E, 0x00, 0x00, b"\x33\x33" + mac)).is_ok
    assert send(reader, commands.verify(b"\x33\x33")).is_ok


def test_the_deposit_asks_for_the_pin_before_each_transaction(card, reader):
    card.state.directories[1].purse(PurseKind.DEPOSIT).balance = 500
    ask = commands.initialize_for_purchase(100, TERMINAL_NO, kind=PurseKind.DEPOSIT)
    assert send(reader, ask).sw == Status.SECURITY_NOT_SATISFIED


# ---- secure messaging


def test_a_write_with_its_mac_is_done_once_and_a_wrong_one_counts(reader, keys):
    header, body = commands.update_binary_header(sfi(FileId.MANAGEMENT)), b"\x01\x02\x03"
    challenge = send(reader, commands.get_challenge(4)).data
    command = commands.secured(
        header, body, keys.mac(header, body, challenge=challenge, under=CardKey.APP_MAINTENANCE, initial=False)
    )
    assert send(reader, command).is_ok
    assert send(reader, command).sw == Status.NO_CHALLENGE
    assert send(reader, commands.read_binary(sfi(FileId.MANAGEMENT), 3)).data == body
    for expected in (Status.MAC_WRONG_IN_MESSAGING, Status.MAC_WRONG_IN_MESSAGING, Status.KEY_LOCKED):
        send(reader, commands.get_challenge(4))
        assert send(reader, command).sw == expected
    assert secured(reader, keys, header, body, CardKey.APP_MAINTENANCE).sw == Status.KEY_LOCKED


def test_a_challenge_is_good_for_the_next_command_only(reader, keys):
    challenge = send(reader, commands.get_challenge(8)).data
    send(reader, commands.get_balance())
    answer = keys.external_authentication(CardKey.APP_CONTROL, challenge, initial=False)
    assert send(reader, commands.external_authenticate(answer)).sw == Status.NO_CHALLENGE


# ---- blocking


def test_an_application_blocked_for_a_time_is_unblocked_again(card, reader, keys):
    assert secured(reader, keys, commands.block_application_header(Block.TEMPORARY), b"", CardKey.BLOCK).is_ok
    assert send(reader, commands.initialize_for_purchase(0, TERMINAL_NO)).sw == Status.FUNCTION_NOT_SUPPORTED
    assert send(reader, commands.get_balance()).is_ok
    reader.connect()
    assert send(reader, commands.select_name(files.PURSE_AID)).sw == Status.FUNCTION_NOT_SUPPORTED
    assert secured(reader, keys, commands.UNBLOCK_APPLICATION_HEADER, b"", CardKey.BLOCK).is_ok
    assert send(reader, commands.initialize_for_purchase(0, TERMINAL_NO)).is_ok


def test_an_application_blocked_for_good_stays_so(reader, keys):
    assert secured(reader, keys, commands.block_application_header(Block.FOR_GOOD), b"", CardKey.BLOCK).is_ok
    assert send(reader, commands.get_balance()).sw == Status.APPLICATION_BLOCKED_FOR_GOOD
    assert secured_sw(reader, keys, commands.UNBLOCK_APPLICATION_HEADER) == Status.APPLICATION_BLOCKED_FOR_GOOD
    assert send(reader, commands.select_name(files.PURSE_AID)).sw == Status.APPLICATION_BLOCKED_FOR_GOOD


def secured_sw(reader: LocalReader, keys: Keys, header: bytes) -> int:
    """Without a challenge: a chip that refuses to give one."""
    mac = keys.mac(header, b"", challenge=bytes(4), under=CardKey.BLOCK, initial=False)
    return send(reader, commands.secured(header, b"", mac)).sw


def test_a_blocked_card_answers_nothing_any_more(reader, keys):
    assert secured(reader, keys, commands.BLOCK_CARD_HEADER, b"", CardKey.BLOCK).is_ok
    reader.connect()
    assert send(reader, commands.select_file(FileId.MASTER)).sw == Status.FUNCTION_NOT_SUPPORTED


def test_a_sam_is_blocked_by_its_control_key():
    reader, keys = LocalReader(make_sam()), Keys()
    reader.connect()
    assert secured(reader, keys, commands.BLOCK_CARD_HEADER, b"", CardKey.SAM_CONTROL).is_ok
    assert say(reader, "00A4000002DF01") == "6A81"


# ---- money


def test_debit_comes_right_after_initialize_or_not_at_all(card, reader):
    set_balance(card, 1_000)
    reader.connect()
    send(reader, commands.select_name(files.PURSE_AID))
    assert send(reader, commands.initialize_for_purchase(100, TERMINAL_NO)).is_ok
    send(reader, commands.get_balance())
    assert send(reader, commands.debit_for_purchase(1, DATE, bytes(4))).sw == Status.CONDITIONS_NOT_SATISFIED
    send(reader, commands.initialize_for_purchase(100, TERMINAL_NO))
    assert send(reader, commands.debit_for_purchase(1, DATE, bytes(4))).sw == Status.MAC_WRONG
    assert send(reader, commands.debit_for_purchase(1, DATE, bytes(4))).sw == Status.CONDITIONS_NOT_SATISFIED
    assert commands.parse_balance(send(reader, commands.get_balance()).data) == 1_000


def test_an_answer_asked_for_too_short_debits_nothing_and_can_be_asked_for_again(card, reader, keys):
    set_balance(card, 1_000)
    reader.connect()
    send(reader, commands.select_name(files.PURSE_AID))
    init = PurchaseInit.parse(send(reader, commands.initialize_for_purchase(100, TERMINAL_NO)).data)
    session = proofs.purchase_session(
        Algorithm.DES3, keys.key(CardKey.PURCHASE), random=init.random, card_counter=init.counter, terminal_seq=1
    )
    purchase = proofs.Purchase(100, 6, TERMINAL_NO, 1, DATE)
    debit = commands.debit_for_purchase(1, DATE, proofs.mac4(Algorithm.DES3, session, purchase.mac1_data()))
    assert reader.transmit(bytes(debit)[:-1] + b"\x04").hex() == "6c08"
    assert exchange(reader, Command.of(debit.header, debit.data, le=4)).is_ok
    assert commands.parse_balance(send(reader, commands.get_balance()).data) == 900


@pytest.mark.parametrize("algorithm", Algorithm)
def test_an_unload_takes_the_money_off_the_card(algorithm):
    card, keys = make_card(algorithm=algorithm), card_keys(algorithm=algorithm)
    set_balance(card, 1_000)
    reader = LocalReader(card)
    reader.connect()
    send(reader, commands.select_name(files.PURSE_AID))
    assert send(reader, commands.initialize_for_unload(1_001, TERMINAL_NO)).sw == Status.INSUFFICIENT_BALANCE
    init = LoadInit.parse(send(reader, commands.initialize_for_unload(1_000, TERMINAL_NO)).data)
    session = proofs.load_session(algorithm, keys.key(CardKey.UNLOAD), random=init.random, online_counter=init.counter)
    unload = Load(1_000, 3, TERMINAL_NO, 1_000, 0, DATE)
    assert init.mac1 == proofs.mac4(algorithm, session, unload.mac1_data())
    mac3 = send(reader, commands.debit_for_unload(DATE, proofs.mac4(algorithm, session, unload.mac2_data())))
    assert mac3.is_ok and len(mac3.data) == 4
    assert commands.parse_balance(send(reader, commands.get_balance()).data) == 0


def test_a_full_counter_and_a_full_purse_refuse(card, reader):
    purse = card.state.directories[1].purses[0]
    purse.offline_counter, purse.online_counter = 0xFFFF, 0xFFFF
    set_balance(card, 0xFFFFFFFF)
    reader.connect()
    send(reader, commands.select_name(files.PURSE_AID))
    assert send(reader, commands.initialize_for_purchase(1, TERMINAL_NO)).sw == Status.COUNTER_EXHAUSTED
    assert send(reader, commands.initialize_for_load(1, TERMINAL_NO)).sw == Status.CONDITIONS_NOT_SATISFIED
    assert send(reader, commands.initialize_for_purchase(1, TERMINAL_NO, key_index=9)).sw == Status.KEY_INDEX_UNKNOWN


def test_a_cached_record_needs_a_composite_purchase_and_a_record_to_write(reader):
    record = bytes(files.TRIP_BYTES)
    assert send(reader, commands.cache_record(sfi(FileId.TRIPS), record)).sw == Status.CONDITIONS_NOT_SATISFIED
    send(reader, commands.initialize_for_purchase(0, TERMINAL_NO, composite=True))
    assert send(reader, commands.cache_record(sfi(FileId.TRIPS), record)).is_ok
    assert send(reader, commands.cache_record(sfi(FileId.TRIPS), record[:-1])).sw == Status.WRONG_LENGTH
    assert send(reader, commands.cache_record(0x19, bytes(128), record_id=7)).sw == Status.RECORD_NOT_FOUND


# ---- SAM


def sam_reader(algorithm: Algorithm = Algorithm.DES3) -> LocalReader:
    reader = LocalReader(make_sam(algorithm))
    reader.connect()
    say(reader, "00A4000002DF01")
    return reader


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_sam_makes_macs_and_checks_codes_with_the_cards_key(algorithm):
    reader, key = sam_reader(algorithm), card_keys(algorithm=algorithm).key(CardKey.BLOCK)
    factors = card_factor(CARD_NO) + AREA
    assert send(reader, samcommands.init_for_cipher(0x45, 1, factors)).is_ok
    iv, data = bytes(range(algorithm.block_bytes)), b"command"
    made = send(reader, samcommands.mac(iv, data)).data
    whole = retail_mac(key, data, iv=iv) if algorithm is Algorithm.DES3 else cbc_mac(algorithm, key, data, iv=iv)
    assert made == whole[:4]
    code = cbc_mac(algorithm, key, card_factor(CARD_NO))[:4]
    assert send(reader, samcommands.check_authentication_code(factors, code)).is_ok
    assert send(reader, samcommands.check_authentication_code(factors, bytes(4))).sw == Status.MAC_WRONG
    assert len(send(reader, samcommands.cipher(bytes(16))).data) == 16


def test_a_sams_purchase_key_makes_nothing_but_mac1():
    reader = sam_reader()
    assert say(reader, "801A420110" + "00" * 16) == "9403"
    assert say(reader, "80FA000008" + "00" * 8) == "6985"
    assert say(reader, "807200000400000000") == "6985"
    assert say(reader, "807000001C" + "00" * 28) == "6A80"
    unknown_version = "8070000024A1B2C3D40005000000C8062026082310153009001000000000000123440300004403000008"
    assert say(reader, unknown_version) == "9403"


# ---- garbage

APDU = st.builds(
    lambda head, body, tail: bytes(head) + bytes((len(body),)) * bool(body) + body + tail,
    st.tuples(
        st.sampled_from([0x00, 0x04, 0x80, 0x84, 0xFF, 0xE0]),
        st.sampled_from(bytes.fromhex("A4B0B2D6DCE28482205052 54585A5C5ED4E00E1618 1E24CA70721AFA")),
        st.integers(0, 255) | st.sampled_from([0, 1, 2, 3, 0x80, 0x95]),
        st.integers(0, 255) | st.sampled_from([0, 1, 2, 0xC4, 0xF4]),
    ),
    st.binary(max_size=40) | st.binary(min_size=11, max_size=11),
    st.sampled_from([b"", b"\x00", b"\x04", b"\x10"]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=40) | APDU, min_size=1, max_size=25), st.sampled_from(["card", "blank", "sam"]))
@example([b""], "card")
def test_garbage_is_answered_with_a_status_word_and_moves_no_money(chips, messages, kind):
    chip, image = chips[kind]
    chip._store.commit(image)
    reader = LocalReader(chip)
    reader.connect()
    if kind != "blank":
        say(reader, "00A40000023F01" if kind == "card" else "00A4000002DF01")
    for message in messages:
        answer = Response.parse(reader.transmit(message))
        assert answer.sw >> 12 in (6, 9)
        assert len(answer.data) <= 256
        if message and answer.data and len(answer.data) == len(TRANSPORT):
            assert answer.data not in {key.secret for directory in chip.state.directories for key in directory.keys}
    reader.connect()
    assert [purse.balance for directory in chip.state.directories for purse in directory.purses] == ([10_000] * (kind == "card"))


@pytest.fixture(scope="module")
def chips():
    card, sam = make_card(), make_sam()
    set_balance(card, 10_000)
    blank = VirtualCard.in_memory(transport_key=TRANSPORT)
    return {name: (chip, chip._store.load()) for name, chip in (("card", card), ("sam", sam), ("blank", blank))}


@given(st.binary(max_size=300))
def test_a_command_is_parsed_to_what_it_was_built_from_or_refused(raw):
    try:
        command = Command.parse(raw)
    except ValueError:
        return
    assert bytes(command) == raw or (raw[4:] == b"\x00" and command.le == 256)


def test_a_card_without_power_is_gone():
    card = make_card()
    with pytest.raises(CardRemoved):
        card.transmit(b"\x00\xa4\x00\x00")
