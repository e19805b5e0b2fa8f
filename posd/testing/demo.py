"""`posd demo`: a terminal to try, with its devices, its acquirer and nothing of value.

On a terminal and without a script it is a front panel; otherwise it plays a script and prints
what comes out. Everything lives in a temporary directory and is gone at the end.
"""

from __future__ import annotations

import argparse
import io
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final, TextIO

from posd.testing.boxes import boxed, torn
from posd.testing.compare import Comparison
from posd.testing.installation import SOCKET
from posd.testing.panel import Panel, open_stage
from posd.testing.player import ExpectationError, Player
from posd.testing.real import RealStage
from posd.testing.script import Script, ScriptError, load
from posd.testing.stage import Screen, Slip, StageError

DONE, WRONG, UNREADABLE = 0, 1, 2
_BY_SIGNAL: Final = 128  # plus its number, as shells count
LANGUAGES: Final = ("zh_CN", "en")
DEFAULT_SCRIPTS: Final = {
    "zh_CN": Path(__file__).with_name("void.clerk"),
    "en": Path(__file__).with_name("void.en.clerk"),
}
"""What is played when no script is named: a sale and its void."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `posd demo`."""
    parser.add_argument(
        "--script",
        type=Path,
        metavar="FILE",
        help="play this clerk script; without a terminal the default is a sale and its void",
    )
    parser.add_argument(
        "--language",
        choices=LANGUAGES,
        default=LANGUAGES[0],
        help="language of the screens; slips are bilingual (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """0: everything was as expected and both ledgers agree. 1: not. 2: no script to be played."""
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, _end)
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="replace")  # a locale without Chinese shows ? and goes on
    if arguments.script is None and sys.stdin.isatty() and out.isatty():
        return _show_panel(arguments.language)
    try:
        script = load(arguments.script or DEFAULT_SCRIPTS[arguments.language])
    except ScriptError as error:
        sys.stderr.write(f"{error}\n")
        return UNREADABLE
    return _play(script, arguments.language, out)


def _end(number: int, _frame: object) -> None:
    """The window was closed, or somebody ended the demo: nothing of it stays behind."""
    raise SystemExit(_BY_SIGNAL + number)


def _play(script: Script, language: str, out: TextIO) -> int:
    with tempfile.TemporaryDirectory(prefix="posd-demo-") as directory:
        stage = RealStage(Path(directory))
        out.write(f"technicians ask it with: posctl --socket {Path(directory, SOCKET)} why\n")
        try:
            narrator = Narrator(out)
            stage.witness.listener = narrator
            stage.configure(("terminal", "language"), language)
            comparison = Player(script, stage, narrator.announce).play()
        except ScriptError as error:
            sys.stderr.write(f"{error}\n")
            return UNREADABLE
        except ExpectationError as error:
            out.write(f"\n{error}\n")
            return WRONG
        finally:
            stage.close()
    out.write(f"\n{_in_words(comparison)}\n")
    return DONE


def _show_panel(language: str) -> int:
    with tempfile.TemporaryDirectory(prefix="posd-demo-") as directory:
        stage = open_stage(Path(directory))
        try:
            stage.configure(("terminal", "language"), language)
            comparison = Panel(stage).run()
        except StageError as error:
            sys.stdout.write(f"\n{error}\n")
            return WRONG
        finally:
            stage.close()
    sys.stdout.write(f"{_in_words(comparison)}\n")
    return DONE if comparison.agree else WRONG


class Narrator:
    """Prints each line of the script, each screen as it changes, each slip when it is whole."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def announce(self, line: str) -> None:
        self._say(f"\n> {line}")

    def showed(self, screen: Screen, /) -> None:
        if any(screen):
            self._say(boxed(screen))

    def printed(self, slip: Slip, /) -> None:
        self._say(torn(slip.rows))

    def _say(self, text: str) -> None:
        self._out.write(f"{text}\n")
        self._out.flush()


def _in_words(comparison: Comparison) -> str:
    return "\n".join([*comparison.table, str(comparison)])
