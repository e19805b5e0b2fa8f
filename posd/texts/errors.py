"""Error codes that a clerk can read to a technician: stable, `E` and 3 digits, never used twice.

Each has in every catalogue `error.<code>.text`, what it means, and `error.<code>.action`, what to do.
E1xx devices, E2xx the host, E3xx closed for business, E9xx the program and its ledger.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """Every code there is."""

    KEYPAD = "E101"
    DISPLAY = "E102"
    PRINTER = "E103"
    CARD_READER = "E104"
    PAPER_OUT = "E105"

    NO_CONNECTION = "E201"
    NO_ANSWER = "E202"
    WRONG_MAC = "E203"
    SIGN_IN_REFUSED = "E204"

    REVERSAL_PENDING = "E301"
    RESTORED = "E302"
    DISK_FULL = "E303"
    BATCH_FULL = "E304"

    UNEXPECTED = "E900"  # an exception escaped; the money is in the ledger
    LEDGER = "E901"  # a commit failed: the ledger cannot be trusted until the next start
