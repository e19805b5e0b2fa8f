"""The command line: which words there are, what each needs, and one place for what goes wrong."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

from msgspec import Struct

from posd import VERSION

_INTERRUPTED: Final = 130
_VOUCHER_DIGITS: Final = 6
LANGUAGES: Final = ("zh_CN", "en")
_HERE: Final = "posd.diagnostics.posctl"
_EXIT_CODES: Final = """\
exit codes:
  0 done   1 it could not be done   2 the command line is wrong
  3 no terminal answers   4 not permitted   5 terminal and posctl are of different versions
  6 status, why: it does not sell; doctor: something is to be mended   7 there is no such voucher or code"""


class Command(Struct, frozen=True):
    """One word. call: module and function. alone: it needs no terminal."""

    name: str
    summary: str
    example: str
    call: tuple[str, str]
    arguments: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = ()
    alone: bool = False


def _argument(*names: str, **options: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return names, options


def _number(least: int, most: int = 2**32 - 1) -> Callable[[str], int]:
    """A number that the terminal would not refuse, as a type for argparse."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(
                f"expected a number from {least} to {most}, found {text!r}"
            )
        return int(text)

    return number


def _voucher(text: str) -> str:
    if not (text.isascii() and text.isdecimal() and len(text) <= _VOUCHER_DIGITS):
        raise argparse.ArgumentTypeError(f"expected 1 to {_VOUCHER_DIGITS} digits, found {text!r}")
    return text


def _day(text: str) -> str:
    from datetime import date

    try:
        is_day = date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_day = False
    if not is_day:
        raise argparse.ArgumentTypeError(f"expected a day, YYYY-MM-DD, found {text!r}")
    return text


COMMANDS: Final = (
    Command("status", "how the terminal stands, on one screen", "posctl status", ("looks", "status")),
    Command("why", "why it does not sell right now, and what to do", "posctl why", ("looks", "why")),
    Command(
        "explain", "what an error code or a response code means", "posctl explain E201",
        ("explaining", "explain"),
        (_argument("code", nargs="?", help="E and 3 digits, or element 39 of an answer; none: all E codes"),
         _argument("--all", action="store_true", help="list the acquirer's response codes too")),
        alone=True,
    ),
    Command(
        "doctor", "check the installation and say what to fix", "sudo posctl doctor",
        ("doctor", "doctor"),
        (_argument("--config", type=Path, default=Path("/etc/posd/posd.toml"), metavar="FILE",
                   help="default: %(default)s"),),
        alone=True,
    ),
    Command("devices", "which devices are there, and why not", "posctl devices", ("looks", "devices")),
    Command("screen", "what the clerk sees", "posctl screen", ("looks", "screen")),
    Command(
        "journal", "the newest transactions", "posctl journal --count 50", ("looks", "journal"),
        (
            _argument("--count", type=_number(1, 100), default=20, metavar="N",
                      help="1 to 100 (default: 20)"),
            _argument("--before", type=_number(1), metavar="ID", help="older than the one with this id"),
        ),
    ),
    Command(
        "show", "the story of one transaction", "posctl show 12", ("looks", "show"),
        (_argument("voucher", type=_voucher, help="its voucher number, zeros on the left may be left out"),),
    ),
    Command("watch", "everything that happens, live", "posctl watch", ("live", "watch")),
    Command(
        "trace", "messages to and from the acquirer, live and masked", "posctl trace on",
        ("live", "trace"),
        (_argument("switch", nargs="?", choices=("on", "off"), default="on",
                   help="off ends everybody's trace (default: on)"),),
    ),
    Command(
        "test", "try one part of the terminal", "posctl test printer", ("live", "test"),
        (
            _argument("part", choices=("printer", "reader", "card_reader", "display", "keypad", "host")),
            _argument("--seconds", type=_number(1, 60), default=15, metavar="N",
                      help="1 to 60, to wait for a key or a card (default: 15)"),
        ),
    ),
    Command("echo", "does the acquirer answer, and how fast", "posctl echo", ("live", "echo")),
    Command(
        "flight", "what the devices' lines carried last", "posctl flight printer",
        ("looks", "flight"),
        (_argument("role", nargs="?", choices=("keypad", "display", "printer", "card_reader")),),
    ),
    Command("metrics", "figures for Prometheus", "posctl metrics", ("looks", "metrics")),
    Command(
        "events", "the outbox of transactions and orders", "posctl events --from 100 --follow",
        ("live", "events"),
        (
            _argument("--from", dest="start", type=_number(0), default=0, metavar="N", help="default: 0"),
            _argument("--follow", action="store_true", help="and those that come, until Ctrl-C"),
        ),
    ),
    Command(
        "orders", "orders as CSV, amounts in fen", "posctl orders --from 2026-06-01 > orders.csv",
        ("looks", "orders"),
        (
            _argument("--from", dest="since", type=_day, metavar="DAY",
                      help="made from this day on, YYYY-MM-DD (default: the day of --until)"),
            _argument("--until", type=_day, metavar="DAY", help="until this one (default: today)"),
        ),
    ),
    Command("config", "the settings in force, and versions", "posctl config", ("looks", "configuration")),
    Command(
        "loglevel", "log more or less, until the next start", "sudo posctl loglevel debug",
        ("live", "loglevel"),
        (_argument("level", choices=("debug", "info", "warning", "error")),),
    ),
    Command("backup", "make a copy of the ledger now", "posctl backup", ("live", "backup")),
    Command(
        "bundle", "one file for support, without secrets", "posctl bundle", ("bundle", "bundle"),
        (_argument("--to", type=Path, metavar="FILE", help="default: posd-TERMINAL-TIME.tar.gz here"),),
        alone=True,
    ),
    Command(
        "completion", "the script that completes these words in a shell",
        "posctl completion bash > /etc/bash_completion.d/posctl", ("completion", "completion"),
        (_argument("shell", choices=("bash", "zsh", "fish")),), alone=True,
    ),
)  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """A help text begins with an example; a mistake is one line."""

    example = ""

    def format_help(self) -> str:
        return f"example: {self.example}\n\n{super().format_help()}"

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"posctl: {message}\n   -> {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """Of all commands."""
    common = _Parser(add_help=False)
    suppressed: Any = argparse.SUPPRESS
    common.add_argument(
        "--json",
        action="store_true",
        default=suppressed,
        help="for programs: JSON, an object a line",
    )
    common.add_argument(
        "--socket", type=Path, default=suppressed, metavar="PATH",
        help="of the terminal (default: $POSD_SOCKET, else /run/posd/diag.sock)",
    )  # fmt: skip
    common.add_argument(
        "--language", choices=LANGUAGES, default=suppressed,
        help="of explanations and labels (default: as the environment says)",
    )  # fmt: skip
    whole = _Parser(
        prog="posctl",
        description="Asks a payment terminal how it is, and what is wrong with it.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
    )
    whole.add_argument("--version", action="version", version=f"posctl {VERSION}")
    whole.example = "posctl why"
    words = whole.add_subparsers(
        metavar="COMMAND", dest="command", required=True, parser_class=_Parser
    )
    for command in COMMANDS:
        word = words.add_parser(
            command.name,
            help=command.summary,
            description=command.summary[0].upper() + command.summary[1:] + ".",
            parents=[common],
        )
        assert isinstance(word, _Parser)
        word.example = command.example
        for names, options in command.arguments:
            word.add_argument(*names, **options)
        word.set_defaults(chosen=command)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = parser().parse_args(arguments)
    options.json = getattr(options, "json", False)
    try:
        return _run(options.chosen, options)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has seen enough. Python would complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(command: Command, options: argparse.Namespace) -> int:
    from posd.diagnostics.posctl.connection import Connection, Trouble
    from posd.diagnostics.posctl.layout import Paper
    from posd.diagnostics.posctl.words import own_language

    options.language = getattr(options, "language", None) or own_language()
    options.socket = _socket(options)
    module, function = command.call
    call: Callable[..., int] = getattr(import_module(f"{_HERE}.{module}"), function)
    paper = Paper(language=options.language)
    try:
        if command.alone:
            return call(options, paper)
        with Connection(options.socket) as terminal:
            return call(terminal, options, paper)
    except Trouble as trouble:
        told = Paper(sys.stderr, options.language)
        told.row(told.say(trouble.template, **trouble.values), "   ", "posctl: ")
        if trouble.hint:
            told.row(told.say(trouble.hint), "      ", "   -> ")
        return trouble.code


def _socket(options: argparse.Namespace) -> Path:
    named: Path | None = getattr(options, "socket", None)
    if named is not None:
        return named.absolute()
    from posd.diagnostics import socket_path

    return Path(os.environ.get("POSD_SOCKET") or socket_path.DEFAULT).absolute()
