"""Items of a CBOR sequence (RFC 8742) out of bytes cut anywhere, with limits before anything is decoded.

The scanner reads heads only and builds nothing: how long an item is, how deep, and whether it holds what
this socket has no use for. What passes it is decoded by cbor2.
"""

from __future__ import annotations

from typing import Any, Final

import cbor2

LONGEST_REQUEST: Final = 4096
"""Bytes of one item that a client may send: the longest request there is takes 80."""
LONGEST_ANSWER: Final = 1024 * 1024
DEEPEST: Final = 8

_BYTES, _TEXT, _ARRAY, _MAP, _TAG = 2, 3, 4, 5, 6  # major types (RFC 8949, 3.1)
_ARGUMENT_SIZE: Final = {24: 1, 25: 2, 26: 4, 27: 8}  # additional information -> bytes that follow
_LAST_SIZE: Final = 27


class StreamError(ValueError):
    """The bytes are no sequence of items that this socket takes; nothing behind them can be found."""


class SequenceReader:
    """Feed it with bytes, take whole items. Work is linear in the bytes, wherever they are cut."""

    def __init__(self, longest: int = LONGEST_REQUEST, deepest: int = DEEPEST) -> None:
        self._longest = longest
        self._deepest = deepest
        self._buffer = bytearray()
        self._at = 0  # how far the heads of the present item have been read
        self._lacking: list[int] = []  # how many items each open array or map still lacks

    @property
    def pending(self) -> int:
        """Bytes of an item that is not whole, or has not been taken."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take these bytes in; nothing is looked at."""
        self._buffer += data

    def next(self) -> bytes | None:
        """The next whole item as it was encoded, None when more bytes are needed. Raises StreamError."""
        while (head := self._head()) is not None:
            length, inside = head
            self._at += length
            if inside:
                if len(self._lacking) == self._deepest:
                    raise StreamError(f"expected at most {self._deepest} levels")
                self._lacking.append(inside)
            else:
                self._ended()
            if not self._lacking:
                item = bytes(self._buffer[: self._at])
                del self._buffer[: self._at]
                self._at = 0
                return item
        return None

    def _ended(self) -> None:
        """An item is whole: it may have been the last one of what holds it, and so on."""
        while self._lacking:
            self._lacking[-1] -= 1
            if self._lacking[-1]:
                return
            self._lacking.pop()

    def _head(self) -> tuple[int, int] | None:
        """The bytes that the next head and its string take, and the items that it announces."""
        buffer, at = self._buffer, self._at
        if at == len(buffer):
            return None
        major, information = buffer[at] >> 5, buffer[at] & 31
        if major == _TAG:
            raise StreamError("expected plain values, found a tag")
        if information > _LAST_SIZE:
            raise StreamError("expected items of a stated length")
        size = _ARGUMENT_SIZE.get(information, 0)
        if len(buffer) < at + 1 + size:
            return None
        argument = int.from_bytes(buffer[at + 1 : at + 1 + size]) if size else information
        string = argument if major in (_BYTES, _TEXT) else 0
        inside = argument << (major == _MAP) if major in (_ARRAY, _MAP) else 0
        length = 1 + size + string
        if at + length + inside > self._longest:  # an item takes a byte at the least
            raise StreamError(f"expected an item of at most {self._longest} bytes")
        return (length, inside) if len(buffer) >= at + length else None


def decode_item(item: bytes) -> Any:
    """The value of one whole item that the reader has let through. Raises StreamError."""
    try:
        return cbor2.loads(item)
    except (cbor2.CBORDecodeError, ValueError, TypeError, RecursionError):
        # Text that is no UTF-8, a key that cannot be one. cbor2's own words may hold the value.
        raise StreamError("expected CBOR") from None
