"""`posd`: the command line. A user's mistake is one line on standard error, never a traceback.

Imports are made by the command that needs them: the daemon starts without the demo and the tools.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from posd import VERSION

if TYPE_CHECKING:
    from posd.preflight import StartError

DONE: Final = 0
UNUSABLE: Final = 2  # the configuration, or a second daemon: starting again changes nothing
INTERRUPTED: Final = 130
_MESSAGE_TOOL: Final = {
    "decode": "show an ISO 8583 message, field by field",
    "encode": "make an ISO 8583 message",
}
_MOVING_TOOL: Final = {
    "export": "move this terminal's data into an archive for another one",
    "import": "put such an archive into this new terminal",
    "close": "close this terminal for good",
}


class _Parser(argparse.ArgumentParser):
    """Knows the terminal's width without shutil, which brings three compression libraries along."""

    def __init__(self, **more: Any) -> None:
        try:
            columns = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
        except (OSError, ValueError):
            columns = 80
        formatter = partial(argparse.HelpFormatter, width=columns - 2)
        super().__init__(**{"formatter_class": formatter} | more)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser(words[0] if words else "").parse_args(words)
    try:
        return int(options.call(options))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has seen enough. Python would complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _parser(command: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(prog="posd", description="A payment terminal daemon.")
    parser.add_argument("--version", action="version", version=f"posd {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="run the terminal", description=_run.__doc__)
    run.add_argument("--config", type=Path, required=True, metavar="FILE", help="posd.toml")
    run.set_defaults(call=_run)

    check = commands.add_parser(
        "check-config", help="check a configuration file", description=_check_config.__doc__
    )
    check.add_argument("file", type=Path, metavar="FILE", help="posd.toml")
    check.set_defaults(call=_check_config)

    demo = commands.add_parser("demo", help="a terminal to try, with an acquirer of its own")
    if command == "demo":
        from posd.testing import demo as demonstration

        demonstration.add_arguments(demo)
        demo.set_defaults(call=demonstration.run)

    if command in _MESSAGE_TOOL:
        from posd import message_tool

        message_tool.add_commands(commands)
    else:
        for name, text in _MESSAGE_TOOL.items():
            commands.add_parser(name, help=text)

    ledger = commands.add_parser("ledger", help="check, copy, restore and export the ledger")
    if command == "ledger":
        from posd import ledger_tool

        ledger_tool.add_commands(ledger.add_subparsers(metavar="COMMAND", required=True))

    record = commands.add_parser("record", help="run the terminal and record one device's line")
    if command == "record":
        from posd import recording_tool

        recording_tool.add_arguments(record)
        record.set_defaults(call=_record)

    install = commands.add_parser("install", help="put the service's files in their places")
    if command == "install":
        from posd import install as installing

        installing.add_arguments(install)
        install.set_defaults(call=installing.run)

    init = commands.add_parser("init", help="make a new terminal: configuration, key, passwords")
    if command == "init":
        from posd import init as initial

        initial.add_arguments(init)
        init.set_defaults(call=initial.run)

    keys = commands.add_parser("keys", help="load the acquirer's master key, show check values")
    if command == "keys":
        from posd import key_loading

        key_loading.add_commands(keys.add_subparsers(metavar="COMMAND", required=True))

    for name, text in _MOVING_TOOL.items():
        moving = commands.add_parser(name, help=text)
        if command == name:
            from posd import moving_tool

            getattr(moving_tool, f"add_{name}")(moving)

    version = commands.add_parser("version", help="show the version")
    version.set_defaults(call=_version)
    return parser


def _run(options: argparse.Namespace) -> int:
    """Run the terminal until SIGTERM. Exit codes: 0 ended as told, 1 failed, 2 cannot start so."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # Nothing is open yet. The daemon takes over when it is loaded.
        signal.signal(number, lambda _number, _frame: os._exit(DONE))
    gc.disable()  # nothing of a start is garbage; the daemon turns it on when it is ready
    from posd.config import ConfigurationError, load
    from posd.preflight import StartError

    try:
        configuration = load(options.config)
        from posd import daemon

        return daemon.run(configuration)
    except ConfigurationError as error:
        return _complain(str(error))
    except StartError as error:
        return _complain(_located(options.config, error))


def _record(options: argparse.Namespace) -> int:
    """Run the terminal, and write what one line carried when it has ended."""
    from posd import recording_tool
    from posd.config import ConfigurationError
    from posd.preflight import StartError

    try:
        return recording_tool.record(options)
    except ConfigurationError as error:
        return _complain(str(error))
    except StartError as error:
        return _complain(_located(options.config, error))


def _check_config(options: argparse.Namespace) -> int:
    """Say what would keep the terminal from starting with this file, in one line."""
    from posd.config import ConfigurationError, fault_at, load
    from posd.preflight import StartError, check
    from posd.stand_in_keys import stand_in_keys

    try:
        with stand_in_keys() as stand_ins:
            configuration = load(options.file)
            notes = check(configuration)
    except ConfigurationError as error:
        return _complain(str(error))
    except StartError as error:
        return _complain(_located(options.file, error))
    keys = configuration.keys
    files = {keys.device_key_file, keys.master_key_file}
    if stand_ins and any(file and file.is_relative_to(stand_ins) for file in files):
        notes.append(
            "keys: systemd hands them to the service, they were not looked at; posctl doctor as root does"
        )
    for note in notes:
        key, _, text = note.partition(": ")
        sys.stdout.write(f"{fault_at(options.file, key, text)}\n")
    sys.stdout.write(f"{options.file.absolute()}: the terminal can start with this configuration\n")
    return DONE


def _version(_options: argparse.Namespace) -> int:
    sys.stdout.write(f"posd {VERSION}\n")
    return DONE


def _located(file: Path, error: StartError) -> str:
    from posd.config import fault_at

    return str(fault_at(file, error.key, error.problem))


def _complain(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return UNUSABLE
