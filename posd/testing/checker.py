"""The independent checker: do both ledgers and the captured traffic keep the rules of money?

It reads the two SQLite files and a capture, knows the tables and the wire by itself, and imports
nothing of the daemon's core or of its protocol, so that no fault can hide in shared code.

    python -m posd.testing.checker TERMINAL.db ACQUIRER.db [TRAFFIC]

Both files may be those of processes that were killed; the terminal's may not be in use. The format of
a capture is in posd/testing/checks/wire.py. Exit codes: 0 every rule holds, 1 one is broken, 2 the
files cannot be read.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posd.testing.checks import (
    ledger_rules,
    net_money,
    outbox_rules,
    settlement_rules,
    wire_rules,
)
from posd.testing.checks.evidence import (
    Evidence,
    Expectations,
    Violation,
    read_host,
    read_terminal,
)
from posd.testing.checks.wire import (
    Captured,
    CaptureError,
    OracleMissingError,
    read_capture,
    read_traffic,
    write_capture,
)

__all__ = [
    "USUAL",
    "CaptureError",
    "Captured",
    "Expectations",
    "OracleMissingError",
    "Report",
    "Violation",
    "check",
    "check_files",
    "read_capture",
    "write_capture",
]

HOLDS, BROKEN, UNREADABLE = 0, 1, 2
USUAL: Final = Expectations()
_BESIDE: Final = ("-wal", "-journal")


@dataclass(frozen=True, slots=True)
class Report:
    """violations: the first broken rule first. unresolved: cases for a person; in no sum.

    terminal_net, host_net: fen that the merchant gets. states: how many transactions ended so.
    """

    violations: tuple[Violation, ...]
    unresolved: tuple[str, ...]
    transactions: int
    messages: int
    terminal_net: int
    host_net: int
    states: tuple[tuple[str, int], ...]

    @property
    def holds(self) -> bool:
        return not self.violations

    def __str__(self) -> str:
        verdict = "every rule holds" if self.holds else f"{len(self.violations)} RULES BROKEN"
        states = ", ".join(f"{count} {state}" for state, count in self.states)
        return "\n".join(
            [
                f"{verdict}: {self.transactions} transactions ({states}), {self.messages} messages,"
                f" {self.terminal_net} fen at the terminal, {self.host_net} at the acquirer",
                *(f"  {violation}" for violation in self.violations),
                *(f"  unresolved: {line}" for line in self.unresolved),
            ]
        )


def check(
    terminal: sqlite3.Connection,
    acquirer: sqlite3.Connection,
    captured: Iterable[Captured] | None = None,
    *,
    raw: bytes = b"",
    expected: Expectations = USUAL,
) -> Report:
    """Judge two open ledgers, which nobody writes to meanwhile.

    raw: the bytes of the terminal's files, to be searched for what may never be stored.
    Raises sqlite3.Error, OracleMissingError.
    """
    traffic = None if captured is None else read_traffic(captured)
    evidence = Evidence(
        **read_terminal(terminal),
        **read_host(acquirer),
        traffic=traffic,
        raw=raw,
        expected=expected,
    )
    money = net_money.compare(evidence)
    rules = (*ledger_rules.RULES, *wire_rules.RULES, *settlement_rules.RULES, *outbox_rules.RULES)
    found = [violation for rule in rules for violation in rule(evidence)]
    counts: dict[str, int] = {}
    for one in evidence.transactions:
        counts[one.state] = counts.get(one.state, 0) + 1
    return Report(
        (*found, *money.violations),
        money.unresolved,
        len(evidence.transactions),
        len(evidence.messages),
        money.terminal,
        money.host,
        tuple(sorted(counts.items())),
    )


def check_files(
    terminal: Path,
    acquirer: Path,
    captured: Iterable[Captured] | None = None,
    expected: Expectations = USUAL,
) -> Report:
    """Judge two ledger files, in copies. Raises OSError, sqlite3.Error, OracleMissingError."""
    raw = b"".join(file.read_bytes() for file in _files(terminal))
    with tempfile.TemporaryDirectory(prefix="posd-checker-") as directory:
        ours = _copy(terminal, Path(directory) / "terminal")
        theirs = _copy(acquirer, Path(directory) / "acquirer")
        with closing(sqlite3.connect(ours)) as one, closing(sqlite3.connect(theirs)) as other:
            return check(one, other, captured, raw=raw, expected=expected)


def _files(ledger: Path) -> list[Path]:
    beside = (ledger.with_name(ledger.name + suffix) for suffix in _BESIDE)
    return [ledger, *(file for file in beside if file.exists())]


def _copy(ledger: Path, to: Path) -> Path:
    """The file with what lies beside it: a ledger of a process that was killed has a journal."""
    to.mkdir()
    for file in _files(ledger):
        shutil.copyfile(file, to / file.name)
    return to / ledger.name


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m posd.testing.checker",
        description="Do both ledgers and the captured traffic keep the rules of money?",
    )
    parser.add_argument("terminal", type=Path, help="the terminal's ledger file")
    parser.add_argument("acquirer", type=Path, help="the acquirer's ledger file")
    parser.add_argument(
        "traffic", type=Path, nargs="?", help="a capture; its format: checks/wire.py"
    )
    parser.add_argument("--reversal-tries", type=int, default=USUAL.reversal_tries)
    parser.add_argument("--notice-tries", type=int, default=USUAL.notice_tries)
    parser.add_argument(
        "--running", action="store_true", help="what is still in doubt is no violation"
    )
    options = parser.parse_args(arguments)
    expected = Expectations(
        at_rest=not options.running,
        reversal_tries=options.reversal_tries,
        notice_tries=options.notice_tries,
    )
    try:
        captured = None if options.traffic is None else read_capture(options.traffic)
        report = check_files(options.terminal, options.acquirer, captured, expected)
    except (OSError, sqlite3.Error, CaptureError, OracleMissingError) as error:
        sys.stderr.write(f"{error}\n")
        return UNREADABLE
    sys.stdout.write(f"{report}\n")
    return HOLDS if report.holds else BROKEN


if __name__ == "__main__":
    sys.exit(main())
