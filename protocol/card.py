"""Card numbers and tracks: values that cannot print themselves.

Whatever prints a `Pan` or a `Track` (repr, str, format, a traceback with local variables) shows
at most the first six and the last four digits. The content comes out of `.reveal()` only.
"""

from __future__ import annotations

import re
from typing import NoReturn, Self

_DIGIT_RUN = re.compile(r"\d(?:[ -]?\d){12,}")
_SHOWN_FROM = 13  # no card number is shorter; what is shorter shows nothing at all


def mask_number(digits: str) -> str:
    """First six and last four characters, stars between; all stars below 13 characters."""
    if len(digits) < _SHOWN_FROM:
        return "*" * len(digits)
    return f"{digits[:6]}{'*' * (len(digits) - 10)}{digits[-4:]}"


def mask_digit_runs(text: str) -> str:
    """Mask everything in a free text that could be a card number: 13 digits or more in a row.

    Single blanks and hyphens between the digits do not hide a run.
    """
    return _DIGIT_RUN.sub(lambda run: mask_number(run.group()), text)


class _CardData:
    __slots__ = ("_content",)

    def __init__(self, content: str) -> None:
        self._content = content

    def reveal(self) -> str:
        """The content in clear. For the codec, the cipher and the encrypted column only."""
        return self._content

    @property
    def masked(self) -> str:
        """What may be shown, logged and printed."""
        return mask_number(self._content)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._content == other._content

    def __hash__(self) -> int:
        return hash((type(self), self._content))

    def __len__(self) -> int:
        return len(self._content)

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.masked})"

    def __format__(self, spec: str) -> str:
        return format(self.masked, spec)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} cannot be pickled: card data is not stored")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class Pan(_CardData):
    """A primary account number: decimal digits (dialect: element 2)."""

    __slots__ = ()

    @property
    def first6(self) -> str:
        """The issuer identification; empty for a number shorter than 13 digits."""
        return self._content[:6] if len(self._content) >= _SHOWN_FROM else ""

    @property
    def last4(self) -> str:
        """The last four digits; empty for a number shorter than 13 digits."""
        return self._content[-4:] if len(self._content) >= _SHOWN_FROM else ""

    @property
    def luhn_valid(self) -> bool:
        """Is the last digit the Luhn check digit of the others (ISO/IEC 7812-1)?"""
        if not (self._content.isascii() and self._content.isdecimal()):
            return False
        total = 0
        for position, character in enumerate(reversed(self._content)):
            digit = int(character)
            if position % 2:
                digit = digit * 2 - 9 if digit > 4 else digit * 2
            total += digit
        return total % 10 == 0


class Track(_CardData):
    """Track 2 or 3 without sentinels and LRC: digits, `=` as separator (dialect: packing).

    `pan`, `expiry` and `service_code` are those of track 2; an encrypted track may hold the
    nibbles A to F too, and then they say nothing.
    """

    __slots__ = ()

    @property
    def masked(self) -> str:
        number, separator, rest = self._content.partition("=")
        if not separator:
            return mask_number(number)
        return f"{mask_number(number)}={'*' * len(rest)}"

    @property
    def pan(self) -> Pan:
        """The digits before the first separator."""
        return Pan(self._content.partition("=")[0])

    @property
    def expiry(self) -> str:
        """YYMM, or "" when the track ends before it."""
        expiry = self._content.partition("=")[2][:4]
        return expiry if len(expiry) == 4 else ""

    @property
    def service_code(self) -> str:
        """The three digits after the expiry, or "" when the track ends before them."""
        service_code = self._content.partition("=")[2][4:7]
        return service_code if len(service_code) == 3 else ""


class PinBlock(bytes):
    """An encrypted PIN block, 8 or 16 bytes (dialect: element 52): bytes that print masked."""

    __slots__ = ()

    def reveal(self) -> bytes:
        """The block as plain bytes."""
        return bytes(self)

    def __repr__(self) -> str:
        return f"PinBlock({len(self)} bytes)"

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a PinBlock cannot be pickled: PIN blocks are not stored")
