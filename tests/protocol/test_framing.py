"""Frames come out of a byte stream whole, however it was cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard.protocol.framing import FrameBuffer, FrameError, add_prefix


@given(
    frames=st.lists(st.binary(min_size=1, max_size=300), max_size=8),
    cuts=st.lists(st.integers(1, 50)),
    prefix=st.sampled_from([2, 4]),
)
def test_frames_survive_any_cutting(frames, cuts, prefix):
    stream = b"".join(add_prefix(frame, prefix_bytes=prefix) for frame in frames)
    buffer = FrameBuffer(prefix_bytes=prefix, max_frame=300)
    seen, at, turn = [], 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)] if cuts else len(stream)
        buffer.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
        while (frame := buffer.next_frame()) is not None:
            seen.append(frame)
    assert seen == frames
    assert buffer.pending == 0


@pytest.mark.parametrize("head", [b"\x00\x00", b"\x01\x2d", b"\xff\xff"])
def test_an_empty_or_oversized_frame_is_refused_before_its_bytes_are_waited_for(head):
    buffer = FrameBuffer(prefix_bytes=2, max_frame=300)
    buffer.feed(head)
    with pytest.raises(FrameError):
        buffer.next_frame()


def test_a_part_of_a_frame_is_pending():
    buffer = FrameBuffer(prefix_bytes=2, max_frame=300)
    buffer.feed(b"\x00\x05abc")
    assert buffer.next_frame() is None
    assert buffer.pending == 5
    buffer.feed(b"de")
    assert buffer.next_frame() == b"abcde"
