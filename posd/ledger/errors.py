"""What can go wrong with the ledger. Messages never hold a stored value."""

from __future__ import annotations

from typing import ClassVar


class LedgerError(Exception):
    """The ledger cannot be used as asked.

    advice: what the person who reads it does next, one sentence.
    """

    advice: ClassVar[str] = "call a technician"


class LedgerInUse(LedgerError):
    """Another process holds the ledger (one daemon a ledger)."""

    advice = "end the other posd process first"


class LedgerTooNew(LedgerError):
    """The file was written by a newer program; this one would not understand it."""

    advice = "install the program that wrote it, or a newer one; the file was left alone"


class LedgerDamaged(LedgerError):
    """SQLite's own checks, or the file's contents, say that the file is not a whole ledger."""

    advice = (
        "delete nothing; `posd ledger verify` says what is wrong, `posd ledger restore` puts the newest "
        "good backup in place and keeps this file beside it"
    )


class LedgerFailed(LedgerError):
    """A statement or a commit raised: what is on disk is unknown until the ledger is opened again.

    Whoever sees it sends, prints and shows nothing more (money M14); the next start decides.
    """

    advice = "look at the disk: its free space (df) and what the kernel says of it (dmesg)"
