"""BER-TLV, as in element 55 (dialect: chip data; EMV book 3, annex B).

Unknown tags are kept byte-exact and in order. Only definite lengths of at most two further bytes
and tags of at most four bytes are taken; constructed tags are opened down to a depth limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from protocol.errors import TlvError, TlvTooDeep

DEPTH_LIMIT = 8  # scripts nest two deep; everything beyond this is not chip data
_TAG_LIMIT = 4
_CONSTRUCTED = 0x20
_MORE_TAG = 0x1F


@dataclass(frozen=True, repr=False)
class Tlv:
    """One tag with its value; a constructed one has its children parsed too.

    offset: where the tag stands in the data that was parsed. length_size: bytes of the length as
    it was written (1 to 3), or 0 for the shortest that does.
    """

    tag: bytes
    value: bytes
    children: tuple[Tlv, ...] = ()
    offset: int = 0
    length_size: int = 0

    @property
    def name(self) -> str:
        """The tag as it is usually written: "9F26"."""
        return self.tag.hex().upper()

    def __repr__(self) -> str:
        return f"Tlv({self.name}, {len(self.value)} bytes)"


def parse(data: bytes, path: str = "55", start: int = 0) -> tuple[Tlv, ...]:
    """The items of this data, in order, nothing left over. Raises TlvError, TlvTooDeep.

    path: what errors call the data; its items are `path.TAG`. start: where the first tag stands.
    """
    return tuple(_items(data, start, len(data), path, DEPTH_LIMIT))


def build(items: Iterable[Tlv]) -> bytes:
    """The bytes of these items: exactly those that were parsed. Children are not looked at.

    Raises ValueError for a value above 65,535 bytes.
    """
    return b"".join(item.tag + _length(item) + item.value for item in items)


def _items(data: bytes, start: int, end: int, path: str, levels: int) -> Iterator[Tlv]:
    if levels == 0:
        raise TlvTooDeep(path, "less nesting", offset=start)
    position = start
    while position < end:
        tag_end = _tag_end(data, position, end, path)
        tag = data[position:tag_end]
        item_path = f"{path}.{tag.hex().upper()}"
        value_start, length = _read_length(data, tag_end, end, item_path)
        value_end = value_start + length
        if value_end > end:
            raise TlvError(
                item_path, f"{length} bytes", found_length=end - value_start, offset=value_start
            )
        children: tuple[Tlv, ...] = ()
        if tag[0] & _CONSTRUCTED:
            children = tuple(_items(data, value_start, value_end, item_path, levels - 1))
        yield Tlv(tag, data[value_start:value_end], children, position, value_start - tag_end)
        position = value_end


def _tag_end(data: bytes, start: int, end: int, path: str) -> int:
    if data[start] in (0x00, 0xFF):
        raise TlvError(path, "a tag", offset=start)
    position = start + 1
    if data[start] & _MORE_TAG != _MORE_TAG:
        return position
    for position in range(start + 1, min(start + _TAG_LIMIT, end)):
        if not data[position] & 0x80:
            return position + 1
    raise TlvError(
        path, f"a tag of at most {_TAG_LIMIT} bytes", found_length=end - start, offset=start
    )


def _read_length(data: bytes, start: int, end: int, path: str) -> tuple[int, int]:
    """Where the value begins, and its length."""
    if start >= end:
        raise TlvError(path, "a length", found_length=0, offset=start)
    first = data[start]
    if first < 0x80:
        return start + 1, first
    size = first & 0x7F
    if size not in (1, 2):
        raise TlvError(path, "a definite length of 1 or 2 further bytes", offset=start)
    if start + 1 + size > end:
        raise TlvError(
            path, f"a length in {size + 1} bytes", found_length=end - start, offset=start
        )
    return start + 1 + size, int.from_bytes(data[start + 1 : start + 1 + size], "big")


def _length(item: Tlv) -> bytes:
    length = len(item.value)
    size = item.length_size or _shortest(length)
    if size == 1:
        return bytes([length])
    return bytes([0x80 + size - 1]) + length.to_bytes(size - 1, "big")


def _shortest(length: int) -> int:
    if length > 0xFFFF:
        raise ValueError("a TLV value has at most 65,535 bytes")
    if length < 0x80:
        return 1
    return 2 if length < 0x100 else 3
