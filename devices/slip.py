"""A slip as a document: what is printed, in rows, and nothing about how a printer does it.

The program composes a `Slip`, keeps it in its ledger as plain values (`to_plain`) and hands it to
a printer, which turns it into bytes. `lay_out` is the one definition of where every character
goes; the bytes for the printer and the text for people are both made from it.

Pure: no input, no output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, Literal, get_args

from msgspec import Struct
from msgspec.structs import FieldInfo, fields

from devices import columns as grid

Align = Literal["left", "centre", "right"]
_ALIGNS: Final = get_args(Align)

QR_CODE_LIMIT: Final = 400  # bytes; ISO/IEC 18004 version 15-M holds 412, 308 dots at 4 a module
FEED_LIMIT: Final = 40  # lines; more is a mistake, not a slip
CUT_MARK: Final = "8<"


class Text(Struct, frozen=True):
    """A paragraph; it wraps. `large` is twice as wide and twice as high."""

    text: str
    align: Align = "left"
    large: bool = False
    bold: bool = False

    def __post_init__(self) -> None:
        if self.align not in _ALIGNS:
            raise ValueError(f"expected align {_ALIGNS}, found {self.align!r}")


class Pair(Struct, frozen=True):
    """A label on the left and its value on the right; the value takes its own rows if it must."""

    left: str
    right: str
    large: bool = False
    bold: bool = False


class Rule(Struct, frozen=True):
    """A line across the paper."""


class Feed(Struct, frozen=True):
    """Empty lines."""

    lines: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.lines <= FEED_LIMIT:
            raise ValueError(f"expected 1 to {FEED_LIMIT} lines to feed, found {self.lines}")


class QRCode(Struct, frozen=True):
    """A QR code of printable ASCII, at most `QR_CODE_LIMIT` characters, in the middle."""

    data: str

    def __post_init__(self) -> None:
        if not (self.data.isascii() and self.data.isprintable()):
            raise ValueError("expected printable ASCII in a QR code")
        if not 1 <= len(self.data) <= QR_CODE_LIMIT:
            raise ValueError(
                f"expected 1 to {QR_CODE_LIMIT} characters in a QR code, found {len(self.data)}"
            )


class Logo(Struct, frozen=True):
    """The shop's logo, in the middle, on a printer that has one; nothing on any other."""


class Cut(Struct, frozen=True):
    """The paper is fed past the cutter and cut."""


Row = Text | Pair | Rule | Feed | QRCode | Logo | Cut


class Slip(Struct, frozen=True):
    """Rows from top to bottom."""

    rows: tuple[Row, ...]


class TextLine(Struct, frozen=True):
    """One line of a laid out slip: `text` begins `indent` columns of normal type from the left.

    A large line's characters take twice the columns that `columns.width` says.
    """

    text: str
    indent: int = 0
    large: bool = False
    bold: bool = False


Line = TextLine | QRCode | Logo | Cut

_KINDS: Final[dict[str, type[Row]]] = {
    "text": Text,
    "pair": Pair,
    "rule": Rule,
    "feed": Feed,
    "qr_code": QRCode,
    "logo": Logo,
    "cut": Cut,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


def to_plain(slip: Slip) -> list[dict[str, str | int]]:
    """The slip as dicts of str and int: a flag is 1, what has its default is left out."""
    return [_row_to_plain(row) for row in slip.rows]


def _row_to_plain(row: Row) -> dict[str, str | int]:
    plain: dict[str, str | int] = {"row": _NAMES[type(row)]}
    for field in _fields(type(row)).values():
        value = getattr(row, field.name)
        if value != field.default:
            plain[field.name] = int(value) if isinstance(value, bool) else value
    return plain


@cache
def _fields(kind: type[Row]) -> Mapping[str, FieldInfo]:
    return {field.name: field for field in fields(kind)}


def from_plain(plain: Sequence[Mapping[str, Any]]) -> Slip:
    """The slip that `to_plain` made. Raises ValueError when it is something else."""
    return Slip(tuple(_row_from_plain(index, row) for index, row in enumerate(plain)))


def _row_from_plain(index: int, plain: Mapping[str, Any]) -> Row:
    name = plain.get("row") if isinstance(plain, Mapping) else None
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"slip row {index}: expected one of {sorted(_KINDS)}")
    values: dict[str, Any] = {}
    for name, value in plain.items():
        if name == "row":
            continue
        field = _fields(kind).get(name)
        if field is None:
            raise ValueError(f"slip row {index}: {kind.__name__} has no {name!r}")
        expected: type = int if field.type in (bool, int) else str
        if not isinstance(value, expected):
            raise ValueError(f"slip row {index}: expected {expected.__name__} for {name!r}")
        values[name] = bool(value) if field.type is bool else value
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"slip row {index}: {error}") from None


def set_lines(slip: Slip, columns: int) -> list[Line]:
    """The slip line by line for paper `columns` wide, printable characters only."""
    return [line for row in slip.rows for line in _set_row(row, columns)]


def _set_row(row: Row, columns: int) -> list[Line]:
    match row:
        case Text():
            return _set_text(row, columns)
        case Pair():
            return _set_pair(row, columns)
        case Rule():
            return [TextLine("-" * columns)]
        case Feed():
            return [TextLine("") for _ in range(row.lines)]
        case QRCode() | Logo() | Cut():
            return [row]


def _set_text(row: Text, columns: int) -> list[Line]:
    scale = 2 if row.large else 1
    lines: list[Line] = []
    for text in grid.wrap(_clean(row.text), columns // scale):
        free = columns - scale * grid.width(text)
        indent = {"left": 0, "centre": free // 2, "right": free}[row.align]
        lines.append(TextLine(text, indent if text else 0, row.large, row.bold))
    return lines


def _set_pair(row: Pair, columns: int) -> list[Line]:
    """On one line when they fit with a space between, else the value below its label.

    There it stands on the right, or on the left when it needs more than one line itself. The label
    of a large value is in ordinary type then.
    """
    scale = 2 if row.large else 1
    available = columns // scale
    left, right = _clean(row.left), _clean(row.right)
    one_line = "\n" not in left + right
    if one_line and grid.width(left) + 1 + grid.width(right) <= available:
        gap = available - grid.width(left) - grid.width(right)
        return [TextLine(left + " " * gap + right, 0, row.large, row.bold)]
    align: Align = "right" if len(grid.wrap(right, available)) == 1 else "left"
    return [
        *_set_text(Text(left, "left", False, row.bold), columns),
        *_set_text(Text(right, align, row.large, row.bold), columns),
    ]


def _clean(text: str) -> str:
    return "\n".join(grid.printable(line) for line in text.split("\n"))


def lay_out(slip: Slip, columns: int) -> list[str]:
    """The slip as people read it: one string a line, no trailing spaces.

    A cut is a row of dashes with `CUT_MARK` in it, a QR code is its data between brackets, a logo
    is left out.
    """
    return [row for line in set_lines(slip, columns) for row in draw_line(line, columns)]


def draw_line(line: Line, columns: int) -> list[str]:
    """One laid out line as text. Large type is drawn in its place, in ordinary characters."""
    match line:
        case TextLine():
            return [(" " * line.indent + line.text).rstrip(" ")]
        case QRCode():
            return grid.wrap(f"[QR {line.data}]", columns)
        case Logo():
            return []
        case Cut():
            return [cut_row(columns)]


def cut_row(columns: int) -> str:
    """The row that stands for a cut."""
    left = (columns - len(CUT_MARK)) // 2
    return "-" * left + CUT_MARK + "-" * (columns - left - len(CUT_MARK))
