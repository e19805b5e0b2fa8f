"""The words of the terminal: a catalogue a language, in data files beside this module.

The first part of a name says how much room the text has on the smallest screen (16 columns x 4
lines), see `ROOM`; slip words go on paper. A name that is missing raises: a test compares the
catalogues, so that none is.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final

LANGUAGES: Final = ("zh_CN", "en")

ROOM: Final = {
    "title": 1,  # the first row of a screen
    "line": 1,  # a row of its body
    "hint": 1,  # the last row: what the keys do
    "menu": 1,  # a row of a menu, after its digit and a space
    "status": 1,  # a word of the idle screen's last row
    "copy": 1,  # the name of a copy of a slip
    "say": 2,  # an answer to what was pressed, over the last rows
    "result": 2,  # the body of a screen that says how something ended
    "error": 2,  # what an error code means; and what to do, likewise
    "story": 2,  # a line of what happened to a transaction, after its time
    "help": 4,  # a page of help
}
"""Rows of 16 columns that a text with this first part of its name may take."""


class Catalogue:
    """The texts of one language. Loaded once, never changed."""

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise ValueError(f"expected a language of {LANGUAGES}, found {language!r}")
        self.language = language
        # Not importlib.resources: it brings tempfile, shutil and random into every start.
        file = Path(__file__).with_name(f"{language}.toml")
        self._texts = _flatten(tomllib.loads(file.read_text(encoding="utf-8")))

    def text(self, name: str, **values: object) -> str:
        """The text of this name with its placeholders filled in. Raises KeyError for either missing."""
        text = self._texts[name]
        assert isinstance(text, str), name
        return text.format_map(values) if "{" in text else text

    def pages(self, name: str) -> tuple[str, ...]:
        """The pages of a help text. Raises KeyError when there is none."""
        pages = self._texts[name]
        assert isinstance(pages, tuple), name
        return pages

    def has(self, name: str) -> bool:
        return name in self._texts

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._texts)

    def raw(self, name: str) -> tuple[str, ...]:
        """The text or its pages as they stand in the file, placeholders and all."""
        text = self._texts[name]
        return (text,) if isinstance(text, str) else text


@cache
def catalogue(language: str) -> Catalogue:
    """The catalogue of a language. Raises ValueError for one that does not exist."""
    return Catalogue(language)


def amount_text(fen: int) -> str:
    """An amount as clerks read it: 12345 fen is 123.45."""
    return f"{fen // 100}.{fen % 100:02d}"


def _flatten(table: dict[str, Any], prefix: str = "") -> dict[str, str | tuple[str, ...]]:
    flat: dict[str, str | tuple[str, ...]] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flat |= _flatten(value, f"{name}.")
        else:
            flat[name] = value if isinstance(value, str) else tuple(value)
    return flat
