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

_COLOURS: Final = {"good": "32", "bad": "1;31", "warning": "33", "faint": "2", "strong": "1"}
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_IN_FEN: Final = frozenset({"amount", "approved_amount", "paid", "debit_amount", "credit_amount"})
_NARROWEST, _WIDEST = 40, 100


class Paper:
    """Where lines are written. Colour only on a terminal, and never with NO_COLOR (no-color.org)."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stdout if out is None else out
        self.on_terminal = self._out.isatty()
        """Does a person read along?"""
        terminal = self.on_terminal and os.environ.get("TERM") != "dumb"
        self._coloured = terminal and not os.environ.get("NO_COLOR")
        self.width = max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((80, 24)).columns))

    def line(self, text: str = "") -> None:
        """A line, at once: somebody may be watching."""
        self._out.write(f"{text}\n")
        self._out.flush()

    def colour(self, text: str, kind: str) -> str:
        """The text as good, bad, warning, faint or strong."""
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if self._coloured else text

    def paragraph(self, text: str, indent: str = "", first: str = "") -> None:
        """Text that wraps, every row after `indent`, the first one after `first`."""
        rows = _wrapped(text, self.width - max(grid.width(indent), _visible(first)))
        for number, row in enumerate(rows):
            self.line(f"{first or indent if number == 0 else indent}{row}")

    def pairs(self, rows: Iterable[tuple[str, str]]) -> None:
        """A label and what belongs to it, a row each."""
        known = [row for row in rows if row[1]]
        widest = max((grid.width(label) for label, _ in known), default=0)
        for label, text in known:
            gap = " " * (widest - grid.width(label) + 2)
            self.line(f"{self.colour(label, 'faint')}{gap}{text}")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns as wide as they must be."""
        everything = [tuple(head), *map(tuple, rows)]
        widths = [max(grid.width(row[place]) for row in everything) for place in range(len(head))]
        for number, row in enumerate(everything):
            cells = [
                text + " " * (wide - grid.width(text))
                for text, wide in zip(row, widths, strict=True)
            ]
            text = "  ".join(cells).rstrip()
            self.line(self.colour(text, "faint") if number == 0 else text)


def _visible(text: str) -> int:
    """Columns of a text that may hold colours."""
    return grid.width(_COLOUR.sub("", text))


def amount(fen: int) -> str:
    """An amount as people read it."""
    return f"{fen // 100}.{fen % 100:02d}"


def readable(name: str, value: str | int) -> str:
    """The value of a detail with this name: what is counted in fen as an amount, the rest as it is."""
    return amount(int(value)) if name in _IN_FEN and str(value).isdecimal() else str(value)


def clock_time(at: str) -> str:
    """The time of an ISO moment, with its day when that is not all that matters."""
    return at.replace("T", " ")


def _wrapped(text: str, room: int) -> list[str]:
    if text.isascii():
        return textwrap.wrap(text, room) or [""]
    return list(grid.wrap(text, room)) or [""]
