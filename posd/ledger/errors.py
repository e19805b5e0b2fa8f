"""What can go wrong with the ledger. Messages never hold a stored value."""

from __future__ import annotations


class LedgerError(Exception):
    """The ledger cannot be used as asked."""


class LedgerInUse(LedgerError):
    """Another process holds the ledger (one daemon a ledger)."""


class LedgerTooNew(LedgerError):
    """The file was written by a newer program; this one would not understand it."""


class LedgerDamaged(LedgerError):
    """SQLite's own checks, or the file's header, say that the file is not whole."""


class LedgerFailed(LedgerError):
    """A statement or a commit raised: what is on disk is unknown until the ledger is opened again.

    Whoever sees it sends, prints and shows nothing more (money M14); the next start decides.
    """
