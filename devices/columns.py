"""Text on a grid of columns, where a Chinese character is two columns wide.

Screens and slips are laid out with the same rule: an ASCII character is one column, every other
character is two. That is how devices draw GB18030 (GB/T 2312 glyphs are square, two cells of an
ASCII glyph, and that includes the arrows and Greek letters Unicode calls "ambiguous" in UAX #11).
A UTF-8 terminal may draw an ambiguous character in one column: a row measured here is then a
little shorter than expected, and never too long.

Pure: no input, no output.
"""

from __future__ import annotations

import unicodedata

_IDEOGRAPHIC_SPACE = "\u3000"  # GB/T 2312 row 1 cell 1; str.isprintable() leaves all spaces out


def is_printable(character: str) -> bool:
    """Whether a character may reach a device: a glyph of its own, and no power over the device.

    These are ASCII 0x20-0x7E, the two-byte repertoire of GB18030 (GB 18030-2022, 2-byte part) and
    the CJK unified ideographs. Control, format, combining and private characters are not.
    """
    if character.isascii():
        return character.isprintable()
    if character == _IDEOGRAPHIC_SPACE:
        return True
    if not character.isprintable():
        return False
    if unicodedata.east_asian_width(character) not in "WFA":
        return False
    return len(character.encode("gb18030")) == 2 or unicodedata.name(character, "").startswith(
        "CJK UNIFIED IDEOGRAPH"
    )


def printable(text: str) -> str:
    """The text with every character that is not `is_printable` replaced by "?"."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if is_printable(character) else "?" for character in text)


def width(text: str) -> int:
    """Columns that a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(1 if character.isascii() else 2 for character in text)


def fit(text: str, columns: int) -> str:
    """The longest beginning of the text that is at most `columns` wide."""
    if width(text) <= columns:
        return text
    used = 0
    for index, character in enumerate(text):
        used += 1 if character.isascii() else 2
        if used > columns:
            return text[:index]
    return text


def wrap(text: str, columns: int) -> list[str]:
    """The text in rows of at most `columns`; at least one row, which may be empty.

    Words of ASCII stay whole when they fit a row, Chinese may break between any two characters, a
    newline begins a row, and the space at a break is dropped. Raises ValueError below two columns,
    where a Chinese character has no room.
    """
    if columns < 2:
        raise ValueError(f"expected at least 2 columns, found {columns}")
    return [row for line in text.split("\n") for row in _wrap_line(line, columns)]


def _wrap_line(line: str, columns: int) -> list[str]:
    rows: list[str] = []
    while width(line) > columns:
        longest = len(fit(line, columns))
        places = (index for index in range(longest, 0, -1) if _may_break(line, index))
        end = next(places, longest)
        rows.append(line[:end].rstrip(" "))
        line = line[end:].lstrip(" ")
    if line or not rows:
        rows.append(line)
    return rows


def _may_break(line: str, index: int) -> bool:
    """Whether a row may end before line[index]: not inside a run of ASCII other than spaces."""
    before, after = line[index - 1], line[index]
    return not (before.isascii() and after.isascii() and before != " " and after != " ")


def pad(text: str, columns: int) -> str:
    """The text cut to `columns` and filled with spaces on the right to exactly that width."""
    text = fit(text, columns)
    return text + " " * (columns - width(text))


def align_right(text: str, columns: int) -> str:
    """The text cut to `columns` and filled with spaces on the left to exactly that width."""
    text = fit(text, columns)
    return " " * (columns - width(text)) + text


def centre(text: str, columns: int) -> str:
    """The text cut to `columns` and set in the middle of exactly that width."""
    text = fit(text, columns)
    free = columns - width(text)
    left = free // 2
    return " " * left + text + " " * (free - left)
