"""What a magnetic stripe reader sends: swipes, and swipes that went wrong with the reason.

Knows framings; the tracks themselves are `devices.track`'s.

Pure: no input, no output.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from msgspec import Struct

from devices.track import (
    END_SENTINEL,
    START_SENTINELS,
    Number,
    Reason,
    Track,
    TrackError,
    card_number,
    lrc,
    read_track,
)

Framing = Literal["sentinels", "stx"]

_STX: Final = 0x02
_ETX: Final = 0x03
_LINE_ENDS: Final = (0x0D, 0x0A)
# Three tracks at their longest are 226 characters; separators between them are a few more.
_READ_LIMIT: Final = 256
_NOISE_LIMIT: Final = 8  # shorter, and without a sentinel: noise, not a swipe


class Swipe(Struct, frozen=True):
    """A card was read. Track 2 is always there; 1 and 3 where they were read without a fault."""

    track1: Track | None
    track2: Track
    track3: Track | None

    @property
    def service_code(self) -> str | None:
        """The service code of track 2 (ISO/IEC 7813), None when the card has none."""
        return self.track2.service_code

    @property
    def has_chip(self) -> bool:
        """Whether the service code says the card has a chip (first digit 2 or 6)."""
        return (self.service_code or "").startswith(("2", "6"))


class BadSwipe(Struct, frozen=True):
    """A card was swiped and not read. Holds nothing of the card."""

    reason: Reason


class MagneticStripeParser:
    """Bytes of a reader to swipes.

    `framing`: "sentinels", the tracks between their sentinels and CR or LF at the end; "stx", the
    same between STX and ETX, followed by the exclusive or of all bytes after STX up to and with
    ETX. `with_lrc`: an LRC character follows each end sentinel. `luhn`: card numbers must have a
    valid check digit.
    """

    def __init__(
        self, framing: Framing = "sentinels", *, with_lrc: bool = False, luhn: bool = True
    ) -> None:
        self._framing = framing
        self._with_lrc = with_lrc
        self._luhn = luhn
        self._read = bytearray()
        self._too_long = False
        self._in_frame = False
        self._awaiting_check = False

    @property
    def is_reading(self) -> bool:
        """Whether a read has begun and not ended."""
        return bool(self._read) or self._too_long or self._in_frame or self._awaiting_check

    def feed(self, data: bytes) -> list[Swipe | BadSwipe]:
        """The swipes that end in these bytes."""
        feed_byte = self._feed_stx if self._framing == "stx" else self._feed_sentinels
        return [swipe for byte in data for swipe in feed_byte(byte)]

    def end_of_read(self) -> list[Swipe | BadSwipe]:
        """What a silence makes of a read that has begun: its end, or that it is incomplete."""
        if not self.is_reading:
            return []
        framed = self._framing == "stx"
        swipes = self._take_read()
        self._in_frame = self._awaiting_check = False
        return [BadSwipe("incomplete")] if framed else swipes

    def _feed_sentinels(self, byte: int) -> list[Swipe | BadSwipe]:
        if byte in _LINE_ENDS:
            return self._take_read()
        self._keep(byte)
        return []

    def _feed_stx(self, byte: int) -> list[Swipe | BadSwipe]:
        if self._awaiting_check:
            return self._check_frame(byte)
        if byte == _STX:
            # never within a track: the frame before was cut short
            cut_short: list[Swipe | BadSwipe] = [BadSwipe("incomplete")] if self._in_frame else []
            self._take_read()
            self._in_frame = True
            return cut_short
        if not self._in_frame:
            return []
        if byte == _ETX:
            self._in_frame = False
            self._awaiting_check = True
            return []
        self._keep(byte)
        return []

    def _check_frame(self, check: int) -> list[Swipe | BadSwipe]:
        self._awaiting_check = False
        expected = _ETX
        for byte in self._read:
            expected ^= byte
        if not self._too_long and check != expected:
            self._take_read()
            return [BadSwipe("lrc")]
        return self._take_read()

    def _keep(self, byte: int) -> None:
        if len(self._read) < _READ_LIMIT:
            self._read.append(byte)
        else:
            self._too_long = True

    def _take_read(self) -> list[Swipe | BadSwipe]:
        text = self._read.decode("latin-1")
        too_long = self._too_long
        self._read = bytearray()
        self._too_long = False
        if too_long:
            return [BadSwipe("too_long")]
        return [self._swipe(tracks) for tracks in _split(text, self._with_lrc)]

    def _swipe(self, tracks: dict[Number, str]) -> Swipe | BadSwipe:
        read: dict[Number, Track] = {}
        faults: dict[Number, Reason] = {}
        for number, text in tracks.items():
            try:
                read[number] = self._track(number, text)
            except TrackError as error:
                faults[number] = error.reason
        if 2 not in read:
            return BadSwipe(faults.get(2, "garbled" if not tracks else "no_track_2"))
        if 1 in read and card_number(read[1]) != card_number(read[2]):
            return BadSwipe("tracks_disagree")
        return Swipe(read.get(1), read[2], read.get(3))

    def _track(self, number: Number, text: str) -> Track:
        """A track from its text after the start sentinel. Raises TrackError."""
        content, end, check = text.partition(END_SENTINEL)
        if not end or (self._with_lrc and not check):
            raise TrackError("incomplete")
        track = read_track(number, content, luhn=self._luhn)
        if self._with_lrc and check[0] != lrc(number, content):
            raise TrackError("lrc")
        return track


def _split(text: str, with_lrc: bool) -> list[dict[Number, str]]:
    """The tracks of each swipe in one read, by number, from after the start sentinel.

    A track number that comes again, or a lower one, begins another swipe. Text before the first
    start sentinel is noise; a text without any is a swipe with no track, or just noise.
    """
    swipes: list[dict[Number, str]] = []
    last = 0
    for start in _starts(text, with_lrc):
        number = START_SENTINELS[text[start]]
        if not swipes or number <= last:
            swipes.append({})
        last = number
        swipes[-1][number] = _up_to_end(text[start + 1 :], with_lrc)
    if not swipes and len(text.strip()) >= _NOISE_LIMIT:
        return [{}]
    return swipes


def _starts(text: str, with_lrc: bool) -> list[int]:
    """Where tracks begin: at a start sentinel that is not inside a track before it.

    "+" and ";" may be data of track 1 (ISO/IEC 7811-6 table of 6-bit characters).
    """
    starts: list[int] = []
    index = 0
    while index < len(text):
        if text[index] not in START_SENTINELS:
            index += 1
            continue
        starts.append(index)
        index += 1 + len(_up_to_end(text[index + 1 :], with_lrc))
    return starts


def _up_to_end(text: str, with_lrc: bool) -> str:
    """The text to its end sentinel and LRC, or to what can only be the start of another track."""
    pattern = r"[^%?]*(\?.?)?" if with_lrc else r"[^%?]*\??"
    match = re.match(pattern, text, re.DOTALL)
    return match[0] if match is not None else ""
