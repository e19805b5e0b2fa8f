from __future__ import annotations

import pytest

from posd.ledger.applications import Decision
from posd.ledger.ledger import Ledger
from posd.ledger.order_rules import Action, Obstacle
from posd.ledger.records import OrderState, State
from tests.posd.ledger.rig import intent


@pytest.fixture
def order(ledger: Ledger) -> int:
    with ledger.commit("order"):
        return ledger.orders.create("000001", 12345, ledger.now(), "01")


def apply(ledger: Ledger, order: int, what: Action, reason: str = "1", amount: int = 0) -> int:
    with ledger.commit("application"):
        made = ledger.applications.make(order, what, reason, ledger.now(), "01", amount)
    assert not isinstance(made, Obstacle)
    return made


def approve(ledger: Ledger, application: int, supervisor: str = "00") -> object:
    with ledger.commit("approval"):
        return ledger.applications.approve(application, supervisor, ledger.now())


@pytest.mark.parametrize(
    ("what", "reason", "amount", "state", "due"),
    [
        (Action.CANCEL, "2", 0, OrderState.CANCELLED, 12345),
        (Action.AMEND, "", 10000, OrderState.UNPAID, 10000),
        (Action.PAID_OTHERWISE, "cash", 0, OrderState.PAID, 0),
    ],
)
def test_what_is_approved_is_done_and_both_names_are_kept(
    ledger: Ledger, order: int, what: Action, reason: str, amount: int, state: OrderState, due: int
) -> None:
    application = apply(ledger, order, what, reason, amount)
    assert ledger.orders.get(order).state is OrderState.UNPAID
    assert approve(ledger, application) is None
    found = ledger.orders.get(order)
    assert (found.state, found.due) == (state, due)
    last = ledger.orders.steps(order)[-1]
    assert (last.operator, last.supervisor) == ("01", "00")
    assert ledger.applications.get(application).verdict == "approved"
    assert ledger.applications.waiting() == []


def test_a_payment_that_was_not_one_is_set_back_by_two(ledger: Ledger, order: int) -> None:
    approve(ledger, apply(ledger, order, Action.PAID_OTHERWISE, "other"))
    assert approve(ledger, apply(ledger, order, Action.SET_BACK)) is None
    assert ledger.orders.get(order).state is OrderState.UNPAID


def test_who_applies_does_not_approve(ledger: Ledger, order: int) -> None:
    application = apply(ledger, order, Action.CANCEL)
    assert approve(ledger, application, "01") is Decision.SAME_PERSON
    assert [each.id for each in ledger.applications.waiting()] == [application]


def test_a_refusal_has_a_reason_and_changes_nothing(ledger: Ledger, order: int) -> None:
    application = apply(ledger, order, Action.CANCEL)
    with ledger.commit("refusal"):
        assert ledger.applications.refuse(application, "00", "2", ledger.now())
        assert not ledger.applications.refuse(application, "00", "3", ledger.now())
    found = ledger.applications.get(application)
    assert (found.verdict, found.refusal, found.supervisor) == ("refused", "2", "00")
    assert ledger.orders.get(order).state is OrderState.UNPAID
    assert approve(ledger, application) is Decision.GONE


def test_an_order_that_changes_makes_what_was_applied_for_lapse(ledger: Ledger, order: int) -> None:
    application = apply(ledger, order, Action.CANCEL)
    with ledger.commit("paid"):
        ledger.orders.receive(order, 12345, ledger.now(), "01")
    assert ledger.applications.get(application).verdict == "lapsed"
    assert approve(ledger, application) is Decision.GONE
    assert ledger.orders.get(order).state is OrderState.PAID


def test_asking_again_replaces_what_was_asked_before(ledger: Ledger, order: int) -> None:
    first = apply(ledger, order, Action.AMEND, "", 10000)
    second = apply(ledger, order, Action.AMEND, "", 11000)
    assert [each.id for each in ledger.applications.waiting()] == [second]
    assert [each.verdict for each in ledger.applications.of_order(order)] == ["lapsed", ""]
    assert first != second


def test_nothing_is_applied_for_that_cannot_be_done(ledger: Ledger, order: int) -> None:
    with ledger.commit("attempt"):
        ledger.transactions.add(intent("000002", order=order))
        made = ledger.applications.make(order, Action.CANCEL, "1", ledger.now(), "01")
    assert made is Obstacle.IN_DOUBT
    assert ledger.applications.of_order(order) == []


def test_doubt_that_comes_later_leaves_the_application_waiting(ledger: Ledger, order: int) -> None:
    application = apply(ledger, order, Action.CANCEL)
    with ledger.commit("attempt"):
        sale = ledger.transactions.add(intent("000002", order=order))
    assert approve(ledger, application) is Obstacle.IN_DOUBT
    with ledger.commit("outcome"):
        ledger.transactions.move(sale, [State.OPEN], State.NOT_SENT)
    assert approve(ledger, application) is None


def test_no_amount_is_applied_for_that_is_paid_already(ledger: Ledger, order: int) -> None:
    with ledger.commit("part"):
        ledger.orders.receive(order, 11000, ledger.now(), "01")
        made = ledger.applications.make(order, Action.AMEND, "", ledger.now(), "01", 11000)
    assert made is Obstacle.APPROVED


def test_every_decision_is_told_before_the_change_that_it_allows(
    ledger: Ledger, order: int
) -> None:
    approve(ledger, apply(ledger, order, Action.CANCEL))
    assert [event.name for event in ledger.outbox.read()] == [
        "order.created", "application.made", "application.approved", "order.cancelled",
    ]  # fmt: skip
