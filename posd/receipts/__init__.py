"""Slips: which lines are printed, and in which order. Not how a printer prints.

Pure. A slip is made once, inside the commit of the outcome that it shows, and stored; so it holds
nothing that may not be stored in clear: of the card number the first six and last four digits, of
the expiry date nothing.
"""

from posd.receipts.approved import COPIES, host_moment, slips
from posd.receipts.faults import fault_slip, pending_slip
from posd.receipts.layouts import LAYOUTS, Layout
from posd.receipts.parts import DUPLICATED, TEST_MARK, as_duplicate

__all__ = [
    "COPIES",
    "DUPLICATED",
    "LAYOUTS",
    "TEST_MARK",
    "Layout",
    "as_duplicate",
    "fault_slip",
    "host_moment",
    "pending_slip",
    "slips",
]
