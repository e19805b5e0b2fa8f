"""Element 48: the totals of a batch, the items of an upload, the end of an upload.

Source: dialect, section 6. The three are told apart by their length.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from protocol.card import Pan
from protocol.errors import LayoutUnknown
from protocol.layout import Characters, Layout, Listed, MayEnd, PanCharacters

ITEMS_A_MESSAGE = 8
BALANCED = "1"


class Totals(Struct, frozen=True):
    """The totals of one class of cards. Amounts: 12 digits, in fen; counts: 3 digits.

    result: 0 in a request; 1 balanced, 2 not balanced, 3 error in an answer.
    """

    debit_amount: str
    debit_count: str
    credit_amount: str
    credit_count: str
    result: str = "0"


_TOTALS = Layout(
    "48",
    Totals,
    (
        ("debit_amount", Characters(12)),
        ("debit_count", Characters(3)),
        ("credit_amount", Characters(12)),
        ("credit_count", Characters(3)),
        ("result", Characters(1)),
    ),
)


class BatchTotals(Struct, frozen=True):
    """Element 48 of a settlement: domestic cards, then foreign ones where the host wants them."""

    domestic: Totals
    foreign: Totals | None = None


BATCH_TOTALS = Layout("48", BatchTotals, (("domestic", _TOTALS), ("foreign", MayEnd(_TOTALS))))


class UploadItem(Struct, frozen=True):
    """One transaction of an upload. card_class: 00 domestic, 01 foreign; amount: 12 digits."""

    card_class: str
    stan: str
    pan: Pan
    amount: str


_ITEM = Layout(
    "48",
    UploadItem,
    (
        ("card_class", Characters(2)),
        ("stan", Characters(6)),
        ("pan", PanCharacters(20)),
        ("amount", Characters(12)),
    ),
)


class UploadList(Struct, frozen=True):
    """Element 48 of a batch upload: at most eight items."""

    items: tuple[UploadItem, ...]


UPLOAD_LIST = Layout("48", UploadList, (("items", Listed(_ITEM, digits=2, most=ITEMS_A_MESSAGE)),))


class UploadEnd(Struct, frozen=True):
    """Element 48 of the message that ends an upload: the number of details, 4 digits."""

    details: str


UPLOAD_END = Layout("48", UploadEnd, (("details", Characters(4)),))

Element48: TypeAlias = BatchTotals | UploadList | UploadEnd

_TOTALS_LENGTH, _END_LENGTH, _LIST_HEAD, _ITEM_LENGTH = 31, 4, 2, 40


def parse_48(content: str) -> Element48:
    """Totals, a list, or the end of an upload. Raises DecodeError, LayoutUnknown among them."""
    length = len(content)
    if length in (_TOTALS_LENGTH, 2 * _TOTALS_LENGTH):
        return BATCH_TOTALS.parts_of(content)
    if length == _END_LENGTH:
        return UPLOAD_END.parts_of(content)
    if length % _ITEM_LENGTH == _LIST_HEAD:
        return UPLOAD_LIST.parts_of(content)
    raise LayoutUnknown("48", "totals, a list of items or a number of details", found_length=length)


def element_48(parts: Element48) -> str:
    """Element 48 of these parts. Raises EncodeError."""
    if isinstance(parts, BatchTotals):
        return BATCH_TOTALS.text_of(parts)
    if isinstance(parts, UploadEnd):
        return UPLOAD_END.text_of(parts)
    return UPLOAD_LIST.text_of(parts)
