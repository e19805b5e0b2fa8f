"""A layout: how the content of a private element falls into named parts.

A layout joins a `construct.Struct` of formats with the frozen dataclass of its parts. Digits and
text are laid out by character, binary content by byte. Parts at the end may be absent.
"""
# ruff: noqa: ARG002  (construct's signatures carry a context, which a flat format has no use for)

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import IO, Any, TypeVar

import construct

from protocol.card import Pan
from protocol.errors import (
    BadDigit,
    CodecError,
    LengthAboveMaximum,
    NotDigits,
    TrailingBytes,
    WrongLength,
)
from protocol.formats import Format, decode_text, encode_text, truncated, wrong_length, wrong_type

Parts = TypeVar("Parts")


class Characters(Format[str]):
    """Decimal digits, one character each: a part of an element whose value is a digit string."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.summary = f"n {count}"

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> str:
        raw = stream.read(self.count)
        if len(raw) != self.count:
            truncated(stream, path, f"{self.count} digits", len(raw))
        if not raw.isdigit():
            raise BadDigit(path, f"{self.count} digits", offset=stream.tell() - self.count)
        return raw.decode("ascii")

    def _build(self, obj: str, stream: IO[bytes], context: Any, path: str) -> int:
        if not isinstance(obj, str):
            wrong_type(path, "digits in a str")
        if len(obj) != self.count:
            wrong_length(path, f"{self.count} digits", len(obj))
        if not (obj.isdecimal() and obj.isascii()):
            raise NotDigits(path, "digits 0 to 9")
        return stream.write(obj.encode("ascii"))


class MayEnd(Format[Any]):
    """A part that may be absent because the content ends before it; its value is None then."""

    def __init__(self, part: Format[Any]) -> None:
        super().__init__()
        self.part = part
        self.flagbuildnone = True
        self.summary = f"{part.summary}, may be absent"

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> Any:
        if _at_end(stream):
            return None
        return self.part._parse(stream, context, path)

    def _build(self, obj: Any, stream: IO[bytes], context: Any, path: str) -> int:
        return 0 if obj is None else self.part._build(obj, stream, context, path)


class UpTo(Format[str]):
    """Host text of at most so many bytes: as much of it as the content has."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.summary = f"ans ..{size}"

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> str:
        return decode_text(stream.read(self.size))

    def _build(self, obj: str, stream: IO[bytes], context: Any, path: str) -> int:
        raw = encode_text(obj, path)
        if len(raw) > self.size:
            wrong_length(path, f"at most {self.size} bytes of text", len(raw))
        return stream.write(raw)


class PanCharacters(Format[Pan]):
    """A card number right-aligned in a fixed number of digits, zeros on the left."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._digits = Characters(count)
        self.summary = f"n {count}, right-aligned"

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> Pan:
        return Pan(self._digits._parse(stream, context, path).lstrip("0"))

    def _build(self, obj: Pan, stream: IO[bytes], context: Any, path: str) -> int:
        if type(obj) is not Pan:
            wrong_type(path, "a Pan")
        return self._digits._build(obj.reveal().zfill(self._digits.count), stream, context, path)


class Listed(Format[tuple[Any, ...]]):
    """Items one after the other, behind their number in digits, or up to the end (digits=0)."""

    def __init__(self, item: Format[Any], *, digits: int, most: int) -> None:
        super().__init__()
        self.item = item
        self.digits = digits
        self.most = most
        self.summary = f"up to {most} items"

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> tuple[Any, ...]:
        items: list[Any] = []
        count = self._count(stream, context, path)
        while len(items) < count:
            if not self.digits and _at_end(stream):
                break
            items.append(self.item._parse(stream, context, f"{path}.{len(items) + 1}"))
        return tuple(items)

    def _count(self, stream: IO[bytes], context: Any, path: str) -> int:
        if not self.digits:
            return self.most
        count = int(Characters(self.digits)._parse(stream, context, path))
        if count > self.most:
            offset = stream.tell() - self.digits
            raise LengthAboveMaximum(
                path, f"at most {self.most} items", found_length=count, offset=offset
            )
        return count

    def _build(self, obj: tuple[Any, ...], stream: IO[bytes], context: Any, path: str) -> int:
        if len(obj) > self.most:
            wrong_length(path, f"at most {self.most} items", len(obj))
        if self.digits:
            stream.write(f"{len(obj):0{self.digits}d}".encode("ascii"))
        for position, item in enumerate(obj, 1):
            self.item._build(item, stream, context, f"{path}.{position}")
        return len(obj)


class Layout(Format[Parts]):
    """Reads and writes the parts of one private element, or of a group inside one.

    path: what errors call the element ("60"). parts: the dataclass that holds the parts; its
    fields have the names of the rows.
    """

    def __init__(
        self, path: str, parts: type[Parts], rows: Iterable[tuple[str, Format[Any]]]
    ) -> None:
        super().__init__()
        self.path = path
        self.rows = tuple(rows)
        self.summary = ", ".join(f"{name} {part.summary}" for name, part in self.rows)
        self._parts = parts
        self._struct = construct.Struct(*(name / part for name, part in self.rows))

    def parts_of(self, content: str | bytes) -> Parts:
        """The parts of a content. Raises DecodeError; offsets count from the content's start."""
        stream = BytesIO(encode_text(content, self.path))
        try:
            parts = self.parse_stream(stream)
        except CodecError as error:
            error.path = error.path.replace("(parsing)", self.path)
            raise
        left = stream.read()
        if left:
            offset = stream.tell() - len(left)
            raise TrailingBytes(self.path, "no more parts", found_length=len(left), offset=offset)
        return parts

    def content_of(self, parts: Parts) -> bytes:
        """The content that these parts make. Raises EncodeError, also for a part after a gap."""
        try:
            return self.build(parts)
        except CodecError as error:
            error.path = error.path.replace("(building)", self.path)
            raise

    def text_of(self, parts: Parts) -> str:
        """As `content_of`, for an element whose value is a str."""
        return decode_text(self.content_of(parts))

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> Parts:
        found = self._struct._parse(stream, context, path)
        # Not the Container itself: it keeps the stream, and with it the whole content.
        return self._parts(**{name: found[name] for name, _ in self.rows})

    def _build(self, obj: Parts, stream: IO[bytes], context: Any, path: str) -> int:
        values = {name: getattr(obj, name) for name, _ in self.rows}
        present = [value is not None for value in values.values()]
        if present != sorted(present, reverse=True):
            gap = self.rows[present.index(False)][0]
            raise WrongLength(f"{path}.{gap}", "a part, since another one follows")
        self._struct._build(values, stream, context, path)
        return 0


def _at_end(stream: IO[bytes]) -> bool:
    start = stream.tell()
    ended = not stream.read(1)
    stream.seek(start)
    return ended
