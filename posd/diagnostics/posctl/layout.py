"""How answers look on a terminal: colour where it is wanted, tables in which Chinese is two columns wide."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Final, TextIO

from devices import columns as grid
from posd.diagnostics.posctl.labels import Labels

_COLOURS: Final = {"good": "32", "bad": "1;31", "warning": "33", "faint": "2", "strong": "1"}
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_PARTS: Final = re.compile(r"\x1b\[[0-9;]*m|.", re.DOTALL)
_IN_FEN: Final = frozenset({"amount", "approved_amount", "paid", "debit_amount", "credit_amount"})
_NARROWEST, _WIDEST = 40, 100
_LEAST_BESIDE: Final = (
    20  # columns: with less room beside its first words a paragraph begins below them
)
_GAP: Final = "  "
# GB/T 15834-2011, 5.1: a row begins with none of these, and ends with none of those.
_NEVER_FIRST: Final = tuple("\u3002\uff0c\u3001\uff1b\uff1a\uff1f\uff01\uff09\u300b\u201d,.;:?!)")
_NEVER_LAST: Final = tuple("\uff08\u300a\u201c(")


class Paper:
    """Where lines are written. Colour only on a terminal, and never with NO_COLOR (no-color.org)."""

    def __init__(self, out: TextIO | None = None, language: str = "en") -> None:
        self._out = sys.stdout if out is None else out
        self.say = Labels(language)
        """Labels and headlines in the technician's language."""
        self.on_terminal = self._out.isatty()
        """Does a person read along?"""
        terminal = self.on_terminal and os.environ.get("TERM") != "dumb"
        self._coloured = terminal and not os.environ.get("NO_COLOR")
        columns = max(_NARROWEST, shutil.get_terminal_size((80, 24)).columns)
        self.width = min(_WIDEST, columns)
        """Of paragraphs, which are never as wide as the widest terminals."""
        # What is one row for grep stays one row, unless a person looks at it.
        self._columns = columns if self.on_terminal or os.environ.get("COLUMNS") else None

    def line(self, text: str = "") -> None:
        """A line, at once: somebody may be watching."""
        self._out.write(f"{text}\n")
        self._out.flush()

    def colour(self, text: str, kind: str) -> str:
        """The text as good, bad, warning, faint or strong."""
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if self._coloured else text

    def paragraph(self, text: str, indent: str = "", first: str = "") -> None:
        """Text that wraps, every row after `indent`, the first one after `first`."""
        self._paragraph(text, indent, first or indent, self.width)

    def row(self, text: str, indent: str = "", first: str = "") -> None:
        """One row; as a paragraph only where a person's terminal is not wide enough for it."""
        if self._columns is None:
            self.line(f"{first}{text}")
        else:
            self._paragraph(text, indent, first, self._columns)

    def _paragraph(self, text: str, indent: str, first: str, columns: int) -> None:
        beside, below = columns - _visible(first), columns - grid.width(indent)
        if beside < min(below, _LEAST_BESIDE) and _visible(text) > beside:
            self.line(first.rstrip())
            first, beside = indent, below
        for number, row in enumerate(_wrapped(text, beside, below)):
            self.line(f"{first if number == 0 else indent}{row}")

    def pairs(self, rows: Iterable[tuple[str, str]]) -> None:
        """A label and what belongs to it, a row each."""
        known = [row for row in rows if row[1]]
        widest = max((grid.width(label) for label, _ in known), default=0)
        for label, text in known:
            gap = " " * (widest - grid.width(label) + len(_GAP))
            indent = " " * (widest + len(_GAP))
            self.row(text, indent, f"{self.colour(label, 'faint')}{gap}")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns as wide as they must be; what a narrow terminal has no room for stands below the others."""
        everything = [tuple(head), *map(tuple, rows)]
        widths = [max(grid.width(row[place]) for row in everything) for place in range(len(head))]
        folded = self._folded(widths)
        for number, row in enumerate(everything):
            for position, places in enumerate(folded):
                cells = [
                    row[place] + " " * (widths[place] - grid.width(row[place])) for place in places
                ]
                text = _GAP.join(cells).rstrip()
                if text or not position:
                    text = f"{_GAP if position else ''}{text}"
                    self.line(self.colour(text, "faint") if number == 0 else text)

    def _folded(self, widths: Sequence[int]) -> list[list[int]]:
        """Which columns stand on each row of an entry: as many as there is room for, in their order."""
        rows: list[list[int]] = [[]]
        used = 0
        for place, wide in enumerate(widths):
            if rows[-1] and self._columns is not None and used + wide > self._columns:
                rows.append([])
                used = len(_GAP)  # the rows below are indented
            rows[-1].append(place)
            used += wide + len(_GAP)
        return rows


def _visible(text: str) -> int:
    """Columns of a text that may hold colours."""
    return grid.width(_COLOUR.sub("", text))


def amount(fen: int) -> str:
    """An amount as people read it."""
    return f"{fen // 100}.{fen % 100:02d}"


def readable(name: str, value: str | int) -> str:
    """The value of a detail with this name: what is counted in fen as an amount, the rest as it is."""
    return amount(int(value)) if name in _IN_FEN and str(value).isdecimal() else str(value)


def short_times(moments: Sequence[str]) -> list[str]:
    """The times of ISO moments; without their year when they all have the same."""
    years = {moment[:4] for moment in moments}
    return [clock_time(moment[5:] if len(years) == 1 else moment) for moment in moments]


def clock_time(at: str) -> str:
    """The time of an ISO moment, with its day when that is not all that matters."""
    return at.replace("T", " ")


def _wrapped(text: str, first: int, others: int) -> list[str]:
    """Rows of at most so many columns, the first and the others; colours stay with what they colour."""
    plain = _COLOUR.sub("", text)
    rows = (
        _wrapped_words(plain, first, others)
        if plain.isascii()
        else _wrapped_grid(plain, first, others)
    )
    return rows if plain == text else _coloured(rows, text)


def _wrapped_words(text: str, first: int, others: int) -> list[str]:
    # Paths and commands are copied: they are never cut, and a hyphen in them is no place to break.
    most = max(first, others)
    rows = textwrap.wrap(
        text, most, initial_indent=" " * (most - first), subsequent_indent=" " * (most - others),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [row.lstrip(" ") for row in rows] or [""]


def _wrapped_grid(text: str, first: int, others: int) -> list[str]:
    # Row by row: the device's grid knows no marks, for its rows have no room to lose.
    rows: list[str] = []
    for line in text.split("\n"):
        rest = line
        while True:
            rows.append(_first_row(rest, others if rows else first))
            rest = rest[len(rows[-1]) :].lstrip(" ")
            if not rest:
                break
    return rows


def _first_row(text: str, columns: int) -> str:
    """As much of the text as the first row takes: shorter, when a mark would stand where none may."""
    widest = grid.wrap(text, columns)[0]
    for room in range(columns, columns // 2, -1):
        row = grid.wrap(text, room)[0]
        rest = text[len(row) :]
        cut = rest[:1] not in ("", " ") and f"{row[-1:]}{rest[:1]}".isascii()
        if not (cut or rest.startswith(_NEVER_FIRST) or row.endswith(_NEVER_LAST)):
            return row
    return widest


def _coloured(rows: Sequence[str], text: str) -> list[str]:
    """The rows of the text without its colours, with them. Wrapping has only taken out spaces."""
    found = [(part, bool(_COLOUR.fullmatch(part))) for part in _PARTS.findall(text)]
    done, place = [], 0
    for row in rows:
        written = ""
        for character in row:
            while found[place][1] or found[place][0] != character:
                part, is_colour = found[place]
                written += part if is_colour else ""
                place += 1
            written += character
            place += 1
        while place < len(found) and found[place][1]:
            written += found[place][0]
            place += 1
        done.append(written)
    return done
