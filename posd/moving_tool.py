"""`posd export`, `posd import` and `posd close`: a terminal's data moves, or the terminal ends.

For a daemon that is stopped. Exit codes: 0 done; 1 the ledger or the archive is not whole; 2 it cannot be
done, and nothing was changed. What is wrong is one line on standard error. A passphrase is typed unseen, or
comes from a file; it is never an argument.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from posd.closing import as_slip, close_down, wipe
from posd.config import ConfigurationError
from posd.edges import SystemClock, line_settings, system_random
from posd.key_store import DEVICE, MASTER, KeyStore, KeyStoreError
from posd.keys import Keys
from posd.ledger.backup import Backups, give_to_owner
from posd.ledger.errors import LedgerDamaged, LedgerError
from posd.ledger.ledger import Ledger
from posd.moving import MoveRefused, move_in, move_out
from posd.moving_archive import ArchiveError, check_passphrase
from posd.preflight import StartError
from posd.settings import Configuration
from posd.stand_in_keys import load_beside_the_service
from posd.state_lock import StateLock
from protocol import Key

DONE, NOT_WHOLE, NOT_DONE = 0, 1, 2
_PRINT_SECONDS: Final = 30.0
Work = Callable[[Configuration, argparse.Namespace], list[str]]


def add_export(parser: argparse.ArgumentParser) -> None:
    """The options of `posd export`."""
    parser.description = (
        "Retire this terminal and write its data into an encrypted archive for the terminal that takes its"
        " place. From then on it only shows and reprints. Refused while something is not decided or not"
        " settled; after a power cut the same command ends what was begun."
    )
    _common(parser, _export)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the archive")
    parser.add_argument(
        "--force",
        action="store_true",
        help="although something is not decided or settled: a person decides it at the other terminal",
    )
    _passphrase_option(parser)


def add_import(parser: argparse.ArgumentParser) -> None:
    """The options of `posd import`."""
    parser.description = (
        "Put the data of an archive into this new terminal (posd init). An archive arrives once. The terminal"
        " then starts closed until a supervisor has confirmed what is unresolved."
    )
    parser.add_argument("archive", type=Path, help="what posd export wrote")
    _common(parser, _import)
    _passphrase_option(parser)


def add_close(parser: argparse.ArgumentParser) -> None:
    """The options of `posd close`."""
    parser.description = (
        "Close this terminal for good: it must be settled; its card numbers are erased and its keys wiped."
        " Nothing brings it back. Refused while orders are not paid, unless that is meant."
    )
    _common(parser, _close)
    parser.add_argument("--report", type=Path, required=True, metavar="FILE", help="what there was")
    parser.add_argument("--print", action="store_true", help="the report on the printer too")
    parser.add_argument(
        "--unpaid-orders",
        action="store_true",
        help="although orders are not paid: the report lists them",
    )


def _common(parser: argparse.ArgumentParser, work: Work) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="posd.toml")
    parser.set_defaults(call=lambda options: _run(work, options))


def _passphrase_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--passphrase-from", metavar="FILE", help="its first line; - is standard input; none: typed"
    )


def _run(work: Work, options: argparse.Namespace) -> int:
    try:
        configuration = load_beside_the_service(options.config)
        lock = StateLock.take(configuration.terminal.state_directory)
        try:
            done = work(configuration, options)
        finally:
            lock.release()
            _give_back(configuration.terminal.state_directory)
    except LedgerDamaged as error:
        return _complain(f"{error}; {error.advice}", NOT_WHOLE)
    except ArchiveError as error:
        return _complain(str(error), NOT_WHOLE)
    except LedgerError as error:
        return _complain(f"{error}; {error.advice}")
    except StartError as error:
        return _complain(f"{options.config.absolute()}: {error}")
    except (MoveRefused, ConfigurationError, KeyStoreError, ValueError) as error:
        return _complain(str(error))
    except EOFError:
        return _complain("the input ended; nothing has changed")
    except OSError as error:
        return _complain(f"{error.filename}: {(error.strerror or type(error).__name__).lower()}")
    sys.stdout.write("".join(f"{line}\n" for line in done))
    return DONE


def _export(configuration: Configuration, options: argparse.Namespace) -> list[str]:
    passphrase = _passphrase(options.passphrase_from, twice=True)
    with _opened(configuration) as ledger:
        moved = move_out(
            ledger,
            _terminal(configuration),
            options.output.absolute(),
            passphrase,
            system_random,
            force=options.force,
        )
    return [
        f"{options.output}: archive {moved.archive}",
        *([f"left to a person: voucher {', '.join(moved.given_up)}"] if moved.given_up else []),
        *([f"{moved.lost_cards} card numbers could not be read"] if moved.lost_cards else []),
        "This terminal only shows and reprints from now on. Next, on the other one: posd import.",
        "When it trades: posd close here, and delete the archive.",
    ]


def _import(configuration: Configuration, options: argparse.Namespace) -> list[str]:
    if not (configuration.terminal.state_directory / "ledger.db").exists():
        raise MoveRefused(
            "there is no terminal here yet: posd init makes one, with passwords of its own"
        )
    passphrase = _passphrase(options.passphrase_from, twice=False)
    with _opened(configuration) as ledger:
        arrived = move_in(
            ledger,
            _terminal(configuration),
            options.archive,
            passphrase,
            SystemClock().now(),
            system_random,
        )
    who = ", ".join(arrived.without_password)
    return [
        f"archive {arrived.archive} has arrived: {arrived.transactions} transactions,"
        f" {arrived.unresolved} unresolved",
        *([f"cashiers who need a password (管理, 操作员): {who}"] if who else []),
        *([f"the empty ledger that was here is kept as {arrived.kept}"] if arrived.kept else []),
        "The terminal starts closed until a supervisor has confirmed what is unresolved.",
    ]


def _close(configuration: Configuration, options: argparse.Namespace) -> list[str]:
    if options.report.exists():
        raise MoveRefused(f"{options.report}: there is such a file already; nothing is overwritten")
    options.report.touch(
        mode=0o600
    )  # a place that cannot be written to is found out before anything else
    try:
        with _opened(configuration) as ledger:
            lines = close_down(ledger, configuration, although_unpaid=options.unpaid_orders)
    except BaseException:
        options.report.unlink()
        raise
    options.report.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    said = [f"{options.report}: written"]
    if options.print:
        said.append(asyncio.run(_print(configuration, lines)))
    keys = _key_files(configuration)
    wipe(keys)
    return [
        *said,
        f"wiped: {', '.join(map(str, keys))}",
        "This terminal is closed. systemctl disable --now posd keeps it from being started again.",
    ]


async def _print(configuration: Configuration, lines: list[str]) -> str:
    """Print the report; what became of it. A printer that does not print keeps no terminal open."""
    from devices.printer import JobEnded, Printer

    settings = configuration.devices.printer
    if settings is None:
        return "not printed: no printer is configured"
    ended: asyncio.Future[JobEnded] = asyncio.get_running_loop().create_future()
    ready = asyncio.Event()
    printer = Printer(
        line_settings(settings),
        settings.columns,
        lambda _status: ready.set(),
        ended.set_result,
        lambda _: None,
    )
    printer.start()
    try:
        async with asyncio.timeout(_PRINT_SECONDS):
            await ready.wait()
            printer.print(1, as_slip(lines))
            job = await ended
    except TimeoutError:
        return f"not printed: {printer.line.reason or 'the printer does not answer'}"
    finally:
        await printer.stop()
    return "printed" if job.outcome == "printed" else f"not printed: {job.reason}"


@contextmanager
def _opened(configuration: Configuration) -> Iterator[Ledger]:
    """The ledger under this terminal's device key; the master key has no part in any of this."""
    path = configuration.terminal.state_directory / "ledger.db"
    device = _key_files(configuration)[0]
    if configuration.keys.device_key_file is None:
        key = KeyStore().read(DEVICE)
    else:
        key = bytes.fromhex(device.read_text("ascii"))
    keys = Keys(key, Key(bytes(16)))
    backups = Backups.of(configuration)
    ledger = Ledger.open(path, keys, SystemClock(), system_random, backups=backups)
    try:
        yield ledger
    finally:
        ledger.close()


def _key_files(configuration: Configuration) -> list[Path]:
    """Where the device key and the master key lie, if they are there."""
    named = (configuration.keys.device_key_file, configuration.keys.master_key_file)
    store = KeyStore()
    found = [
        file or store.file_of(name) for file, name in zip(named, (DEVICE, MASTER), strict=True)
    ]
    if found[0] is None:
        raise KeyStoreError("no device key is loaded: without it this ledger cannot be read")
    return [file for file in found if file is not None]


def _terminal(configuration: Configuration) -> tuple[str, str]:
    return configuration.terminal.terminal_id, configuration.terminal.merchant_id


def _passphrase(file: str | None, *, twice: bool) -> str:
    """Raises MoveRefused, ArchiveError (too short), OSError, EOFError."""
    if file is not None:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
        passphrase = text.partition("\n")[0].rstrip("\r")
    elif not sys.stdin.isatty():
        raise MoveRefused("a passphrase is typed on a terminal, or comes with --passphrase-from")
    else:
        from getpass import getpass

        passphrase = getpass("Passphrase of the archive, unseen: ")
        if twice and getpass("The same again: ") != passphrase:
            raise MoveRefused("these were not the same; nothing has changed")
    try:
        check_passphrase(passphrase)
    except ArchiveError as error:
        raise MoveRefused(str(error)) from None
    return passphrase


def _give_back(directory: Path) -> None:
    """What root has touched is the daemon's again."""
    for file in directory.glob("ledger.db*"):
        give_to_owner(file)
    give_to_owner(directory / "lock")


def _complain(text: str, code: int = NOT_DONE) -> int:
    sys.stderr.write(f"{text}\n")
    return code
