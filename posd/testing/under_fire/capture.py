"""What went over the terminal's line, kept connection by connection.

A proxy sees the end of one connection after the beginning of the next; the terminal does not. So
each connection is kept as a whole, in the order in which they were opened.
"""

from __future__ import annotations

from typing import Final

from posd.testing.checks.wire import Captured, Word
from posd.testing.under_fire.story import seconds

_LEN_TPDU_HEADER: Final = 13  # bytes before the MTI
_MTI: Final = slice(_LEN_TPDU_HEADER, _LEN_TPDU_HEADER + 2)


def mti_of(frame: bytes) -> str:
    """The message type of a frame that begins here; "" when not so much of it is there."""
    return frame[_MTI].hex() if len(frame) >= _MTI.stop else ""


class Conversation:
    """One connection: the bytes of the terminal and those that were handed to it."""

    def __init__(self) -> None:
        self.pieces: list[Captured] = [Captured(seconds(), "open")]
        self.over = False
        self._asked = b""
        self._answered = False

    def asked(self, data: bytes) -> None:
        self._add("out", data)
        self._asked += data

    def answered(self, data: bytes) -> None:
        self._add("in", data)
        self._answered = True

    def _add(self, word: Word, data: bytes) -> None:
        self.pieces.append(Captured(seconds(), word, data))

    @property
    def stage(self) -> str:
        """What the terminal was doing on this connection."""
        if self.over:
            return "no connection"
        request = mti_of(self._asked)
        if not request:
            return "connected"
        return f"{request} {'answered' if self._answered else 'under way'}"


class Capture:
    """Every connection of a terminal, and where its processes began."""

    def __init__(self) -> None:
        self._all: list[Conversation | float] = []

    def start(self) -> None:
        """A process of the terminal begins."""
        self._all.append(seconds())

    def open(self) -> Conversation:
        conversation = Conversation()
        self._all.append(conversation)
        return conversation

    @property
    def stage(self) -> str:
        """What goes on on the line now."""
        newest = self._all[-1] if self._all else None
        return newest.stage if isinstance(newest, Conversation) else "no connection"

    def lines(self) -> list[Captured]:
        """Everything, as the checker reads it; times never fall."""
        found: list[Captured] = []
        latest = 0.0
        for one in tuple(self._all):
            if isinstance(one, Conversation):
                pieces = [*one.pieces, Captured(one.pieces[-1].time, "close")]
            else:
                pieces = [Captured(one, "start")]
            for piece in pieces:
                latest = max(latest, piece.time)
                found.append(piece._replace(time=latest))
        return found
