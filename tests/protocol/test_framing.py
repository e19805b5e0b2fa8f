"""Frames come out whole, however their bytes arrive."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import FrameReader
from protocol.errors import LengthAboveCap

contents = st.lists(st.binary(min_size=0, max_size=60), max_size=6)


def framed(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


@given(contents, st.lists(st.integers(0, 400)))
def test_frames_come_out_whole_from_any_cut(messages, cuts):
    stream = b"".join(map(framed, messages))
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    reader = FrameReader()
    frames = [frame for start, end in pairwise(places) for frame in reader.feed(stream[start:end])]
    assert frames == [framed(content) for content in messages]
    assert reader.pending == 0


def test_a_worked_frame_comes_out_at_its_last_byte(frames):
    frame = frames["sale response, approved"]
    for cut in range(1, len(frame)):
        reader = FrameReader()
        assert reader.feed(frame[:cut]) == []
        assert reader.pending == cut
        assert reader.feed(frame[cut:]) == [frame]


def test_a_length_above_the_cap_is_refused_before_its_bytes_arrive():
    reader = FrameReader(cap=100)
    with pytest.raises(LengthAboveCap) as caught:
        reader.feed(b"\x00\x65")
    assert (caught.value.found_length, caught.value.expected) == (101, "at most 100")


def test_a_length_of_the_cap_is_taken():
    assert FrameReader(cap=100).feed(framed(bytes(100))) == [framed(bytes(100))]


def test_frames_before_a_bad_length_are_handed_out_and_then_the_stream_is_lost():
    reader = FrameReader(cap=100)
    assert reader.feed(framed(b"good") + b"\xff\xff") == [framed(b"good")]
    for more in (b"", framed(b"good")):
        with pytest.raises(LengthAboveCap):
            reader.feed(more)
