"""Slips: which lines are printed, and in which order. Not how a printer prints.

Pure. A slip is made once, inside the commit of the outcome that it shows, and stored; so it holds
nothing that may not be stored in clear: of the card number the first six and last four digits, of
the expiry date nothing.
"""

from posd.receipts.approved import COPIES, host_moment, slips
from posd.receipts.faults import fault_slip, pending_slip
from posd.receipts.layouts import LAYOUTS, Layout
from posd.receipts.parts import (
    DUPLICATED,
    TEST_MARK,
    TRAINING_MARK,
    as_duplicate,
    as_training,
)
from posd.receipts.test_page import test_page

__all__ = [
    "COPIES",
    "DUPLICATED",
    "LAYOUTS",
    "TEST_MARK",
    "TRAINING_MARK",
    "Layout",
    "as_duplicate",
    "as_training",
    "fault_slip",
    "host_moment",
    "pending_slip",
    "slips",
    "test_page",
]
