"""A line as it was heard: a text file of bytes and times, to be read by people and replayed.

    line recording 1
    role: printer
    settings: speed=115200 flow_control=xon_xoff
    expected: the job ends with paper_out

    0.000000 > 10 04 01
    0.003112 < 12
    # the paper was taken out here

The first line is the format and its version; then names and values in any order, of which `role` is
required; an empty line; then a line a piece of bytes: seconds since the recording began, `<` from
the device or `>` to it, the bytes in hex. Comments begin with `#`. What follows `|` is for people.

Pure: no input, no output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct, field

from devices.recorder import Entry

_FIRST_LINE: Final = "line recording 1"
_HEADER_LINE: Final = re.compile(r"(?P<name>[a-z_]+): *(?P<value>.*)")
_PIECE: Final = re.compile(
    r"(?P<at>[0-9]{1,9}(\.[0-9]{1,9})?) (?P<direction>[<>])(?P<data>( [0-9a-f]{2})+) *(\|.*)?"
)
SIZE_LIMIT: Final = 4 * 1024 * 1024  # characters; an hour of a busy printer is a tenth of it


class RecordingError(ValueError):
    """A text that is no recording; the message names the line, counted from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line


class Piece(Struct, frozen=True):
    """Bytes that passed together, `at` seconds after the recording began."""

    at: float
    direction: Literal["in", "out"]
    data: bytes


class Recording(Struct, frozen=True):
    """What a line of this role carried, in order, and what was noted about it."""

    role: str
    pieces: tuple[Piece, ...]
    notes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_entries(
        cls, role: str, entries: Iterable[Entry], notes: Mapping[str, str] | None = None
    ) -> Recording:
        """The recording of what a flight recorder kept, masked as it is there."""
        passed = [entry for entry in entries if entry.direction != "note"]
        begin = passed[0].at if passed else 0.0
        pieces = tuple(
            Piece(
                round(entry.at - begin, 6), "in" if entry.direction == "in" else "out", entry.data
            )
            for entry in passed
        )
        return cls(role, pieces, dict(notes or {}))

    def to_text(self) -> str:
        """The recording as a file's content."""
        header = [_FIRST_LINE, f"role: {self.role}"]
        header += [f"{name}: {value}" for name, value in self.notes.items()]
        return "\n".join([*header, "", *map(_line, self.pieces)]) + "\n"


def _line(piece: Piece) -> str:
    arrow = "<" if piece.direction == "in" else ">"
    readable = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in piece.data)
    return f"{piece.at:.6f} {arrow} {piece.data.hex(' ')} |{readable}|"


def read_recording(text: str) -> Recording:
    """The recording in a file's content. Raises RecordingError with the line and what is wrong."""
    if len(text) > SIZE_LIMIT:
        raise RecordingError(1, f"expected at most {SIZE_LIMIT} characters")
    lines = text.split("\n")
    if lines[0] != _FIRST_LINE:
        raise RecordingError(1, f"expected {_FIRST_LINE!r}")
    notes: dict[str, str] = {}
    number = 2
    while number <= len(lines) and lines[number - 1]:
        match = _HEADER_LINE.fullmatch(lines[number - 1])
        if match is None:
            raise RecordingError(number, "expected `name: value`, or an empty line")
        notes[match["name"]] = match["value"]
        number += 1
    role = notes.pop("role", None)
    if role is None:
        raise RecordingError(number, "expected a `role` before the first empty line")
    return Recording(role, tuple(_pieces(lines, number)), notes)


def _pieces(lines: list[str], after: int) -> Iterable[Piece]:
    last = 0.0
    for number, line in enumerate(lines[after:], after + 1):
        if not line or line.startswith("#"):
            continue
        match = _PIECE.fullmatch(line)
        if match is None:
            raise RecordingError(number, "expected `seconds < hex bytes` or `seconds > hex bytes`")
        at = float(match["at"])
        if at < last:
            raise RecordingError(number, f"expected a time from {last:g} s on, found {at:g} s")
        last = at
        direction: Literal["in", "out"] = "in" if match["direction"] == "<" else "out"
        yield Piece(at, direction, bytes.fromhex(match["data"]))
