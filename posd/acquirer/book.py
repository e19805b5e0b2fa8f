"""The part of the acquirer's ledger that is about money: transactions, totals, settlements."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, fields

STANDING = ("approved", "voided")  # states in which a transaction's money counts


@dataclass(frozen=True)
class Transaction:
    """One financial request that was decided. Amounts in fen; see the schema for each column."""

    request: int
    kind: str
    terminal: str
    batch: str
    stan: str
    processing_code: str
    card: str | None
    masked_number: str
    amount_requested: int
    amount: int
    direction: int
    state: str
    code: str
    reference: str
    authorisation: str | None
    date: str
    foreign_card: bool
    original: int | None = None
    settlement: int | None = None
    number: int = 0  # the ledger gives it

    @property
    def approved(self) -> bool:
        """Is the money as this transaction left it, not voided, completed or reversed since?"""
        return self.state == "approved"


_COLUMNS = tuple(field.name for field in fields(Transaction) if field.name != "number")
_SELECT = f"SELECT {', '.join(_COLUMNS)}, id FROM transactions "  # noqa: S608  (names of fields)
_INSERT = (
    f"INSERT INTO transactions ({', '.join(_COLUMNS)})"  # noqa: S608
    f" VALUES ({', '.join('?' * len(_COLUMNS))})"
)


@dataclass(frozen=True)
class Totals:
    """Totals of one card class as element 48 of a settlement counts them; amounts in fen."""

    debit: int = 0
    debit_count: int = 0
    credit: int = 0
    credit_count: int = 0


@dataclass(frozen=True)
class Settlement:
    """One settlement. last_transaction: transactions up to this number belong to it."""

    number: int
    terminal: str
    batch: str
    last_transaction: int
    terminal_totals: str
    host_totals: str


class Book:
    """Reads and writes of transactions and settlements; the caller holds the commit."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def add(self, transaction: Transaction) -> int:
        """Enter a transaction; returns its number."""
        values = [getattr(transaction, name) for name in _COLUMNS]
        return int(self.connection.execute(_INSERT, values).lastrowid or 0)

    def set_state(self, number: int, state: str) -> None:
        """Move a transaction to another state."""
        self.connection.execute("UPDATE transactions SET state = ? WHERE id = ?", (state, number))

    def by_number(self, number: int) -> Transaction:
        """The transaction with this number, which must exist."""
        found = self._find("WHERE id = ?", number)
        assert found is not None
        return found

    def by_stan(self, terminal: str, batch: str, stan: str) -> Transaction | None:
        """The newest transaction of a batch that used a STAN."""
        return self._find(
            "WHERE terminal = ? AND stan = ? AND batch = ? ORDER BY id DESC LIMIT 1",
            *(terminal, stan, batch),
        )

    def unsettled_by_stan(self, terminal: str, stan: str) -> Transaction | None:
        """The newest unsettled transaction that used a STAN, whatever its batch number was."""
        return self._find(
            "WHERE terminal = ? AND stan = ? AND settlement IS NULL ORDER BY id DESC LIMIT 1",
            *(terminal, stan),
        )

    def by_reference(self, terminal: str, reference: str) -> Transaction | None:
        """The transaction that was answered with this element 37."""
        return self._find(
            "WHERE terminal = ? AND reference = ? ORDER BY id DESC LIMIT 1", terminal, reference
        )

    def by_authorisation(self, terminal: str, authorisation: str, date: str) -> Transaction | None:
        """The pre-authorisation that was answered with this element 38 on this date (MMDD)."""
        return self._find(
            "WHERE terminal = ? AND authorisation = ? AND date = ?"
            " AND kind = 'pre_authorisation' AND state <> 'declined' ORDER BY id DESC LIMIT 1",
            *(terminal, authorisation, date),
        )

    def refunded(self, original: int) -> int:
        """Fen given back of a transaction so far."""
        (total,) = self.connection.execute(
            "SELECT COALESCE(SUM(amount), 0) FROM transactions"
            " WHERE original = ? AND kind = 'refund' AND state = 'approved'",
            (original,),
        ).fetchone()
        return int(total)

    def spent(self, card: str) -> int:
        """Fen that a card has paid and not got back."""
        (total,) = self.connection.execute(
            "SELECT COALESCE(SUM(direction * amount), 0) FROM transactions"
            " WHERE card = ? AND state IN (?, ?)",
            (card, *STANDING),
        ).fetchone()
        return int(total)

    def net(self, terminal: str) -> int:
        """Fen that the acquirer owes the terminal's merchant: debits less credits."""
        row = self.connection.execute(
            "SELECT net FROM net_money WHERE terminal = ?", (terminal,)
        ).fetchone()
        return 0 if row is None else int(row[0])

    # Settlement

    def open_totals(self, terminal: str, *, foreign: bool) -> Totals:
        """Totals of a terminal's unsettled transactions of a card class.

        A voided sale counts in both: the sale as debit, its void as credit.
        """
        row = self.connection.execute(
            "SELECT COALESCE(SUM(CASE direction WHEN 1 THEN amount END), 0), COUNT(CASE direction"
            " WHEN 1 THEN 1 END), COALESCE(SUM(CASE direction WHEN -1 THEN amount END), 0),"
            " COUNT(CASE direction WHEN -1 THEN 1 END) FROM transactions"
            " WHERE terminal = ? AND settlement IS NULL AND foreign_card = ? AND state IN (?, ?)",
            (terminal, foreign, *STANDING),
        ).fetchone()
        return Totals(*row)

    def open_settlement(self, terminal: str) -> Settlement | None:
        """The settlement that a terminal has begun and not ended, the newest one."""
        row = self.connection.execute(
            "SELECT id, terminal, batch, last_transaction, terminal_totals, host_totals"
            " FROM settlements WHERE terminal = ? AND state = 'open' ORDER BY id DESC LIMIT 1",
            (terminal,),
        ).fetchone()
        return None if row is None else Settlement(*row)

    def begin_settlement(
        self, terminal: str, batch: str, terminal_totals: str, host_totals: str
    ) -> None:
        """Note a settlement over everything that the terminal has unsettled now."""
        self.connection.execute(
            "INSERT INTO settlements (terminal, batch, last_transaction, terminal_totals,"
            " host_totals, state) SELECT ?, ?, COALESCE(MAX(id), 0), ?, ?, 'open'"
            " FROM transactions WHERE terminal = ?",
            (terminal, batch, terminal_totals, host_totals, terminal),
        )

    def close_settlement(self, settlement: Settlement) -> None:
        """End a settlement: its transactions are settled."""
        self.connection.execute(
            "UPDATE transactions SET settlement = ?"
            " WHERE terminal = ? AND settlement IS NULL AND id <= ?",
            (settlement.number, settlement.terminal, settlement.last_transaction),
        )
        self.connection.execute(
            "UPDATE settlements SET state = 'closed' WHERE terminal = ?", (settlement.terminal,)
        )

    def add_upload(self, settlement: Settlement, stan: str, amount: int, *, known: bool) -> None:
        """Note one uploaded item. known: the same transaction is in this ledger."""
        self.connection.execute(
            "INSERT INTO uploads (settlement, stan, amount, known) VALUES (?, ?, ?, ?)",
            (settlement.number, stan, amount, known),
        )

    def _find(self, where: str, *values: str | int) -> Transaction | None:
        row = self.connection.execute(_SELECT + where, values).fetchone()
        if row is None:
            return None
        by_name = dict(zip((*_COLUMNS, "number"), row, strict=True))
        by_name["foreign_card"] = bool(by_name["foreign_card"])
        return Transaction(**by_name)
