"""The tracks of a magnetic stripe: their content, checked, in values that print themselves masked.

ISO/IEC 7813 gives tracks 1 and 2 of financial cards, ISO/IEC 4909 track 3, ISO/IEC 7811-2 and
7811-6 the character codes, sentinels, lengths and the longitudinal redundancy check (LRC).

Pure: no input, no output.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

Number = Literal[1, 2, 3]
Reason = Literal[
    "incomplete", "garbled", "too_long", "lrc", "luhn", "tracks_disagree", "no_track_2"
]

END_SENTINEL: Final = "?"
START_SENTINELS: Final[dict[str, Number]] = {"%": 1, ";": 2, "+": 3}
# Characters between the sentinels: 79, 40 and 107 with both sentinels and the LRC.
MAXIMUM_LENGTHS: Final[dict[Number, int]] = {1: 76, 2: 37, 3: 104}

# Track 1, format B: name between separators, expiry and service code or a separator in their
# place. Track 2 the same without the name. Track 3: format code 2 digits, then the number.
_ANY_OF_TRACK_1: Final = r"[ -$&->@-\]_]"  # 0x20 to 0x5F without sentinels and separator
_TRACK_1: Final = re.compile(
    r"B(?P<pan>[0-9]{1,19})\^" + _ANY_OF_TRACK_1 + r"{2,26}\^"
    r"(?P<expiry>[0-9]{4}|\^)(?P<service>[0-9]{3}|\^)" + _ANY_OF_TRACK_1 + "*"
)
_TRACK_2: Final = re.compile(
    r"(?P<pan>[0-9]{1,19})=(?P<expiry>[0-9]{4}|=)(?P<service>[0-9]{3}|=)[0-9=]*"
)
_TRACK_3: Final = re.compile(r"[0-9]{2}(?P<pan>[0-9]{1,19})=[0-9:<=>]*")
_LAYOUTS: Final[dict[Number, re.Pattern[str]]] = {1: _TRACK_1, 2: _TRACK_2, 3: _TRACK_3}


@dataclass(frozen=True, slots=True)
class Track:
    """What one track holds between its sentinels. Prints without it; `reveal` gives it."""

    number: Number
    _content: str = field(repr=False)

    def reveal(self) -> str:
        """The content, sentinels and LRC left out; for who must send it, never for a log."""
        return self._content

    def __str__(self) -> str:
        return f"Track({self.number}, {len(self._content)} characters)"

    __repr__ = __str__

    def __format__(self, format_spec: str) -> str:
        return format(str(self), format_spec)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a track is not to be stored")

    @property
    def service_code(self) -> str | None:
        """The three digits of ISO/IEC 7813; None where the track has none. Not a secret."""
        match = _LAYOUTS[self.number].fullmatch(self._content)
        if match is None or self.number == 3:
            return None
        code = match["service"]
        return code if code.isdecimal() else None


class TrackError(Exception):
    """A track that cannot be used; holds the reason and nothing of the track."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


def read_track(number: Number, content: str, *, luhn: bool) -> Track:
    """The track with this content. Raises TrackError: too_long, garbled or luhn."""
    if len(content) > MAXIMUM_LENGTHS[number]:
        raise TrackError("too_long")
    match = _LAYOUTS[number].fullmatch(content)
    if match is None:
        raise TrackError("garbled")
    if luhn and number != 3 and not is_luhn_valid(match["pan"]):
        raise TrackError("luhn")
    return Track(number, content)


def card_number(track: Track) -> str:
    """The card number on the track; a secret."""
    match = _LAYOUTS[track.number].fullmatch(track.reveal())
    assert match is not None
    return match["pan"]


def is_luhn_valid(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B: with every second digit from the right doubled, the sum ends in 0."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def lrc(number: Number, content: str) -> str:
    """The LRC character of a track with both its sentinels, as a reader sends it.

    The exclusive or of all characters' bits without parity: 6 bits from 0x20 up on track 1, 4 bits
    from 0x30 up on tracks 2 and 3. Track 3 begins with the same start sentinel as track 2 on the
    card; readers send "+" so that the two can be told apart. Characters must belong to the track.
    """
    start, base = ("%", 0x20) if number == 1 else (";", 0x30)
    code = 0
    for character in start + content + END_SENTINEL:
        code ^= ord(character) - base
    return chr(code + base)
