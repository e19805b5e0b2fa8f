"""The data element table: one row each, with its format, how it may be shown and how stored.

Source: dialect, section 3. An acquirer's variation replaces rows (`Dialect.elements`); the codec
knows no element by its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, TypeAlias

from msgspec import Struct

from protocol import tlv
from protocol.card import Pan, Track, mask_digit_runs
from protocol.errors import TlvError
from protocol.formats import (
    FixedDigits,
    FixedHostText,
    FixedOctets,
    FixedText,
    Format,
    PanDigits,
    PinBlockOctets,
    TrackDigits,
    VariableDigits,
    VariableHostText,
    VariableOctets,
)
from protocol.host_text import printable

Value: TypeAlias = str | bytes | Pan | Track

LL, LLL = 1, 2  # bytes of a length prefix of two and three digits
SHOWN_LIMIT = 120  # characters of a text element that are shown


class Shown(Enum):
    """How an element may appear on a screen, in a log or in an error."""

    PLAIN = "plain"  # as it is
    MASKED = "masked"  # the value masks itself: first six, last four
    TEXT = "text"  # cleaned and capped, long digit runs masked
    LENGTH = "length"  # only how long it is


class Storage(Enum):
    """How an element may be kept at rest."""

    PLAIN = "plain"
    ENCRYPTED = "encrypted"  # in an encrypted column only
    NEVER = "never"


class Element(Struct, frozen=True):
    """One row: a data element of the dialect."""

    number: int
    name: str
    format: Format[Any]
    shown: Shown = Shown.PLAIN
    storage: Storage = Storage.PLAIN

    def show(self, value: Value) -> str:
        """The value as it may be shown. Never raises, and never shows more than the row allows."""
        if self.shown is Shown.PLAIN and isinstance(value, str):
            return printable(value, SHOWN_LIMIT)
        if self.shown is Shown.MASKED and isinstance(value, (Pan, Track)):
            return value.masked
        if self.shown is Shown.TEXT and isinstance(value, (str, bytes)):
            return _shown_text(value)
        return shown_length(value)


def shown_length(value: Value) -> str:
    """What remains to be said of a value that may not be shown."""
    unit = "bytes" if isinstance(value, bytes) else "characters"
    return f"({len(value)} {unit})"


def shown_text(text: str) -> str:
    """A free text as it may be shown. Masked before it is capped: no cut shortens a digit run."""
    return mask_digit_runs(printable(text, len(text)))[:SHOWN_LIMIT]


def _shown_text(value: str | bytes) -> str:
    if isinstance(value, bytes):
        text = value.decode("gb18030", "surrogateescape")
        if not text.isprintable():  # surrogates are not
            return shown_length(value)
        value = text
    return shown_text(value)


_MASKED, _TEXT, _LENGTH = Shown.MASKED, Shown.TEXT, Shown.LENGTH
_ENCRYPTED, _NEVER = Storage.ENCRYPTED, Storage.NEVER

TABLE: Mapping[int, Element] = MappingProxyType(
    {
        element.number: element
        for element in (
            Element(2, "primary account number", PanDigits(LL, 19), _MASKED, _ENCRYPTED),
            Element(3, "processing code", FixedDigits(6)),
            Element(4, "amount", FixedDigits(12)),
            Element(11, "STAN", FixedDigits(6)),
            Element(12, "local time", FixedDigits(6)),
            Element(13, "local date", FixedDigits(4)),
            Element(14, "expiry", FixedDigits(4), _LENGTH, _ENCRYPTED),
            Element(15, "settlement date", FixedDigits(4)),
            Element(22, "entry mode", FixedDigits(3, left=True)),
            Element(23, "card sequence number", FixedDigits(3)),
            Element(25, "condition code", FixedDigits(2)),
            Element(26, "PIN capture code", FixedDigits(2)),
            Element(27, "debit/credit flag", FixedDigits(1)),
            Element(32, "acquirer institution", VariableDigits(LL, 11)),
            Element(35, "track 2", TrackDigits(LL, 37), _MASKED, _NEVER),
            Element(36, "track 3", TrackDigits(LLL, 104), _MASKED, _NEVER),
            Element(37, "retrieval reference number", FixedText(12)),
            Element(38, "authorisation code", FixedHostText(6), _TEXT),
            Element(39, "response code", FixedText(2)),
            Element(41, "terminal id", FixedText(8)),
            Element(42, "merchant id", FixedText(15)),
            Element(43, "merchant name", FixedHostText(40), _TEXT),
            Element(44, "institutions", VariableHostText(LL, 25), _TEXT),
            Element(46, "terminal information", VariableHostText(LLL, 999), _TEXT),
            Element(48, "totals and batch lists", VariableDigits(LLL, 322), _LENGTH, _NEVER),
            Element(49, "currency", FixedText(3)),
            Element(52, "PIN block", PinBlockOctets(8), _LENGTH, _NEVER),
            Element(53, "security information", FixedDigits(16)),
            Element(54, "balance", VariableHostText(LLL, 40), _TEXT),
            Element(55, "chip data", VariableOctets(LLL, 255), _LENGTH),
            Element(56, "text", VariableHostText(LLL, 999), _TEXT),
            Element(57, "private", VariableOctets(LLL, 999), _TEXT, _NEVER),
            Element(58, "private", VariableOctets(LLL, 100), _TEXT, _NEVER),
            Element(59, "private", VariableOctets(LLL, 600), _TEXT, _NEVER),
            Element(60, "batch and network", VariableDigits(LLL, 17)),
            Element(61, "original transaction", VariableDigits(LLL, 29)),
            Element(62, "private", VariableOctets(LLL, 999), _LENGTH),
            Element(63, "operator, messages", VariableHostText(LLL, 163), _TEXT),
            Element(64, "MAC", FixedOctets(8), _LENGTH, _NEVER),
        )
    }
)


def describe(elements: Mapping[int, Value], table: Mapping[int, Element] = TABLE) -> Iterable[str]:
    """One masked, readable line an element, in the order of their numbers."""
    for number in sorted(elements):
        row = table.get(number)
        if row is None:
            yield f"{number:>3} {'':28} {shown_length(elements[number])}"
        else:
            yield f"{number:>3} {row.name:28} {row.show(elements[number])}"


# Chip tags that hold card data: track 2, card number, expiry, and the discretionary data of both
# tracks. They are dropped before element 55 is stored.
CARD_DATA_TAGS = frozenset(bytes.fromhex(tag) for tag in ("57", "5A", "5F24", "9F1F", "9F20"))
# Element 48 has these many digits when it holds totals or the end of an upload, and no card number.
_TOTALS_LENGTHS = frozenset({4, 31, 62})


def storable(
    elements: Mapping[int, Value], table: Mapping[int, Element] = TABLE
) -> tuple[dict[int, str | bytes], dict[int, str]]:
    """What may be stored of a message's elements: in plain, and in an encrypted column only.

    Card data, PIN blocks, MACs and what the table does not know are in neither. Text is free of
    surrogates: what cannot be decoded is bytes. `restored` makes elements of both again.
    """
    plain: dict[int, str | bytes] = {}
    encrypted: dict[int, str] = {}
    for number, value in elements.items():
        row = table.get(number)
        storage = Storage.NEVER if row is None else row.storage
        if storage is Storage.ENCRYPTED:
            encrypted[number] = value.reveal() if isinstance(value, Pan) else str(value)
        elif number == 48 and len(value) in _TOTALS_LENGTHS and isinstance(value, str):
            plain[number] = value
        elif storage is Storage.PLAIN and row is not None:
            stored = _stored(row, value)
            if stored is not None:
                plain[number] = stored
    return plain, encrypted


def restored(plain: Mapping[int, str | bytes], encrypted: Mapping[int, str]) -> dict[int, Value]:
    """The elements that `storable` took apart, without those that are never stored."""
    elements: dict[int, Value] = {**plain, **encrypted}
    if 2 in encrypted:
        elements[2] = Pan(encrypted[2])
    return dict(sorted(elements.items()))


def _stored(row: Element, value: Value) -> str | bytes | None:
    if isinstance(value, bytes):
        return _without_card_data(value) if row.number == 55 else bytes(value)
    if not isinstance(value, str):
        return None  # card data where the table does not expect it
    if row.shown is Shown.TEXT:
        value = mask_digit_runs(value)
    return value if _is_encodable(value) else value.encode("gb18030", "surrogateescape")


def _without_card_data(chip_data: bytes) -> bytes | None:
    try:
        items = tlv.parse(chip_data)
    except TlvError:
        return None  # what cannot be read may hold a card number
    return tlv.build(item for item in items if not _holds_card_data(item))


def _holds_card_data(item: tlv.Tlv) -> bool:
    return item.tag in CARD_DATA_TAGS or any(map(_holds_card_data, item.children))


def _is_encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
