"""Batch upload: what is sent about which transaction, in which order (dialect, section 6).

A message is planned once, with its number and the ids of its transactions, and stored so. Card numbers are
put in at each sending, from the encrypted columns, and are the same each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from posd.keys import SealBroken
from posd.ledger.batches import Elements, PlannedUpload, UploadKind, UploadRecord
from posd.ledger.ledger import Ledger
from posd.ledger.records import TransactionRecord
from posd.money.kinds import KINDS
from posd.money.totals import is_counted, is_foreign
from posd.settings import Configuration
from protocol.elements import Value
from protocol.private import element_60
from protocol.settlement_data import (
    ITEMS_A_MESSAGE,
    UploadEnd,
    UploadItem,
    UploadList,
    element_48,
)
from protocol.transactions import Doubt

_DOMESTIC, _FOREIGN = "00", "01"
_LIST, _END_UNBALANCED, _END_BALANCED = "201", "202", "207"  # 60.3
_MANAGEMENT: Final = "00"  # 60.1
_NOT_UPLOADED: Final = (26, 35, 36, 52, 53, 64)


class UploadPlan:
    """Makes the messages of one settlement's upload. Numbers are taken inside the present commit."""

    def __init__(self, configuration: Configuration, ledger: Ledger, batch_number: str) -> None:
        self._configuration = configuration
        self._ledger = ledger
        self._batch_number = batch_number

    def messages(
        self,
        records: Iterable[TransactionRecord],
        *,
        domestic_balanced: bool,
        foreign_balanced: bool,
    ) -> Iterator[PlannedUpload]:
        """Magstripe items, then notices, of the classes that are not balanced; then the end."""
        unbalanced = [
            foreign
            for foreign, balanced in ((False, domestic_balanced), (True, foreign_balanced))
            if not balanced
        ]
        details = 0
        unreadable: list[TransactionRecord] = []
        wanted: list[TransactionRecord] = []
        for record in records:
            if not is_counted(record) or KINDS[record.kind].side is None:
                continue
            if is_foreign(record) not in unbalanced:
                continue
            (wanted if self._has_card(record) else unreadable).append(record)
        for foreign in unbalanced:
            items = [
                record
                for record in wanted
                if not _is_notice(record) and is_foreign(record) is foreign
            ]
            details += len(items)
            for start in range(0, len(items), ITEMS_A_MESSAGE):
                yield self._list(items[start : start + ITEMS_A_MESSAGE])
        for foreign in unbalanced:
            for record in wanted:
                if _is_notice(record) and is_foreign(record) is foreign:
                    details += 1
                    yield PlannedUpload(UploadKind.NOTICE, _notice(record), (record.id,))
        for record in unreadable:
            yield PlannedUpload(UploadKind.UNREADABLE, {}, (record.id,))
        if self._configuration.settlement.end_message:
            code = _END_UNBALANCED if unbalanced else _END_BALANCED
            end = self._own(code) | {48: element_48(UploadEnd(f"{details:04d}"))}
            yield PlannedUpload(UploadKind.END, end)

    def _has_card(self, record: TransactionRecord) -> bool:
        try:
            self._ledger.transactions.card(record.id)
        except (KeyError, SealBroken):
            return False
        return True

    def _list(self, records: Iterable[TransactionRecord]) -> PlannedUpload:
        identities = tuple(record.id for record in records)
        return PlannedUpload(UploadKind.ITEMS, self._own(_LIST), identities)

    def _own(self, network_code: str) -> dict[int, str | bytes]:
        terminal = self._configuration.terminal
        return {
            11: self._ledger.counters.next_stan(),
            41: terminal.terminal_id,
            42: terminal.merchant_id,
            60: element_60(_MANAGEMENT, self._batch_number, network_code),
        }


def upload_elements(ledger: Ledger, upload: UploadRecord) -> dict[int, Value]:
    """A stored message with its card numbers, as it goes out. Raises KeyError, SealBroken."""
    elements: dict[int, Value] = dict(upload.request)
    if upload.kind is UploadKind.ITEMS:
        records = [ledger.transactions.get(identity) for identity in upload.transactions]
        items = tuple(_item(ledger, record) for record in records)
        elements[48] = element_48(UploadList(items))
    elif upload.kind is UploadKind.NOTICE:
        elements[2], elements[14] = ledger.transactions.card(upload.transactions[0])
    return elements


def _item(ledger: Ledger, record: TransactionRecord) -> UploadItem:
    pan, _expiry = ledger.transactions.card(record.id)
    card_class = _FOREIGN if is_foreign(record) else _DOMESTIC
    return UploadItem(card_class, record.stan, pan, f"{record.booked_amount:012d}")


def _notice(record: TransactionRecord) -> Elements:
    """The elements of its 0220, its own number and batch among them."""
    return {
        number: value for number, value in record.request.items() if number not in _NOT_UPLOADED
    }


def _is_notice(record: TransactionRecord) -> bool:
    """Is it uploaded with elements of its own instead of as a magstripe item?"""
    return KINDS[record.kind].row.doubt is Doubt.NOTICE
