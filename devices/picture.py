"""Pictures for a text screen, and pictures as bytes for a VT100 terminal.

Control sequences: ECMA-48 (5th edition) as the DEC VT100 (EK-VT100-UG) and console_codes(4) have
them.

Pure: no input, no output.
"""

from __future__ import annotations

import unicodedata
from typing import Literal

from msgspec import Struct

from devices import columns as grid

Encoding = Literal["utf-8", "gb18030"]

_CAN = b"\x18"  # cancels a control sequence that noise or a lost line cut short (ECMA-48, VT100)
_RESET = b"\x1b[0m"  # SGR 0
_REVERSE = b"\x1b[7m"  # SGR 7
_ERASE_SCREEN = b"\x1b[2J"  # ED 2
_ERASE_TO_END = b"\x1b[K"  # EL 0
_NO_AUTOWRAP = b"\x1b[?7l"  # DECAWM off: the last column never scrolls the screen
_CURSOR_OFF = b"\x1b[?25l"  # DECTCEM
_CURSOR_ON = b"\x1b[?25h"
_SELECT_UTF_8 = b"\x1b%G"  # console_codes(4), ISO/IEC 2022 DOCS


class Picture(Struct, frozen=True):
    """What the screen is to show: its rows from the top, a row shown in reverse, the cursor.

    A row has printable characters only and at most `columns` columns (`devices.columns.width`).
    `reverse` is the index of a row. `cursor` is (row, column), both from 0, or None for no cursor.
    Raises ValueError when something does not fit.
    """

    rows: tuple[str, ...]
    columns: int = 16
    lines: int = 4
    reverse: int | None = None
    cursor: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if len(self.rows) > self.lines:
            raise ValueError(f"expected at most {self.lines} rows, found {len(self.rows)}")
        for index, row in enumerate(self.rows):
            if grid.printable(row) != row:
                raise ValueError(f"row {index}: expected printable characters only")
            if grid.width(row) > self.columns:
                raise ValueError(
                    f"row {index}: expected at most {self.columns} columns, found {grid.width(row)}"
                )
        if self.reverse is not None and not 0 <= self.reverse < self.lines:
            raise ValueError(f"reverse: expected a row from 0 to {self.lines - 1}")
        if self.cursor is not None:
            row_index, column = self.cursor
            if not (0 <= row_index < self.lines and 0 <= column < self.columns):
                raise ValueError("cursor: expected a place on the screen")

    def row(self, index: int) -> str:
        """The row at this index, without trailing spaces; empty below the last."""
        return self.rows[index].rstrip(" ") if index < len(self.rows) else ""


class Painter:
    """Pictures to bytes, for one encoding. Pure."""

    def __init__(self, encoding: Encoding = "utf-8") -> None:
        self._encoding = encoding

    def repaint(self, picture: Picture) -> bytes:
        """Everything anew, on a terminal in an unknown state."""
        select = _SELECT_UTF_8 if self._encoding == "utf-8" else b""
        start = _CAN + select + _RESET + _NO_AUTOWRAP + _CURSOR_OFF + _ERASE_SCREEN
        rows = (self._row(picture, index) for index in range(picture.lines))
        return start + b"".join(rows) + self._cursor(picture)

    def refresh(self, picture: Picture) -> bytes:
        """Everything anew without erasing first, so that nothing flickers."""
        start = _CAN + _RESET + _NO_AUTOWRAP + _CURSOR_OFF
        rows = (
            _position(index, 0) + _ERASE_TO_END + self._row(picture, index)
            for index in range(picture.lines)
        )
        return start + b"".join(rows) + self._cursor(picture)

    def update(self, before: Picture, after: Picture) -> bytes:
        """What turns one picture into the other; nothing when they look the same."""
        rows = b"".join(
            self._changed_row(before, after, index)
            for index in range(max(before.lines, after.lines))
        )
        if not rows and before.cursor == after.cursor:
            return b""
        hide = _CURSOR_OFF if before.cursor is not None and rows else b""
        return hide + rows + self._cursor(after, before if not hide else None)

    def _row(self, picture: Picture, index: int) -> bytes:
        text = picture.row(index)
        if index == picture.reverse:
            filled = text + " " * (picture.columns - self._width(text))
            return _position(index, 0) + _REVERSE + self._encode(filled) + _RESET
        return _position(index, 0) + self._encode(text) if text else b""

    def _changed_row(self, before: Picture, after: Picture, index: int) -> bytes:
        old, new = before.row(index), after.row(index)
        was_reverse, is_reverse = index == before.reverse, index == after.reverse
        if old == new and was_reverse == is_reverse:
            return b""
        if was_reverse or is_reverse:
            return _position(index, 0) + _ERASE_TO_END + self._row(after, index)
        same = self._same_beginning(old, new)
        column = self._width(new[:same])
        # erased before the text: after it the cursor may stand on the last column, not beyond it
        erase = _ERASE_TO_END if self._width(old) > self._width(new) else b""
        return _position(index, column) + erase + self._encode(new[same:])

    def _same_beginning(self, old: str, new: str) -> int:
        """Characters that need not be sent again.

        It ends before the first character that some UTF-8 terminals draw in one column and others
        in two: behind it the column is not known.
        """
        for index, (left, right) in enumerate(zip(old, new, strict=False)):
            if left != right:
                return index
            if self._encoding == "utf-8" and unicodedata.east_asian_width(left) == "A":
                return index
        return min(len(old), len(new))

    def _width(self, text: str) -> int:
        if self._encoding == "gb18030":
            return grid.width(text)
        return sum(
            2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text
        )

    def _encode(self, text: str) -> bytes:
        return text.encode(self._encoding, "replace")

    def _cursor(self, picture: Picture, before: Picture | None = None) -> bytes:
        if picture.cursor is None:
            return _CURSOR_OFF if before is not None and before.cursor is not None else b""
        return _position(*picture.cursor) + _CURSOR_ON


def _position(row: int, column: int) -> bytes:
    """CUP; rows and columns count from 1 on the wire."""
    return b"\x1b[%d;%dH" % (row + 1, column + 1)
