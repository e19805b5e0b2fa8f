"""Why a settlement did not balance: both ledgers compared transaction by transaction.

A batch may count otherwise at the acquirer for two reasons only: of a transaction no answer ever came and
a person has it now, or the batch before was closed without the acquirer, where its transactions are still
open. Anything else is a fault of somebody's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, Final

from posd.testing.checks.evidence import (
    HostSettlement,
    HostTransaction,
    Identity,
    Settlement,
    Transaction,
    read_host,
    read_terminal,
)

OPEN_CASE: Final = "a case that nobody has closed"
CLOSED_CASE: Final = "a case that a person has closed"
BATCH_BEFORE: Final = "a batch before it was closed without the acquirer"
UNEXPLAINED: Final = "UNEXPLAINED"

_CLASS_DIGITS: Final = 31  # of one card class in 48; the last says whether it balances
_BALANCED: Final = "1"

Key = tuple[Identity, str]  # batch number and STAN, kind


def causes(terminal: sqlite3.Connection, acquirer: sqlite3.Connection) -> Iterator[str]:
    """One line for each settlement that did not balance, its causes in it. Raises sqlite3.Error."""
    here, there = read_terminal(terminal), read_host(acquirer)
    for theirs in filter(_differs, there["host_settlements"]):
        # A batch that was closed by hand and the next one may have the same number and the same totals.
        alike = [
            one
            for one in here["settlements"]
            if (one.batch_number, one.request.get(48, "")) == (theirs.batch, theirs.claimed)
        ]
        found = [
            " and ".join(sorted(set(_differences(here, there["host"], one, theirs)))) or UNEXPLAINED
            for one in alike
            if not one.closed_by
        ]
        explained = [line for line in found if UNEXPLAINED not in line]
        if explained:
            yield explained[0]
        elif found and len(found) == len(alike):
            yield found[0]


def _differs(theirs: HostSettlement) -> bool:
    results = theirs.counted[_CLASS_DIGITS - 1 :: _CLASS_DIGITS]
    return any(result != _BALANCED for result in results)


def _differences(
    here: Mapping[str, Any],
    host: list[HostTransaction],
    settlement: Settlement,
    theirs: HostSettlement,
) -> Iterator[str]:
    """The cause of each transaction that is not on both sides with the same amount."""
    known: dict[Key, Transaction] = {(one.identity, one.kind): one for one in here["transactions"]}
    by_hand = {one.batch for one in here["settlements"] if one.closed_by}
    counted = {
        key: one.net for key, one in known.items() if one.batch == settlement.batch and one.net
    }
    settled: dict[Key, int] = {
        ((one.batch, one.stan), one.kind): one.net
        for one in host
        if one.settlement == theirs.id and one.net
    }
    for key in sorted(counted.keys() | settled.keys()):
        if counted.get(key) != settled.get(key):
            yield _cause(known.get(key), settlement, by_hand)


def _cause(one: Transaction | None, settlement: Settlement, by_hand: set[int]) -> str:
    if one is None:
        return f"{UNEXPLAINED}: the terminal does not know it"
    if one.state == "unresolved":
        closed = any(step.what == "case_closed" for step in one.steps)
        return CLOSED_CASE if closed else OPEN_CASE
    if one.batch != settlement.batch and one.batch in by_hand:
        return BATCH_BEFORE
    return f"{UNEXPLAINED}: a {one.kind} that is {one.state}"
