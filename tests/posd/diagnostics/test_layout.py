"""How posctl's answers look: on narrow terminals, in colour, and in a pipe."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import columns as grid
from posd.diagnostics.posctl.layout import Paper, short_times
from posd.texts.explanations import explanations

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
CLOSING = tuple("\u3002\uff0c\u3001\uff1b\uff1a\uff09,;:)")
OPENING = ("\uff08", "(")
HEAD = ("device", "is", "port", "says")
ROWS = [
    ("keypad", "present", "/dev/posd/keypad", ""),
    ("printer", "ABSENT", "/dev/posd/printer", "No such file or directory"),
]


class Screen(io.StringIO):
    """A terminal of somebody who looks at it."""

    def isatty(self) -> bool:
        return True


def paper(columns: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Paper, Screen]:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "vt100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen = Screen()
    return Paper(screen), screen


def plain(screen: io.StringIO) -> list[str]:
    return COLOURS.sub("", screen.getvalue()).splitlines()


def test_a_table_stands_on_one_row_an_entry_where_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written, screen = paper(80, monkeypatch)
    written.table(HEAD, ROWS)
    assert plain(screen) == [
        "device   is       port               says",
        "keypad   present  /dev/posd/keypad",
        "printer  ABSENT   /dev/posd/printer  No such file or directory",
    ]


def test_on_a_narrow_terminal_what_has_no_room_stands_below_and_empty_rows_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written, screen = paper(40, monkeypatch)
    written.table(HEAD, ROWS)
    assert plain(screen) == [
        "device   is       port",
        "  says",
        "keypad   present  /dev/posd/keypad",
        "printer  ABSENT   /dev/posd/printer",
        "  No such file or directory",
    ]


def test_in_a_pipe_an_entry_is_one_row_however_long_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    written = io.StringIO()
    long = "x" * 200
    Paper(written).table(("a", "b"), [(long, long)])
    Paper(written).pairs([("label", f"{long} {long}")])
    assert [len(row) for row in written.getvalue().splitlines()][1:] == [402, 408]


def test_what_belongs_to_a_label_stays_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    written, screen = paper(40, monkeypatch)
    written.pairs([("acquirer", "192.0.2.7:6000, plain, on this machine, ok"), ("disk", "")])
    assert plain(screen) == [
        "acquirer  192.0.2.7:6000, plain, on this",
        "          machine, ok",
    ]


def test_a_paragraph_begins_below_first_words_that_leave_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written, screen = paper(40, monkeypatch)
    written.paragraph("no connection could be made", "   ", "2026-11-22 03:21:16 E201 ")
    assert plain(screen) == ["2026-11-22 03:21:16 E201", "   no connection could be made"]


def test_paths_and_commands_are_not_cut_at_a_hyphen(monkeypatch: pytest.MonkeyPatch) -> None:
    written, screen = paper(40, monkeypatch)
    path = "/etc/udev/rules.d/69-posd-ports.rules"
    written.paragraph(f"the rule for this port stands in {path} and nowhere else")
    assert path in plain(screen)


@given(
    st.lists(st.text("abc缺纸,", min_size=1, max_size=12), min_size=1, max_size=30),
    st.integers(40, 100),
    st.sets(st.integers(0, 29)),
)
def test_every_row_fits_and_colours_change_no_word(
    words: list[str], columns: int, coloured: set[int]
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        written, screen = paper(columns, monkeypatch)
        text = " ".join(
            written.colour(word, "bad") if place in coloured else word
            for place, word in enumerate(words)
        )
        written.paragraph(text, "  ", "- ")
        seen = screen.getvalue()
    rows = plain(screen)
    assert all(grid.width(row) <= columns for row in rows)
    assert "".join(" ".join(rows).split()).removeprefix("-") == "".join(words)
    assert COLOURS.findall(seen) == COLOURS.findall(text)


@pytest.mark.parametrize("columns", [40, 41, 52, 63, 80, 100])
def test_no_row_of_chinese_begins_with_a_closing_mark(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code, known in explanations("zh_CN").items():
        for text in (known.cause, known.remedy):
            written, screen = paper(columns, monkeypatch)
            written.paragraph(text, "      ", f"{code}  ")
            rows = [row.removeprefix(code).strip() for row in plain(screen)]
            assert not [row for row in rows if row.startswith(CLOSING) or row.endswith(OPENING)]
            assert all(grid.width(row) <= columns for row in plain(screen))
            assert "".join("".join(rows).split()) == "".join(text.split())


def test_times_of_one_year_do_without_it() -> None:
    assert short_times(["2026-11-22T03:21:16"]) == ["11-22 03:21:16"]
    both = ["2027-01-01T00:00:01", "2026-12-31T23:59:59"]
    assert short_times(both) == ["2027-01-01 00:00:01", "2026-12-31 23:59:59"]
