"""The flight recorder of a line: the last bytes in and out, with times, kept in memory.

A mask is applied before a byte is kept, so that what must not be remembered (keys of a PIN, card
data) never is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

Direction = Literal["in", "out", "note"]
Mask = Callable[[bytes], bytes]

BYTES_EACH_WAY: Final = 64 * 1024
ENTRIES_EACH_WAY: Final = 4096  # a keypad sends one byte at a time: bounds what the times cost
MASKED: Final = b"*"


@dataclass(frozen=True, slots=True)
class Entry:
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
    """One direction: bounded in bytes and in entries, the oldest goes first."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self._size = 0

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._size += len(entry.data)
        while self._size > BYTES_EACH_WAY or len(self.entries) > ENTRIES_EACH_WAY:
            self._size -= len(self.entries.popleft().data)


class FlightRecorder:
    """Keeps the last 64 KiB each way (and at most 4096 entries), and notes of what happened."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tracks: dict[Direction, _Track] = {"in": _Track(), "out": _Track(), "note": _Track()}

    def record(self, direction: Direction, data: bytes, mask: Mask | None = None) -> None:
        """Keeps the bytes, as `mask` returns them."""
        kept = mask(data) if mask is not None else data
        self._tracks[direction].add(Entry(self._clock(), direction, kept[-BYTES_EACH_WAY:]))

    def note(self, text: str) -> None:
        """Keeps a remark (opened, lost and why) between the bytes."""
        self.record("note", text.encode("utf-8"))

    def mask_since(self, direction: Direction, seconds: float) -> None:
        """Masks what the last `seconds` brought: bytes found out too late to be secret."""
        oldest = self._clock() - seconds
        entries = self._tracks[direction].entries
        for index in range(len(entries) - 1, -1, -1):
            entry = entries[index]
            if entry.at < oldest:
                break
            entries[index] = Entry(entry.at, direction, mask_all(entry.data))

    def entries(self) -> list[Entry]:
        """Everything kept, oldest first."""
        everything: Iterator[Entry] = (
            entry for track in self._tracks.values() for entry in track.entries
        )
        return sorted(everything, key=lambda entry: entry.at)

    def dump(self) -> str:
        """Everything kept as text, a line an entry: time, direction, bytes in hex and as text."""
        return "\n".join(str(entry) for entry in self.entries())
