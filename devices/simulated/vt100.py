"""What a VT100 terminal shows, from the bytes it is sent.

The part of ECMA-48 (5th edition) and DEC's VT100 (EK-VT100-UG) that a display on a payment
terminal needs; other sequences are recognised and have no effect. A row is a list of cells; the
cell behind a two-column character is empty.

Pure: no input, no output.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import Final

from devices.picture import Encoding

_BLANK: Final = " "
_BEHIND_WIDE: Final = ""
_ESC: Final = "\x1b"
_CANCEL: Final = "\x18\x1a"  # CAN and SUB end a sequence
_CSI: Final = re.compile(r"\[(?P<private>[?>=]?)(?P<numbers>[0-9;]*)[ -/]*(?P<final>[@-~])")
_SEQUENCE_LIMIT: Final = 64  # characters; a longer "sequence" is noise


class Screen:
    """A terminal of `columns` by `lines`, blank, the cursor at the top left.

    `ambiguous_width`: columns of a character that UAX #11 calls ambiguous; two on a GB18030
    terminal, one on a UTF-8 terminal.
    """

    def __init__(self, columns: int, lines: int, encoding: Encoding = "utf-8") -> None:
        self.columns = columns
        self.lines = lines
        self.cursor_visible = True
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._ambiguous_width = 2 if encoding == "gb18030" else 1
        self._cells = [[_BLANK] * columns for _ in range(lines)]
        self._reversed = [[False] * columns for _ in range(lines)]
        self._row = 0
        self._column = 0
        self._reverse = False
        self._autowrap = True
        self._sequence = ""

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column of the cursor, from 0."""
        return self._row, min(self._column, self.columns - 1)

    def rows(self) -> list[str]:
        """The rows from the top, each exactly `columns` wide."""
        return ["".join(cells) for cells in self._cells]

    def reversed_rows(self) -> list[int]:
        """The rows of which any column is shown in reverse."""
        return [index for index, cells in enumerate(self._reversed) if any(cells)]

    def feed(self, data: bytes) -> None:
        """Takes bytes, cut anywhere."""
        for character in self._decoder.decode(data):
            self._feed_character(character)

    def _feed_character(self, character: str) -> None:
        if character == _ESC:
            self._sequence = _ESC
        elif character in _CANCEL:
            self._sequence = ""
        elif character < " " or character == "\x7f":
            self._control(character)  # also within a sequence, as the VT100 does
        elif self._sequence:
            self._sequence += character
            self._end_sequence()
        else:
            self._put(character)

    def _control(self, character: str) -> None:
        match character:
            case "\r":
                self._column = 0
            case "\n" | "\v" | "\f":
                self._line_feed()
            case "\b":
                self._column = max(0, min(self._column, self.columns - 1) - 1)

    def _line_feed(self) -> None:
        if self._row < self.lines - 1:
            self._row += 1
            return
        self._cells = [*self._cells[1:], [_BLANK] * self.columns]
        self._reversed = [*self._reversed[1:], [False] * self.columns]

    def _put(self, character: str) -> None:
        kind = unicodedata.east_asian_width(character)
        wide = kind in "WF" or (kind == "A" and self._ambiguous_width == 2)
        width = 2 if wide else 1
        if self._column + width > self.columns:
            if self._autowrap:
                self._column = 0
                self._line_feed()
            else:
                self._column = self.columns - width
        self._break_wide(self._column)
        self._break_wide(self._column + width)
        for offset in range(width):
            self._cells[self._row][self._column + offset] = _BEHIND_WIDE if offset else character
            self._reversed[self._row][self._column + offset] = self._reverse
        self._column += width

    def _break_wide(self, column: int) -> None:
        """A two-column character of which one half is about to be overwritten goes blank."""
        cells = self._cells[self._row]
        if 0 < column < self.columns and cells[column] == _BEHIND_WIDE:
            cells[column - 1] = cells[column] = _BLANK

    def _end_sequence(self) -> None:
        body = self._sequence[1:]
        if body[0] == "[":
            match = _CSI.fullmatch(body)
            if match is not None:
                self._sequence = ""
                self._control_sequence(match["private"], match["numbers"], match["final"])
            elif len(body) > _SEQUENCE_LIMIT or not re.fullmatch(r"\[[ -?]*", body):
                self._sequence = ""
        elif body[-1] >= "0":
            # ESC, any intermediates, one final character: ESC 7, ESC % G, ...
            self._sequence = ""

    def _control_sequence(self, private: str, numbers: str, final: str) -> None:
        values = [int(number) if number else 0 for number in numbers.split(";")]
        first = values[0]
        if private:
            if private == "?" and final in "hl":
                self._set_modes(values, on=final == "h")
            return
        match final:
            case "H" | "f":
                column = values[1] if len(values) > 1 else 0
                self._row = min(max(first, 1), self.lines) - 1
                self._column = min(max(column, 1), self.columns) - 1
            case "J":
                self._erase_display(first)
            case "K":
                self._erase_line(first)
            case "m":
                for value in values:
                    if value in (0, 7, 27):
                        self._reverse = value == 7

    def _set_modes(self, values: list[int], *, on: bool) -> None:
        if 7 in values:  # DECAWM
            self._autowrap = on
        if 25 in values:  # DECTCEM
            self.cursor_visible = on

    def _erase_display(self, which: int) -> None:
        match which:
            case 0:
                rows = range(self._row + 1, self.lines)
            case 1:
                rows = range(self._row)
            case 2:
                rows = range(self.lines)
            case _:
                return
        for row in rows:
            self._erase(row, 0, self.columns)
        self._erase_line(which)

    def _erase_line(self, which: int) -> None:
        column = min(self._column, self.columns - 1)
        match which:
            case 0:
                self._erase(self._row, column, self.columns)
            case 1:
                self._erase(self._row, 0, column + 1)
            case 2:
                self._erase(self._row, 0, self.columns)

    def _erase(self, row: int, start: int, end: int) -> None:
        cells = self._cells[row]
        for column in (start, end):
            if 0 < column < self.columns and cells[column] == _BEHIND_WIDE:
                cells[column - 1] = cells[column] = _BLANK
        for column in range(start, end):
            cells[column] = _BLANK
            self._reversed[row][column] = False
