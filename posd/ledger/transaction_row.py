"""A row of the table of transactions: its columns, its checksum, and what is made of it."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from typing import Final

from posd.ledger.pack import pack, unpack
from posd.ledger.records import State, TransactionRecord

FIXED: Final = (
    "kind", "batch", "batch_number", "stan", "amount", "operator", "supervisor", "masked_card",
    "entry_mode", "created_at", "sent_date", "original", "order_id", "request",
)  # fmt: skip
"""Columns that never change after the intent; the checksum is over them."""
CHANGEABLE: Final = frozenset({
    "answer", "approved_amount", "response_code", "retrieval_reference", "authorisation_code",
    "host_date", "host_time", "ended_at", "reversal_reason", "reversal_tries", "reversal_code",
    "host_had_none", "notice_tries", "acknowledged",
})  # fmt: skip


def sealed_name(identity: int, column: str) -> str:
    """The associated data of an encrypted column: a value that was moved to another row does not open."""
    return f"transactions/{identity}/{column}"


def checksum_holds(row: sqlite3.Row) -> bool:
    """Is everything that never changes after the intent as it was stored? Needs all columns."""
    return bool(row["checksum"] == checksum(tuple(row[name] for name in FIXED)))


def checksum(fixed: tuple[object, ...]) -> bytes:
    """Over the values of FIXED, in its order."""
    return hashlib.sha256(pack(fixed)).digest()[:16]


def assigned(columns: Mapping[str, object]) -> tuple[str, list[object]]:
    """What an UPDATE sets besides the state, with its values."""
    unknown = columns.keys() - CHANGEABLE
    assert not unknown, f"columns that never change: {sorted(unknown)}"
    values = [pack(value) if name == "answer" else value for name, value in columns.items()]
    return "".join(f", {name} = ?" for name in columns), values


def record_of(row: sqlite3.Row) -> TransactionRecord:
    """A row of the table, all columns of it."""
    return TransactionRecord(
        id=row["id"],
        kind=row["kind"],
        state=State(row["state"]),
        batch=row["batch"],
        batch_number=row["batch_number"],
        stan=row["stan"],
        amount=row["amount"],
        operator=row["operator"],
        supervisor=row["supervisor"],
        masked_card=row["masked_card"],
        entry_mode=row["entry_mode"],
        created_at=row["created_at"],
        original=row["original"],
        order=row["order_id"],
        request=_elements(row["request"]),
        answer=_elements(row["answer"]),
        approved_amount=row["approved_amount"],
        response_code=row["response_code"],
        retrieval_reference=row["retrieval_reference"],
        authorisation_code=row["authorisation_code"],
        host_date=row["host_date"],
        host_time=row["host_time"],
        ended_at=row["ended_at"],
        reversal_reason=row["reversal_reason"],
        reversal_tries=row["reversal_tries"],
        reversal_code=row["reversal_code"],
        host_had_none=bool(row["host_had_none"]),
        notice_tries=row["notice_tries"],
        acknowledged=bool(row["acknowledged"]),
    )


def _elements(data: bytes | None) -> Mapping[int, str | bytes]:
    """Stored elements; none when they cannot be read (is_whole() tells, and the case goes to a person)."""
    if data is None:
        return {}
    try:
        elements = unpack(data)
    except ValueError:
        return {}
    return elements if isinstance(elements, dict) else {}
