"""Settlement: totals, the host's word about them, uploads of every kind, the end of the batch."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from posd.acquirer import Fault
from posd.acquirer.cards import BY_NAME as CARDS
from posd.core.events import (
    Event,
    RequestRefused,
    SettlementEnded,
    SettlementProgress,
    SettlementStep,
    SignInEnded,
    TransactionEnded,
)
from posd.ledger.batches import SettlementState, UploadKind
from posd.ledger.records import State, TransactionRecord
from posd.money.kinds import KINDS
from posd.money.requests import Reference, SwipedCard, request_of
from posd.money.totals import ClassTotals
from protocol.pin import pin_block
from protocol.settlement_data import UploadEnd, UploadList, parse_48
from tests.posd.money.rig import Counter, only_refusal, outcomes

UNANSWERED = Fault.NO_ANSWER


def made(
    counter: Counter,
    kind: str,
    amount: int,
    original: TransactionRecord | None = None,
    card: str = "nopin",
) -> TransactionRecord:
    """An approved transaction of any kind, about this original."""
    swiped = SwipedCard(CARDS[card].track2)
    key, pin = counter.money.pin_key, CARDS[card].pin
    assert key is not None
    request = request_of(
        kind,
        amount,
        swiped,
        pin_block=pin_block(pin, swiped.track2.pan, key) if pin else None,
        original=original,
        reference=Reference.of(original) if original else None,
        supervisor="00" if original else "",
    )
    (event,) = counter.do(lambda: counter.money.request(request))
    assert isinstance(event, TransactionEnded), event
    record = counter.ledger.transactions.get(event.transaction)
    assert record.state is State.APPROVED, event
    return record


def a_day(counter: Counter) -> dict[str, TransactionRecord]:
    """One of each kind that there is, domestic, and a foreign sale; the acquirer agrees about all of it."""
    day = {"voided": made(counter, "sale", 12_345)}
    day["void"] = made(counter, "sale_void", 12_345, day["voided"])
    day["sale"] = made(counter, "sale", 9_000)
    day["refund"] = made(counter, "refund", 5_000, day["sale"])
    day["foreign"] = made(counter, "sale", 700, card="visa")
    held = made(counter, "pre_authorisation", 20_000)
    day["completion"] = made(counter, "completion", 18_000, held)
    held = made(counter, "pre_authorisation", 30_000)
    day["notice"] = made(counter, "completion_notice", 30_000, held)
    held = made(counter, "pre_authorisation", 4_000)
    undone = day["undone"] = made(counter, "completion", 4_000, held)
    day["completion_void"] = made(counter, "completion_void", 4_000, undone)
    return day


DOMESTIC = ClassTotals(12_345 + 9_000 + 18_000 + 30_000 + 4_000, 5, 12_345 + 5_000 + 4_000, 3)
FOREIGN = ClassTotals(700, 1, 0, 0)


def settle(counter: Counter) -> list[Event]:
    return counter.do(lambda: counter.money.settle("01"), 2_000)


def ended(reports: list[Event]) -> SettlementEnded:
    (event,) = (each for each in reports if isinstance(each, SettlementEnded))
    return event


def settled(counter: Counter) -> SettlementEnded:
    event = ended(settle(counter))
    assert event.settled, event
    return event


def unbalance(counter: Counter) -> None:
    """The host forgets the sum of one transaction of each class: nothing balances any more."""
    counter.acquirer_ledger._connection.execute(
        "UPDATE transactions SET amount = amount + 1 WHERE kind = 'sale' AND state = 'approved'"
    )
    counter.acquirer_ledger._connection.commit()


def asked_there(counter: Counter, question: str) -> list[tuple[Any, ...]]:
    path = counter.configuration.terminal.state_directory / "acquirer.db"
    with closing(sqlite3.connect(path)) as other:
        return other.execute(question).fetchall()


def sent(counter: Counter, mti: str) -> list[dict[int, Any]]:
    return [dict(message.elements) for message in counter.sent if message.mti == mti]


# --- balanced -------------------------------------------------------------------------------------


def test_a_day_of_every_kind_balances_and_the_next_batch_is_open(counter: Counter) -> None:
    day = a_day(counter)
    totals = counter.money.settlement_totals()
    assert (totals.domestic, totals.foreign) == (DOMESTIC, FOREIGN)
    assert {each.kind for each in totals.kinds} == KINDS.keys() - {
        "balance_inquiry",
        "pre_authorisation_void",
    }
    event = settled(counter)
    assert event.settlement is not None
    record = counter.ledger.batches.get(event.settlement)
    assert record.state is SettlementState.CLOSED
    assert (record.answer[30], record.answer[61]) == ("1", "1")
    assert counter.money.settlement_unfinished is None
    assert counter.ledger.counters.batch_number == "000002"
    assert counter.ledger.counters.open_batch == day["sale"].batch + 1
    assert counter.ledger.transactions.unsettled_count() == 0
    counter.approved_sale(100)
    assert asked_there(counter, "SELECT batch, state FROM settlements") == [("000001", "closed")]
    assert counter.net_here() == counter.net_there()
