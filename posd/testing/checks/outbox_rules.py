"""Rules of the outbox: an event for each change, a change for each event. Each yields what breaks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from posd.testing.checks.evidence import DIRECTION, Evidence, Violation

_RULE: Final = "outbox"
_OF_TRANSACTIONS: Final = "transaction."
_OF_ORDERS: Final = "order."
_AGAIN: Final = {"restored": "approved"}
"""What an event calls a state that a transaction had before."""


def _about(evidence: Evidence, family: str, key: str) -> Mapping[Any, list[tuple[str, Any]]]:
    """Subject -> its events of one family, in their order: the rest of the name, and the body."""
    found: dict[Any, list[tuple[str, Any]]] = {}
    for name, body in evidence.outbox:
        if name.startswith(family):
            found.setdefault(body[key], []).append((name.removeprefix(family), body))
    return found


def transactions_are_told(evidence: Evidence) -> Iterator[Violation]:
    """Each state of a transaction but the first, once and in order; old ones may have been pruned."""
    told = _about(evidence, _OF_TRANSACTIONS, "transaction")
    for one in evidence.transactions:
        states = [state for _, state in one.story][1:]
        events = [_AGAIN.get(name, name) for name, _ in told.get(one.id, ())]
        kept = states[len(states) - len(events) :] if evidence.outbox_was_pruned else states
        if events != kept:
            yield Violation(_RULE, f"told {events}, it became {states}", one.name)
        for _, body in told.get(one.id, ()):
            if (body["stan"], body["amount"]) != (one.stan, one.amount):
                yield Violation(_RULE, "an event has another number or amount", one.name)


def orders_are_told(evidence: Evidence) -> Iterator[Violation]:
    """The last event of an order says how it stands."""
    told = _about(evidence, _OF_ORDERS, "order")
    for order in evidence.orders:
        events = told.get(order.id, [])
        if not events:
            if not evidence.outbox_was_pruned:
                yield Violation(_RULE, "nothing was told of it", f"order {order.number}")
            continue
        body = events[-1][1]
        if (body["state"], body["paid"], body["amount"]) != (order.state, order.paid, order.amount):
            what = f"told last: {body['state']}, {body['paid']} of {body['amount']} fen"
            yield Violation(_RULE, what, f"order {order.number}, {order.state}")


def settled_batches_are_told(evidence: Evidence) -> Iterator[Violation]:
    """Each closed batch once, with the sums of its transactions."""
    told = _about(evidence, "batch.", "batch")
    for settlement in evidence.settlements:
        events = told.get(settlement.batch, [])
        closed = settlement.state == "closed"
        if len(events) > closed or (len(events) < closed and not evidence.outbox_was_pruned):
            yield Violation(_RULE, f"told {len(events)} times", settlement.name)
        nets = [
            one.net for one in evidence.transactions
            if one.batch == settlement.batch and one.kind in DIRECTION
        ]  # fmt: skip
        debit, credit = [n for n in nets if n > 0], [-n for n in nets if n < 0]
        right = (sum(debit), len(debit), sum(credit), len(credit))
        for _, body in events:
            said = tuple(
                body[f"{side}_{what}"]
                for side in ("debit", "credit")
                for what in ("amount", "count")
            )
            if said != right:
                yield Violation(_RULE, f"told {said}, it was {right}", settlement.name)


RULES: Final = (transactions_are_told, orders_are_told, settled_batches_are_told)
