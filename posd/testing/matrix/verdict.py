"""What a scenario that has come to rest must have kept: the checker's rules, and a few of its own."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from posd.ledger.records import State
from posd.testing.checker import USUAL, check
from posd.testing.matrix.faults import UNDISTURBED
from posd.testing.matrix.points import Stop
from posd.testing.matrix.shop import Shop

_UNRESOLVED = "SELECT kind, notice_tries FROM transactions WHERE state = 'unresolved'"
_STEPS = "SELECT transaction_id, at, what FROM steps ORDER BY id"
# ms between the first "nothing to reverse" and the next 0400 (money M5): 60 s, less the one for which
# the business clock may stand still when a sign-in sets it to the host's whole seconds.
_WAIT = 59_000


def violations(shop: Shop) -> list[str]:
    """Everything that is wrong after shop.run(), a line each; empty when every rule holds."""
    terminal, acquirer = shop.ledgers
    raw = b""
    if shop.scenario.plan is UNDISTURBED:  # searching the file costs more than all the rest
        raw = b"".join(file.read_bytes() for file in terminal.parent.glob(f"{terminal.name}*"))
    with closing(sqlite3.connect(terminal)) as ours, closing(sqlite3.connect(acquirer)) as theirs:
        report = check(ours, theirs, shop.wire.captured, raw=raw)
        unresolved = ours.execute(_UNRESOLVED).fetchall()
        too_early = _second_reversals(ours)
    found = [*shop.problems, *map(str, report.violations)]
    for kind, repeated in unresolved:
        if not _may_be_unresolved(shop, str(kind), int(repeated)):
            found.append(f"unresolved: {kind}")
    found += _slips(shop)
    return found + too_early


def _may_be_unresolved(shop: Shop, kind: str, tries: int) -> bool:
    """A refund whose answer is lost for good; what a reversal did not find on another day; a notice
    of which the acquirer says that it has it already, without saying how that ended."""
    plan = shop.scenario.plan
    if kind == "refund" and (len(shop.lives) > 1 or tries >= USUAL.notice_tries):
        return True
    return plan.another_day or (tries > 0 and any("94" in fault.name for fault in plan.faults))


def _slips(shop: Shop) -> list[str]:
    """A slip that was handed to the printer before says so when it is handed over again (money M6)."""
    seen: set[int] = set()
    found = []
    for paper in shop.papers:
        if paper.job in seen and not paper.marked:
            found.append(f"slip {paper.job} was printed again without a mark")
        seen.add(paper.job)
    return found


def _second_reversals(terminal: sqlite3.Connection) -> list[str]:
    """M5: after the first "nothing to reverse" the next 0400 waits: the original may be on its way."""
    found = []
    until: dict[int, int] = {}
    for transaction, at, what in terminal.execute(_STEPS):
        if what == "host_had_none":
            until[transaction] = at + _WAIT
        elif what == "reversal_sent" and at < until.get(transaction, 0):
            left = (until[transaction] - at) / 1000
            found.append(f"M5: the second 0400 was sent {left:.1f} s too early")
    return found


def states_of(shop: Shop) -> list[State]:
    """The states of the transactions that were made since the terminal was prepared, oldest first."""
    with closing(sqlite3.connect(shop.ledgers[0])) as ledger:
        rows = ledger.execute(
            "SELECT state FROM transactions WHERE created_at >= ? ORDER BY id", (shop.began,)
        )
        return [State(state) for (state,) in rows]


def stops_were_reached(shop: Shop) -> bool:
    """Did every stop of the scenario happen? One that did not proves nothing."""
    stops = shop.scenario.stops
    return len(shop.lives) >= len(stops) and all(
        stop is None or _reached(shop, life, stop) for life, stop in enumerate(stops)
    )


def _reached(shop: Shop, life: int, stop: Stop) -> bool:
    return len(shop.lives[life].names) > stop.number
