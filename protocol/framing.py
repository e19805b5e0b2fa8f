"""Cuts a stream of bytes into frames: LEN, then as many bytes as LEN says (dialect: frame)."""

from __future__ import annotations

from protocol.codec import LEN_SIZE
from protocol.errors import LengthAboveCap


class FrameReader:
    """Collects bytes as they arrive, in any cut, and yields whole frames, LEN included.

    cap: the largest LEN that is believed; a larger one raises before anything is kept for it,
    and the stream is lost then: feeding the reader again raises again.
    """

    def __init__(self, cap: int = 4096) -> None:
        self._cap = cap
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished frame are held."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that these bytes complete, oldest first. Raises LengthAboveCap.

        Frames that stand before a bad LEN are handed out first; the next call raises.
        """
        self._buffer += data
        frames: list[bytes] = []
        start = 0
        while len(self._buffer) - start >= LEN_SIZE:
            length = int.from_bytes(self._buffer[start : start + LEN_SIZE], "big")
            if length > self._cap and frames:
                break
            if length > self._cap:
                raise LengthAboveCap("LEN", f"at most {self._cap}", found_length=length, offset=0)
            end = start + LEN_SIZE + length
            if len(self._buffer) < end:
                break
            frames.append(bytes(self._buffer[start:end]))
            start = end
        del self._buffer[:start]
        return frames
