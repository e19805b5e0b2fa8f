from __future__ import annotations

import pytest
from msgspec.structs import replace

from posd.ledger.ledger import Ledger
from posd.ledger.order_rules import Action, Obstacle
from posd.ledger.records import IN_DOUBT, OrderState, State
from tests.posd.ledger.rig import TurnedClock, intent

MINUTE = 60_000


def order(ledger: Ledger, amount: int = 12345, number: str = "000001") -> int:
    with ledger.commit("order"):
        return ledger.orders.create(number, amount, ledger.now(), "01")


def attempt(
    ledger: Ledger, of: int, state: State, stan: str = "000002", amount: int = 12345
) -> int:
    """A sale for the order that ended so; an approved one has paid."""
    with ledger.commit("attempt"):
        sale = ledger.transactions.add(intent(stan, order=of, amount=amount))
        if state is not State.OPEN:
            ledger.transactions.move(sale, [State.OPEN], state, approved_amount=amount)
        if state is State.APPROVED:
            ledger.orders.receive(of, amount, ledger.now(), "01")
    return sale


def case_closed(ledger: Ledger, sale: int, verdict: str) -> None:
    with ledger.commit("case"):
        ledger.transactions.note(sale, "case_closed", {"verdict": verdict})


def story(ledger: Ledger, of: int) -> list[str]:
    return [step.what for step in ledger.orders.steps(of)]


def test_an_approval_pays_the_order_and_its_void_voids_it(ledger: Ledger) -> None:
    mine = order(ledger)
    attempt(ledger, mine, State.APPROVED)
    paid = ledger.orders.get(mine)
    assert (paid.state, paid.due, paid.means) == (OrderState.PAID, 0, "card")
    with ledger.commit("void"):
        ledger.orders.undo_payment(mine, 12345, ledger.now(), "01")
    assert ledger.orders.get(mine).state is OrderState.VOIDED
    assert story(ledger, mine) == ["created", "paid", "voided"]


def test_a_partial_approval_leaves_a_remainder_that_is_due(ledger: Ledger) -> None:
    mine = order(ledger)
    with ledger.commit("part"):
        assert ledger.orders.receive(mine, 5000, ledger.now(), "01") == 7345
    left = ledger.orders.get(mine)
    assert (left.state, left.paid, left.due) == (OrderState.UNPAID, 5000, 7345)
    with ledger.commit("rest"):
        assert ledger.orders.receive(mine, 7345, ledger.now(), "01") == 0
    assert ledger.orders.get(mine).state is OrderState.PAID


def test_of_two_payments_a_voided_one_is_due_again(ledger: Ledger) -> None:
    mine = order(ledger)
    attempt(ledger, mine, State.APPROVED, "000002", 5000)
    attempt(ledger, mine, State.APPROVED, "000003", 7345)
    with ledger.commit("void"):
        ledger.orders.undo_payment(mine, 5000, ledger.now(), "01")
    found = ledger.orders.get(mine)
    assert (found.state, found.due, found.closed_at) == (OrderState.UNPAID, 5000, None)
    with ledger.commit("void"):
        ledger.orders.undo_payment(mine, 7345, ledger.now(), "01")
    assert ledger.orders.get(mine).due == 12345


@pytest.mark.parametrize("state", sorted(IN_DOUBT))
@pytest.mark.parametrize(
    "action", [Action.PAY, Action.CANCEL, Action.EXPIRE, Action.AMEND, Action.PAID_OTHERWISE]
)
def test_while_an_attempt_is_in_doubt_nothing_is_done_with_the_order(
    ledger: Ledger, state: State, action: Action
) -> None:
    mine = order(ledger)
    attempt(ledger, mine, state)
    assert ledger.orders.obstacle(mine, action) is Obstacle.IN_DOUBT
    assert ledger.orders.obstacle(mine, Action.HOLD) is None


def test_a_void_in_doubt_blocks_the_order_of_its_original(ledger: Ledger) -> None:
    mine = order(ledger)
    sale = attempt(ledger, mine, State.APPROVED, amount=5000)
    with ledger.commit("void"):
        ledger.transactions.add(intent("000003", kind="sale_void", original=sale))
    assert ledger.orders.obstacle(mine, Action.PAY) is Obstacle.IN_DOUBT


def test_after_the_acquirer_said_not_debited_the_order_may_be_paid_again(ledger: Ledger) -> None:
    mine = order(ledger)
    case_closed(ledger, attempt(ledger, mine, State.UNRESOLVED), "1")
    assert ledger.orders.obstacle(mine, Action.PAY) is None


@pytest.mark.parametrize("verdict", ["2", "4"])
def test_after_any_other_verdict_it_can_only_be_marked_as_paid(
    ledger: Ledger, verdict: str
) -> None:
    mine = order(ledger)
    case_closed(ledger, attempt(ledger, mine, State.UNRESOLVED), verdict)
    for action in (Action.PAY, Action.CANCEL, Action.EXPIRE, Action.AMEND):
        assert ledger.orders.obstacle(mine, action) is Obstacle.DEBITED
    assert ledger.orders.obstacle(mine, Action.PAID_OTHERWISE) is None


def test_an_order_with_a_payment_is_not_given_up(ledger: Ledger) -> None:
    mine = order(ledger)
    attempt(ledger, mine, State.APPROVED, amount=5000)
    with ledger.commit("cancel"):
        assert ledger.orders.cancel(mine, ledger.now(), "01", "1") is Obstacle.APPROVED
    assert ledger.orders.obstacle(mine, Action.EXPIRE) is Obstacle.APPROVED
    assert ledger.orders.obstacle(mine, Action.PAY) is None


def test_it_is_set_back_only_when_the_ledger_holds_no_approval(ledger: Ledger) -> None:
    cash, card = order(ledger), order(ledger, number="000009")
    attempt(ledger, card, State.APPROVED)
    with ledger.commit("paid"):
        assert ledger.orders.pay_otherwise(cash, "cash", ledger.now(), "01", "00") is None
    with ledger.commit("set_back"):
        assert ledger.orders.set_back(card, ledger.now(), "01", "1", "00") is Obstacle.APPROVED
        assert ledger.orders.set_back(cash, ledger.now(), "01", "1", "00") is None
    again = ledger.orders.get(cash)
    assert (again.state, again.due, again.means, again.closed_at) == (
        OrderState.UNPAID, 12345, "", None,
    )  # fmt: skip
    with ledger.commit("set_back"):
        assert ledger.orders.set_back(cash, ledger.now(), "01", "1", "00") is Obstacle.NOT_PAID
    assert story(ledger, cash) == ["created", "paid", "set_back"]


def test_the_amount_is_changed_but_not_below_what_is_paid(ledger: Ledger) -> None:
    mine = order(ledger)
    attempt(ledger, mine, State.APPROVED, amount=5000)
    with ledger.commit("amend"):
        assert ledger.orders.amend(mine, 5000, ledger.now(), "01", "00") is Obstacle.APPROVED
        assert ledger.orders.amend(mine, 6000, ledger.now(), "01", "00") is None
    assert ledger.orders.get(mine).due == 1000


def test_a_closed_order_stays_in_the_archive(ledger: Ledger) -> None:
    mine = order(ledger)
    with ledger.commit("cancel"):
        assert ledger.orders.cancel(mine, ledger.now(), "01", "3", "00") is None
        assert ledger.orders.cancel(mine, ledger.now(), "01", "3") is Obstacle.CLOSED
    found = ledger.orders.get(mine)
    assert (found.state, found.closed_by, found.reason) == (OrderState.CANCELLED, "01", "3")
    assert ledger.orders.unpaid(held=False) == []
    assert ledger.orders.find("000001") == found
    assert ledger.orders.with_amount(12345) == [found]


def test_a_held_order_keeps_its_label_until_it_is_resumed(ledger: Ledger) -> None:
    mine, other = order(ledger), order(ledger, number="000005")
    with ledger.commit("hold"):
        assert ledger.orders.hold(mine, "13800138000", ledger.now(), "01") is None
        assert ledger.orders.hold(mine, "7", ledger.now(), "01") is Obstacle.HELD
    assert [each.id for each in ledger.orders.unpaid(held=True)] == [mine]
    assert [each.id for each in ledger.orders.unpaid(held=False)] == [other]
    assert ledger.orders.get(mine).label == "13800138000"
    with ledger.commit("resume"):
        assert ledger.orders.resume(mine, ledger.now(), "01")
        assert not ledger.orders.resume(mine, ledger.now(), "01")
    assert not ledger.orders.get(mine).held


def test_a_label_has_one_to_eleven_digits(ledger: Ledger) -> None:
    mine = order(ledger)
    for label in ("", "123456789012", "A7"):
        with pytest.raises(AssertionError, match="label"), ledger.commit("hold"):
            ledger.orders.hold(mine, label, ledger.now(), "01")


def test_orders_expire_by_running_time_except_what_is_held_busy_or_in_doubt(
    ledger: Ledger,
) -> None:
    old, held, busy, doubt = (order(ledger, number=f"00001{digit}") for digit in range(4))
    with ledger.commit("hold"):
        ledger.orders.hold(held, "7", ledger.now(), "01")
    attempt(ledger, doubt, State.REVERSING)
    with ledger.commit("age"):
        assert ledger.orders.age(29, 30, ledger.now(), but=busy) == []
    young = order(ledger, number="000020")
    with ledger.commit("age"):
        (expired,) = ledger.orders.age(1, 30, ledger.now(), but=busy)
    assert expired.id == old
    found = ledger.orders.get(old)
    assert (found.state, found.closed_by, found.reason) == (
        OrderState.CANCELLED, "posd", "expired",
    )  # fmt: skip
    for each in (held, busy, doubt, young):
        assert ledger.orders.get(each).state is OrderState.UNPAID


def test_an_order_is_found_by_its_own_number_and_by_that_of_any_attempt(ledger: Ledger) -> None:
    mine = order(ledger)
    attempt(ledger, mine, State.DECLINED, "000002")
    attempt(ledger, mine, State.REVERSED, "000003")
    for number in ("000001", "000002", "000003"):
        found = ledger.orders.find(number)
        assert found is not None
        assert found.id == mine
    assert ledger.orders.find("000004") is None


def test_of_two_orders_with_one_number_that_of_the_open_batch_is_found(ledger: Ledger) -> None:
    earlier = order(ledger)
    with ledger.commit("settled"):
        ledger._database.write("UPDATE batches SET closed_at = 1")
        ledger._database.write("INSERT INTO batches (opened_at) VALUES (2)")
    now = order(ledger, number="000001")
    found = ledger.orders.find("000001")
    assert found is not None
    assert found.id == now != earlier


def test_an_attempt_of_the_open_batch_names_its_order_before_an_older_order_of_that_number(
    ledger: Ledger,
) -> None:
    unpaid, settled = order(ledger, number="000001"), order(ledger, number="000100")
    with ledger.commit("settled"):
        ledger.orders.receive(settled, 12345, ledger.now(), "01")
        ledger._database.write("UPDATE batches SET closed_at = 1")
        ledger._database.write("INSERT INTO batches (opened_at) VALUES (2)")
    attempt(ledger, unpaid, State.DECLINED, "000100")
    found = ledger.orders.find("000100")
    assert found is not None
    assert found.id == unpaid


def test_orders_are_found_by_time(ledger: Ledger, clock: TurnedClock) -> None:
    first = order(ledger)
    clock.turn(3600)
    second = order(ledger, number="000002")
    now = ledger.now()
    assert [each.id for each in ledger.orders.created_between(0, now + 1)] == [second, first]
    assert [each.id for each in ledger.orders.created_between(now - MINUTE, now + 1)] == [second]
    with ledger.commit("cancel"):
        ledger.orders.cancel(first, now, "01", "1")
    assert [each.id for each in ledger.orders.closed_between(now, now + 1)] == [first]


def test_what_was_paid_after_all_is_a_fact_in_any_state(ledger: Ledger) -> None:
    mine = order(ledger)
    with ledger.commit("cancel"):
        ledger.orders.cancel(mine, ledger.now(), "01", "1")
        ledger.orders.receive(mine, 12345, ledger.now(), "01")
    assert ledger.orders.get(mine).state is OrderState.PAID


def test_the_story_is_append_only(ledger: Ledger) -> None:
    order(ledger)
    with pytest.raises(Exception, match="SQLITE_CONSTRAINT"), ledger.commit("change"):
        ledger._database.write("UPDATE order_steps SET operator = '02'")


def test_records_are_values(ledger: Ledger) -> None:
    found = ledger.orders.get(order(ledger))
    assert replace(found, paid=found.amount).due == 0
