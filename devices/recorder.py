"""The flight recorder of a line: the last bytes in and out, with times, kept in memory.

A mask is applied before a byte is kept, so that what must not be remembered (keys of a PIN, card
data) never is.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final, Literal

from msgspec import Struct

Direction = Literal["in", "out", "note"]
Mask = Callable[[bytes], bytes]

BYTES_EACH_WAY: Final = 64 * 1024
ENTRIES_EACH_WAY: Final = 4096  # a keypad sends one byte at a time: bounds what the times cost
MASKED: Final = b"*"


class Entry(Struct, frozen=True):
    """Bytes that passed at one moment (`at`: seconds of a monotonic clock), already masked."""

    at: float
    direction: Direction
    data: bytes

    def __str__(self) -> str:
        arrow = {"in": "<", "out": ">", "note": "#"}[self.direction]
        if self.direction == "note":
            return f"{self.at:14.6f} {arrow} {self.data.decode('utf-8', 'replace')}"
        readable = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in self.data)
        return f"{self.at:14.6f} {arrow} {self.data.hex(' ')} |{readable}|"


def mask_all(data: bytes) -> bytes:
    """As many `*` as there are bytes."""
    return MASKED * len(data)


class _Track:
    """One direction: bounded in bytes and in entries, the oldest goes first.

    Packed, because an object for each entry takes many times what a key or a status byte does.
    """

    def __init__(self, direction: Direction) -> None:
        self._direction = direction
        self._data = bytearray()
        self._times = array("d")
        self._sizes = array("I")

    def add(self, at: float, data: bytes) -> None:
        self._data += data
        self._times.append(at)
        self._sizes.append(len(data))
        entries = size = 0  # that have to go
        while (
            len(self._data) - size > BYTES_EACH_WAY or len(self._sizes) - entries > ENTRIES_EACH_WAY
        ):
            size += self._sizes[entries]
            entries += 1
        if entries:
            del self._data[:size], self._times[:entries], self._sizes[:entries]

    def mask_since(self, oldest: float) -> None:
        end = len(self._data)
        for at, size in zip(reversed(self._times), reversed(self._sizes), strict=True):
            if at < oldest:
                break
            self._data[end - size : end] = MASKED * size
            end -= size

    def entries(self) -> Iterator[Entry]:
        start = 0
        for at, size in zip(self._times, self._sizes, strict=True):
            yield Entry(at, self._direction, bytes(self._data[start : start + size]))
            start += size


class FlightRecorder:
    """Keeps the last 64 KiB each way (and at most 4096 entries), and notes of what happened."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        directions: tuple[Direction, ...] = ("in", "out", "note")
        self._tracks = {direction: _Track(direction) for direction in directions}

    def record(self, direction: Direction, data: bytes, mask: Mask | None = None) -> None:
        """Keeps the bytes, as `mask` returns them."""
        kept = mask(data) if mask is not None else data
        self._tracks[direction].add(self._clock(), kept[-BYTES_EACH_WAY:])

    def note(self, text: str) -> None:
        """Keeps a remark (opened, lost and why) between the bytes."""
        self.record("note", text.encode("utf-8"))

    def mask_since(self, direction: Direction, seconds: float) -> None:
        """Masks what the last `seconds` brought: bytes found out too late to be secret."""
        self._tracks[direction].mask_since(self._clock() - seconds)

    def entries(self) -> list[Entry]:
        """Everything kept, oldest first."""
        everything = chain.from_iterable(track.entries() for track in self._tracks.values())
        return sorted(everything, key=lambda entry: entry.at)

    def dump(self) -> str:
        """Everything kept as text, a line an entry: time, direction, bytes in hex and as text."""
        return "\n".join(str(entry) for entry in self.entries())
