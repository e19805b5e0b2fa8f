"""The end of a day: both ledgers, the traffic, the screens and the paper, judged and summed up."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from posd.testing.checker import Report, check
from posd.testing.checks.evidence import Expectations, Violation
from posd.testing.simulation.imbalance import UNEXPLAINED, causes
from posd.testing.simulation.life import Surroundings

# Element 48 of the answer: 31 digits a class of cards, the last of them says whether it balances.
_NOT_BALANCED: Final = "not balanced, uploaded"
_SETTLEMENTS: Final = """SELECT state, closed_by, substr(answer, 31, 1) || substr(answer, 62, 1)
                         FROM settlements"""


@dataclass(frozen=True)
class DayReport:
    """What became of one seed. faults: what came true, by kind. cuts: what the ledger held at a cut.
    settlements: how they ended. steps: where the clerk was, by step of the dialogue.

    digest: of traffic, screens, slips and both ledgers. seconds: of virtual time. history: when
    something is wrong.
    """

    seed: int
    digest: str
    checked: Report
    violations: tuple[Violation, ...]
    faults: Counter[str]
    cuts: Counter[str]
    kinds: Counter[str]
    settlements: Counter[str]
    steps: Counter[str]
    lives: int
    seconds: float
    history: tuple[str, ...]
    effort: float = 0.0  # s of processor time: the only thing here that differs from run to run


@dataclass(frozen=True)
class Verdict:
    """What the checker says; what is wrong besides; approved: ids of what was approved at some time.
    settlements: how they ended, and why one did not balance."""

    checked: Report
    besides: tuple[Violation, ...]
    approved: frozenset[int]
    kinds: Counter[str]
    settlements: Counter[str]
    digest: str


def judge(surroundings: Surroundings, host: sqlite3.Connection, expected: Expectations) -> Verdict:
    """Judge a terminal that has ended. Raises sqlite3.Error, OracleMissingError."""
    raw = surroundings.ledger_file.read_bytes()
    with closing(sqlite3.connect(surroundings.ledger_file)) as terminal:
        checked = check(terminal, host, surroundings.captured, raw=raw, expected=expected)
        kinds = terminal.execute("SELECT kind, count(*) FROM transactions GROUP BY kind")
        settlements = Counter(_how(*row) for row in terminal.execute(_SETTLEMENTS))
        if settlements.pop(_NOT_BALANCED, 0):
            settlements.update(f"{_NOT_BALANCED}: {why}" for why in causes(terminal, host))
        return Verdict(
            checked,
            (*_paper(surroundings, terminal), *_unexplained(settlements)),
            frozenset(
                identity
                for (identity,) in terminal.execute(
                    "SELECT transaction_id FROM steps WHERE what = 'approved'"
                )
            ),
            Counter(dict(kinds)),
            settlements,
            _digest(surroundings, terminal, host),
        )


def _how(state: str, closed_by: str, results: str) -> str:
    if state != "closed":
        return state
    if closed_by:
        return "closed without the acquirer"
    return "balanced" if set(results) <= {"1"} else _NOT_BALANCED


def _unexplained(settlements: Counter[str]) -> Iterator[Violation]:
    """A batch that counts otherwise at the acquirer without a case for a person in it, or before it."""
    for ended in settlements:
        if UNEXPLAINED in ended:
            yield Violation("settlement", ended, "both ledgers compared")


def _paper(surroundings: Surroundings, terminal: sqlite3.Connection) -> Iterator[Violation]:
    """M6: whatever was printed is in the ledger, also after a power cut. Reports, whose numbers are below 0,
    belong to no transaction and are kept nowhere."""
    stored = {job for (job,) in terminal.execute("SELECT id FROM print_jobs")}
    for job, _ in surroundings.printed:
        if job > 0 and job not in stored:
            yield Violation("M6", "a slip was printed that is not in the ledger", f"job {job}")


def _digest(
    surroundings: Surroundings, terminal: sqlite3.Connection, host: sqlite3.Connection
) -> str:
    digest = hashlib.sha256()
    for one in surroundings.captured:
        digest.update(f"{one.time!r} {one.word} ".encode() + one.data)
    witness = surroundings.witness
    digest.update(repr(witness.screens).encode())
    digest.update(repr(witness.slips).encode())
    for connection in (terminal, host):
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        ).fetchall()
        for (table,) in tables:
            for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - names of tables
                digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()
