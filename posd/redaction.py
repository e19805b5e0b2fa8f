"""The second net: whatever looks like a card number in a text that is about to be written is masked.

A card number is 12 to 19 digits with a right check digit (ISO/IEC 7812-1), of any script, alone, within
a longer run of digits, or in groups as it is embossed and typed. One run in ten of that length is masked
without being one: a log that hides too much can be read all the same.

Not guaranteed: a card number that shares a group with other digits (`99622500 0000000014`), or a run of 19 or
fewer (a merchant's number of 15 digits would nearly always hold one).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from protocol.card import Pan, mask_number

_SHORTEST: Final = 12
_LONGEST: Final = 19
_GAP: Final = r"[ \-\u2010-\u2015_?]{1,2}"
"""Between groups; ? stands for what cannot be printed: tabs, other blanks, marks of direction."""
_DIGITS: Final = re.compile(rf"\d{{{_SHORTEST},}}")
_GROUPS: Final = re.compile(rf"\d+(?:{_GAP}\d+)+")
_SPLIT: Final = re.compile(_GAP)


def redact_text(text: str) -> str:
    """Mask what could be a card number, and replace what could steer a terminal or break a line."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else "?" for character in text)
    return _GROUPS.sub(_mask_groups, _DIGITS.sub(_mask_run, text))


def _mask_run(run: re.Match[str]) -> str:
    """Mask a run of digits that is a card number; a longer one if it has a card number inside."""
    digits = run.group()
    pieces = [digits] if len(digits) <= _LONGEST else _windows(digits)
    return mask_number(digits) if any(map(_is_card_number, pieces)) else digits


def _is_card_number(digits: str) -> bool:
    # \d finds the digits of every script; a full-width card number is one all the same.
    return Pan("".join(str(int(digit)) for digit in digits)).luhn_valid


def _windows(digits: str) -> Iterator[str]:
    for length in range(_SHORTEST, _LONGEST + 1):
        for start in range(len(digits) - length + 1):
            yield digits[start : start + length]


def _mask_groups(run: re.Match[str]) -> str:
    """Mask digits in groups, as cards are embossed, if neighbouring groups make a card number."""
    groups = _SPLIT.split(run.group())
    for first in range(len(groups)):
        for last in range(first + 1, len(groups)):
            number = "".join(groups[first : last + 1])
            if len(number) > _LONGEST:
                break
            if len(number) >= _SHORTEST and _is_card_number(number):
                return mask_number("".join(groups))
    return run.group()
