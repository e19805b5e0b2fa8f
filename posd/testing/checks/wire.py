"""Captured traffic, read with pyiso8583 and a specification of its own: nothing of `protocol`.

A capture is a list of `Captured`, or a text file with a line each, oldest first:

    TIME WORD [HEX]

TIME: seconds since anything, never falling. WORD: `start` (a process of the terminal began; optional),
`open` (a connection stands), `out` (bytes from the terminal), `in` (bytes to the terminal), `close` (the
connection ended). HEX: the bytes of `out` and `in`, cut anywhere; frames are put together again within a
connection. Connections follow each other. Blank lines and lines that begin with # are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, cast, get_args

Word = Literal["start", "open", "out", "in", "close"]
WORDS: Final[tuple[str, ...]] = get_args(Word)

_LEN, _ENVELOPE = 2, 13  # bytes: LEN; LEN, TPDU and header
_CAP = 4096


class CaptureError(Exception):
    """The capture cannot be read: which line, and why."""


class OracleMissingError(Exception):
    """pyiso8583 is not installed."""


class Captured(NamedTuple):
    """One line of a capture. time in seconds."""

    time: float
    word: Word
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Wire:
    """One message as it was seen. elements: number -> digits, text or hex, as pyiso8583 gives them.

    position: its place among all messages. life: how many processes of the terminal began before it.
    connection: counts from 1; 0 when it came outside of any.
    """

    position: int
    time: float
    life: int
    connection: int
    outgoing: bool
    mti: str
    elements: Mapping[int, str] = field(repr=False)  # holds what is secret

    def get(self, number: int) -> str:
        return self.elements.get(number, "")

    @property
    def batch(self) -> str:
        """60.2"""
        return self.get(60)[2:8]

    @property
    def kind(self) -> str:
        """The transaction that the codes of a request, its answer or its reversal mean, "" for none."""
        return KINDS.get((self.get(3), self.get(25), self.get(60)[:2]), "")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was captured. unreadable: times at which the terminal sent what cannot be decoded."""

    messages: tuple[Wire, ...]
    unreadable: tuple[float, ...]
    lives: int


KINDS: Final[Mapping[tuple[str, str, str], str]] = {
    ("310000", "00", "01"): "balance_inquiry",
    ("000000", "00", "22"): "sale",
    ("200000", "00", "23"): "sale_void",
    ("200000", "00", "25"): "refund",
    ("030000", "06", "10"): "pre_authorisation",
    ("200000", "06", "11"): "pre_authorisation_void",
    ("000000", "06", "20"): "completion",
    ("000000", "06", "24"): "completion_notice",
    ("200000", "06", "21"): "completion_void",
}
"""Elements 3, 25 and 60.1 -> transaction."""


def _row(kind: str, prefix: int, length: int, pad: str = "0") -> dict[str, object]:
    """kind: B packed digits, L packed digits from the left, A text, X bytes. prefix: BCD bytes of it."""
    row: dict[str, object] = {
        "data_enc": "latin-1" if kind == "A" else "b",
        "len_enc": "bcd",
        "len_type": prefix,
        "max_len": length,
        "desc": kind,
    }
    if kind in "BL":
        row["len_count"] = "nibbles"
        if kind == "L" or prefix:
            row["right_pad"] = pad
        elif length % 2:
            row["left_pad"] = pad
    return row


_TABLE: Final[Mapping[int, tuple[str, int, int]]] = {
    2: ("B", 1, 19), 3: ("B", 0, 6), 4: ("B", 0, 12), 11: ("B", 0, 6), 12: ("B", 0, 6),
    13: ("B", 0, 4), 14: ("B", 0, 4), 15: ("B", 0, 4), 22: ("L", 0, 3), 23: ("B", 0, 3),
    25: ("B", 0, 2), 26: ("B", 0, 2), 27: ("B", 0, 1), 32: ("B", 1, 11), 35: ("B", 1, 37),
    36: ("B", 2, 104), 37: ("A", 0, 12), 38: ("A", 0, 6), 39: ("A", 0, 2), 41: ("A", 0, 8),
    42: ("A", 0, 15), 43: ("A", 0, 40), 44: ("A", 1, 25), 46: ("A", 2, 999), 48: ("B", 2, 322),
    49: ("A", 0, 3), 52: ("X", 0, 8), 53: ("B", 0, 16), 54: ("A", 2, 40), 55: ("X", 2, 255),
    56: ("A", 2, 999), 57: ("X", 2, 999), 58: ("X", 2, 100), 59: ("X", 2, 600), 60: ("B", 2, 17),
    61: ("B", 2, 29), 62: ("X", 2, 999), 63: ("A", 2, 163), 64: ("X", 0, 8),
}  # fmt: skip

SPECIFICATION: Final[Mapping[str, dict[str, object]]] = {
    "h": _row("X", 0, 0),
    "t": _row("X", 0, 2),
    "p": _row("X", 0, 8),
    **{str(number): _row(*row) for number, row in _TABLE.items()},
}
"""The dialect's elements as pyiso8583 wants them."""


def _oracle() -> Any:
    try:
        import iso8583
    except ModuleNotFoundError:
        raise OracleMissingError(
            "the checker decodes traffic with pyiso8583: pip install pyiso8583"
        ) from None
    return iso8583


def decode(frame: bytes) -> tuple[str, dict[int, str]] | None:
    """MTI and elements of a whole frame; None when it cannot be decoded. Raises OracleMissingError."""
    iso8583 = _oracle()
    try:
        fields, _ = iso8583.decode(frame[_ENVELOPE:], SPECIFICATION)
    except (iso8583.DecodeError, KeyError):
        return None
    elements = {int(name): str(value) for name, value in fields.items() if name.isdecimal()}
    return str(fields["t"]), elements


def read_capture(path: Path) -> list[Captured]:
    """The lines of a capture file. Raises CaptureError, OSError."""
    captured = []
    for number, line in enumerate(path.read_text("ascii").splitlines(), start=1):
        parts = line.split()
        if not parts or parts[0].startswith("#"):
            continue
        try:
            time, word, *data = parts
            if word not in WORDS or len(data) > 1:
                raise ValueError(word)
            captured.append(Captured(float(time), cast(Word, word), bytes.fromhex("".join(data))))
        except ValueError:
            raise CaptureError(f"{path}:{number}: TIME WORD [HEX] expected") from None
    return captured


def write_capture(path: Path, captured: Iterable[Captured]) -> None:
    """A file that `read_capture` reads."""
    lines = (f"{one.time!r} {one.word} {one.data.hex()}".rstrip() for one in captured)
    path.write_text("".join(f"{line}\n" for line in lines), "ascii")


def read_traffic(captured: Iterable[Captured]) -> Traffic:
    """The messages in a capture. What comes to the terminal and cannot be decoded is left out."""
    messages: list[Wire] = []
    unreadable: list[float] = []
    life = connections = connection = 0
    pieces = {"out": b"", "in": b""}
    for time, word, data in captured:
        match word:
            case "start":
                life, connection = life + 1, 0
            case "open":
                connections += 1
                connection = connections
            case "close":
                connection = 0
            case _:
                frames, pieces[word] = _frames(pieces[word] + data)
                for frame in frames:
                    read = decode(frame)
                    if read is not None:
                        place = (len(messages), time, life, connection, word == "out")
                        messages.append(Wire(*place, *read))
                    elif word == "out":
                        unreadable.append(time)
                continue
        pieces = {"out": b"", "in": b""}
    return Traffic(tuple(messages), tuple(unreadable), life)


def _frames(data: bytes) -> tuple[list[bytes], bytes]:
    """Whole frames, and what is left over."""
    frames = list(_split(data))
    return frames, data[sum(map(len, frames)) :]


def _split(data: bytes) -> Iterator[bytes]:
    while len(data) >= _LEN:
        length = _LEN + int.from_bytes(data[:_LEN], "big")
        if length > _CAP:
            yield data  # no frame of this dialect: never to be put together again
            return
        if len(data) < length:
            return
        yield data[:length]
        data = data[length:]
