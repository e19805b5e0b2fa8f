"""Compares a terminal's ledger with the acquirer's: transaction by transaction, and in sum.

Plain SQL on both files and nothing of the daemon, so that no fault can hide in shared code.
Amounts are in fen.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_DIRECTION: Final = {
    "sale": 1,
    "sale_void": -1,
    "refund": -1,
    "completion": 1,
    "completion_notice": 1,
    "completion_void": -1,
}
"""+1: money to the merchant, -1: money back. What is not here moves none."""

_HOST_STATES: Final = {
    "approved": ("approved", "completed"),
    "voided": ("voided",),
    "completed": ("completed",),
    "declined": (None, "declined", "reversed"),
    "reversed": (None, "declined", "reversed"),
    "not_sent": (None,),
    "no_answer": (None, "approved", "declined"),
}
"""A state at the terminal -> those that the acquirer may have it in; None: unknown there."""

_UNFINISHED: Final = ("open", "reversing", "pending")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing found.

    table: every transaction, a line each, below a heading.
    differences: one line each; none means that the ledgers agree. unresolved: transactions that a
    person has to decide; they are in no sum. terminal_net, host_net: what the merchant gets.
    """

    table: tuple[str, ...]
    transactions: int
    terminal_net: int
    host_net: int
    unresolved: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def agree(self) -> bool:
        return not self.differences

    def __str__(self) -> str:
        verdict = "agree" if self.agree else "DO NOT AGREE"
        lines = [
            f"terminal and acquirer {verdict}: {self.transactions} transactions,"
            f" {money(self.terminal_net)} at the terminal, {money(self.host_net)} at the acquirer",
            *(f"  {line}" for line in self.differences),
            *(f"  unresolved: {line}" for line in self.unresolved),
        ]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One transaction in one ledger; amount: fen that were approved.

    doubted: what would void or complete it is unresolved, so that nobody knows whether it has.
    """

    kind: str
    state: str
    amount: int
    doubted: bool = False

    @property
    def net(self) -> int:
        moved = self.state in ("approved", "voided", "completed")
        return _DIRECTION.get(self.kind, 0) * self.amount if moved else 0


_Identity = tuple[str, str]  # batch number as sent, STAN

# A balance inquiry moves nothing, and the acquirer enters none.
_TERMINAL = """
SELECT batch_number, stan, kind, state, COALESCE(approved_amount, amount),
    EXISTS (SELECT 1 FROM transactions later
            WHERE later.original = transactions.id AND later.state = 'unresolved')
FROM transactions WHERE kind <> 'balance_inquiry' ORDER BY id
"""
_HOST = """
SELECT batch, stan, kind, state, amount, 0 FROM transactions ORDER BY id
"""


def compare(terminal: Path, acquirer: Path) -> Comparison:
    """Compare two ledger files that nobody writes to meanwhile. Raises sqlite3.Error."""
    ours, theirs = _read(terminal, _TERMINAL), _read(acquirer, _HOST)
    differences: list[str] = []
    unresolved: list[str] = []
    rows: list[tuple[str, ...]] = [("voucher", "kind", "amount", "terminal", "acquirer")]
    terminal_net = host_net = 0
    for identity in dict.fromkeys((*ours, *theirs)):
        our, their = ours.get(identity), theirs.get(identity)
        name = f"voucher {identity[1]} of batch {identity[0]}"
        rows.append(_row(identity[1], our, their))
        if our is not None and our.state == "unresolved":
            unresolved.append(
                f"{name}: {our.kind} {money(our.amount)}, at the acquirer {_say(their)}"
            )
            continue
        terminal_net += our.net if our else 0
        host_net += their.net if their else 0
        problem = _difference(our, their)
        if problem:
            differences.append(f"{name}: {problem}")
    if terminal_net != host_net:
        differences.append(f"in sum: {money(terminal_net)} and {money(host_net)}")
    return Comparison(
        _table(rows), len(ours), terminal_net, host_net, tuple(unresolved), tuple(differences)
    )


def _read(path: Path, query: str) -> dict[_Identity, _Entry]:
    with closing(sqlite3.connect(path)) as connection:
        return {
            (batch, stan): _Entry(kind, state, amount, bool(doubted))
            for batch, stan, kind, state, amount, doubted in connection.execute(query)
        }


def _difference(our: _Entry | None, their: _Entry | None) -> str:
    """What is wrong with one transaction, "" for nothing."""
    both = f"{_say(our)} at the terminal, {_say(their)} at the acquirer"
    if our is None:
        assert their is not None
        return both if their.net else ""
    if our.state in _UNFINISHED:
        return f"{both}; it is not finished"
    state = their.state if their else None
    undone = our.doubted and our.state == "approved" and state in ("voided", "completed")
    if state not in _HOST_STATES[our.state] and not undone:
        return both
    if their is None:
        return ""
    if our.kind != their.kind or our.net != their.net:
        return both
    return ""


def _row(voucher: str, our: _Entry | None, their: _Entry | None) -> tuple[str, ...]:
    one = our or their
    assert one is not None
    states = (entry.state if entry else "-" for entry in (our, their))
    return (voucher, one.kind, money(one.amount), *states)


def _table(rows: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """One line a row, the kinds as wide as the longest."""
    kind = max(12, *(len(row[1]) for row in rows))
    return tuple(
        f"{{:8}} {{:{kind}}} {{:>10}}  {{:10}} {{:10}}".format(*row).rstrip() for row in rows
    )


def _say(entry: _Entry | None) -> str:
    return f"{entry.kind} {money(entry.amount)} {entry.state}" if entry else "unknown"


def money(fen: int) -> str:
    """12345 -> 123.45"""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02}"


def last_voucher(terminal: Path) -> str | None:
    """The voucher number of the newest transaction."""
    return _one(terminal, "SELECT stan FROM transactions ORDER BY id DESC LIMIT 1")


def transaction_state(terminal: Path, voucher: str) -> str | None:
    """The state of the newest transaction with this voucher number (`last`: of all)."""
    if voucher == "last":
        return _one(terminal, "SELECT state FROM transactions ORDER BY id DESC LIMIT 1")
    query = "SELECT state FROM transactions WHERE stan = ? ORDER BY id DESC LIMIT 1"
    return _one(terminal, query, voucher)


def order_state(terminal: Path, number: str) -> str | None:
    """The state of the order with this number, its own or that of an attempt to pay it."""
    if number == "last":
        return _one(terminal, "SELECT state FROM orders ORDER BY id DESC LIMIT 1")
    query = """
        SELECT state FROM orders WHERE number = ?1
            OR id = (SELECT order_id FROM transactions WHERE stan = ?1 ORDER BY id DESC LIMIT 1)
        ORDER BY id DESC LIMIT 1
    """
    return _one(terminal, query, number)


def _one(path: Path, query: str, *values: str) -> str | None:
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute(query, values).fetchone()
    return None if row is None else str(row[0])
