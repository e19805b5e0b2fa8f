"""Moving house: a terminal's ledger to a replacement terminal, and the end of a terminal. No daemon runs.

The order is what keeps two terminals from trading with one ledger, wherever the power fails:

    out   1 the ledger is retired, with the archive's id, in one commit
          2 the archive is written, read back, and gets its name: it never exists before 1 is on the disk
          a second try goes on with the same id
    in    1 the archive is read as a whole and sealed anew for this terminal, beside the ledger
          2 it takes the ledger's place, by one rename; it says itself from which archive it came
          3 the id is remembered in a file that outlives the ledger

What arrives is a restore (money M16): everything in doubt is unresolved, and the terminal stays closed until
a supervisor has confirmed the list.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec import Struct

from posd.core.ports import PasswordVerifier
from posd.keys import Keys, SealBroken
from posd.ledger.backup import give_to_owner, strip, sync, verify, whole
from posd.ledger.errors import LedgerFailed, LedgerTooNew
from posd.ledger.inspection import reading
from posd.ledger.ledger import Ledger, milliseconds, moment
from posd.ledger.operators import ADMINISTRATOR, SUPERVISOR
from posd.ledger.pack import pack
from posd.ledger.records import State
from posd.ledger.reserve import free_bytes
from posd.ledger.restoring import put_in_place
from posd.ledger.retirement import SETTING, retire, retired_mark, retirement_of
from posd.ledger.schema import MIGRATIONS
from posd.ledger.transaction_row import sealed_name
from posd.moving_archive import (
    ArchiveError,
    Contents,
    check_passphrase,
    digest_of,
    read_archive,
    read_header,
    write_archive,
)
from protocol import Key

ARRIVED: Final = "moved_from"
_SEALED: Final = ("account_number", "expiry")
_ID_BYTES: Final = 8
_NAMED_AT_MOST: Final = 10  # vouchers in one line
Observe = Callable[[str], None]


class MoveRefused(Exception):
    """Why it was not done; nothing has changed. One line, with what to do."""


class MovedOut(Struct, frozen=True):
    """archive: its id. given_up: vouchers in doubt. lost_cards: sealed numbers that did not open."""

    archive: str
    given_up: tuple[str, ...]
    lost_cards: int


class MovedIn(Struct, frozen=True):
    """without_password: cashiers who need a new one. kept: where the ledger that was there lies now."""

    archive: str
    transactions: int
    unresolved: int
    without_password: tuple[str, ...]
    kept: Path | None


# --- out ------------------------------------------------------------------------------------------


def obstacles(ledger: Ledger) -> list[str]:
    """What speaks against moving or closing this terminal now, in words."""
    transactions = ledger.transactions
    found = []
    doubtful = transactions.in_states(State.OPEN, State.REVERSING, State.PENDING)
    if doubtful:
        named = ", ".join(record.stan for record in doubtful[:_NAMED_AT_MOST])
        found.append(f"{len(doubtful)} transactions are not decided (voucher {named})")
    if ledger.batches.unfinished() is not None:
        found.append("a settlement is not finished")
    elif count := transactions.unsettled_count():
        found.append(f"batch {ledger.counters.batch_number} is open with {count} transactions")
    return found


def move_out(
    ledger: Ledger,
    terminal: tuple[str, str],
    archive: Path,
    passphrase: str,
    random_bytes: Callable[[int], bytes],
    *,
    force: bool = False,
    observe: Observe = lambda _step: None,
) -> MovedOut:
    """Retire this ledger and write it into an archive; closes the ledger. terminal: its id, its merchant's.

    Repeated after a power cut it ends what was begun. force: although something is not decided or settled.
    observe hears of each step when it is on the disk. Raises MoveRefused, ArchiveError, LedgerError, OSError.
    """
    file = Path(ledger.path)
    try:
        check_passphrase(passphrase)
        if archive.exists():
            raise MoveRefused(f"{archive}: there is such a file already; nothing is overwritten")
        before = retirement_of(ledger)
        if before is not None and before.why == "closed":
            raise MoveRefused("this terminal was closed for good; nothing of it is moved")
        if before is None and (found := obstacles(ledger)) and not force:
            raise MoveRefused(
                f"{'; '.join(found)}: let the terminal finish and settle, or use --force: then what is not"
                " decided is left to a person at the other terminal"
            )
        for directory in (file.parent, archive.absolute().parent):
            if free_bytes(directory) < 2 * file.stat().st_size:
                raise MoveRefused(f"{directory}: not enough room for two copies of the ledger")
        given_up = tuple(
            record.stan
            for record in ledger.transactions.in_states(State.OPEN, State.REVERSING, State.PENDING)
        )
        if before is None:
            retire(ledger, "moved", random_bytes(_ID_BYTES).hex())
            observe("retired")
        mark_retired(file)
        retirement = retirement_of(ledger)
        assert retirement is not None
        keys = ledger.keys
    finally:
        ledger.close()
    copy = file.with_name(f"{file.name}.leaving")
    travelling = Keys(random_bytes(32), Key(bytes(16)))
    try:
        lost = _copy_for_the_road(file, copy, keys, travelling, random_bytes)
        observe("copied")
        contents = Contents(
            retirement.archive,
            *terminal,
            len(MIGRATIONS),
            retirement.at,
            travelling.device,
            copy.stat().st_size,
            digest_of(copy),
        )
        unfinished = archive.with_name(f"{archive.name}.part")
        unfinished.unlink(missing_ok=True)
        write_archive(unfinished, contents, copy, passphrase, random_bytes)
        observe("written")
        read_archive(unfinished, passphrase, None)
        unfinished.replace(archive)
        sync(archive.absolute().parent)
        observe("named")
    finally:
        copy.unlink(missing_ok=True)
    return MovedOut(retirement.archive, given_up, lost)


def mark_retired(file: Path) -> None:
    """The mark beside the ledger, on the disk. Raises OSError."""
    mark = retired_mark(file)
    mark.touch(mode=0o600)
    sync(mark.parent)


def _copy_for_the_road(
    file: Path, copy: Path, keys: Keys, travelling: Keys, random_bytes: Callable[[int], bytes]
) -> int:
    """A whole copy whose card numbers are sealed under another key; how many could not be opened."""
    copy.unlink(missing_ok=True)
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with reading(file) as source, closing(sqlite3.connect(copy)) as target:
        target.execute("PRAGMA journal_mode = OFF")
        whole(source)(target, lambda: None)
    strip(copy, None)
    with _changing(copy) as connection:
        lost = _seal_anew(connection, keys, travelling, random_bytes)
    verify(copy)
    return lost


# --- in -------------------------------------------------------------------------------------------


def remembered(file: Path) -> Path:
    """Where the ids of archives lie that have arrived at this terminal."""
    return file.with_name(f"{file.name}.arrived")


def move_in(
    ledger: Ledger,
    terminal: tuple[str, str],
    archive: Path,
    passphrase: str,
    now: datetime,
    random_bytes: Callable[[int], bytes],
    *,
    observe: Observe = lambda _step: None,
) -> MovedIn:
    """Put what is in the archive in the place of this new terminal's ledger; closes the ledger.

    Operators keep the passwords that they have here: those of the other terminal hang on its device key.
    Raises MoveRefused, ArchiveError, LedgerError, OSError; then nothing has changed.
    """
    file = Path(ledger.path)
    try:
        identity = read_header(archive).id
        if ledger.settings.get(ARRIVED) == identity:
            _remember(file, identity)
        known = remembered(file)
        if known.exists() and identity in known.read_text("ascii").split():
            raise MoveRefused(f"{archive}: archive {identity} has arrived here before")
        _refuse_used(ledger)
        operators = {
            each.number: (each.role, ledger.operators.verifier(each.number))
            for each in ledger.operators.all()
        }
        factory_off = ledger.operators.factory_passwords_off
        keys = ledger.keys
    finally:
        ledger.close()
    arriving = file.with_name(f"{file.name}.arriving")
    try:
        descriptor = os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            contents = read_archive(archive, passphrase, out)
        if (contents.terminal_id, contents.merchant_id) != terminal:
            raise MoveRefused(
                f"{archive}: it is of terminal {contents.terminal_id} of merchant {contents.merchant_id},"
                f" this one is configured as {terminal[0]} of {terminal[1]}"
            )
        if contents.schema > len(MIGRATIONS):
            raise LedgerTooNew(f"schema {contents.schema}, this program knows {len(MIGRATIONS)}")
        observe("opened")
        with _changing(arriving) as connection:
            travelling = Keys(contents.key, Key(bytes(16)))
            if _seal_anew(connection, travelling, keys, random_bytes):
                raise ArchiveError(f"{archive}: card numbers in it do not open")
            strangers = _give_operators(connection, operators, factory_off=factory_off)
            _say_where_from(connection, contents, milliseconds(now))
            transactions, unresolved = _counts(connection)
        observe("sealed")
        kept = put_in_place(arriving, file, now, milliseconds(now))
        observe("placed")
    finally:
        for leftover in (arriving, arriving.with_name(f"{arriving.name}-journal")):
            leftover.unlink(missing_ok=True)
    _remember(file, identity)
    observe("remembered")
    return MovedIn(identity, transactions, unresolved, strangers, kept)


def _refuse_used(ledger: Ledger) -> None:
    """A terminal that has traded has a ledger of its own, which must not go."""
    if retirement_of(ledger) is not None:
        raise MoveRefused("this terminal's own data was moved away or closed: nothing arrives here")
    if not ledger.is_unused:
        raise MoveRefused(
            "this terminal has transactions or orders of its own: an archive arrives at a new terminal only"
            " (posd init)"
        )
    present = {each.number for each in ledger.operators.all()}
    assert {SUPERVISOR, ADMINISTRATOR} <= present


def _give_operators(
    connection: sqlite3.Connection,
    operators: Mapping[str, tuple[str, PasswordVerifier]],
    *,
    factory_off: bool,
) -> tuple[str, ...]:
    """Those of this terminal, with their passwords; cashiers of the other one have none: who they are."""
    there = {row[0] for row in connection.execute("SELECT number FROM operators")}
    connection.execute("DELETE FROM operators")
    connection.execute("DELETE FROM password_locks")
    connection.executemany(
        "INSERT INTO operators (number, role, salt, verifier) VALUES (?, ?, ?, ?)",
        [
            (number, role, verifier.salt, verifier.verifier)
            for number, (role, verifier) in operators.items()
        ],
    )
    connection.execute("DELETE FROM settings WHERE name IN ('factory_passwords_off', 'operator')")
    if factory_off:
        connection.execute(
            "INSERT INTO settings VALUES ('factory_passwords_off', ?)", (pack(True),)
        )
    return tuple(sorted(there - operators.keys()))


def _say_where_from(connection: sqlite3.Connection, contents: Contents, at: int) -> None:
    connection.execute("DELETE FROM settings WHERE name = ?", (SETTING,))
    connection.execute(
        "INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        (ARRIVED, pack(contents.archive)),
    )
    connection.execute(
        "INSERT INTO audit (at, who, what, details) VALUES (?, 'posd', 'terminal_arrived', ?)",
        (at, pack({"archive": contents.archive, "left": moment(contents.at).isoformat()})),
    )


def _counts(connection: sqlite3.Connection) -> tuple[int, int]:
    (every,) = connection.execute("SELECT count(*) FROM transactions").fetchone()
    (doubtful,) = connection.execute(
        "SELECT count(*) FROM transactions WHERE state = ?", (State.UNRESOLVED,)
    ).fetchone()
    return every, doubtful


def _remember(file: Path, identity: str) -> None:
    path = remembered(file)
    known = path.read_text("ascii").split() if path.exists() else []
    if identity in known:
        return
    new = path.with_name(f"{path.name}.new")
    new.write_text("".join(f"{each}\n" for each in (*known, identity)), "ascii")
    give_to_owner(new)
    sync(new)
    new.replace(path)
    sync(path.parent)


# --- what both ways share -------------------------------------------------------------------------


@contextmanager
def _changing(file: Path) -> Iterator[sqlite3.Connection]:
    """One commit on a file that nobody else has open. Raises LedgerFailed."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            raise LedgerFailed(f"cannot change {file}: {name}") from None


def _seal_anew(
    connection: sqlite3.Connection, old: Keys, new: Keys, random_bytes: Callable[[int], bytes]
) -> int:
    """Every sealed value under the other key; what does not open is taken out: of how many transactions."""
    lost = 0
    rows = connection.execute(
        "SELECT id, account_number, expiry FROM transactions WHERE account_number IS NOT NULL"
    ).fetchall()
    for row in rows:
        sealed: list[bytes | None] = []
        try:
            for column in _SEALED:
                name = sealed_name(row["id"], column)
                sealed.append(new.seal(old.open(row[column], name), name, random_bytes))
        except SealBroken:
            lost += 1
            sealed = [None, None]
        connection.execute(
            "UPDATE transactions SET account_number = ?, expiry = ? WHERE id = ?",
            (*sealed, row["id"]),
        )
    return lost
