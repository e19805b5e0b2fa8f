"""Element 62, where it is not keys: device string, chip details, status and parameter lists.

Source: dialect, sections 3 and 6; tags and lengths of the parameters as public terminal programs
read and write them. Keys are the business of `keys`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import IO, Any

from msgspec import Struct

from protocol import tlv
from protocol.errors import LayoutUnknown, Truncated, WrongLength
from protocol.formats import FixedText, Format, decode_text, encode_text
from protocol.layout import Characters, Layout

DEVICE_LABEL = "Sequence No"
CHIP_DETAIL = "61"


class _CountedText(Format[str]):
    """Text behind its length in two digits."""

    summary = "ans, 2 digits of length"

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> str:
        size = int(Characters(2)._parse(stream, context, path))
        return FixedText(size)._parse(stream, context, path)

    def _build(self, obj: str, stream: IO[bytes], context: Any, path: str) -> int:
        Characters(2)._build(f"{len(obj):02d}", stream, context, path)
        return FixedText(len(obj))._build(obj, stream, context, path)


class DeviceString(Struct, frozen=True):
    """Element 62 of a sign-in request: who made the device, and its serial number."""

    serial: str
    label: str = DEVICE_LABEL


DEVICE_STRING = Layout(
    "62", DeviceString, (("label", FixedText(len(DEVICE_LABEL))), ("serial", _CountedText()))
)


class ChipDetail(Struct, frozen=True):
    """Element 62 of an upload of one chip transaction. amount: 12 digits, in fen."""

    card_class: str
    response_code: str
    amount: str
    currency: str
    mark: str = CHIP_DETAIL


CHIP_DETAILS = Layout(
    "62",
    ChipDetail,
    (
        ("mark", FixedText(2)),
        ("card_class", Characters(2)),
        ("response_code", FixedText(2)),
        ("amount", Characters(12)),
        ("currency", Characters(3)),
    ),
)


class DownloadList(Struct, frozen=True):
    """Element 62 of an answer to a query for CA keys or applications.

    status: 0 none, 1 all of them here, 2 more to be asked for, 3 the last ones.
    """

    status: str
    items: tuple[tlv.Tlv, ...]


class Parameter(Struct, frozen=True):
    """One row: a tag of two digits, the name and the length in bytes of its value."""

    tag: str
    name: str
    size: int


PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        row.tag: row
        for row in (
            Parameter("01", "keyboard works", 1),
            Parameter("02", "PIN pad works", 1),
            Parameter("03", "card reader works", 1),
            Parameter("04", "printer works", 1),
            Parameter("05", "display works", 1),
            Parameter("11", "application type", 2),
            Parameter("12", "answer time-out, seconds", 2),
            Parameter("13", "dialling tries", 1),
            Parameter("14", "first telephone number", 14),
            Parameter("15", "second telephone number", 14),
            Parameter("16", "third telephone number", 14),
            Parameter("17", "management telephone number", 14),
            Parameter("18", "tips allowed", 1),
            Parameter("19", "tip, per cent", 2),
            Parameter("20", "card numbers may be typed", 1),
            Parameter("21", "sign-off after settlement", 1),
            Parameter("22", "merchant name", 40),
            Parameter("23", "reversal tries", 1),
            Parameter("24", "key scheme", 1),
            Parameter("25", "master key index", 1),
            Parameter("26", "transactions allowed", 4),
            Parameter("27", "offline transactions before upload", 2),
            Parameter("51", "dialling statistics", 12),
        )
    }
)


def parse_download_list(element_62: bytes) -> DownloadList:
    """A status character and the TLV items behind it. Raises DecodeError."""
    status = FixedText(1).read(element_62[:1], "62.status")
    return DownloadList(status, tlv.parse(element_62, "62", start=1))


def parse_parameters(element_62: bytes) -> dict[str, str]:
    """Status or parameters: tag -> value as text. Raises LayoutUnknown at an unknown tag.

    The list has no lengths of its own: behind a tag that no row knows nothing can be read.
    """
    values: dict[str, str] = {}
    position = 0
    while position < len(element_62):
        tag = decode_text(element_62[position : position + 2])
        row = PARAMETERS.get(tag)
        if row is None:
            raise LayoutUnknown("62", "the tag of a known parameter", offset=position)
        value = element_62[position + 2 : position + 2 + row.size]
        if len(value) != row.size:
            raise Truncated(
                f"62.{tag}", f"{row.size} bytes", found_length=len(value), offset=position + 2
            )
        values[tag] = decode_text(value)
        position += 2 + row.size
    return values


def parameters(values: Iterable[tuple[str, str]]) -> bytes:
    """Element 62 of these tags and values, each padded with blanks. Raises EncodeError."""
    content = b""
    for tag, value in values:
        row = PARAMETERS.get(tag)
        raw = encode_text(value, f"62.{tag}")
        if row is None or len(raw) > row.size:
            rule = "a known parameter" if row is None else f"at most {row.size} bytes"
            raise WrongLength(f"62.{tag}", rule, found_length=len(raw))
        content += tag.encode("ascii") + raw.ljust(row.size)
    return content
