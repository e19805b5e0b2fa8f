"""Where the world is stopped: at a commit, at a hand-over of bytes, at a print command.

A cut is armed for the n-th time that its place is passed. A power cut leaves what is committed; a commit
that fails is an error of the disk, and what it wrote may be there all the same (money M14).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from posd.ledger.errors import LedgerFailed


class PowerCut(BaseException):
    """The terminal has no power from here on. No `except Exception` of the core stops it."""


class Where(StrEnum):
    """A place inside an event. The value is what reports call it."""

    COMMIT_LOST = "power cut before a commit"
    COMMIT_KEPT = "power cut after a commit"
    COMMIT_FAILED_LOST = "commit fails, nothing stored"
    COMMIT_FAILED_KEPT = "commit fails, but is stored"
    HAND_OVER_BEFORE = "power cut before bytes are handed over"
    HAND_OVER_AFTER = "power cut after bytes were handed over"
    WAITING = "power cut while an answer is awaited"
    PRINT_BEFORE = "power cut before a print command"
    PRINT_AFTER = "power cut after a print command"


_AT_COMMIT: Final = {
    "before": (Where.COMMIT_LOST, Where.COMMIT_FAILED_LOST),
    "after": (Where.COMMIT_KEPT, Where.COMMIT_FAILED_KEPT),
}
_FAILURES: Final = (Where.COMMIT_FAILED_LOST, Where.COMMIT_FAILED_KEPT)
LABELS: Final = (
    "intent", "outcome", "reversing", "reversal_try", "reversal_outcome", "reversal_host_had_none",
    "reversal_refused", "recovery", "sign_in", "stan", "slips_done", "notice_pending",
    "notice_try", "notice_unresolved", "order", "reversal_tries_spent", "generation",
    "settlement_begun", "settlement_try", "settlement_answered", "settlement_uploaded", "batch_closed",
    "erased_for_good", "signed_off_after_settlement",
)  # fmt: skip
"""Commits that a cut may be aimed at, by their label in the ledger."""


@dataclass(slots=True)
class Armed:
    """A cut that waits. label: only commits of this label count; "" for any. left: passes to go.

    seconds: how long after a hand-over an answer is awaited.
    """

    where: Where
    label: str
    left: int
    seconds: float


class Cuts:
    """At most one cut is armed. struck(where, label) is told when it happens.

    later(seconds, where): let the power fail after so many seconds.
    """

    def __init__(
        self,
        struck: Callable[[Where, str], None],
        later: Callable[[float, Where], None],
    ) -> None:
        self._struck = struck
        self._later = later
        self.armed: Armed | None = None
        self.disk_failed = False  # the ledger was told so: the process is expected to end

    def arm(self, where: Where, label: str, passes: int, seconds: float = 0.0) -> None:
        """Strike at this place when it is passed for the passes-th time from now."""
        self.armed = Armed(where, label, passes, seconds)

    def disarm(self) -> None:
        self.armed = None

    # --- the places -----------------------------------------------------------------------------

    def commit(self, point: str) -> None:
        """What the ledger's observe is called with: `before LABEL`, `after LABEL`."""
        if self.armed is not None:
            moment, _, label = point.partition(" ")
            self._pass(_AT_COMMIT[moment], label)

    def before_hand_over(self) -> None:
        self._pass((Where.HAND_OVER_BEFORE,), "")

    def after_hand_over(self) -> None:
        self._pass((Where.HAND_OVER_AFTER, Where.WAITING), "")

    def before_print(self) -> None:
        self._pass((Where.PRINT_BEFORE,), "")

    def after_print(self) -> None:
        self._pass((Where.PRINT_AFTER,), "")

    def _pass(self, here: tuple[Where, ...], label: str) -> None:
        armed = self.armed
        if armed is None or armed.where not in here or armed.label not in ("", label):
            return
        armed.left -= 1
        if armed.left > 0:
            return
        self.armed = None
        if armed.where is Where.WAITING:
            self._later(armed.seconds, armed.where)
            return
        self._struck(armed.where, label)
        if armed.where in _FAILURES:
            self.disk_failed = True
            raise LedgerFailed(f"commit {label}: injected")
        raise PowerCut
