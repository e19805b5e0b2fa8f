"""Every error this package raises, in one tree under `ProtocolError`.

An error says where (element path, byte offset), what was expected and what length was found.
It never holds or prints a value: no digits of a card, no key, no text of a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protocol.message import Message


class ProtocolError(Exception):
    """Root of the tree. Its text is safe to log and to show."""


class CodecError(ProtocolError):
    """Bytes or values break a rule of the dialect.

    path: element and sub-element, "62.MAK" or "55.9F26"; "LEN", "TPDU", "header", "MTI", "bitmap"
    for what stands before the elements.
    offset: byte position in what was given to the decoder (a frame counts from its LEN); in a
    private layout, position in that element's content. None when encoding.
    expected: the rule, in words. found_length: how much was there, in the unit of the rule.
    """

    def __init__(
        self,
        path: str,
        expected: str,
        *,
        found_length: int | None = None,
        offset: int | None = None,
    ) -> None:
        self.path = path.replace(" -> ", ".")  # construct joins names with an arrow
        self.expected = expected
        self.found_length = found_length
        self.offset = offset
        super().__init__(path, expected)

    def __str__(self) -> str:
        where = self.path if self.offset is None else f"{self.path} at byte {self.offset}"
        found = "" if self.found_length is None else f", found length {self.found_length}"
        return f"{where}: expected {self.expected}{found}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class DecodeError(CodecError):
    """Bytes cannot be read. `decoded` is the message as far as it was read, or None."""

    decoded: Message | None = None

    @property
    def partial(self) -> str:
        """What was decoded before the error, masked, one element a line; "" when nothing was."""
        return "" if self.decoded is None else self.decoded.describe()


class LengthAboveCap(DecodeError):
    """LEN announces more than the dialect's frame cap: the stream cannot be trusted any more."""


class FrameLengthWrong(DecodeError):
    """LEN does not count the bytes that follow it."""


class FrameTruncated(DecodeError):
    """The bytes end before the elements begin."""


class UnknownMti(DecodeError):
    """Not an MTI of ISO 8583:1987: four digits, the first 0, the second not 0."""


class SecondBitmap(DecodeError):
    """Bit 1 is set: a second bitmap is not part of the dialect."""


class UnknownElement(DecodeError):
    """A bit is set for an element that the table does not know."""


class Truncated(DecodeError):
    """The bytes end inside an element."""


class BadLengthPrefix(DecodeError):
    """A length prefix is not packed decimal."""


class LengthAboveMaximum(DecodeError):
    """A length prefix is above the element's maximum."""


class BadDigit(DecodeError):
    """A nibble above 9 where a digit is due, or a non-zero nibble left of a right-aligned one."""


class BadPad(DecodeError):
    """The pad nibble after an odd number of digits is neither 0 nor F."""


class NotAscii(DecodeError):
    """A text element holds a byte above 7F."""


class TrailingBytes(DecodeError):
    """Bytes are left over after the last element."""


class LayoutUnknown(DecodeError):
    """The content of a private element has none of the layouts that the dialect knows."""


class TlvError(DecodeError):
    """BER-TLV data is malformed or cut."""


class TlvTooDeep(TlvError):
    """BER-TLV data is nested deeper than the limit."""


class EncodeError(CodecError):
    """A message cannot be written."""


class ElementNotInTable(EncodeError):
    """The dialect has no such element."""


class WrongType(EncodeError):
    """An element's value is not of the type that its format takes."""


class WrongLength(EncodeError):
    """A value is longer, or shorter, than its format allows."""


class NotDigits(EncodeError):
    """A value holds something else than the digits its format takes."""


class NotEncodable(EncodeError):
    """A text has a character that its format cannot carry."""


class FrameTooLong(EncodeError):
    """The encoded frame is above the dialect's cap."""


class InvalidRequest(ProtocolError):
    """A request lacks an element its transaction must carry, or has one it must not carry."""

    def __init__(self, transaction: str, element: int, rule: str) -> None:
        self.transaction = transaction
        self.element = element
        self.rule = rule
        super().__init__(f"{transaction}: element {element} {rule}")


class KeyProblem(ProtocolError):
    """A key cannot be used. Its text never holds key material.

    path: where the key stands in a message, "62.MAK"; empty for a key that stands in none.
    """

    def __init__(self, rule: str, path: str = "") -> None:
        self.path = path
        super().__init__(f"{path}: {rule}" if path else rule)


class KeyLengthWrong(KeyProblem):
    """A key has a length that the algorithm does not take."""


class KeyCheckFailed(KeyProblem):
    """A working key does not have the check value that came with it."""


class KeyLayoutUnknown(KeyProblem):
    """The key data has none of the lengths of the configured layout."""


class AlgorithmUnknown(KeyProblem):
    """No such MAC algorithm."""


class PinProblem(ProtocolError):
    """A PIN block cannot be formed or translated. Its text never holds a PIN."""


class TrackProblem(ProtocolError):
    """A track cannot be encrypted. Its text never holds a digit of it."""
