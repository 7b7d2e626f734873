"""The native frames and the column checks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard.kernel.codes import Operation, Result
from onecard.protocol.native import (
    NativeViolationError,
    build_closing,
    build_frame,
    build_welcome,
    check_records,
    constant_answers,
    parse_device_frame,
    parse_platform_frame,
)
from onecard.protocol.proto.device_pb2 import DeviceFrame, Submit
from onecard.protocol.proto.records_pb2 import Records

AT_US = 1_772_337_600_000_000
COLUMNS = ("op", "terminal_id", "terminal_seq", "card_no", "amount_fen", "occurred_at_us", "orig_terminal_id", "orig_seq")
row = st.tuples(
    st.sampled_from([op for op in Operation if op is not Operation.CHIP_PURCHASE]).map(int),  # its columns: tests/chip
    st.sampled_from([1, 2, 3]),
    st.integers(1, 2**63 - 1),
    st.integers(0, 2**63 - 1),
    st.integers(0, 10**12),
    st.integers(AT_US - 10**15 // 2, AT_US + 10**15),
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**63 - 1),
)


def columns_of(rows) -> Records:
    return Records(**dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)))


@given(st.lists(row, min_size=1, max_size=20))
def test_well_formed_records_pass_and_survive_the_wire(rows):
    records = columns_of(rows)
    assert check_records(records, frozenset({1, 2, 3})) == len(rows)
    frame = build_frame(DeviceFrame(submit=Submit(submit_id=1, records=records)))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert parse_device_frame(frame[4:]).submit.records == records


@given(st.lists(row, min_size=1, max_size=5), st.integers(0, 7), st.data())
def test_a_bad_value_anywhere_is_found(rows, column, data):
    bad = [99, 4, 0, -1, 10**12 + 1, 0, -1, -1]
    at = data.draw(st.integers(0, len(rows) - 1))
    rows = [list(r) for r in rows]
    rows[at][column] = bad[column]
    with pytest.raises(NativeViolationError):
        check_records(columns_of(rows), frozenset({1, 2, 3}))


@pytest.mark.parametrize("column", COLUMNS[1:])
@pytest.mark.parametrize("change", ["shorter", "longer"])
def test_columns_have_to_be_of_one_length(column, change):
    records = columns_of([(1, 1, 1, 1, 1, AT_US, 0, 0)] * 3)
    values = getattr(records, column)
    if change == "shorter":
        del values[-1]
    else:
        values.append(values[0])
    with pytest.raises(NativeViolationError, match="different length"):
        check_records(records, frozenset({1}))


def test_a_foreign_terminal_is_told_from_a_format_error():
    with pytest.raises(NativeViolationError) as violation:
        check_records(columns_of([(1, 9, 1, 1, 1, AT_US, 0, 0)]), frozenset({1}))
    assert violation.value.code is Result.TERMINAL_NOT_ALLOWED


def test_the_platforms_frames_are_read_back():
    welcome = parse_platform_frame(
        build_welcome(7, 8, clock_us=5, terminals=[(1, "T0000001", "M00000000000001", b"", "native")])[4:]
    ).welcome
    assert (welcome.line_id, welcome.window, welcome.platform_clock_us, welcome.terminals[0].tid) == (7, 8, 5, "T0000001")
    closing = parse_platform_frame(build_closing(Result.UNIT_EXPIRED, "why")[4:]).closing
    assert (closing.code, closing.reason) == (23, "why")


def test_what_is_not_a_frame_is_refused():
    for parse in (parse_device_frame, parse_platform_frame):
        with pytest.raises(NativeViolationError):
            parse(b"\xff\xff\xff")


def test_a_constant_answer_covers_every_record():
    answers = constant_answers(3, Result.BUSY)
    assert list(answers.code) == [90, 90, 90]
    assert list(answers.balance_fen) == list(answers.transfer_id) == list(answers.conflict_field) == [0, 0, 0]
