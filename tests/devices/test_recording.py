import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.recorder import Entry
from devices.recording import Piece, Recording, RecordingError, read_recording

TEXT = """\
line recording 1
role: printer
settings: speed=115200
expected: paper_out

0.000000 > 10 04 01 |...|
0.003112 < 12 |.|
# the paper was taken out here
1.5 < 18 00 0f 00
"""


def test_a_recording_reads_as_its_notes_and_its_pieces() -> None:
    assert read_recording(TEXT) == Recording(
        "printer",
        (
            Piece(0.0, "out", b"\x10\x04\x01"),
            Piece(0.003112, "in", b"\x12"),
            Piece(1.5, "in", b"\x18\x00\x0f\x00"),
        ),
        {"settings": "speed=115200", "expected": "paper_out"},
    )


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**9),
            st.sampled_from(["in", "out"]),
            st.binary(min_size=1, max_size=20),
        ),
        max_size=10,
    )
)
def test_what_is_written_is_read(parts: list[tuple[int, str, bytes]]) -> None:
    pieces = tuple(
        Piece(at / 1_000_000, direction, data)  # type: ignore[arg-type]
        for at, direction, data in sorted(parts)
    )
    recording = Recording("keypad", pieces, {"device": "a | b: c"})
    assert read_recording(recording.to_text()) == recording


def test_a_flight_recorder_s_entries_become_a_recording_that_begins_at_nought() -> None:
    entries = [
        Entry(100.0, "note", b"opened"),
        Entry(100.5, "in", b"1"),
        Entry(101.0, "out", b"ok"),
    ]
    assert Recording.of_entries("keypad", entries).pieces == (
        Piece(0.0, "in", b"1"),
        Piece(0.5, "out", b"ok"),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: expected 'line recording 1'"),
        ("line recording 2\nrole: a\n\n", "line 1: expected"),
        ("line recording 1\nspeed 9600\n\n", "line 2: expected `name: value`"),
        ("line recording 1\nspeed: 9600\n\n", "line 3: expected a `role`"),
        (TEXT + "2.0 < 1\n", "line 10: expected `seconds"),
        (TEXT + "2.0 <\n", "line 10: expected `seconds"),
        (TEXT + "2.0 ? 11\n", "line 10: expected `seconds"),
        (TEXT + "1.0 < 11\n", "line 10: expected a time from 1.5 s on, found 1 s"),
    ],
)
def test_what_is_no_recording_is_refused_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(RecordingError) as caught:
        read_recording(text)
    assert str(caught.value).startswith(complaint)


@given(st.sampled_from(["", "line recording 1\n", "line recording 1\nrole: a\n\n"]), st.text())
def test_no_text_does_anything_else_than_be_refused(beginning: str, text: str) -> None:
    with contextlib.suppress(RecordingError):
        recording = read_recording(beginning + text)
        assert read_recording(recording.to_text()).pieces == recording.pieces
