"""The ledger for people and their programs: JSON or CSV, without sealed values, keys or passwords.

Amounts are in fen; times are local, ISO 8601. Columns are named here one by one, so that a column of
tomorrow does not leave the house unseen.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from io import StringIO
from typing import Any, Final

from posd.ledger.pack import unpack

TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "batches": ("id", "opened_at", "closed_at"),
    "orders": (
        "id", "batch", "number", "amount", "paid", "means", "state", "operator", "created_at", "held_at",
        "label", "aged_minutes", "closed_at", "closed_by", "reason",
    ),
    "order_steps": ("id", "order_id", "at", "what", "operator", "supervisor", "reason", "amount"),
    "order_applications": (
        "id", "order_id", "what", "amount", "reason", "operator", "at", "verdict", "supervisor",
        "decided_at", "refusal",
    ),
    "transactions": (
        "id", "kind", "state", "batch", "batch_number", "stan", "amount", "approved_amount", "operator",
        "supervisor", "masked_card", "entry_mode", "created_at", "sent_date", "ended_at", "original",
        "order_id", "response_code", "retrieval_reference", "authorisation_code", "host_date", "host_time",
        "reversal_reason", "reversal_tries", "reversal_code", "notice_tries", "acknowledged",
        "request", "answer",
    ),
    "steps": ("id", "transaction_id", "at", "what", "details"),
    "audit": ("id", "at", "who", "what", "details"),
    "outbox": ("number", "at", "name", "body"),
}  # fmt: skip
"""Table and columns, in the order in which they are written."""

_TIMES: Final = frozenset(
    {"at", "opened_at", "closed_at", "created_at", "ended_at", "held_at", "decided_at"}
)
_PACKED: Final = frozenset({"details", "request", "answer", "body"})
_EPOCH: Final = datetime(1970, 1, 1)


def to_json(connection: sqlite3.Connection) -> Iterator[str]:
    """One JSON object, a list a table, in pieces of a line."""
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    yield f'{{"schema": {schema}'
    for table in TABLES:
        yield f',\n"{table}": ['
        separator = "\n"
        for row in _rows(connection, table):
            yield separator + json.dumps(row, ensure_ascii=False)
            separator = ",\n"
        yield "]"
    yield "}\n"


def to_csv(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    """One table, a heading first; structured values as JSON. Raises KeyError for a table there is not."""
    yield _csv_line(TABLES[table])
    for row in _rows(connection, table):
        yield _csv_line(
            json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
            for value in row.values()
        )


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    columns = TABLES[table]
    statement = f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1"  # noqa: S608 - names of ours
    for row in connection.execute(statement):
        yield {name: _plain(name, value) for name, value in zip(columns, tuple(row), strict=True)}


def _plain(name: str, value: object) -> object:
    if value is None:
        return None
    if name in _TIMES and isinstance(value, int):
        return (_EPOCH + timedelta(milliseconds=value)).isoformat(timespec="milliseconds")
    if name in _PACKED and isinstance(value, bytes):
        try:
            return _readable(unpack(value))
        except ValueError:
            return {"unreadable": len(value)}
    return value


def _readable(value: object) -> object:
    """CBOR's values as JSON has them; bytes as hex digits."""
    if isinstance(value, dict):
        return {str(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_readable(item) for item in value]
    return value.hex().upper() if isinstance(value, bytes) else value


def _csv_line(values: Iterable[object]) -> str:
    line = StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()
