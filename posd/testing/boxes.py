"""Screens and slips as people look at them: in a frame, Chinese characters two columns wide."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from devices import columns as grid

SCREEN_COLUMNS = 16
SCREEN_LINES = 4


def boxed(rows: Sequence[str], columns: int = SCREEN_COLUMNS, lines: int = SCREEN_LINES) -> str:
    """The rows in a frame of at least this size."""
    width = max([columns, *map(grid.width, rows)])
    filled = [*rows, *[""] * (lines - len(rows))]
    middle = [f"│{row}{' ' * (width - _on_a_terminal(row))}│" for row in filled]
    return "\n".join(["┌" + "─" * width + "┐", *middle, "└" + "─" * width + "┘"])


def torn(rows: Sequence[str], columns: int = 32) -> str:
    """The rows on a piece of paper."""
    width = max([columns, *map(grid.width, rows)])
    edge = "~" * (width + 2)
    middle = [f" {row}".rstrip() for row in rows]
    return "\n".join([edge, *middle, edge])


def _on_a_terminal(row: str) -> int:
    """Columns on the terminal of whoever looks: ▲ and the like take one there, two on a GB18030 device."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in row)
