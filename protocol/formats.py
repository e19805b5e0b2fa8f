"""One Construct subclass per element format: reads, checks and converts in one function.

The same objects are called in the codec's loop over a message and stand inside `construct.Struct`
where layouts nest. `_parse` and `_build` raise only errors of `protocol.errors`, never inside an
`except` block, so that no context of another exception (which may hold data) hangs on them.
`_parse` returns a value that `_build` writes back as the same bytes, except that a pad nibble F
becomes 0 (dialect: packing rules).
"""

# ruff: noqa: ARG002  (construct's signatures carry a context, which a flat format has no use for)

from __future__ import annotations

from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeVar

import construct

from protocol.card import Pan, PinBlock, Track
from protocol.errors import (
    BadDigit,
    BadLengthPrefix,
    BadPad,
    LengthAboveMaximum,
    NotAscii,
    NotDigits,
    NotEncodable,
    Truncated,
    WrongLength,
    WrongType,
)

Value = TypeVar("Value")

_NO_CONTEXT: Any = None

if TYPE_CHECKING:
    _Construct = construct.Construct
else:  # construct's classes are generic for the type checker only

    class _Construct(construct.Construct, Generic[Value]):
        def __class_getitem__(cls, _: object) -> type:
            return cls


class Format(_Construct[Value, Value]):
    """How one kind of value stands on the wire.

    summary: the format in the words of the element table, e.g. "n 6" or "ans LLL..999".
    prefix: bytes of the length that stands before the content, 0 when the length is fixed.
    """

    summary: str
    prefix: int = 0

    def read(self, data: bytes, path: str) -> Value:
        """The value of exactly these bytes. Raises DecodeError."""
        return self._parse(BytesIO(data), _NO_CONTEXT, path)

    def write(self, value: Value, path: str) -> bytes:
        """The bytes of a value. Raises EncodeError."""
        stream = BytesIO()
        self._build(value, stream, _NO_CONTEXT, path)
        return stream.getvalue()


# Length prefixes: packed decimal, 1 byte for LL, 2 for LLL. Looking a byte up checks its nibbles and
# converts them in one step. A table of all thousand LLL would be quicker by a twentieth, and takes 200 KB.
_PACKED: Final = tuple(bytes.fromhex(f"{n:02d}") for n in range(100))
_NO_LENGTH: Final = 1_000_000  # of a byte that is not two decimal digits: above every maximum
_VALUES: Final = tuple(
    int(f"{byte:02x}") if f"{byte:02x}".isdecimal() else _NO_LENGTH for byte in range(256)
)


def _length(head: bytes) -> int:
    """What the prefix says; `_NO_LENGTH` or more when it is none. An LLL has a zero before it."""
    if len(head) == 1:
        return _VALUES[head[0]]
    if len(head) != 2 or head[0] > 9:
        return _NO_LENGTH
    return head[0] * 100 + _VALUES[head[1]]


class FixedDigits(Format[str]):
    """Packed BCD of a fixed number of digits, zero nibble on the left when the number is odd.

    left=True: left-aligned instead, the zero nibble on the right (element 22).
    """

    def __init__(self, count: int, *, left: bool = False) -> None:
        super().__init__()
        self.count = count
        self.size = (count + 1) // 2
        self.left = left
        self.summary = f"n {count}" + (", left-aligned" if left else "")

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> str:
        raw = stream.read(self.size)
        text = raw.hex()
        if len(raw) != self.size:
            truncated(stream, path, f"{self.count} digits", len(raw))
        if not text.isdecimal():
            bad_digit(stream, path, text)
        if self.count & 1:
            pad = text[-1] if self.left else text[0]
            if pad != "0":
                side, back = ("right", 1) if self.left else ("left", self.size)
                raise BadDigit(path, f"a zero nibble on the {side}", offset=stream.tell() - back)
            return text[:-1] if self.left else text[1:]
        return text

    def _build(self, obj: str, stream: IO[bytes], context: Any, path: str) -> int:
        if not isinstance(obj, str):
            wrong_type(path, "digits in a str")
        if len(obj) != self.count:
            wrong_length(path, f"{self.count} digits", len(obj))
        if not (obj.isdecimal() and obj.isascii()):
            raise NotDigits(path, "digits 0 to 9")
        if self.count & 1:
            obj = obj + "0" if self.left else "0" + obj
        return stream.write(bytes.fromhex(obj))


class _Counted(Format[Value]):
    """A format behind a length prefix of 1 (LL) or 2 (LLL) bytes, up to a maximum."""

    kind: str

    def __init__(self, prefix: int, maximum: int) -> None:
        super().__init__()
        self.prefix = prefix
        self.maximum = maximum
        self.summary = f"{self.kind} {'L' * (prefix + 1)}..{maximum}"

    def _read_nibbles(self, stream: IO[bytes], context: Any, path: str) -> str:
        """Nibbles counted by the prefix, without the pad of an odd number."""
        head = stream.read(self.prefix)
        count = _length(head)
        if count > self.maximum or len(head) != self.prefix:
            self._refuse_length(stream, path, head)
        size = (count + 1) >> 1
        raw = stream.read(size)
        if len(raw) != size:
            truncated(stream, path, f"{count} digits in {size} bytes", len(raw))
        text = raw.hex()
        if count & 1:
            if text[-1] not in "0f":
                raise BadPad(path, "0 or F in the pad nibble", offset=stream.tell() - 1)
            text = text[:-1]
        return text if text.isdecimal() else self._not_only_digits(stream, path, text)

    def _not_only_digits(self, stream: IO[bytes], path: str, nibbles: str) -> str:
        """What lower-case hex means that is not all decimal: nothing at all, or an error."""
        if nibbles:
            bad_digit(stream, path, nibbles)
        return nibbles

    def _write_digits(self, digits: str, stream: IO[bytes], path: str) -> int:
        if not (digits.isdecimal() and digits.isascii()) and digits:
            raise NotDigits(path, "digits 0 to 9")
        raw = bytes.fromhex(digits + "0" if len(digits) & 1 else digits)
        return self._write(stream, path, raw, len(digits), "digits")

    def _read_octets(self, stream: IO[bytes], context: Any, path: str) -> bytes:
        """Bytes, counted by the prefix."""
        head = stream.read(self.prefix)
        size = _length(head)
        if size > self.maximum or len(head) != self.prefix:
            self._refuse_length(stream, path, head)
        raw = stream.read(size)
        if len(raw) != size:
            truncated(stream, path, f"{size} bytes", len(raw))
        return raw

    def _write(self, stream: IO[bytes], path: str, raw: bytes, count: int, unit: str) -> int:
        if count > self.maximum:
            wrong_length(path, f"at most {self.maximum} {unit}", count)
        hundreds, rest = divmod(count, 100)
        head = _PACKED[rest] if self.prefix == 1 else _PACKED[hundreds] + _PACKED[rest]
        return stream.write(head + raw)

    def _refuse_length(self, stream: IO[bytes], path: str, head: bytes) -> NoReturn:
        size = self.prefix
        offset = stream.tell() - len(head)
        if len(head) != size:
            rule = f"a length in {size} bytes"
            raise Truncated(path, rule, found_length=len(head), offset=offset)
        count = _length(head)
        if count >= _NO_LENGTH:
            raise BadLengthPrefix(path, f"a length in {size * 2} packed digits", offset=offset)
        raise LengthAboveMaximum(path, f"at most {self.maximum}", found_length=count, offset=offset)


class VariableDigits(_Counted[str]):
    """Packed BCD behind a length in digits.

    An odd number is left-aligned; the pad nibble is sent as 0, accepted as 0 or F.
    """

    kind = "n"
    _parse = _Counted._read_nibbles

    def _build(self, obj: str, stream: IO[bytes], context: Any, path: str) -> int:
        if not isinstance(obj, str):
            wrong_type(path, "digits in a str")
        return self._write_digits(obj, stream, path)


class PanDigits(_Counted[Pan]):
    """A card number: variable digits whose value is a `Pan` (element 2)."""

    kind = "n"

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> Pan:
        return Pan(self._read_nibbles(stream, context, path))

    def _build(self, obj: Pan, stream: IO[bytes], context: Any, path: str) -> int:
        if type(obj) is not Pan:
            wrong_type(path, "a Pan")
        return self._write_digits(obj.reveal(), stream, path)


class TrackDigits(_Counted[Track]):
    """Track nibbles behind a length in characters: digits, D as `=` (elements 35 and 36).

    encrypted=True also takes the nibbles A, B, C, E and F, which enciphered tracks have.
    """

    kind = "z"

    def __init__(self, prefix: int, maximum: int, *, encrypted: bool = False) -> None:
        super().__init__(prefix, maximum)
        self.encrypted = encrypted

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> Track:
        return Track(self._read_nibbles(stream, context, path))

    def _not_only_digits(self, stream: IO[bytes], path: str, nibbles: str) -> str:
        if not self.encrypted and not nibbles.replace("d", "0").isdecimal() and nibbles:
            bad_digit(stream, path, nibbles.replace("d", "0"))
        return nibbles.upper().replace("D", "=")

    def _build(self, obj: Track, stream: IO[bytes], context: Any, path: str) -> int:
        if type(obj) is not Track:
            wrong_type(path, "a Track")
        text = obj.reveal()
        digits = text.replace("=", "0")
        if not (digits.isdecimal() and digits.isascii()) and text:
            self._check_nibbles(text, path)
        nibbles = text.replace("=", "D")
        raw = bytes.fromhex(nibbles + "0" if len(text) & 1 else nibbles)
        return self._write(stream, path, raw, len(text), "characters")

    def _check_nibbles(self, text: str, path: str) -> None:
        if not self.encrypted or text.strip("0123456789=ABCEF"):
            raise NotDigits(path, "digits 0 to 9 and =")


class FixedOctets(Format[bytes]):
    """A fixed number of bytes."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.summary = f"b {size}"

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> bytes:
        raw = stream.read(self.size)
        if len(raw) != self.size:
            truncated(stream, path, f"{self.size} bytes", len(raw))
        return raw

    def _build(self, obj: bytes, stream: IO[bytes], context: Any, path: str) -> int:
        if not isinstance(obj, bytes):
            wrong_type(path, "bytes")
        if len(obj) != self.size:
            wrong_length(path, f"{self.size} bytes", len(obj))
        return stream.write(obj)


class PinBlockOctets(FixedOctets):
    """A PIN block: fixed bytes whose value is a `PinBlock` (element 52)."""

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> PinBlock:
        return PinBlock(super()._parse(stream, context, path))


class VariableOctets(_Counted[bytes]):
    """Bytes behind a length in bytes."""

    kind = "b"
    _parse = _Counted._read_octets

    def _build(self, obj: bytes, stream: IO[bytes], context: Any, path: str) -> int:
        if not isinstance(obj, bytes):
            wrong_type(path, "bytes")
        return self._write(stream, path, obj, len(obj), "bytes")


class FixedText(Format[str]):
    """ASCII text of a fixed number of bytes; a shorter value is padded with blanks on the right."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.summary = f"ans {size}"

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> str:
        raw = stream.read(self.size)
        if len(raw) != self.size:
            truncated(stream, path, f"{self.size} characters", len(raw))
        if not raw.isascii():
            _not_ascii(stream, path, raw)
        return raw.decode("ascii")

    def _build(self, obj: str, stream: IO[bytes], context: Any, path: str) -> int:
        if not isinstance(obj, str):
            wrong_type(path, "text in a str")
        if not obj.isascii():
            raise NotEncodable(path, "ASCII text")
        if len(obj) > self.size:
            wrong_length(path, f"at most {self.size} characters", len(obj))
        return stream.write(obj.encode("ascii").ljust(self.size))


class FixedHostText(Format[str]):
    """Text of a fixed number of bytes that comes from a host and never fails to decode.

    GBK by the gb18030 codec with surrogateescape: exact in both directions, also when a host cuts
    a character in the middle. A shorter value is padded with blanks; bytes are written as they are.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.summary = f"ans GBK {size}"

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> str:
        raw = stream.read(self.size)
        if len(raw) != self.size:
            truncated(stream, path, f"{self.size} bytes of text", len(raw))
        return decode_text(raw)

    def _build(self, obj: str, stream: IO[bytes], context: Any, path: str) -> int:
        raw = encode_text(obj, path)
        if len(raw) > self.size:
            wrong_length(path, f"at most {self.size} bytes of text", len(raw))
        return stream.write(raw.ljust(self.size))


class VariableHostText(_Counted[str]):
    """Host text behind a length in bytes; otherwise as `FixedHostText`."""

    kind = "ans GBK"

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> str:
        return decode_text(self._read_octets(stream, context, path))

    def _build(self, obj: str, stream: IO[bytes], context: Any, path: str) -> int:
        raw = encode_text(obj, path)
        return self._write(stream, path, raw, len(raw), "bytes of text")


def decode_text(raw: bytes) -> str:
    """Bytes as text: GBK by the gb18030 codec with surrogateescape. Never fails."""
    if raw.isascii():  # most of it, and the GB18030 codec is slow
        return raw.decode("ascii")
    return raw.decode("gb18030", "surrogateescape")


def encode_text(text: str | bytes, path: str) -> bytes:
    """The bytes of a host text; bytes stay as they are. Raises WrongType, NotEncodable."""
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        wrong_type(path, "text in a str, or its bytes")
    if text.isascii():
        return text.encode("ascii")
    try:
        return text.encode("gb18030", "surrogateescape")
    except UnicodeEncodeError:
        pass  # raised outside: the error that is caught here holds the text
    raise NotEncodable(path, "text that GB18030 can carry")


# The ways to fail stand apart from the fast path, which only asks whether all is well.


def truncated(stream: IO[bytes], path: str, expected: str, found: int) -> NoReturn:
    raise Truncated(path, expected, found_length=found, offset=stream.tell() - found)


def bad_digit(stream: IO[bytes], path: str, nibbles: str) -> NoReturn:
    position = next(index for index, nibble in enumerate(nibbles) if not nibble.isdecimal())
    offset = stream.tell() - (len(nibbles) + 1) // 2 + position // 2
    raise BadDigit(path, "digits 0 to 9", found_length=len(nibbles), offset=offset)


def _not_ascii(stream: IO[bytes], path: str, raw: bytes) -> NoReturn:
    position = next(index for index, byte in enumerate(raw) if byte > 0x7F)
    offset = stream.tell() - len(raw) + position
    raise NotAscii(path, "ASCII characters", found_length=len(raw), offset=offset)


def wrong_type(path: str, expected: str) -> NoReturn:
    raise WrongType(path, expected)


def wrong_length(path: str, expected: str, found: int) -> NoReturn:
    raise WrongLength(path, expected, found_length=found)
