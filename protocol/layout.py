"""A layout: how the content of a private element falls into named parts.

A layout joins a `construct.Struct` of formats with the frozen dataclass of its parts. Digits and
text are laid out by character, binary content by byte. Parts at the end may be absent.
"""
# ruff: noqa: ARG002  (construct's signatures carry a context, which a flat format has no use for)

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from io import BytesIO
from typing import IO, Any, Generic, TypeVar

import construct

from protocol.errors import BadDigit, CodecError, NotDigits, TrailingBytes, WrongLength
from protocol.formats import Format, truncated, wrong_length, wrong_type

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
        start = stream.tell()
        if not stream.read(1):
            return None
        stream.seek(start)
        return self.part._parse(stream, context, path)

    def _build(self, obj: Any, stream: IO[bytes], context: Any, path: str) -> int:
        return 0 if obj is None else self.part._build(obj, stream, context, path)


class Layout(Generic[Parts]):
    """Reads and writes the parts of one private element.

    path: what errors call the element ("60"). parts: the dataclass that holds the parts; its
    fields have the names of the rows, in their order.
    """

    def __init__(
        self, path: str, parts: type[Parts], rows: Iterable[tuple[str, Format[Any]]]
    ) -> None:
        self.path = path
        self.rows = tuple(rows)
        self._parts = parts
        self._struct = construct.Struct(*(name / part for name, part in self.rows))

    def read(self, content: str | bytes) -> Parts:
        """The parts of a content. Raises DecodeError; offsets count from the content's start."""
        stream = BytesIO(_as_bytes(content))
        try:
            found = self._struct.parse_stream(stream)
        except CodecError as error:
            error.path = error.path.replace("(parsing)", self.path)
            raise
        left = stream.read()
        if left:
            raise TrailingBytes(
                self.path,
                "no more parts",
                found_length=len(left),
                offset=stream.tell() - len(left),
            )
        # Not the Container itself: it keeps the stream, and with it the whole content.
        return self._parts(**{name: found[name] for name, _ in self.rows})

    def write(self, parts: Parts) -> bytes:
        """The content that these parts make. Raises EncodeError, also for a part after a gap."""
        values = {field.name: getattr(parts, field.name) for field in fields(parts)}  # type: ignore[arg-type]
        absent = [name for name, _ in self.rows if values[name] is None]
        names = [name for name, _ in self.rows]
        if absent != names[len(names) - len(absent) :]:
            raise WrongLength(f"{self.path}.{absent[0]}", "a part, since another one follows")
        try:
            return self._struct.build(values)
        except CodecError as error:
            error.path = error.path.replace("(building)", self.path)
            raise

    def write_text(self, parts: Parts) -> str:
        """As `write`, for an element whose value is a str of digits or ASCII text."""
        return self.write(parts).decode("ascii")


def _as_bytes(content: str | bytes) -> bytes:
    if isinstance(content, bytes):
        return content
    return content.encode("gb18030", "surrogateescape")
