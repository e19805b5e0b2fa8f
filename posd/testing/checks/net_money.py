"""Both ledgers beside each other: every transaction, and the sum (money: how it is proven)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from posd.testing.checks.evidence import (
    LOCKING,
    UNFINISHED,
    Evidence,
    HostTransaction,
    Identity,
    Transaction,
    Violation,
)

_HOST_STATES: Final = {
    "approved": ("approved",),
    "voided": ("voided",),
    "completed": ("completed",),
    "declined": (None, "declined", "reversed"),
    "reversed": (None, "declined", "reversed"),
    "not_sent": (None,),
    "no_answer": (None,),  # a balance inquiry is not in the acquirer's book
}
"""A state at the terminal -> those that the acquirer may have it in; None: unknown there."""


@dataclass(frozen=True, slots=True)
class Money:
    """Sums in fen without what is unresolved; unresolved: one line each."""

    terminal: int
    host: int
    unresolved: tuple[str, ...]
    violations: tuple[Violation, ...]


def compare(evidence: Evidence) -> Money:
    """Transaction by transaction, and in sum."""
    ours, theirs = evidence.by_identity, evidence.host_by_identity
    terminal = host = 0
    unresolved: list[str] = []
    violations: list[Violation] = []
    for identity in dict.fromkeys((*ours, *theirs)):
        mine, yours = ours.get(identity, ()), theirs.get(identity, ())
        listed = [one for one in mine if one.state == "unresolved"]
        if listed:
            at_host = ", ".join(f"{one.kind} {one.amount} {one.state}" for one in yours)
            unresolved += [f"{one.name} of {one.amount}: {at_host or '-'}" for one in listed]
            continue
        if not evidence.expected.at_rest and any(one.state in UNFINISHED for one in mine):
            continue
        terminal += sum(one.net for one in mine)
        host += sum(one.net for one in yours)
        violations += _differences(evidence, identity, list(mine), list(yours))
    if terminal != host:
        what = f"the terminal counts {terminal} fen, the acquirer {host}"
        violations.append(Violation("net", what, "in sum"))
    return Money(terminal, host, tuple(unresolved), tuple(violations))


def _differences(
    evidence: Evidence,
    identity: Identity,
    ours: list[Transaction],
    theirs: list[HostTransaction],
) -> Iterator[Violation]:
    where = f"voucher {identity[1]} of batch {identity[0]}"
    our_net, their_net = sum(one.net for one in ours), sum(one.net for one in theirs)
    if our_net != their_net:
        what = f"{_say(ours)} at the terminal, {_say(theirs)} at the acquirer"
        yield Violation("net", what, where)
    if len(ours) != 1 or len(theirs) > 1:
        return  # a number that a later batch used again: the sums above are all there is to say
    (one,) = ours
    other = theirs[0] if theirs else None
    if other is not None and other.kind != one.kind:
        yield Violation("net", f"a {one.kind} here, a {other.kind} there", where)
    state = None if other is None else other.state
    allowed = _HOST_STATES.get(one.state)
    if allowed is None or one.kind == "balance_inquiry" or state in allowed:
        return
    if _changed_by_the_unresolved(evidence, one, state):
        return
    rule = "M8" if {one.state, state} <= {"approved", "voided", "completed"} else "net"
    yield Violation(rule, f"{one.state} at the terminal, {state} at the acquirer", where)


def _changed_by_the_unresolved(
    evidence: Evidence, original: Transaction, at_host: str | None
) -> bool:
    """Has something about it, that a person must decide, moved it at the acquirer?"""
    if original.state not in ("approved", "voided", "completed"):
        return False
    about = evidence.about.get(original.id, ())
    again = [
        deeper
        for one in about
        for deeper in evidence.about.get(one.id, ())
        if deeper.kind == "completion_void"
    ]
    return any(
        one.state == "unresolved" and (LOCKING.get(one.kind) == at_host or one in again)
        for one in (*about, *again)
    )


def _say(entries: list[Transaction] | list[HostTransaction]) -> str:
    said = [
        f"{one.kind} {one.amount} {one.state}"  # no secret, no name of a person
        for one in entries
    ]
    return ", ".join(said) or "nothing"
