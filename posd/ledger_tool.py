"""`posd ledger`: what a technician does with the ledger of a daemon that is stopped.

Exit codes: 0 done; 1 the ledger or the copy is not whole; 2 it cannot be done, and nothing was changed.
What is wrong is one line on standard error, with what to do next.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec import Struct

from posd.config import ConfigurationError
from posd.edges import SystemClock
from posd.ledger import export
from posd.ledger.backup import Backups, give_to_owner, whole
from posd.ledger.errors import LedgerDamaged, LedgerError
from posd.ledger.inspection import inspect, reading
from posd.ledger.ledger import milliseconds
from posd.ledger.restoring import put_in_place
from posd.ledger.retirement import retired_mark
from posd.preflight import StartError
from posd.settings import Configuration
from posd.stand_in_keys import load_beside_the_service
from posd.state_lock import StateLock

DONE, NOT_WHOLE, NOT_DONE = 0, 1, 2
_CSV_TABLES: Final = tuple(export.TABLES)


class RestoreRefused(Exception):
    """Why a copy is not put back, in one line."""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add verify, backup, restore and export; each sets `call`, which gives the exit code."""
    verify = _command(commands, "verify", _verify, "check the ledger, or one copy of it")
    verify.add_argument("copy", nargs="?", type=Path, help="a copy; none: the ledger itself")
    backup = _command(commands, "backup", _backup, "make a verified copy")
    backup.add_argument("--to", type=Path, metavar="DIRECTORY", help="not where the settings say")
    restore = _command(commands, "restore", _restore, "put a copy in the ledger's place")
    restore.add_argument("copy", type=Path, help="the copy; the present ledger is kept beside it")
    exporter = _command(commands, "export", _export, "write the ledger as JSON or CSV, no secrets")
    exporter.add_argument("--format", choices=("json", "csv"), default="json")
    exporter.add_argument("--table", choices=_CSV_TABLES, default="transactions", help="for CSV")
    exporter.add_argument("--output", type=Path, metavar="FILE", help="none: standard output")


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    work: Callable[[_Stopped, argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=work.__doc__)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="posd.toml")
    parser.set_defaults(call=lambda options: _run(work, options))
    return parser


class _Stopped(Struct, frozen=True):
    """A terminal whose daemon does not run, as long as the command does."""

    configuration: Configuration
    clock: SystemClock

    @property
    def ledger(self) -> Path:
        return self.configuration.terminal.state_directory / "ledger.db"

    @property
    def backups(self) -> Backups:
        return Backups.of(self.configuration)


def _run(work: Callable[[_Stopped, argparse.Namespace], int], options: argparse.Namespace) -> int:
    try:
        with _stopped(options.config) as terminal:
            return work(terminal, options)
    except LedgerDamaged as error:
        _complain(f"{error}; {error.advice}")
        return NOT_WHOLE
    except LedgerError as error:
        _complain(f"{error}; {error.advice}")
    except StartError as error:
        _complain(f"{options.config.absolute()}: {error}")
    except (ConfigurationError, RestoreRefused) as error:
        _complain(str(error))
    except OSError as error:
        _complain(f"{error.filename}: {(error.strerror or type(error).__name__).lower()}")
    return NOT_DONE


@contextmanager
def _stopped(file: Path) -> Iterator[_Stopped]:
    """Raises ConfigurationError; StartError when the daemon runs."""
    configuration = load_beside_the_service(file)  # no key is needed for any of this
    lock = StateLock.take(configuration.terminal.state_directory)
    try:
        give_to_owner(configuration.terminal.state_directory / "lock")
        yield _Stopped(configuration, SystemClock())
    finally:
        lock.release()


def _verify(terminal: _Stopped, options: argparse.Namespace) -> int:
    """Check the whole file: SQLite's integrity, that records belong together, each transaction's checksum."""
    file: Path = options.copy or terminal.ledger
    _must_exist(file)
    found = inspect(file)
    marked = ", restored: not yet confirmed by a supervisor" if found.restored else ""
    _say(f"{file}: schema {found.schema}, start {found.generation}{marked}")
    _say(
        f"{found.transactions} transactions, {found.in_doubt} in doubt; open batch {found.open_batch}"
    )
    if found.broken:
        names = ", ".join(map(str, found.broken[:20]))
        _complain(
            f"{file}: {len(found.broken)} transactions do not fit their checksum ({names});"
            " the terminal leaves them to a person; export them and ask the acquirer"
        )
        return NOT_WHOLE
    _say("whole")
    return DONE


def _backup(terminal: _Stopped, options: argparse.Namespace) -> int:
    """Make a copy, check it, and remove copies that are too many or too old."""
    backups = terminal.backups
    if options.to is not None:
        backups = Backups(options.to.absolute(), margin=0)
    _must_exist(terminal.ledger)
    with reading(terminal.ledger) as connection:
        size = terminal.ledger.stat().st_size
        copy = backups.take(whole(connection), size, terminal.clock.now())
    _say(str(copy))
    if options.to is None:
        for gone in backups.rotate(terminal.clock.now()):
            _say(f"removed {gone}")
    return DONE


def _restore(terminal: _Stopped, options: argparse.Namespace) -> int:
    """Put a copy in the ledger's place. The terminal then starts closed: what is in doubt in the copy is for
    the acquirer and a supervisor to decide, nothing is reversed or repeated by itself."""
    copy: Path = options.copy.absolute()
    _must_exist(copy)
    _must_trade(terminal.ledger)
    now: datetime = terminal.clock.now()
    kept = put_in_place(copy, terminal.ledger, now, milliseconds(now))
    _say(f"{terminal.ledger}: restored from {copy}")
    if kept is not None:
        _say(f"the ledger that was there is kept as {kept}")
    _say("the terminal starts closed until a supervisor has confirmed what is unresolved")
    return DONE


def _export(terminal: _Stopped, options: argparse.Namespace) -> int:
    """Write what the ledger holds. Amounts are in fen, card numbers show first 6 and last 4 digits."""
    _must_exist(terminal.ledger)
    with reading(terminal.ledger) as connection:
        pieces: Iterable[str] = (
            export.to_json(connection)
            if options.format == "json"
            else export.to_csv(connection, options.table)
        )
        if options.output is None:
            sys.stdout.writelines(pieces)
        else:
            with options.output.open("w", encoding="utf-8", newline="") as file:
                file.writelines(pieces)
    return DONE


def _must_exist(file: Path) -> None:
    """SQLite refuses what is not there too, but its words and their advice are those of a broken disk."""
    if not file.is_file():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))


def _must_trade(ledger: Path) -> None:
    """A copy of before would trade again although the terminal has moved or was closed."""
    if retired_mark(ledger).exists():
        raise RestoreRefused(
            f"{ledger}: this terminal was moved or closed; a copy of before is not put back"
        )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")
