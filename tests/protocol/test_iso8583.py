"""The ISO 8583 profile: public vectors, the answer-code table, the year rule, and both ways of reading a purchase."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.clock import from_epoch_us, to_epoch_us
from onecard.kernel.codes import RESULT_TEXT, Operation, Result
from onecard.protocol.iso8583 import DE39, SIGN_ON_AGAIN, IsoFormatError, NetworkKind, de39_of, fast, result_of
from onecard.protocol.iso8583.answers import (
    AnswerClock,
    build_financial_answer,
    build_financial_answer_generally,
    build_refusal,
    build_settlement_answer,
    build_sign_on_answer,
    build_upload_answer,
    parse_answer,
)
from onecard.protocol.iso8583.codec import decode, encode, parse_request, parse_request_generally
from onecard.protocol.iso8583.fields import (
    build_de54,
    build_details,
    build_rrn,
    build_totals,
    parse_de54,
    parse_details,
    parse_rrn,
    parse_totals,
)
from onecard.protocol.iso8583.messages import Balanced, OfflineDetail, Original, Totals
from onecard.protocol.iso8583.times import MomentCache, format_moment, resolve_moment
from onecard.protocol.mac import UnionPayMac
from onecard.terminal import isobuild
from onecard.terminal.fastiso import FastPurchase
from onecard.terminal.fastiso import parse_answer as parse_fast_answer
from onecard.terminal.journal import JournalRecord

# Standards 2.6: a public sign-on request.
SIGN_ON = bytes.fromhex(
    "0063600049000060320032050108000020000000C0001600007431323334353637383132333435363738393132333435360011000000000030003753"
    "657175656E6365204E6F32343934393130303030303130343138313243413835393239310003313233"
)
KEY = bytes.fromhex("1122334455667788")
MAC = UnionPayMac(KEY)
IDS = isobuild.Ids("T0000001", "M00000000000001")
NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
CARD = 1000010000000017


def test_the_public_sign_on_vector_is_read_and_written_back_byte_for_byte():
    raw = SIGN_ON[2:]
    assert int.from_bytes(SIGN_ON[:2], "big") == len(raw)
    fields = decode(raw)
    assert (fields["t"], fields["11"], fields["41"], fields["42"]) == ("0800", "000074", "12345678", "123456789123456")
    assert (fields["60"], fields["62"], fields["63"]) == ("00000000003", "Sequence No249491000001041812CA859291", "123")
    assert encode(fields, None) == raw
    message = parse_request(raw)
    assert (message.kind, message.stan, message.tid, message.mac) == (NetworkKind.SIGN_ON, 74, "12345678", b"")


def test_every_result_has_one_answer_code_and_every_code_one_meaning():
    assert set(DE39) == set(Result)
    assert len(set(DE39.values())) == len(Result)
    for result in Result:
        assert result_of(de39_of(result)) is result
        assert len(de39_of(result)) == 2
    assert SIGN_ON_AGAIN not in DE39.values()
    assert result_of(SIGN_ON_AGAIN) is None
    assert result_of("ZZ") is None
    assert de39_of(4711) == "96"


def test_the_codes_terminals_act_upon_are_those_of_the_standard():
    acted_upon = {Result.APPROVED: "00", Result.INSUFFICIENT_FUNDS: "51", Result.MAC_WRONG: "A0", Result.UNAVAILABLE: "98"}
    assert {result: de39_of(result) for result in acted_upon} == acted_upon


# the year


@pytest.mark.parametrize(
    ("sent", "now", "year"),
    [
        ("0301120000", "2026-03-01T12:00", 2026),
        ("1231235950", "2026-01-01T00:00", 2025),
        ("0101000010", "2025-12-31T23:59", 2026),
        ("0302115959", "2026-03-01T12:00", 2026),
        ("0303120000", "2026-03-01T12:00", 2025),
        ("0229120000", "2026-03-01T12:00", 2024),
        ("0229120000", "2024-02-29T12:00", 2024),
        ("0229120000", "2103-06-01T00:00", 2096),
    ],
)
def test_the_year_is_the_latest_that_is_not_more_than_a_day_ahead(sent, now, year):
    at = datetime.fromisoformat(now).replace(tzinfo=PLATFORM_ZONE)
    moment = resolve_moment(sent, at)
    assert moment.year == year
    assert format_moment(moment) == sent
    assert MomentCache().resolve_us(sent, to_epoch_us(at)) == to_epoch_us(moment)


@pytest.mark.parametrize("sent", ["1301000000", "0230000000", "0101240000", "0101006000", "0101000060", "0a01000000"])
def test_a_moment_that_does_not_exist_is_refused(sent):
    with pytest.raises(ValueError):
        resolve_moment(sent, NOW)
    with pytest.raises(ValueError):
        MomentCache().resolve_us(sent, to_epoch_us(NOW))


@given(
    now=st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
    age=st.timedeltas(timedelta(hours=-22), timedelta(days=363)),
)
def test_records_up_to_363_days_old_get_their_own_year_back(now, age):
    made = (now - age).replace(microsecond=0)
    sent = format_moment(made)
    assume(sent[:4] != "0229")
    cache = MomentCache()
    assert from_epoch_us(cache.resolve_us(sent, to_epoch_us(now))) == made
    assert from_epoch_us(cache.resolve_us(sent, to_epoch_us(now))) == made


# fields


@given(st.integers(0, 36**12 - 1))
def test_the_rrn_is_the_transfer_id(transfer_id):
    assert parse_rrn(build_rrn(transfer_id)) == transfer_id
    assert len(build_rrn(transfer_id)) == 12


@given(st.integers(-(10**12) + 1, 10**12 - 1))
def test_a_balance_comes_back(balance_fen):
    assert parse_de54(build_de54(balance_fen)) == balance_fen


detail = st.builds(
    OfflineDetail,
    card_no=st.integers(0, 10**16 - 1),
    amount_fen=st.integers(0, 10**12 - 1),
    stan=st.integers(0, 999_999),
    moment=st.integers(0, 10**10 - 1).map("{:010d}".format),
)


@given(st.lists(detail, min_size=1, max_size=7).map(tuple))
def test_offline_details_come_back(details):
    assert parse_details(build_details(details)) == details


@pytest.mark.parametrize("digits", ["", "01", "00", "08" + "0" * 352, "02" + "0" * 44, "zz"])
def test_details_whose_count_and_length_disagree_are_refused(digits):
    with pytest.raises(ValueError):
        parse_details(digits)


@given(st.builds(Totals, st.integers(0, 10**12 - 1), st.integers(0, 999), st.integers(0, 10**12 - 1), st.integers(0, 999)))
def test_totals_come_back(totals):
    assert parse_totals(build_totals(totals, "2")) == (totals, "2")


# messages


def record(op: Operation, *, stan: int = 5, amount_fen: int = 700, orig_seq: int = 0) -> JournalRecord:
    return JournalRecord(1, 12_000_000 + stan, op, CARD, amount_fen, to_epoch_us(NOW), orig_seq)


@pytest.mark.parametrize("op", [Operation.PURCHASE, Operation.BALANCE, Operation.VOID, Operation.REFUND, Operation.ADVICE])
@pytest.mark.parametrize("reversal", [False, True])
def test_what_a_terminal_builds_the_platform_reads(op, reversal):
    if reversal and op is Operation.BALANCE:
        return  # moves nothing, so that there is nothing to reverse
    orig_seq = 11_000_003 if op in (Operation.VOID, Operation.REFUND) else 0
    frame = encode(isobuild.financial(IDS, record(op, orig_seq=orig_seq), at=NOW, reversal=reversal), MAC)
    message = parse_request(frame)
    assert message.op is (Operation.REVERSAL if reversal else op)
    assert (message.stan, message.batch_no, message.terminal_seq) == (5, 12, 12_000_005)
    assert (message.tid, message.mid, message.card_no) == ("T0000001", "M00000000000001", CARD)
    assert message.amount_fen == (0 if op is Operation.BALANCE else 700)
    assert message.moment == "0301120000"
    assert message.original == (Original(11, 3) if orig_seq and not reversal else None)
    assert MAC.matches(message.maced, message.mac)


def test_an_upload_and_a_settlement_are_read():
    frame = encode(isobuild.upload(IDS, [record(Operation.ADVICE, stan=s) for s in (1, 2)], stan=9, batch_no=12), MAC)
    upload = parse_request(frame)
    assert [(d.stan, d.card_no, d.amount_fen, d.moment) for d in upload.details] == [
        (1, CARD, 700, "0301120000"),
        (2, CARD, 700, "0301120000"),
    ]
    totals = Totals(1000, 2, 300, 1)
    settlement = parse_request(encode(isobuild.settlement(IDS, totals, stan=9, batch_no=12), MAC))
    assert (settlement.totals, settlement.batch_no) == (totals, 12)


GOOD = isobuild.financial(IDS, record(Operation.PURCHASE), at=NOW)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"t": "0100"}, "0100 is not served"),
        ({"3": "900000"}, "no such transaction"),
        ({"25": "06"}, "no such transaction"),
        ({"60": "9900001200060"}, "no such transaction"),
        ({"60": "2200"}, "DE60"),
        ({"2": None}, "DE2 is missing"),
        ({"4": None}, "DE4 is missing"),
        ({"11": None}, "DE11 is missing"),
        ({"41": None}, "DE41 is missing"),
        ({"60": None}, "DE60 is missing"),
        ({"3": "200000", "60": "2300001200060"}, "DE61 is missing"),
        ({"4": "00000000A000"}, "invalid literal"),
        ({"13": "03A1"}, "not digits"),
        ({"t": "0320", "60": "00000012000", "48": "01"}, "announces"),
        ({"t": "0320", "60": "00000012201", "48": "00"}, "upload code 201"),
        ({"t": "0500", "48": "00"}, "62 expected"),
        ({"t": "0800", "60": "00000012999"}, "code 999"),
    ],
)
def test_what_breaks_the_profile_is_refused_with_its_fields_so_that_it_can_be_answered(change, reason):
    fields = {k: v for k, v in (GOOD | change).items() if v is not None}
    with pytest.raises(IsoFormatError, match=reason) as refusal:
        parse_request(encode(fields, MAC))
    assert refusal.value.fields is not None
    answer = decode(build_refusal(refusal.value.fields, "30", moment="0301120000", mac=MAC))
    assert answer["39"] == "30"
    assert answer["t"] == f"{int(fields['t'], 16) | 0x10:04X}"


@pytest.mark.parametrize("raw", [b"", bytes(20), b"\xff" * 60, SIGN_ON[2:-1], SIGN_ON[2:] + b"\0", bytes(3000)])
def test_what_can_not_be_taken_apart_has_no_fields(raw):
    with pytest.raises(IsoFormatError) as refusal:
        parse_request(raw)
    assert refusal.value.fields is None


# answers


def clock() -> AnswerClock:
    return AnswerClock().at(to_epoch_us(NOW), NOW)


def test_an_answer_swaps_the_addresses_and_says_everything():
    request = parse_request(encode(GOOD, MAC))
    frame = build_financial_answer(request, 0, clock=clock(), balance_fen=123, transfer_id=1 << 59, mac=MAC)
    assert frame[:11].hex() == "6000000049" + "603200320501"
    answer = parse_answer(frame, MAC)
    assert (answer.mti, answer.de39, answer.stan, answer.batch_no) == ("0210", "00", 5, 12)
    assert (answer.balance_fen, answer.transfer_id, answer.mac_valid) == (123, 1 << 59, True)
    assert decode(frame)["38"] == decode(frame)["37"][-6:]


@pytest.mark.parametrize("de39", ["77", "A0"])
def test_the_header_asks_for_a_new_sign_on(de39):
    answer = parse_answer(build_refusal(decode(encode(GOOD, MAC)), de39, moment="0301120000", mac=None), MAC)
    assert answer.sign_on_required
    assert not answer.mac_valid


def test_sign_on_upload_and_settlement_answers_are_read_by_the_terminal():
    sign_on = parse_request(encode(isobuild.sign_on(IDS, stan=1, batch_no=0), None))
    de62 = bytes(range(200, 256)) + b"abcd"
    answer = parse_answer(build_sign_on_answer(sign_on, moment="0301120000", batch_no=77, de62=de62), None)
    assert (answer.mti, answer.batch_no, answer.de62) == ("0810", 77, de62)

    upload = parse_request(encode(isobuild.upload(IDS, [record(Operation.ADVICE)] * 2, stan=9, batch_no=12), MAC))
    done = parse_answer(build_upload_answer(upload, [0, 30], moment="0301120000", retry=None, mac=MAC), MAC)
    assert (done.mti, done.de39, done.de62) == ("0330", "00", b"0014")
    again = parse_answer(build_upload_answer(upload, [0, 90], moment="0301120000", retry=90, mac=MAC), MAC)
    assert (again.de39, again.de62) == ("91", b"")

    settlement = parse_request(encode(isobuild.settlement(IDS, Totals(1, 1, 0, 0), stan=9, batch_no=12), MAC))
    frame = build_settlement_answer(settlement, Totals(2, 1, 0, 0), Balanced.NO, moment="0301120000", mac=MAC)
    assert parse_answer(frame, MAC).totals == (Totals(2, 1, 0, 0), "2")


# the fast path

alphabet = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1)
purchases = st.fixed_dictionaries(
    {
        "2": st.integers(0, 10**16 - 1).map("{:016d}".format),
        "3": st.sampled_from(["000000", "001000", "009999", "310000", "200000"]),
        "4": st.integers(0, 10**12 - 1).map("{:012d}".format),
        "11": st.integers(0, 999_999).map("{:06d}".format),
        "12": st.integers(0, 999_999).map("{:06d}".format),
        "13": st.integers(0, 9999).map("{:04d}".format),
        "22": st.sampled_from(["072", "012", "051"]),
        "25": st.sampled_from(["00", "06"]),
        "41": alphabet.map(lambda s: s[:8].ljust(8)),
        "42": alphabet.map(lambda s: s[:15].ljust(15)),
        "49": st.just("156"),
        "60": st.tuples(st.sampled_from(["22", "36", "01"]), st.integers(0, 999_999)).map(lambda t: f"{t[0]}{t[1]:06d}00060"),
    }
)


def outcome(parse, raw: bytes):
    try:
        return parse(raw)
    except IsoFormatError as error:
        return error.fields


@given(purchases, st.data())
def test_the_fast_path_reads_exactly_what_the_general_way_reads(fields, data):
    raw = bytearray(encode({"h": isobuild.HEADER, "t": "0200", **fields}, MAC))
    for _ in range(data.draw(st.integers(0, 2))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = bytes(raw)
    assert len(raw) == fast.SIZE
    assert outcome(parse_request, raw) == outcome(parse_request_generally, raw)


@given(purchases, st.sampled_from(Result), st.integers(-(10**11), 10**11), st.sampled_from([0, 1, 1 << 59]))
def test_the_fast_answer_is_the_general_answer(fields, result, balance_fen, transfer_id):
    fields |= {"3": "000000", "25": "00", "60": "22" + fields["60"][2:]}
    request = parse_request(encode({"h": isobuild.HEADER, "t": "0200", **fields}, MAC))
    assert fast.is_purchase(request.raw)
    arguments = {"clock": clock(), "balance_fen": balance_fen, "transfer_id": transfer_id, "mac": MAC}
    answer = build_financial_answer(request, int(result), **arguments)
    assert answer == build_financial_answer_generally(request, int(result), **arguments)
    assert parse_fast_answer(answer) == (de39_of(result), request.stan)


@given(st.integers(1, 999_999), st.integers(0, 10**16 - 1), st.integers(0, 10**12 - 1))
def test_the_load_generators_message_is_the_terminals_message(stan, card_no, amount_fen):
    message = FastPurchase(IDS.tid, IDS.mid, KEY, batch_no=12).build(stan, card_no, amount_fen, NOW)
    ours = JournalRecord(1, 12_000_000 + stan, Operation.PURCHASE, card_no, amount_fen, to_epoch_us(NOW))
    assert message[2:] == encode(isobuild.financial(IDS, ours, at=NOW), MAC)


def test_the_vendors_table_is_the_table_of_the_code():
    manual = (Path(__file__).parents[2] / "docs/protocols.md").read_text()
    for result in Result:
        row = f"| {int(result)} {result.name} | {DE39[result]} | {RESULT_TEXT[result].zh} | {RESULT_TEXT[result].en} |"
        assert row in manual
