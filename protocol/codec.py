"""Bytes to messages and back: one loop over the plan of a bitmap.

A frame is LEN, TPDU, header, MTI, bitmap, elements (dialect: frame); a bare message begins with
its MTI. Which of the two it is, is the caller's to say: nothing is guessed.
"""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import IO, NoReturn

from protocol.dialect import DEFAULT, Dialect
from protocol.elements import Value
from protocol.errors import (
    BadDigit,
    DecodeError,
    FrameLengthWrong,
    FrameTooLong,
    FrameTruncated,
    LengthAboveCap,
    NotDigits,
    SecondBitmap,
    TrailingBytes,
    UnknownMti,
    WrongLength,
)
from protocol.message import Message

LEN_SIZE, TPDU_SIZE, HEADER_SIZE = 2, 5, 6


def decode(frame: bytes, dialect: Dialect = DEFAULT) -> Message:
    """The message of a whole frame. Raises DecodeError, which carries what was decoded before."""
    announced = int.from_bytes(frame[:LEN_SIZE], "big")
    follow = len(frame) - LEN_SIZE
    if announced != follow or not follow or announced > dialect.frame_cap:
        _refuse_length(announced, follow, dialect.frame_cap)
    stream = BytesIO(frame)
    stream.seek(LEN_SIZE)
    tpdu = header = None
    if dialect.has_tpdu:
        tpdu = _address(stream, TPDU_SIZE, "TPDU")
    if dialect.has_header:
        header = _address(stream, HEADER_SIZE, "header")
        if not header.isdecimal():
            raise BadDigit("header", "12 digits", offset=stream.tell() - HEADER_SIZE)
    return _read_message(stream, tpdu, header, dialect)


def decode_message(body: bytes, dialect: Dialect = DEFAULT) -> Message:
    """The message of MTI, bitmap and elements alone. Raises DecodeError."""
    return _read_message(BytesIO(body), None, None, dialect)


def encode(message: Message, dialect: Dialect = DEFAULT) -> bytes:
    """The whole frame of a message; a TPDU or header that is None is the dialect's own.

    A dialect without TPDU or header leaves them out. Raises EncodeError.
    """
    stream = BytesIO()
    stream.write(b"\0\0")
    if dialect.has_tpdu:
        stream.write(_address_bytes(message.tpdu or dialect.request_tpdu, TPDU_SIZE, "TPDU"))
    if dialect.has_header:
        header = message.header or dialect.request_header
        if not header.isdecimal():
            raise NotDigits("header", "12 digits")
        stream.write(_address_bytes(header, HEADER_SIZE, "header"))
    _write_message(message, stream, dialect)
    length = stream.tell() - LEN_SIZE
    if length > dialect.frame_cap:
        raise FrameTooLong("LEN", f"at most {dialect.frame_cap}", found_length=length)
    stream.seek(0)
    stream.write(length.to_bytes(LEN_SIZE, "big"))
    return stream.getvalue()


def encode_message(message: Message, dialect: Dialect = DEFAULT) -> bytes:
    """MTI, bitmap and elements alone. Raises EncodeError."""
    stream = BytesIO()
    _write_message(message, stream, dialect)
    return stream.getvalue()


def body_offset(dialect: Dialect) -> int:
    """Where the MTI stands in a frame of this dialect."""
    return LEN_SIZE + TPDU_SIZE * dialect.has_tpdu + HEADER_SIZE * dialect.has_header


def content_offsets(
    data: bytes, dialect: Dialect = DEFAULT, *, bare: bool = False
) -> dict[int, int]:
    """Where the content of each element begins, behind its length, as far as the data decodes.

    For those who explain a message: errors inside an element count from its content.
    """
    stream = BytesIO(data)
    stream.seek((0 if bare else body_offset(dialect)) + 2)
    offsets: dict[int, int] = {}
    for number, path, read in dialect.reading_plan(stream.read(8)):
        start = stream.tell()
        try:
            read(stream, None, path)
        except DecodeError:
            break
        offsets[number] = start + dialect.table[number].format.prefix
    return offsets


def _read_message(
    stream: IO[bytes], tpdu: str | None, header: str | None, dialect: Dialect
) -> Message:
    mti = _read_mti(stream)
    elements: dict[int, Value] = {}
    try:
        bitmap = stream.read(8)
        if len(bitmap) != 8 or bitmap[0] & 0x80:
            _refuse_bitmap(stream, bitmap)
        for number, path, read in dialect.reading_plan(bitmap):
            elements[number] = read(stream, None, path)
        left = stream.read()
        if left:
            offset = stream.tell() - len(left)
            raise TrailingBytes(
                "end", "no bytes after the last element", found_length=len(left), offset=offset
            )
    except DecodeError as error:
        error.decoded = Message.adopt(mti, elements, tpdu, header)
        raise
    return Message.adopt(mti, elements, tpdu, header)


def _read_mti(stream: IO[bytes]) -> str:
    raw = stream.read(2)
    if len(raw) != 2:
        offset = stream.tell() - len(raw)
        raise FrameTruncated("MTI", "2 bytes", found_length=len(raw), offset=offset)
    mti = raw.hex()
    if not mti.isdecimal() or mti[0] != "0" or mti[1] == "0":
        raise UnknownMti("MTI", "four digits from 0100 to 0999", offset=stream.tell() - 2)
    return mti


def _write_message(message: Message, stream: IO[bytes], dialect: Dialect) -> None:
    mti, elements = message.mti, message.elements
    if len(mti) != 4 or not mti.isdecimal() or not mti.isascii():
        raise NotDigits("MTI", "four digits")
    bitmap, plan = dialect.writing_plan(tuple(elements))
    stream.write(bytes.fromhex(mti) + bitmap)
    for number, path, write in plan:
        write(elements[number], stream, None, path)


def _address(stream: IO[bytes], size: int, path: str) -> str:
    raw = stream.read(size)
    if len(raw) != size:
        offset = stream.tell() - len(raw)
        raise FrameTruncated(path, f"{size} bytes", found_length=len(raw), offset=offset)
    return raw.hex().upper()


@lru_cache(64)
def _address_bytes(text: str, size: int, path: str) -> bytes:
    if len(text) != size * 2:
        raise WrongLength(path, f"{size * 2} hex digits", found_length=len(text))
    if text.strip("0123456789ABCDEFabcdef"):
        raise NotDigits(path, f"{size * 2} hex digits")
    return bytes.fromhex(text)


def _refuse_length(announced: int, follow: int, cap: int) -> NoReturn:
    if follow < 1:
        raise FrameTruncated("LEN", "2 bytes and a message", found_length=follow + 2, offset=0)
    if announced > cap:
        raise LengthAboveCap("LEN", f"at most {cap}", found_length=announced, offset=0)
    rule = f"the {announced} bytes that it announces"
    raise FrameLengthWrong("LEN", rule, found_length=follow, offset=0)


def _refuse_bitmap(stream: IO[bytes], bitmap: bytes) -> NoReturn:
    offset = stream.tell() - len(bitmap)
    if len(bitmap) != 8:
        raise FrameTruncated("bitmap", "8 bytes", found_length=len(bitmap), offset=offset)
    raise SecondBitmap("bitmap", "bit 1 not set: there is no second bitmap", offset=offset)
