"""Power-up: what the ledger holds open is decided before anything else happens (money: power-up, M16)."""

from __future__ import annotations

import structlog

from posd.ledger.ledger import Ledger
from posd.ledger.records import State
from protocol.reversal import NO_ANSWER

log = structlog.get_logger()


def recover(ledger: Ledger, stan_jump_after_restore: int) -> None:
    """One commit: every open intent becomes reversing (sent or unknown), or unresolved.

    Unresolved: a row that cannot be read, and everything in doubt of a ledger that was restored.
    """
    transactions = ledger.transactions
    restored = ledger.settings.get("restored", False)
    first_look = restored and not ledger.settings.get("restored_seen", False)
    in_doubt = transactions.in_states(State.OPEN, State.REVERSING, State.PENDING)
    if not in_doubt and not first_look:
        return
    with ledger.commit("recovery"):
        for record in in_doubt:
            why = ""
            if first_look:
                why = "the ledger is a restored backup"
            elif not transactions.is_whole(record.id):
                why = "the stored request cannot be read"
            if why:
                transactions.move(
                    record.id,
                    [record.state],
                    State.UNRESOLVED,
                    {"because": why},
                    ended_at=ledger.now(),
                )
                log.error("alert.unresolved", transaction=record.id, stan=record.stan, reason=why)
            elif record.state is State.OPEN:
                transactions.move(
                    record.id, [State.OPEN], State.REVERSING,
                    {"reason": NO_ANSWER, "because": "power-up"}, reversal_reason=NO_ANSWER,
                )  # fmt: skip
                log.warning("intent.reversing", transaction=record.id, reason=NO_ANSWER)
        if first_look:
            ledger.counters.jump_stan(stan_jump_after_restore)
            ledger.settings.put("restored_seen", True)
