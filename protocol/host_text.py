"""Cleans text that a host sent, for a screen, a slip, a log or a database column."""

from __future__ import annotations

import unicodedata
from itertools import islice

REPLACEMENT = "?"
# Cc: C0 and C1 controls. Cf: bidirectional overrides and other invisible format characters.
# Zl, Zp: line and paragraph separators. Cs, Co, Cn: surrogates, private use, unassigned.
_REMOVED = frozenset({"Cc", "Cf", "Zl", "Zp"})
_REPLACED = frozenset({"Cs", "Co", "Cn"})


def printable(text: str, limit: int) -> str:
    """The text without control characters, undecodable bytes as `?`, at most `limit` characters.

    Removed: C0 and C1 controls, bidirectional and other invisible format characters. The result
    has no surrogates: every codec and SQLite take it (dialect: matching, last sentence).
    """
    return "".join(islice(filter(None, map(_cleaned, text)), limit))


def _cleaned(character: str) -> str:
    category = unicodedata.category(character)
    if category in _REMOVED:
        return ""
    return REPLACEMENT if category in _REPLACED else character
