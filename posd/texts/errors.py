"""Error codes that a clerk can read to a technician: stable, `E` and 3 digits, never used twice.

Each has in every catalogue `error.<code>.text`, what it means, and `error.<code>.action`, what to do.
What they mean at length, for a technician: `explanations.toml`.
E1xx devices, E2xx the host, E3xx closed for business, E4xx the machine, E9xx the program and its ledger.
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
    PRINTER_FAULT = "E106"  # it is there and does not print: cover, temperature, cutter, off-line

    NO_CONNECTION = "E201"
    NO_ANSWER = "E202"
    WRONG_MAC = "E203"
    SIGN_IN_REFUSED = "E204"
    WRONG_KEYS = "E205"  # the sign-in's keys do not open under the master key
    SIGN_IN_AGAIN = "E206"  # 77, 99 or A0 although the terminal is signed in
    CERTIFICATE = "E207"
    REVERSAL_REFUSED = "E208"
    UNUSABLE_ANSWER = "E209"

    REVERSAL_PENDING = "E301"
    RESTORED = "E302"
    DISK_FULL = "E303"
    BATCH_FULL = "E304"
    NOT_SIGNED_IN = "E305"
    TRIES_SPENT = "E306"
    UNRESOLVED = "E307"
    SETTLEMENT_UNFINISHED = "E308"
    MOVED = "E309"  # another terminal goes on with this ledger
    CLOSED = "E310"
    TRAINING = "E311"
    LOCKED = "E312"

    CLOCK = "E401"

    UNEXPECTED = "E900"  # an exception escaped; the money is in the ledger
    LEDGER = "E901"  # a commit failed: the ledger cannot be trusted until the next start
