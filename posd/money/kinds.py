"""What each kind of financial request does to its original: one row a kind (money M8)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from msgspec import Struct

from posd.ledger.records import OrderState, State
from protocol import transactions as dialect
from protocol.transactions import Transaction


class Side(Enum):
    """Which total of a settlement a kind counts in."""

    DEBIT = "debit"  # the merchant is owed it
    CREDIT = "credit"  # it goes back to the cardholder


class Kind(Struct, frozen=True):
    """One row, beside the dialect's.

    originals: kinds that it may be about. original_becomes: their state once it is approved.
    restores: a completion's void gives the pre-authorisation back: the state that the original's own
    original then has. order_becomes: what happens to the order that it pays, or that its original paid.
    repeatable: a notice that can be rebuilt without the card, and so is repeated after a restart (M15).
    side: what it counts as in a settlement; None where it moves no money.
    """

    row: Transaction
    originals: frozenset[str] = frozenset()
    original_becomes: State | None = None
    restores: State | None = None
    order_becomes: OrderState | None = None
    repeatable: bool = False
    side: Side | None = None

    @property
    def locks(self) -> bool:
        """While it is in doubt, nothing else may touch its original."""
        return self.original_becomes is not None


_KINDS = (
    Kind(dialect.BALANCE_INQUIRY),
    Kind(dialect.SALE, order_becomes=OrderState.PAID, side=Side.DEBIT),
    Kind(
        dialect.SALE_VOID,
        frozenset({"sale"}),
        State.VOIDED,
        order_becomes=OrderState.VOIDED,
        side=Side.CREDIT,
    ),
    Kind(dialect.REFUND, frozenset({"sale", "completion", "completion_notice"}), side=Side.CREDIT),
    Kind(dialect.PRE_AUTHORISATION),
    Kind(dialect.PRE_AUTHORISATION_VOID, frozenset({"pre_authorisation"}), State.VOIDED),
    Kind(dialect.COMPLETION, frozenset({"pre_authorisation"}), State.COMPLETED, side=Side.DEBIT),
    Kind(
        dialect.COMPLETION_NOTICE,
        frozenset({"pre_authorisation"}),
        State.COMPLETED,
        repeatable=True,
        side=Side.DEBIT,
    ),
    Kind(
        dialect.COMPLETION_VOID,
        frozenset({"completion", "completion_notice"}),
        State.VOIDED,
        restores=State.APPROVED,
        side=Side.CREDIT,
    ),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.row.name: kind for kind in _KINDS})
"""Name of the transaction -> its row."""
