"""From what a step wants to say to rows that fit: the one place where a picture is laid out."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from devices import columns as grid
from devices.picture import Picture

_ROOMY = 8  # lines from which a blank row sets the title off
_MORE_BELOW, _MORE_ABOVE = "▼", "▲"


class Screen(Struct, frozen=True):
    """A title, a body and a hint.

    The body wraps, and scrolls when it is longer than its room. selected is the index of the body
    row that is shown in reverse; it is always in view (a body with a selection does not wrap).
    """

    title: str
    body: tuple[str, ...] = ()
    hint: str = ""
    selected: int | None = None


class LaidOut(Struct, frozen=True):
    """A picture; how far the body can be scrolled; what was cut off because it did not fit."""

    picture: Picture
    last_offset: int
    cut: tuple[str, ...]


def lay_out(screen: Screen, notice: str, offset: int, columns: int, lines: int) -> LaidOut:
    """Title, body from its row `offset`, and at the bottom the notice, else the hint."""
    cut: list[str] = []
    gap = 1 if lines >= _ROOMY else 0
    bottom = _bottom(notice or screen.hint, columns, lines, cut)
    room = lines - 1 - gap - len(bottom)
    body = _body(screen, columns, cut)
    last = max(0, len(body) - room)
    offset = min(max(0, offset), last)
    if screen.selected is not None:
        offset = min(max(offset, screen.selected - room + 1), screen.selected)
    if notice and not offset:
        last = 0  # what an answer covers comes back with the next key
    title = _title(screen.title, offset, last, columns, cut)
    shown = body[offset : offset + room]
    rows = [title, *[""] * gap, *shown, *[""] * (room - len(shown)), *bottom]
    reverse = None if screen.selected is None else 1 + gap + screen.selected - offset
    picture = Picture(tuple(rows), columns, lines, reverse=reverse)
    return LaidOut(picture, last, tuple(cut))


def marked(screen: Screen, mark: str, columns: int) -> Screen:
    """The screen with this word at the beginning of its title, where there is room for both."""
    title = f"{mark} {screen.title}"
    fits = not screen.title.startswith(mark) and grid.width(grid.printable(title)) <= columns
    return replace(screen, title=title) if fits else screen


def wrap(text: str, columns: int, room: int = 0) -> list[str]:
    """The text in rows, broken between words where that takes no more rows, or not above `room`.

    Rows as `devices.columns.wrap` has them may end within a Chinese word.
    """
    text = grid.printable(text)
    rows = [""]
    for word in text.split(" "):
        longer = f"{rows[-1]} {word}" if rows[-1] else word
        if rows[-1] and grid.width(longer) > columns:
            rows.append(word)
        else:
            rows[-1] = longer
    anywhere = grid.wrap(text, columns)
    fits = all(grid.width(row) <= columns for row in rows)
    return rows if fits and len(rows) <= max(room, len(anywhere)) else anywhere


def tail(text: str, columns: int) -> str:
    """The text, or a star and as much of its end as fits: numbers are told apart by their ends."""
    return text if grid.width(text) <= columns else f"*{text[1 - columns :]}"


def page(text: str, columns: int, lines: int) -> LaidOut:
    """One text over the whole screen, broken between words as long as there is room for that."""
    rows = wrap(text, columns, lines)
    return LaidOut(Picture(tuple(rows[:lines]), columns, lines), 0, tuple(rows[lines:]))


def _bottom(text: str, columns: int, lines: int, cut: list[str]) -> list[str]:
    if not text:
        return []
    rows = wrap(text, columns)
    most = lines // 2
    cut.extend(rows[most:])
    return rows[:most]


def _body(screen: Screen, columns: int, cut: list[str]) -> list[str]:
    if screen.selected is None:
        return [row for text in screen.body for row in wrap(text, columns)]
    texts = [grid.printable(text) for text in screen.body]
    cut.extend(text for text in texts if grid.width(text) > columns)
    return [grid.fit(text, columns) for text in texts]


def _title(text: str, offset: int, last: int, columns: int, cut: list[str]) -> str:
    """The title in the middle; at its right end whether the body goes on above or below.

    Numbers and amounts stand in titles: none is ever shortened for a mark. Where there is room for
    one mark only it is the one that leads on, and beside the longest amounts there is none.
    """
    text = grid.printable(text)
    if grid.width(text) > columns:
        cut.append(text)
    above, below = (_MORE_ABOVE if offset else ""), (_MORE_BELOW if offset < last else "")
    for marks in (above + below, below or above):
        free = columns - grid.width(marks)
        if marks and grid.width(text) <= free:
            return grid.pad(text, free) + marks
    return grid.centre(text, columns).rstrip()
