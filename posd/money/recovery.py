"""Power-up: what the ledger holds open is decided before anything else happens (money: power-up, M16)."""

from __future__ import annotations

import structlog

from posd.ledger.ledger import Ledger
from posd.ledger.records import State, TransactionRecord
from posd.money.kinds import KINDS
from protocol.reversal import NO_ANSWER
from protocol.transactions import Doubt

log = structlog.get_logger()


def recover(ledger: Ledger, stan_jump_after_restore: int) -> bool:
    """Every open intent is decided as after a lost answer; what was in memory only is given up.

    In a restored ledger everything in doubt is unresolved, and the STAN jumps ahead; True the first
    time that it is looked at.
    """
    restored = ledger.settings.get("restored", False)
    if restored and not ledger.settings.get("restored_seen", False):
        in_doubt = ledger.transactions.in_states(State.OPEN, State.REVERSING, State.PENDING)
        with ledger.commit("restored"):
            for record in in_doubt:
                _give_up(ledger, record, "the ledger is a restored backup")
            ledger.counters.jump_stan(stan_jump_after_restore)
            ledger.outbox.jump()
            ledger.outbox.append("ledger.restored", {"generation": ledger.counters.generation})
            ledger.settings.put("restored_seen", True)
        return True
    decide_open_intents(ledger, NO_ANSWER, "power-up")
    _give_up_what_cannot_go_on(ledger)
    return False


def decide_open_intents(ledger: Ledger, reason: str, because: str) -> list[TransactionRecord]:
    """One commit: every open intent counts as sent and follows its kind's row; as they then are."""
    open_intents = ledger.transactions.in_states(State.OPEN)
    if not open_intents:
        return []
    with ledger.commit("recovery"):
        for record in open_intents:
            _decide(ledger, record, reason, because)
    return [ledger.transactions.get(record.id) for record in open_intents]


def _decide(ledger: Ledger, record: TransactionRecord, reason: str, because: str) -> None:
    kind = KINDS[record.kind]
    if not ledger.transactions.is_whole(record.id):
        _give_up(ledger, record, "the stored request cannot be read")
    elif kind.row.doubt is Doubt.REVERSAL:
        ledger.transactions.move(
            record.id, [State.OPEN], State.REVERSING,
            {"reason": reason, "because": because}, reversal_reason=reason,
        )  # fmt: skip
        log.warning(
            "intent.reversing",
            transaction=record.id,
            stan=record.stan,
            reason=reason,
            because=because,
        )
    elif kind.row.doubt is Doubt.NOTHING:
        ledger.transactions.move(
            record.id, [State.OPEN], State.NO_ANSWER, {"because": because}, ended_at=ledger.now()
        )
    elif kind.repeatable:
        ledger.transactions.move(
            record.id, [State.OPEN], State.PENDING, {"because": because}, notice_tries=1
        )
    else:
        _give_up(ledger, record, "it cannot be repeated as it was sent")


def _give_up_what_cannot_go_on(ledger: Ledger) -> None:
    """Notices whose card was in memory only, and rows that cannot be read."""
    transactions = ledger.transactions
    lost = [
        (record, "it cannot be repeated as it was sent")
        for record in transactions.in_states(State.PENDING)
        if not KINDS[record.kind].repeatable
    ]
    broken = [
        (record, "the stored request cannot be read")
        for record in transactions.in_states(State.REVERSING, State.PENDING)
        if not transactions.is_whole(record.id)
    ]
    if lost or broken:
        with ledger.commit("recovery_unresolved"):
            for record, because in (*lost, *broken):
                _give_up(ledger, record, because)


def _give_up(ledger: Ledger, record: TransactionRecord, because: str) -> None:
    moved = ledger.transactions.move(
        record.id, [record.state], State.UNRESOLVED, {"because": because}, ended_at=ledger.now()
    )
    if moved:
        log.error("alert.unresolved", transaction=record.id, stan=record.stan, because=because)
