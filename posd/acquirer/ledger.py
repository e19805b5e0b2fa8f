"""The acquirer's own ledger: SQLite, one commit a request, readable with plain SQL (README.md).

No card number, PIN or key in clear is ever stored: cards go by the names of the test cards,
answers lose elements 2, 14, 62 and 64, working keys lie as they travelled, under the master key.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from posd.acquirer.book import Book
from posd.acquirer.schema import SCHEMA, VERSION


class LedgerVersionError(Exception):
    """The file holds a ledger of another schema version."""


@dataclass(frozen=True)
class TerminalState:
    """What the acquirer remembers of a terminal. batch: six digits, as element 60.2."""

    terminal: str
    merchant: str
    batch: str
    signed_in: bool
    wrapped_keys: bytes | None


@dataclass(frozen=True)
class Identity:
    """What makes a request a repeat of another one (dialect: what a host checks).

    Parts that a message does not carry are None. amount: fen.
    """

    terminal: str | None
    mti: str
    batch: str | None
    stan: str | None
    processing_code: str | None
    amount: int | None


@dataclass(frozen=True)
class StoredRequest:
    """A decided request and the answer that its repeats get.

    contents: what must be equal for two requests with one STAN to be the same.
    answer: elements, without 2, 14, 62 and 64.
    """

    number: int
    mti: str
    contents: str
    code: str
    answer: Mapping[int, str]


class AcquirerLedger:
    """One acquirer's memory in a file, or in memory with the path ":memory:".

    Others may read the file with plain SQL while it is open. Close it, or use it in a `with`.
    Raises LedgerVersionError for a file of another version.
    """

    def __init__(self, path: str | Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.book = Book(self.connection)
        try:
            self._prepare()
        except BaseException:
            self.connection.close()
            raise

    def _prepare(self) -> None:
        # A killed acquirer loses nothing this way; a power cut of the host is nobody's subject.
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.execute("PRAGMA foreign_keys = ON")
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            script = f"BEGIN;{SCHEMA}PRAGMA user_version = {VERSION};COMMIT;"
            self.connection.executescript(script)
        elif version != VERSION:
            raise LedgerVersionError(f"schema version {version}, expected {VERSION}")

    def close(self) -> None:
        """Close the file; idempotent."""
        self.connection.close()

    def __enter__(self) -> AcquirerLedger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def commit(self) -> Iterator[None]:
        """All writes in the block in one commit, or none when it raises."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    # Terminals

    def enrol(self, terminal: str, merchant: str, batch: str) -> None:
        """Make a terminal known; one that is known keeps its batch and keys."""
        self.connection.execute(
            "INSERT INTO terminals (terminal, merchant, batch, signed_in) VALUES (?, ?, ?, 0)"
            " ON CONFLICT (terminal) DO UPDATE SET merchant = excluded.merchant",
            (terminal, merchant, batch),
        )

    def terminal(self, terminal: str) -> TerminalState | None:
        """A terminal's state, or None for an unknown one."""
        row = self.connection.execute(
            "SELECT terminal, merchant, batch, signed_in, wrapped_keys"
            " FROM terminals WHERE terminal = ?",
            (terminal,),
        ).fetchone()
        if row is None:
            return None
        return TerminalState(row[0], row[1], row[2], bool(row[3]), row[4])

    def sign_in(self, terminal: str, wrapped_keys: bytes) -> None:
        """The terminal is signed in with these working keys (as element 62 carries them)."""
        self.connection.execute(
            "UPDATE terminals SET signed_in = 1, wrapped_keys = ? WHERE terminal = ?",
            (wrapped_keys, terminal),
        )

    def sign_off(self, terminal: str) -> None:
        """The terminal must sign in before its next request."""
        self.connection.execute(
            "UPDATE terminals SET signed_in = 0 WHERE terminal = ?", (terminal,)
        )

    def set_batch(self, terminal: str, batch: str) -> None:
        """New requests must carry this batch number (six digits) from now on."""
        self.connection.execute(
            "UPDATE terminals SET batch = ? WHERE terminal = ?", (batch, terminal)
        )

    # Requests

    def add_request(
        self, received_at: str, kind: str, identity: Identity, contents: str, outcome: str
    ) -> int:
        """Note a request that has come in; returns its number. It is not decided yet."""
        cursor = self.connection.execute(
            "INSERT INTO requests (received_at, kind, terminal, mti, batch, stan,"
            " processing_code, amount, contents, outcome, final)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (received_at, kind, *_columns(identity), contents, outcome),
        )
        return int(cursor.lastrowid or 0)

    def answer_request(
        self, number: int, code: str | None, answer: Mapping[int, str], *, final: bool
    ) -> None:
        """Note the answer to a request. final: it is decided, and repeats get the same answer."""
        self.connection.execute(
            "UPDATE requests SET code = ?, answer = ?, final = ? WHERE id = ?",
            (code, json.dumps(answer, sort_keys=True), final, number),
        )

    def mark_repeat(self, number: int, first: StoredRequest) -> None:
        """Note that a request repeats a decided one, whose answer it gets."""
        self.connection.execute(
            "UPDATE requests SET repeats = ?, code = ? WHERE id = ?",
            (first.number, first.code, number),
        )

    def tries(self, identity: Identity) -> int:
        """How many requests of an identity have come in so far, lost ones too."""
        (count,) = self.connection.execute(
            "SELECT COUNT(*) FROM requests WHERE terminal IS ? AND mti IS ? AND batch IS ?"
            " AND stan IS ? AND processing_code IS ? AND amount IS ?",
            _columns(identity),
        ).fetchone()
        return int(count)

    def decided(self, identity: Identity) -> StoredRequest | None:
        """The decided request of an identity, if there is one."""
        row = self.connection.execute(
            "SELECT id, mti, contents, code, answer FROM requests WHERE terminal IS ?"
            " AND mti IS ? AND batch IS ? AND stan IS ? AND processing_code IS ?"
            " AND amount IS ? AND final = 1 ORDER BY id DESC LIMIT 1",
            _columns(identity),
        ).fetchone()
        return None if row is None else _stored(row)

    def decided_with_stan(self, terminal: str, batch: str, stan: str) -> StoredRequest | None:
        """The decided financial request that used a STAN in a batch, if there is one."""
        row = self.connection.execute(
            "SELECT id, mti, contents, code, answer FROM requests WHERE terminal = ?"
            " AND stan = ? AND batch = ? AND mti IN ('0100', '0200', '0220') AND final = 1"
            " ORDER BY id DESC LIMIT 1",
            (terminal, stan, batch),
        ).fetchone()
        return None if row is None else _stored(row)

    # Reversals that came before their original

    def remember_reversal(self, terminal: str, batch: str, stan: str, received_at: str) -> None:
        """A reversal found no original: the original is to be declined if it ever comes."""
        self.connection.execute(
            "INSERT INTO remembered_reversals VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (terminal, batch, stan, received_at),
        )

    def reversal_remembered(self, terminal: str, batch: str, stan: str) -> bool:
        """Has a reversal of this request come before the request?"""
        row = self.connection.execute(
            "SELECT 1 FROM remembered_reversals WHERE terminal = ? AND batch = ? AND stan = ?",
            (terminal, batch, stan),
        ).fetchone()
        return row is not None

    # Wrong PINs

    def wrong_pins(self, card: str, day: str) -> int:
        """Wrong PINs of a card in a row on a day (ISO 8601); yesterday's are forgiven."""
        row = self.connection.execute(
            "SELECT wrong_pins FROM cards WHERE card = ? AND wrong_on = ?", (card, day)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def set_wrong_pins(self, card: str, day: str, count: int) -> None:
        """Note how many wrong PINs in a row a card has had on a day."""
        self.connection.execute(
            "INSERT INTO cards VALUES (?, ?, ?) ON CONFLICT (card) DO UPDATE"
            " SET wrong_pins = excluded.wrong_pins, wrong_on = excluded.wrong_on",
            (card, count, day),
        )


def _columns(identity: Identity) -> tuple[str | int | None, ...]:
    return (
        identity.terminal,
        identity.mti,
        identity.batch,
        identity.stan,
        identity.processing_code,
        identity.amount,
    )


def _stored(row: tuple[int, str, str, str, str]) -> StoredRequest:
    answer = {int(number): value for number, value in json.loads(row[4]).items()}
    return StoredRequest(row[0], row[1], row[2], row[3], answer)
