"""The transactions: a row each, moved by conditional updates, with an append-only list of steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct

from posd.keys import Keys, SealBroken
from posd.ledger.database import Database
from posd.ledger.outbox import EVENTS, Outbox
from posd.ledger.pack import pack, unpack
from posd.ledger.records import IN_DOUBT, NOT_DONE, State, StepRecord, TransactionRecord
from posd.ledger.transaction_row import (
    FIXED,
    assigned,
    checksum,
    checksum_holds,
    record_of,
    sealed_name,
)
from protocol import Pan


class Intent(Struct, frozen=True):
    """What is known of a request before its first byte leaves (money M1)."""

    kind: str
    batch_number: str
    stan: str
    amount: int
    operator: str
    supervisor: str
    account_number: Pan
    expiry: str  # YYMM
    entry_mode: str
    sent_date: str  # MMDD
    request: Mapping[int, str | bytes]  # elements that may be stored
    original: int | None = None
    order: int | None = None


class Transactions:
    """Reads at any time; every write inside a commit of the database."""

    def __init__(
        self,
        database: Database,
        keys: Keys,
        milliseconds: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        outbox: Outbox,
    ) -> None:
        self._outbox = outbox
        self._database = database
        self._keys = keys
        self._milliseconds = milliseconds
        self._random_bytes = random_bytes

    # -- writing ---------------------------------------------------------------------------------

    def add(self, intent: Intent) -> int:
        """Store an open intent in the open batch; returns its id."""
        row = self._database.one(
            "SELECT coalesce(max(id), 0) + 1, (SELECT max(id) FROM batches) FROM transactions"
        )
        assert row is not None
        identity, batch = row
        now = self._milliseconds()
        pan = intent.account_number
        fixed = (
            intent.kind, batch, intent.batch_number, intent.stan, intent.amount, intent.operator,
            intent.supervisor, pan.masked, intent.entry_mode, now, intent.sent_date,
            intent.original, intent.order, pack(intent.request),
        )  # fmt: skip
        self._database.write(
            f"""INSERT INTO transactions (id, state, {", ".join(FIXED)}, checksum, account_number, expiry)
                VALUES (?, ?{", ?" * len(FIXED)}, ?, ?, ?)""",  # noqa: S608 - constants
            (
                identity,
                State.OPEN,
                *fixed,
                checksum(fixed),
                self._seal(pan.reveal(), identity, "account_number"),
                self._seal(intent.expiry, identity, "expiry"),
            ),
        )
        self._step(identity, now, "stored", {"stan": intent.stan, "amount": intent.amount})
        return int(identity)

    def move(
        self,
        identity: int,
        before: Iterable[State],
        after: State,
        details: Mapping[str, object] | None = None,
        **columns: object,
    ) -> bool:
        """Change the state, only from one of these (money M14); False when it was in another one.

        The outbox hears of it in the same commit.
        """
        states = tuple(before)
        assignments, values = assigned(columns)
        cursor = self._database.write(
            f"""UPDATE transactions SET state = ?{assignments}
                WHERE id = ? AND state IN ({", ".join("?" * len(states))})""",  # noqa: S608 - checked names
            (after, *values, identity, *states),
        )
        if cursor.rowcount != 1:
            return False
        self._step(identity, self._milliseconds(), str(after), details or {})
        restored = after is State.APPROVED and State.COMPLETED in states
        self.tell(identity, "transaction.restored" if restored else f"transaction.{after}")
        return True

    def tell(self, identity: int, event: str, **more: object) -> None:
        """Put an event about this transaction into the outbox: those fields that the event has."""
        row = self._database.one(
            """SELECT t.*, t.id AS "transaction", o.number AS "order", p.stan AS original_stan
               FROM transactions t LEFT JOIN orders o ON o.id = t.order_id
               LEFT JOIN transactions p ON p.id = t.original WHERE t.id = ?""",
            (identity,),
        )
        assert row is not None
        known = {**dict(row), "original": row["original_stan"], **more}
        self._outbox.append(event, {name: known[name] for name in EVENTS[event]})

    def note(
        self,
        identity: int,
        what: str,
        details: Mapping[str, object] | None = None,
        **columns: object,
    ) -> None:
        """Add a step to the story, and set columns, without changing the state."""
        if columns:
            assignments, values = assigned(columns)
            self._database.write(
                f"UPDATE transactions SET {assignments.removeprefix(', ')} WHERE id = ?",  # noqa: S608 - checked names
                (*values, identity),
            )
        self._step(identity, self._milliseconds(), what, details or {})

    def acknowledge(self, *identities: int) -> None:
        """The clerk has seen how these ended."""
        for identity in identities:
            self._database.write(
                "UPDATE transactions SET acknowledged = 1 WHERE id = ?", (identity,)
            )

    def _step(self, identity: int, at: int, what: str, details: Mapping[str, object]) -> None:
        self._database.write(
            "INSERT INTO steps (transaction_id, at, what, details) VALUES (?, ?, ?, ?)",
            (identity, at, what, pack(details)),
        )

    # -- reading ---------------------------------------------------------------------------------

    def get(self, identity: int) -> TransactionRecord:
        """Raises KeyError."""
        return self._database.remembered(("transaction", identity), lambda: self._get(identity))

    def _get(self, identity: int) -> TransactionRecord:
        row = self._database.one("SELECT * FROM transactions WHERE id = ?", (identity,))
        if row is None:
            raise KeyError(identity)
        return record_of(row)

    def by_stan(self, stan: str) -> TransactionRecord | None:
        """The transaction with this voucher number: of the open batch, else the newest."""
        row = self._database.one(
            "SELECT * FROM transactions WHERE stan = ? ORDER BY id DESC LIMIT 1", (stan,)
        )
        return None if row is None else record_of(row)

    def last(self, kind: str, *states: State) -> TransactionRecord | None:
        """The newest of a kind in one of these states (by default: approved)."""
        wanted = states or (State.APPROVED,)
        row = self._database.one(
            f"""SELECT * FROM transactions WHERE kind = ? AND state IN ({", ".join("?" * len(wanted))})
                ORDER BY id DESC LIMIT 1""",  # noqa: S608 - placeholders only
            (kind, *wanted),
        )
        return None if row is None else record_of(row)

    def in_states(self, *states: State) -> list[TransactionRecord]:
        """All in these states, oldest first. Cheap for states in doubt; others read the whole table."""
        if IN_DOUBT.issuperset(states):
            question = ("in_states", *states)
            return [*self._database.remembered(question, lambda: self._in_doubt(states))]
        rows = self._database.all(
            f"""SELECT * FROM transactions WHERE state IN ({", ".join("?" * len(states))})
                ORDER BY id""",  # noqa: S608 - placeholders only
            states,
        )
        return [record_of(row) for row in rows]

    def count(self, *states: State) -> int:
        """How many are in these states in doubt."""
        return len(self._numbers_in_doubt(states))

    def count_for_a_person(self) -> int:
        """Pending notices, and unresolved cases that nobody has closed."""
        return self._database.remembered("for_a_person", self._count_for_a_person)

    def _count_for_a_person(self) -> int:
        unresolved = self._numbers_in_doubt((State.UNRESOLVED,))
        closed = [identity for identity in unresolved if self.verdict(identity) is not None]
        return self.count(State.PENDING) + len(unresolved) - len(closed)

    def _in_doubt(self, states: tuple[State, ...]) -> list[TransactionRecord]:
        return [self.get(identity) for identity in self._numbers_in_doubt(states)]

    def _numbers_in_doubt(self, states: tuple[State, ...]) -> list[int]:
        """Their ids, oldest first. Read once for all questions about them: they are few, most often none."""
        rows = self._database.remembered("in_doubt", self._rows_in_doubt)
        return [row["id"] for row in rows if row["state"] in states]

    def _rows_in_doubt(self) -> list[sqlite3.Row]:
        # The partial index's own condition, word for word: SQLite takes it for nothing less.
        return self._database.all(
            """SELECT id, state FROM transactions
               WHERE state IN ('open', 'reversing', 'pending', 'unresolved') ORDER BY id"""
        )

    def of_order(self, order: int) -> list[TransactionRecord]:
        """Every attempt to pay it, oldest first."""
        rows = self._database.all(
            "SELECT * FROM transactions WHERE order_id = ? ORDER BY id", (order,)
        )
        return [record_of(row) for row in rows]

    def in_batch(self, batch: int) -> Iterator[TransactionRecord]:
        """Everything that was begun in a batch (the ledger's identity of it), oldest first.

        One by one: five hundred at once are three megabytes that a settlement would leave behind.
        """
        rows = self._database.each(
            "SELECT * FROM transactions WHERE batch = ? ORDER BY id", (batch,)
        )
        return map(record_of, rows)

    def is_whole(self, identity: int) -> bool:
        """Does the intent's checksum hold, and do its stored elements open?"""
        row = self._database.one("SELECT * FROM transactions WHERE id = ?", (identity,))
        if row is None or not checksum_holds(row):
            return False
        try:
            self.card(identity)
            unpack(row["request"])
        except (KeyError, SealBroken, ValueError):
            return False
        return True

    def card(self, identity: int) -> tuple[Pan, str]:
        """Account number and expiry (YYMM). Raises KeyError once erased, SealBroken when damaged."""
        row = self._database.one(
            "SELECT account_number, expiry FROM transactions WHERE id = ?", (identity,)
        )
        if row is None or row["account_number"] is None:
            raise KeyError(identity)
        number = self._keys.open(row["account_number"], sealed_name(identity, "account_number"))
        expiry = self._keys.open(row["expiry"], sealed_name(identity, "expiry"))
        return Pan(number.decode("ascii")), expiry.decode("ascii")

    def erase_cards(self) -> None:
        """No card number stays, whatever its transaction has become; only first 6 and last 4 do."""
        self._database.write(
            "UPDATE transactions SET account_number = NULL, expiry = NULL"
            " WHERE account_number IS NOT NULL"
        )

    def sent_date(self, identity: int) -> str:
        """MMDD: the host's date, as far as it was known, when the request was stored."""
        row = self._database.one("SELECT sent_date FROM transactions WHERE id = ?", (identity,))
        if row is None:
            raise KeyError(identity)
        return str(row["sent_date"])

    def steps(self, identity: int) -> list[StepRecord]:
        """The story so far, oldest first."""
        rows = self._database.all(
            "SELECT at, what, details FROM steps WHERE transaction_id = ? ORDER BY id", (identity,)
        )
        return [StepRecord(row["at"], row["what"], unpack(row["details"])) for row in rows]

    def last_unacknowledged(self) -> TransactionRecord | None:
        """The newest transaction whose end no clerk has seen."""
        return self._database.remembered("last_unacknowledged", self._last_unacknowledged)

    def _last_unacknowledged(self) -> TransactionRecord | None:
        row = self._database.one(
            "SELECT * FROM transactions WHERE acknowledged = 0 ORDER BY id DESC LIMIT 1"
        )
        return None if row is None else record_of(row)

    def unsettled_count(self) -> int:
        """Transactions of the open batch that settlement will hold."""
        return self._database.remembered("unsettled", self._count_unsettled)

    def _count_unsettled(self) -> int:
        row = self._database.one(
            """SELECT count(*) FROM transactions
               WHERE batch = (SELECT max(id) FROM batches) AND kind <> 'balance_inquiry'
               AND state IN ('approved', 'voided', 'completed')"""
        )
        assert row is not None
        return int(row[0])

    def count_by_state(self) -> dict[State, int]:
        """How many there are in each; reads all of them: for a terminal that is stopped."""
        rows = self._database.all(
            "SELECT state, count(*) AS found FROM transactions GROUP BY state"
        )
        return {State(row["state"]): row["found"] for row in rows}

    def locked_by(self, original: int) -> TransactionRecord | None:
        """What is about it and open, reversing, pending or unresolved (money M8).

        An unresolved one holds it until a person has closed its case as not done.
        """
        rows = self._database.all(
            "SELECT * FROM transactions WHERE original = ? ORDER BY id", (original,)
        )
        return next((record_of(row) for row in rows if self._counts_in_doubt(row)), None)

    def refunded(self, original: int) -> int:
        """Fen of its refunds: approved ones, and those in doubt, which count at once (money M15).

        One that a person has closed as not done counts no longer.
        """
        rows = self._database.all(
            "SELECT id, amount, state FROM transactions WHERE original = ? AND kind = 'refund'",
            (original,),
        )
        return sum(
            row["amount"]
            for row in rows
            if row["state"] == State.APPROVED or self._counts_in_doubt(row)
        )

    def verdict(self, identity: int) -> str | None:
        """What a person has closed its case with; None: nobody has."""
        return self._database.remembered(("verdict", identity), lambda: self._verdict(identity))

    def _verdict(self, identity: int) -> str | None:
        row = self._database.one(
            """SELECT details FROM steps WHERE transaction_id = ? AND what = 'case_closed'
               ORDER BY id LIMIT 1""",
            (identity,),
        )
        return None if row is None else str(unpack(row["details"]).get("verdict", ""))

    def _counts_in_doubt(self, row: sqlite3.Row) -> bool:
        state = State(row["state"])
        if state is State.UNRESOLVED:
            return self.verdict(row["id"]) != NOT_DONE
        return state in IN_DOUBT

    def similar(self, pan: Pan, amount: int, since: int) -> TransactionRecord | None:
        """The newest approved sale with this card and amount stored at or after since (milliseconds)."""
        rows = self._database.all(
            """SELECT * FROM transactions WHERE kind = 'sale' AND state = 'approved' AND amount = ?
               AND masked_card = ? AND created_at >= ? ORDER BY id DESC""",
            (amount, pan.masked, since),
        )
        for row in rows:
            try:
                if self.card(row["id"])[0] == pan:
                    return record_of(row)
            except (KeyError, SealBroken):
                continue
        return None

    def newest_time(self) -> int:
        """Milliseconds of the newest entry; 0 in an empty ledger."""
        row = self._database.one("SELECT at FROM steps WHERE id = (SELECT max(id) FROM steps)")
        return 0 if row is None else int(row["at"])

    def _seal(self, plain: str, identity: int, column: str) -> bytes:
        return self._keys.seal(
            plain.encode("ascii"), sealed_name(identity, column), self._random_bytes
        )
