"""The ledger: every table of one terminal behind one door."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path

from posd.core.ports import Clock, Randomness
from posd.keys import Keys
from posd.ledger.applications import Applications
from posd.ledger.backup import Backups, GoOn, whole
from posd.ledger.batches import Batches
from posd.ledger.care import Care
from posd.ledger.counters import Counters
from posd.ledger.database import Database
from posd.ledger.errors import LedgerDamaged, LedgerFailed
from posd.ledger.operators import FACTORY_OPERATORS, FACTORY_PASSWORDS, Operators
from posd.ledger.orders import Orders
from posd.ledger.outbox import Outbox
from posd.ledger.pruning import Pruning
from posd.ledger.search import Search
from posd.ledger.stores import Audit, PrintJobs, Settings
from posd.ledger.transactions import Transactions

_EPOCH = datetime(1970, 1, 1)


def milliseconds(moment: datetime) -> int:
    """A naive local time as the ledger stores it."""
    elapsed = moment - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * 1000 + elapsed.microseconds // 1000


def moment(at: int) -> datetime:
    """The reverse of milliseconds()."""
    return _EPOCH + timedelta(milliseconds=at)


class Ledger:
    """All of a terminal's memory. Reads at any time, writes inside `with ledger.commit(label):`."""

    def __init__(
        self,
        database: Database,
        keys: Keys,
        clock: Clock,
        random_bytes: Randomness,
        care: Care | None = None,
    ) -> None:
        self._database = database
        self._care = care
        self._clock = clock
        self.counters = Counters(database)
        self.batches = Batches(database)
        self.pruning = Pruning(database, lambda: moment(self.now()))
        self.settings = Settings(database)
        self.outbox = Outbox(database, self.now)
        self.orders = Orders(database, self.outbox)
        self.applications = Applications(database, self.orders, self.outbox)
        self.print_jobs = PrintJobs(database, self.now)
        self.operators = Operators(database, clock, keys)
        self.audit = Audit(database)
        self.transactions = Transactions(database, keys, self.now, random_bytes, self.outbox)
        self.search = Search(database)
        self.keys = keys
        self._random_bytes = random_bytes
        self._offset = 0
        self.host_is_ahead: int | None = None
        """Milliseconds, of this machine's clock; as the last sign-in of this process told."""
        self._newest = self.transactions.newest_time()
        batch = database.one(
            "SELECT closed_at FROM batches WHERE id = (SELECT max(id) FROM batches)"
        )
        if batch is None:
            self._create()
        elif batch["closed_at"] is not None:
            raise LedgerDamaged(f"{database.path}: no batch is open")

    @classmethod
    def open(
        cls,
        path: Path | str,
        keys: Keys,
        clock: Clock,
        random_bytes: Randomness,
        observe: Callable[[str], None] = lambda _point: None,
        backups: Backups | None = None,
    ) -> Ledger:
        """Open or create the ledger file. Raises the errors of posd.ledger.errors.

        backups gets a copy before each migration; None: a directory beside the file. A generation number
        lies beside a ledger in a file (PATH.generation) and is raised at every open; a ledger that is
        behind it was put back by hand and is marked restored (money M16).
        """
        file = _file_of(path)
        if file is None:
            return cls(Database(path, observe), keys, clock, random_bytes)
        care = Care(file)
        care.before_opening()
        copies = backups or Backups(file.parent / "backups")

        def keep_copy(connection: sqlite3.Connection, version: int) -> None:
            copies.take(whole(connection), file.stat().st_size, clock.now(), schema=version)

        def open_once() -> Ledger:
            database = Database(path, observe, keep_copy, care.failed)
            try:
                care.opened(database)
                ledger = cls(database, keys, clock, random_bytes, care)
                ledger.raise_generation(Path(f"{file}.generation"))
            except BaseException:
                database.close()
                raise
            return ledger

        try:
            return open_once()
        except LedgerFailed:
            if not care.gave_room:
                raise
        return open_once()  # the disk was full, and now there is the reserve's room

    def commit(self, label: str) -> AbstractContextManager[None]:
        """See Database.commit."""
        return self._database.commit(label)

    def now(self) -> int:
        """Business time in milliseconds: the host's clock as the last sign-in told it, never running back."""
        self._newest = max(self._newest, milliseconds(self._clock.now()) + self._offset)
        return self._newest

    def set_business_time(self, at: int) -> None:
        """The host says that it is now so late (milliseconds)."""
        self._offset = at - milliseconds(self._clock.now())
        self.host_is_ahead = self._offset

    @property
    def path(self) -> str:
        """As SQLite knows the file."""
        return self._database.path

    @property
    def is_unused(self) -> bool:
        """Has there never been a transaction or an order?"""
        row = self._database.one(
            "SELECT EXISTS (SELECT 1 FROM transactions) OR EXISTS (SELECT 1 FROM orders)"
        )
        return row is not None and not row[0]

    @property
    def commits(self) -> int:
        """How many commits this process has made."""
        return self._database.commits

    def free_space(self) -> int:
        """Bytes that new business may write; 0 while the reserve is used up. In memory: plenty."""
        return 1 << 40 if self._care is None else self._care.free_space()

    def check(self) -> None:
        """SQLite's integrity check of the whole file. Raises LedgerDamaged, LedgerFailed."""
        self._database.check()

    def look_after(self) -> None:
        """To be called now and then while nobody waits: reserve and write-ahead log. Raises LedgerFailed."""
        if self._care is not None:
            self._care.look(self._database)

    def forget_erased(self) -> bool:
        """Empty the write-ahead log: what was erased is in it as it was before (M10). False: not now."""
        return self._database.truncate_log()

    def suspect(self, reason: str) -> None:
        """Let the next start check the whole file before it is used."""
        if self._care is not None:
            self._care.suspect(reason)

    def back_up(self, backups: Backups, at: datetime, go_on: GoOn = lambda: True) -> Path:
        """A verified copy as of now. The one call that may be made from another thread.

        Raises LedgerFailed (nothing could be written; this ledger goes on working), LedgerDamaged,
        BackupAbandoned.
        """
        size = Path(self._database.path).stat().st_size
        return backups.take(self._database.copy_into, size, at, go_on=go_on)

    def close(self) -> None:
        self._database.close()

    def _create(self) -> None:
        """The first batch and the operators that every manual names."""
        with self.commit("create"):
            self._database.write("INSERT INTO batches (opened_at) VALUES (?)", (self.now(),))
            for number, role in FACTORY_OPERATORS.items():
                verifier = self.keys.verifier(FACTORY_PASSWORDS[role], self._random_bytes)
                self.operators.set_password(number, role, verifier)

    def raise_generation(self, beside: Path) -> None:
        """Compare with the number beside the ledger, then raise both, the ledger's first."""
        known = self.counters.generation
        try:
            outside = int(beside.read_text("ascii"))
        except FileNotFoundError:
            outside = known
        except ValueError:
            outside = known  # a torn write of ours: it was behind the ledger's anyway
        with self.commit("generation"):
            if outside > known:
                self.settings.put("restored", True)
                self.audit.add(self.now(), "posd", "ledger_restored", {"generation": known})
            self.counters.set_generation(max(known, outside) + 1)
        new = beside.with_suffix(".generation.new")
        try:
            with new.open("w", encoding="ascii") as file:
                file.write(f"{self.counters.generation}\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(beside)
        except OSError as error:
            raise LedgerFailed(f"cannot write {beside}: {error.strerror}") from None


def _file_of(path: Path | str) -> Path | None:
    """The file of a path or of SQLite's file: address; None for a ledger in memory."""
    if ":memory:" in str(path) or "mode=memory" in str(path):
        return None
    return Path(str(path).removeprefix("file:").partition("?")[0])
