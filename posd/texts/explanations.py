"""What an error code means and what to do about it, at length, for people who are not clerks."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Final

from msgspec import Struct

LANGUAGES: Final = ("zh_CN", "en")


class Explanation(Struct, frozen=True):
    """One code in one language."""

    code: str
    cause: str
    remedy: str


@cache
def explanations(language: str) -> dict[str, Explanation]:
    """Every code's explanation. Raises ValueError for a language that does not exist."""
    if language not in LANGUAGES:
        raise ValueError(f"expected a language of {LANGUAGES}, found {language!r}")
    file = resources.files("posd.texts").joinpath("explanations.toml")
    rows = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        code: Explanation(code, row["cause"][language], row["remedy"][language])
        for code, row in rows.items()
    }
