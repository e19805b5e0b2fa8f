"""Power-up: open intents are decided, reversals go out without a clerk (M5, M16; power-up)."""

from __future__ import annotations

import sqlite3

import pytest

from posd.acquirer import Fault
from posd.core.events import Event
from posd.ledger.errors import LedgerFailed
from posd.ledger.records import State
from posd.money.requests import SwipedCard
from tests.posd.money.rig import CARDS, Counter, only_refusal


def start_sale(counter: Counter, amount: int, seconds: float) -> None:
    """Ask for a sale and let so many seconds pass, whatever it has come to."""
    swiped = SwipedCard(CARDS["nopin"].track2)
    counter.money.sale(amount, None, swiped, None)
    counter._drain()
    counter.let_pass(seconds)


@pytest.mark.parametrize("seconds", [0.0, 0.04, 0.06, 0.11, 0.16])
def test_a_power_cut_at_any_moment_of_a_sale_ends_with_both_sides_equal(
    counter: Counter, seconds: float
) -> None:
    start_sale(counter, 12345, seconds)
    counter.power_cut()
    counter.let_pass(5)
    counter.power_on()
    counter.let_pass(200)
    record = counter.newest()
    assert record.state in (State.REVERSED, State.APPROVED)
    assert counter.net_here() == counter.net_there()
    if record.state is State.APPROVED:
        assert counter.ledger.print_jobs.waiting(record.id)


def test_a_power_cut_while_reversing_goes_on_reversing(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.NO_ANSWER)
    counter.order_at_host("reversal", Fault.LOST, times=2)
    counter.sale(12345)
    counter.power_cut()
    counter.power_on()
    counter.let_pass(300)
    record = counter.newest()
    assert record.state is State.REVERSED
    assert record.reversal_reason == "98"
    assert counter.net_here() == counter.net_there() == 0


def test_the_working_keys_survive_so_that_no_clerk_is_needed(counter: Counter) -> None:
    start_sale(counter, 12345, 0.06)
    counter.power_cut()
    counter.let_pass(5)
    counter.power_on()
    counter.let_pass(10)
    assert counter.sent_mtis() == ["0800", "0200", "0400"]
    assert counter.money.signed_in


def test_without_keys_the_terminal_signs_in_first(counter: Counter) -> None:
    start_sale(counter, 12345, 0.06)
    with counter.ledger.commit("test"):
        counter.ledger._database.write("DELETE FROM settings WHERE name = 'working_keys'")
    counter.power_cut()
    counter.let_pass(5)
    counter.power_on()
    counter.let_pass(10)
    assert counter.sent_mtis() == ["0800", "0200", "0800", "0400"]
    assert counter.newest().state is State.REVERSED


def test_an_intent_that_cannot_be_read_is_for_a_person(counter: Counter) -> None:
    start_sale(counter, 12345, 0.06)
    with counter.ledger.commit("bit rot"):
        counter.ledger._database.write("UPDATE transactions SET amount = 1")
    counter.power_cut()
    counter.power_on()
    counter.let_pass(100)
    assert counter.newest().state is State.UNRESOLVED
    assert "0400" not in counter.sent_mtis()


def test_a_restored_ledger_reverses_nothing_and_sells_nothing(counter: Counter) -> None:
    start_sale(counter, 12345, 0.06)
    counter.power_cut()
    old = counter.ledger_path.read_bytes()
    wal = counter.ledger_path.with_name("ledger.db-wal")
    counter.power_on()
    counter.let_pass(100)
    assert counter.newest().state is State.REVERSED
    stan_before = int(counter.newest().stan)
    counter.power_cut()
    counter.ledger_path.write_bytes(old)
    wal.unlink(missing_ok=True)
    sent = len(counter.sent)
    counter.power_on()
    counter.let_pass(1000)
    assert counter.sent_mtis()[sent:] == ["0800"]  # its keys are of the past
    assert counter.newest().state is State.UNRESOLVED
    reports: list[Event] = counter.sale(100)
    assert only_refusal(reports) == "restored"
    with counter.ledger.commit("stan"):
        assert int(counter.ledger.counters.next_stan()) > stan_before + 9_000


def test_a_fault_of_ours_in_the_middle_of_an_exchange_is_reversed(counter: Counter) -> None:
    start_sale(counter, 12345, 0.06)
    counter.money.after_fault()
    counter._drain()
    counter.let_pass(100)
    record = counter.newest()
    assert (record.state, record.reversal_reason) == (State.REVERSED, "96")
    assert counter.net_here() == counter.net_there() == 0


@pytest.mark.parametrize(
    ("commit", "on_disk", "state"),
    [
        ("intent", False, None),
        ("intent", True, State.REVERSED),
        ("outcome", False, State.REVERSED),
        ("outcome", True, State.APPROVED),
    ],
)
def test_a_commit_that_reports_an_error_is_believed_only_after_the_next_start(
    counter: Counter, commit: str, on_disk: bool, state: State | None
) -> None:
    def disk_fails(point: str) -> None:
        if point == f"{'after' if on_disk else 'before'} {commit}":
            raise sqlite3.OperationalError("disk I/O error")

    counter.ledger._database.observe = disk_fails
    with pytest.raises(LedgerFailed):
        start_sale(counter, 12345, 10)
    sent, reports = len(counter.sent), len(counter.reports)
    counter.let_pass(100)
    with pytest.raises(LedgerFailed):  # nothing works any more until then
        counter.money.refusal()
    assert (len(counter.sent), len(counter.reports)) == (sent, reports)
    counter.power_cut()
    counter.power_on()
    counter.let_pass(200)
    found = counter.ledger.transactions.last("sale", *State)
    assert (found and found.state) == state
    assert counter.net_here() == counter.net_there()
