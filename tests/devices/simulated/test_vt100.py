"""pyte, an independent terminal emulator, judges what our simulated display shows."""

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.simulated.vt100 import Screen

SEQUENCES = [
    *["\x1b[H", "\x1b[7m", "\x1b[0m", "\x1b[27m", "\x1b[?7l", "\x1b[?7h", "\x1b[?25l", "\x1b[?25h"],
    *["\r", "\n", "\r\n"],
]
ERASURES = ["\x1b[J", "\x1b[2J", "\x1b[K", "\x1b[2K"]


def streams_of(
    alphabet: str, columns: st.SearchStrategy[int], controls: list[str], erasures: list[str]
) -> st.SearchStrategy[str]:
    """Text, controls, and erasing from a position.

    Erasing in reverse, and behind the last column, is left out: there pyte is no VT100.
    """
    positions = st.builds("\x1b[{};{}H".format, st.integers(0, 6), columns)
    parts = st.one_of(
        st.sampled_from([*SEQUENCES, *controls]),
        positions,
        st.builds("{}\x1b[m{}".format, positions, st.sampled_from([*ERASURES, *erasures])),
        st.text(alphabet, min_size=1, max_size=9),
    )
    return st.lists(parts, max_size=25).map("".join)


# Where half a wide character is overwritten terminals differ, and pyte leaves the other half: so
# wide characters are compared on even columns, and never with narrow ones between.
narrow_streams = streams_of("ab 1:é▲", st.integers(0, 20), ["\b"], ["\x1b[1J", "\x1b[1K"])
wide_streams = streams_of("中确认，", st.sampled_from([1, 3, 9, 15]), [], [])


def rows_of(judge: pyte.Screen) -> list[str]:
    """What pyte shows; the cell behind a wide character is empty there too."""
    return [
        "".join(judge.buffer[row][column].data for column in range(judge.columns))
        for row in range(judge.lines)
    ]


def reversed_of(judge: pyte.Screen) -> list[int]:
    return [
        row
        for row in range(judge.lines)
        if any(judge.buffer[row][column].reverse for column in range(judge.columns))
    ]


@given(st.one_of(narrow_streams, wide_streams))
def test_it_shows_what_pyte_shows(stream: str) -> None:
    ours = Screen(16, 4)
    judge = pyte.Screen(16, 4)
    ours.feed(stream.encode())
    pyte.Stream(judge).feed(stream)
    assert ours.cursor == (judge.cursor.y, min(judge.cursor.x, 15))
    assert ours.rows() == rows_of(judge)
    assert ours.reversed_rows() == reversed_of(judge)


@given(narrow_streams, st.integers(0, 200))
def test_bytes_may_be_cut_anywhere(stream: str, cut: int) -> None:
    data = stream.encode()
    whole, halves = Screen(16, 4), Screen(16, 4)
    whole.feed(data)
    halves.feed(data[:cut])
    halves.feed(data[cut:])
    assert halves.rows() == whole.rows()


@given(st.binary(max_size=200))
def test_no_bytes_stop_it_and_every_row_keeps_its_width(data: bytes) -> None:
    screen = Screen(16, 4)
    screen.feed(data)
    assert len(screen.rows()) == 4
    screen.feed(b"\x18\x1b[0m\x1b[2J\x1b[1;1Hready")
    assert screen.rows()[0].startswith("ready")


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_it_understands_its_encoding(encoding: str) -> None:
    screen = Screen(16, 4, encoding)  # type: ignore[arg-type]
    screen.feed("交易成功".encode(encoding))
    assert screen.rows()[0] == "交易成功        "


def test_an_ambiguous_character_is_wide_on_a_gb18030_terminal() -> None:
    screen = Screen(16, 4, "gb18030")
    screen.feed("▲1".encode("gb18030"))
    assert screen.rows()[0] == "▲1             "
