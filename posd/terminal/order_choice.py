"""Which orders a clerk looks at: a part of the form."""

from __future__ import annotations

from msgspec import Struct

from posd.ledger.order_rules import Action


class OrderChoice(Struct):
    """Which orders the clerk looks at, and what is about to be done with the chosen one."""

    amount: int = 0  # fen; only orders with this amount; 0: any
    since: int | None = None  # milliseconds; only orders made from then on
    until: int | None = None  # and before then
    action: Action | None = None
    application: int | None = None  # the chosen one of those that wait
