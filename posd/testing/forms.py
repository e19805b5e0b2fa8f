"""How a form of a line in a `.clerk` script is written down: usage, pattern, and the step it means."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from posd.testing.steps import Step

SECONDS: Final = r"(\d+(?:\.\d+)?)\s*s"
MAYBE_FOR: Final = rf"(?:\s+for\s+{SECONDS})?"
MAYBE_WITHIN: Final = rf"(?:\s+within\s+{SECONDS})?"


class LineError(ValueError):
    """What is wrong with a line; the reader adds where."""


class Form(NamedTuple):
    """One form of a line: how it is written, what it matches, what it means."""

    usage: str
    pattern: re.Pattern[str]
    build: Callable[[int, re.Match[str]], Step]


def form(usage: str, pattern: str, build: Callable[[int, re.Match[str]], Step]) -> Form:
    """A form; a blank in the pattern is any number of them."""
    return Form(usage, re.compile(pattern.replace(" ", r"\s+")), build)
