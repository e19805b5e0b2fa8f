"""The test acquirer: the host in tests, in the demo and in training mode."""

from posd.acquirer.acquirer import Acquirer
from posd.acquirer.answers import Delivery
from posd.acquirer.cards import CARDS, TestCard
from posd.acquirer.ledger import AcquirerLedger
from posd.acquirer.outcomes import Fault, Order, Outcome
from posd.acquirer.situation import Options, TerminalRecord

__all__ = [
    "CARDS",
    "Acquirer",
    "AcquirerLedger",
    "Delivery",
    "Fault",
    "Options",
    "Order",
    "Outcome",
    "TerminalRecord",
    "TestCard",
]
