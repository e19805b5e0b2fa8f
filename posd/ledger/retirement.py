"""A ledger whose terminal trades no more: its data has moved to another terminal, or it was closed for good.

From that commit on there is nothing in it that could still be sent: what was in doubt is unresolved, a case
for a person, here and in the ledger that goes on with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from posd.ledger.ledger import Ledger
from posd.ledger.records import State

Why = Literal["moved", "closed"]
SETTING: Final = "retired"
_IN_DOUBT: Final = (State.OPEN, State.REVERSING, State.PENDING)
_BECAUSE: Final = {
    "moved": "the terminal's data was moved to another terminal",
    "closed": "the terminal was closed",
}


def retired_mark(file: Path) -> Path:
    """Lies beside a retired ledger: no copy of before is put in its place (`posd ledger restore`)."""
    return file.with_name(f"{file.name}.retired")


class Retirement(Struct, frozen=True):
    """archive: the id of what was moved, "" when it was closed. at: milliseconds."""

    why: Why
    archive: str
    at: int


def retirement_of(ledger: Ledger) -> Retirement | None:
    """None: the terminal trades."""
    stored = ledger.settings.get(SETTING)
    return None if stored is None else Retirement(stored["why"], stored["archive"], stored["at"])


def retire(ledger: Ledger, why: Why, archive: str = "") -> None:
    """One commit: no request, reversal or notice leaves this terminal any more; its working keys are gone."""
    at = ledger.now()
    with ledger.commit("retire"):
        for record in ledger.transactions.in_states(*_IN_DOUBT):
            ledger.transactions.move(
                record.id, [record.state], State.UNRESOLVED, {"because": _BECAUSE[why]}, ended_at=at
            )
        if why == "closed":
            ledger.transactions.erase_cards()
        ledger.settings.forget("working_keys", "signed_in_on")
        ledger.settings.put(SETTING, {"why": why, "archive": archive, "at": at})
        ledger.audit.add(at, "posd", f"terminal_{why}", {"archive": archive} if archive else {})
        ledger.outbox.append(f"terminal.{why}", {"archive": archive} if why == "moved" else {})
