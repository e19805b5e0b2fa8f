"""Reversals until the host says so: M3, M5, M11, M13."""

from __future__ import annotations

from pathlib import Path

from posd.acquirer import Fault
from posd.core.events import Outcome, TransactionEnded
from posd.ledger.records import State
from tests.posd.money.rig import Counter, only_refusal, outcomes


def pending_sale(counter: Counter, amount: int = 12345) -> int:
    """A sale without an answer whose first reversal gets none either."""
    counter.order_at_host("sale", Fault.NO_ANSWER)
    counter.order_at_host("reversal", Fault.LOST)
    assert outcomes(counter.sale(amount))[0] == Outcome.REVERSAL_PENDING
    return counter.newest().id


def test_a_pending_reversal_blocks_new_requests_and_goes_first(counter: Counter) -> None:
    pending = pending_sale(counter)
    counter.order_at_host("reversal", Fault.LOST)
    reports = counter.sale(100)
    assert counter.sent_mtis()[-2:] == ["0400", "0400"]
    assert only_refusal(reports[-1:]) == "reversal_pending"
    assert counter.ledger.transactions.get(pending).state is State.REVERSING


def test_when_the_pending_reversal_ends_the_waiting_sale_goes_on(counter: Counter) -> None:
    pending = pending_sale(counter)
    assert outcomes(counter.sale(100)) == [Outcome.REVERSED, Outcome.APPROVED]
    assert counter.sent_mtis()[-2:] == ["0400", "0200"]
    assert counter.ledger.transactions.get(pending).state is State.REVERSED
    assert counter.net_here() == counter.net_there() == 100


def test_the_terminal_opens_again_by_itself(counter: Counter) -> None:
    pending = pending_sale(counter)
    assert counter.money.refusal() == "reversal_pending"
    counter.let_pass(6)
    assert counter.ledger.transactions.get(pending).state is State.REVERSED
    assert TransactionEnded(pending, Outcome.REVERSED) in counter.reports
    assert counter.money.refusal() is None


def test_after_three_tries_somebody_is_told_once_and_it_goes_on(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.NO_ANSWER)
    counter.order_at_host("reversal", Fault.LOST, times=6)
    counter.sale(12345)
    counter.let_pass(3000)
    record = counter.newest()
    assert record.state is State.REVERSED
    assert record.reversal_tries == 7
    fault_slips = [j for j in counter.ledger.print_jobs.waiting(record.id) if j.copy == "fault"]
    assert len(fault_slips) == 1
    assert counter.net_here() == counter.net_there() == 0


def test_connections_that_fail_are_no_tries(counter: Counter) -> None:
    pending = pending_sale(counter)
    counter.link.up = False
    counter.let_pass(2000)
    assert counter.ledger.transactions.get(pending).reversal_tries == 1
    counter.link.up = True
    counter.let_pass(310)
    assert counter.ledger.transactions.get(pending).state is State.REVERSED


def test_the_first_nothing_to_reverse_is_not_believed(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.LOST)
    counter.order_at_host("reversal", "25")
    assert outcomes(counter.sale(12345)) == [Outcome.REVERSAL_PENDING]
    record = counter.newest()
    assert record.host_had_none
    counter.let_pass(59)
    assert counter.sent_mtis().count("0400") == 1
    counter.let_pass(2)
    assert counter.sent_mtis().count("0400") == 2
    assert counter.ledger.transactions.get(record.id).state is State.REVERSED


def test_an_original_that_comes_after_the_first_25_is_reversed_by_the_second_try(
    counter: Counter,
) -> None:
    sale = counter.sent
    counter.order_at_host("sale", Fault.LOST)
    counter.order_at_host("reversal", "25")
    counter.sale(12345)
    late = next(m for m in reversed(sale) if m.mti == "0200")
    assert late.elements[4] == "000000012345"
    counter.let_pass(61)
    assert counter.newest().state is State.REVERSED
    assert counter.net_here() == counter.net_there() == 0


def test_twice_nothing_on_another_day_is_for_a_person(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.LOST)
    counter.order_at_host("reversal", "25", times=2)
    counter.sale(12345)
    counter.next_day()
    counter.let_pass(61)
    assert counter.newest().state is State.UNRESOLVED
    assert counter.money.refusal() == "not_signed_in"  # a new day, and nothing pending


def test_a_refused_reversal_is_tried_again(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.NO_ANSWER)
    counter.order_at_host("reversal", "96", times=2)
    counter.sale(12345)
    counter.let_pass(30)
    record = counter.newest()
    assert (record.state, record.reversal_tries) == (State.REVERSED, 3)


def test_a_host_that_refuses_again_and_again_is_asked_less_and_less(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.NO_ANSWER)
    counter.order_at_host("reversal", "96", times=99)
    counter.sale(12345)
    counter.let_pass(3600)
    assert counter.newest().reversal_tries < 20
    counter.acquirer._orders.clear()
    counter.let_pass(310)
    assert counter.newest().state is State.REVERSED


def test_a_code_00_without_a_mac_does_not_end_it(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.NO_ANSWER)
    counter.order_at_host("reversal", Fault.NO_MAC)
    assert outcomes(counter.sale(12345)) == [Outcome.REVERSAL_PENDING]
    counter.let_pass(6)
    assert counter.newest().state is State.REVERSED


def test_a_host_that_sends_none_can_be_configured(tmp_path: Path) -> None:
    counter = Counter(tmp_path, approved_reversal_needs_mac=False)
    counter.sign_in()
    counter.order_at_host("sale", Fault.NO_ANSWER)
    counter.order_at_host("reversal", Fault.NO_MAC)
    reports = counter.sale(12345)
    counter.close()
    assert outcomes(reports) == [Outcome.REVERSED]


def test_after_77_the_terminal_signs_in_and_reverses_with_the_new_keys(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.NO_ANSWER)
    counter.order_at_host("reversal", "77")
    counter.sale(12345)
    counter.let_pass(6)
    assert counter.sent_mtis()[-4:] == ["0200", "0400", "0800", "0400"]
    assert counter.newest().state is State.REVERSED
    assert counter.net_here() == counter.net_there() == 0


def test_a_reversal_keeps_the_batch_that_the_original_was_sent_with(counter: Counter) -> None:
    pending = pending_sale(counter)
    counter.acquirer.change_batch("T0000001", "000077")
    counter.sign_in()  # and the link is there: the reversal follows at once
    counter.let_pass(10)
    reversal = counter.sent[-1]
    assert reversal.mti == "0400"
    assert reversal.elements[60][2:8] == "000001"
    assert counter.ledger.counters.batch_number == "000077"
    assert counter.ledger.transactions.get(pending).state is State.REVERSED


def test_two_pending_reversals_are_both_sent(counter: Counter) -> None:
    first = pending_sale(counter, 100)
    # A second one can only come from an intent that was open at a power cut.
    with counter.ledger.commit("test"):
        counter.ledger._database.write(
            "UPDATE transactions SET state = 'reversed' WHERE id = ?", (first,)
        )
    counter.order_at_host("reversal", Fault.LOST)
    second = pending_sale(counter, 200)
    assert counter.ledger.transactions.get(second).state is State.REVERSING
    with counter.ledger.commit("test"):
        counter.ledger._database.write(
            "UPDATE transactions SET state = 'reversing' WHERE id = ?", (first,)
        )
    counter.let_pass(1000)
    for identity in (first, second):
        assert counter.ledger.transactions.get(identity).state is State.REVERSED
    assert counter.net_here() == counter.net_there() == 0


def test_a_restart_does_not_shorten_the_wait_after_the_first_25(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.LOST)
    counter.order_at_host("reversal", "25")
    counter.sale(12345)
    counter.let_pass(5)
    counter.power_cut()
    counter.power_on()
    counter.let_pass(59)
    assert counter.sent_mtis().count("0400") == 1
    counter.let_pass(2)
    assert counter.sent_mtis().count("0400") == 2
    assert counter.newest().state is State.REVERSED


def test_a_restart_in_the_last_try_does_not_keep_it_from_being_told(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.NO_ANSWER)
    counter.order_at_host("reversal", Fault.LOST, times=3)
    counter.sale(12345)
    counter.world.let_pass(1000, until=lambda: counter.newest().reversal_tries == 3)
    assert [job.copy for job in counter.ledger.print_jobs.waiting()] == []
    counter.power_cut()
    counter.power_on()
    counter.let_pass(3000)
    assert counter.newest().state is State.REVERSED
    assert counter.newest().reversal_tries == 4  # the next try ended it, but three were spent
    assert [job.copy for job in counter.ledger.print_jobs.waiting()] == ["fault"]


def test_a_reversal_of_yesterday_is_sent_today_with_and_without_a_restart(counter: Counter) -> None:
    for restart in (False, True):
        pending = pending_sale(counter)
        counter.next_day()
        if restart:
            counter.power_cut()
            counter.power_on()
        counter.let_pass(400)
        assert counter.ledger.transactions.get(pending).state is State.REVERSED
        assert counter.net_here() == counter.net_there() == 0
        counter.sign_in()
