"""Batches: the steps of a settlement, and the one commit that closes a batch.

A batch is the ledger's own identity; the number on the wire is another thing. At any time the newest batch
is open, and at most one settlement is unfinished, which is of that batch.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from posd.ledger.database import Database
from posd.ledger.pack import pack, unpack

Elements = Mapping[int, str | bytes]


class SettlementState(StrEnum):
    """What the host's answers have brought so far."""

    BEGUN = "begun"  # the 0500 may have been sent, and has no answer that counts
    ANSWERED = "answered"  # the host's totals are here; uploads go on
    CLOSED = "closed"


class UploadKind(StrEnum):
    """One message of a batch upload, or what could not become one."""

    ITEMS = "items"  # up to eight magstripe items
    NOTICE = "notice"  # a refund or a completion notice with its own elements
    UNREADABLE = (
        "unreadable"  # its card number cannot be opened: nothing is sent, a person has to know
    )
    END = "end"


class SettlementRecord(Struct, frozen=True):
    """One settlement. totals: plain values of what the terminal counted; answer: 48 of the 0510."""

    id: int
    batch: int
    batch_number: str
    state: SettlementState
    operator: str
    begun_at: int
    request: Elements
    totals: Mapping[str, object]
    tries: int
    response_code: str
    answer: str
    next_batch_number: str
    closed_at: int | None
    closed_by: str


class PlannedUpload(Struct, frozen=True):
    """A message to come: its elements without 2, 14 and items, and the transactions it is about."""

    kind: UploadKind
    request: Elements
    transactions: tuple[int, ...] = ()


class UploadRecord(Struct, frozen=True):
    """One message of an upload, as far as it has come."""

    id: int
    settlement: int
    kind: UploadKind
    request: Elements
    transactions: tuple[int, ...]
    tries: int
    response_code: str
    done_at: int | None


class Batches:
    """Reads at any time; every write inside a commit of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- the steps of a settlement ---------------------------------------------------------------

    def begin(
        self,
        batch_number: str,
        operator: str,
        request: Elements,
        totals: Mapping[str, object],
        at: int,
    ) -> int:
        """A settlement of the open batch, tried once; returns its id."""
        cursor = self._database.write(
            """INSERT INTO settlements
               (batch, batch_number, state, operator, begun_at, request, totals, tries)
               VALUES ((SELECT max(id) FROM batches), ?, 'begun', ?, ?, ?, ?, 1)""",
            (batch_number, operator, at, pack(request), pack(totals)),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def tried(self, settlement: int) -> None:
        """Its 0500 goes out once more."""
        self._database.write("UPDATE settlements SET tries = tries + 1 WHERE id = ?", (settlement,))

    def refused(self, settlement: int, code: str) -> None:
        """The host answered, and it ends nothing."""
        self._database.write(
            "UPDATE settlements SET response_code = ? WHERE id = ?", (code, settlement)
        )

    def answered(
        self, settlement: int, code: str, answer: str, uploads: Iterable[PlannedUpload], at: int
    ) -> None:
        """The host's totals, and everything that is to be uploaded because of them, in its order."""
        cursor = self._database.write(
            """UPDATE settlements SET state = 'answered', response_code = ?, answer = ?
               WHERE id = ? AND state = 'begun'""",
            (code, answer, settlement),
        )
        assert cursor.rowcount == 1, "an answer for a settlement that waits for none"
        for upload in uploads:
            self._database.write(
                """INSERT INTO uploads (settlement, kind, request, transactions, done_at)
                   VALUES (?, ?, ?, ?, ?)""",
                (
                    settlement,
                    upload.kind,
                    pack(upload.request),
                    pack(upload.transactions),
                    at if upload.kind is UploadKind.UNREADABLE else None,
                ),
            )

    def upload_tried(self, upload: int) -> None:
        """This message goes out, or out again."""
        self._database.write("UPDATE uploads SET tries = tries + 1 WHERE id = ?", (upload,))

    def upload_done(self, upload: int, code: str, at: int) -> None:
        """The host answered it; another code than 00 is an item that it declined."""
        self._database.write(
            "UPDATE uploads SET response_code = ?, done_at = ? WHERE id = ? AND done_at IS NULL",
            (code, at, upload),
        )

    def keep_batch_number(self, number: str) -> None:
        """A sign-in came during a settlement: its batch number is for the time after it."""
        self._database.write(
            """UPDATE settlements
               SET next_batch_number = CASE WHEN batch_number = ?1 THEN '' ELSE ?1 END
               WHERE state <> 'closed'""",
            (number,),
        )

    def close(self, settlement: int, at: int, closed_by: str = "") -> None:
        """The batch is closed, a new one is open, and what card numbers nobody needs any more are erased.

        A number stays only where its transaction is still a case; forget_card() takes it later.
        """
        cursor = self._database.write(
            """UPDATE settlements SET state = 'closed', closed_at = ?, closed_by = ?
               WHERE id = ? AND state <> 'closed'""",
            (at, closed_by, settlement),
        )
        assert cursor.rowcount == 1, "a settlement is closed once"
        self._database.write(
            "UPDATE batches SET closed_at = ? WHERE id = (SELECT max(id) FROM batches)", (at,)
        )
        self._database.write(
            """UPDATE transactions SET account_number = NULL, expiry = NULL
               WHERE batch = (SELECT max(id) FROM batches) AND account_number IS NOT NULL
               AND (state <> 'unresolved' OR EXISTS (SELECT 1 FROM steps
                    WHERE transaction_id = transactions.id AND what = 'case_closed'))"""
        )
        self._database.write("INSERT INTO batches (opened_at) VALUES (?)", (at,))

    def forget_card(self, transaction: int) -> None:
        """A case of a closed batch is closed: its card number goes too."""
        self._database.write(
            """UPDATE transactions SET account_number = NULL, expiry = NULL
               WHERE id = ? AND batch < (SELECT max(id) FROM batches)""",
            (transaction,),
        )

    # -- reading ---------------------------------------------------------------------------------

    def unfinished(self) -> SettlementRecord | None:
        """The settlement that was begun and not ended: no financial request leaves meanwhile."""
        return self._database.remembered("unfinished_settlement", self._unfinished)

    def _unfinished(self) -> SettlementRecord | None:
        row = self._database.one(
            "SELECT * FROM settlements WHERE state <> 'closed' ORDER BY id DESC LIMIT 1"
        )
        return None if row is None else _settlement(row)

    def get(self, settlement: int) -> SettlementRecord:
        """Raises KeyError."""
        row = self._database.one("SELECT * FROM settlements WHERE id = ?", (settlement,))
        if row is None:
            raise KeyError(settlement)
        return _settlement(row)

    def last_closed(self) -> SettlementRecord | None:
        """The newest settlement that is over."""
        row = self._database.one(
            "SELECT * FROM settlements WHERE state = 'closed' ORDER BY id DESC LIMIT 1"
        )
        return None if row is None else _settlement(row)

    def time_of(self, batch: int) -> tuple[int, int]:
        """When it was opened, and when it was closed. Raises KeyError for one that is open or unknown."""
        row = self._database.one(
            "SELECT opened_at, closed_at FROM batches WHERE id = ? AND closed_at IS NOT NULL",
            (batch,),
        )
        if row is None:
            raise KeyError(batch)
        return row["opened_at"], row["closed_at"]

    def uploads(self, settlement: int) -> list[UploadRecord]:
        """Every message of its upload, in the order in which they go out."""
        rows = self._database.all(
            "SELECT * FROM uploads WHERE settlement = ? ORDER BY id", (settlement,)
        )
        return [_upload(row) for row in rows]

    def oldest_unsettled(self) -> int | None:
        """When the first transaction of the open batch that settlement will hold was begun; None: no such."""
        row = self._database.one(
            """SELECT min(created_at) AS oldest FROM transactions
               WHERE batch = (SELECT max(id) FROM batches) AND kind <> 'balance_inquiry'
               AND state IN ('approved', 'voided', 'completed')"""
        )
        return None if row is None or row["oldest"] is None else int(row["oldest"])

    def cancelled_orders(self, batch: int) -> list[tuple[str, str, int]]:
        """Orders cancelled while the batch was open: operator, supervisor, fen."""
        time = self._database.one("SELECT opened_at, closed_at FROM batches WHERE id = ?", (batch,))
        if time is None:
            return []
        until = 1 << 62 if time["closed_at"] is None else time["closed_at"]  # open: for ever
        rows = self._database.all(
            """SELECT s.operator, s.supervisor, o.amount FROM orders o
               JOIN order_steps s ON s.id = (SELECT max(id) FROM order_steps
                   WHERE order_id = o.id AND what = 'cancelled')
               WHERE o.closed_at IS NOT NULL AND o.closed_at >= ? AND o.closed_at <= ?
               AND o.state = 'cancelled' ORDER BY o.closed_at, o.id""",
            (time["opened_at"], until),
        )
        return [(row["operator"], row["supervisor"], row["amount"]) for row in rows]


def _settlement(row: sqlite3.Row) -> SettlementRecord:
    return SettlementRecord(
        id=row["id"],
        batch=row["batch"],
        batch_number=row["batch_number"],
        state=SettlementState(row["state"]),
        operator=row["operator"],
        begun_at=row["begun_at"],
        request=unpack(row["request"]),
        totals=unpack(row["totals"]),
        tries=row["tries"],
        response_code=row["response_code"],
        answer=row["answer"],
        next_batch_number=row["next_batch_number"],
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
    )


def _upload(row: sqlite3.Row) -> UploadRecord:
    return UploadRecord(
        id=row["id"],
        settlement=row["settlement"],
        kind=UploadKind(row["kind"]),
        request=unpack(row["request"]),
        transactions=tuple(unpack(row["transactions"])),
        tries=row["tries"],
        response_code=row["response_code"],
        done_at=row["done_at"],
    )
