"""Any history of an order: what the ledger says, the story, the events and the archive agree."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from posd.keys import Keys
from posd.ledger.ledger import Ledger
from posd.ledger.order_rules import Action, Obstacle
from posd.ledger.records import IN_DOUBT, OrderState, State
from protocol import Key
from tests.posd.ledger.rig import SeededBytes, TurnedClock, intent

KEYS = Keys(bytes(range(32)), Key(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")), 2)
OUTCOMES = [State.APPROVED] * 8 + [
    state for state in State if state not in (State.VOIDED, State.COMPLETED)
]
APPLIED = [Action.AMEND, Action.PAID_OTHERWISE, Action.CANCEL, Action.SET_BACK]
PART = st.one_of(st.just(12_345), st.integers(1, 12_345))
DONE = st.one_of(
    st.tuples(st.just("attempt"), st.sampled_from(OUTCOMES), PART),
    st.tuples(st.just("resolve"), st.sampled_from([State.DECLINED, State.REVERSED]), st.just(0)),
    st.tuples(st.just("void"), st.none(), st.just(0)),
    st.tuples(st.just("apply"), st.sampled_from(APPLIED), st.integers(1, 20_000)),
    st.tuples(st.just("decide"), st.sampled_from([True, True, False]), st.just(0)),
    st.tuples(st.just("hold"), st.booleans(), st.just(0)),
    st.tuples(st.just("age"), st.none(), st.sampled_from([0, 30, 60])),
)


class History:
    """Does what it is told to one order, as far as the ledger lets it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.stan = 1
        with ledger.commit("order"):
            self.order = ledger.orders.create("000001", 12_345, ledger.now(), "01")

    def do(self, what: str, how: object, amount: int) -> None:
        with self.ledger.commit(what):
            getattr(self, what)(how, amount)

    def attempt(self, state: State, amount: int) -> None:
        orders, transactions = self.ledger.orders, self.ledger.transactions
        if orders.obstacle(self.order, Action.PAY) is not None:
            return
        self.stan += 1
        due = orders.get(self.order).due
        sale = transactions.add(intent(f"{self.stan:06d}", order=self.order, amount=due))
        if state is not State.OPEN:
            approved = min(amount, due) if state is State.APPROVED else None
            transactions.move(sale, [State.OPEN], state, approved_amount=approved)
            if approved is not None:
                orders.receive(self.order, approved, self.ledger.now(), "01")

    def resolve(self, state: State, _amount: int) -> None:
        for record in self.ledger.transactions.of_order(self.order):
            self.ledger.transactions.move(record.id, IN_DOUBT, state)

    def void(self, _how: object, _amount: int) -> None:
        for record in self.ledger.transactions.of_order(self.order):
            if record.state is State.APPROVED:
                self.ledger.transactions.move(record.id, [State.APPROVED], State.VOIDED)
                paid = record.approved_amount or 0
                self.ledger.orders.undo_payment(self.order, paid, self.ledger.now(), "01")
                return

    def apply(self, action: Action, amount: int) -> None:
        reason = "cash" if action is Action.PAID_OTHERWISE else "1"
        self.ledger.applications.make(self.order, action, reason, self.ledger.now(), "01", amount)

    def decide(self, allows: bool, _amount: int) -> None:
        for application in self.ledger.applications.waiting()[:1]:
            if allows:
                self.ledger.applications.approve(application.id, "00", self.ledger.now())
            else:
                self.ledger.applications.refuse(application.id, "00", "2", self.ledger.now())

    def hold(self, parks: bool, _amount: int) -> None:
        if parks:
            self.ledger.orders.hold(self.order, "7", self.ledger.now(), "01")
        else:
            self.ledger.orders.resume(self.order, self.ledger.now(), "01")

    def age(self, _how: object, minutes: int) -> None:
        self.ledger.orders.age(minutes, 60, self.ledger.now())


@given(st.lists(DONE, max_size=25))
def test_order_story_events_and_money_agree_after_any_history(
    history: list[tuple[str, object, int]],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        ledger = Ledger.open(Path(name) / "ledger.db", KEYS, TurnedClock(), SeededBytes())
        mine = History(ledger)
        for each in history:
            before = ledger.orders.get(mine.order)
            doubt = ledger.orders.has_attempt_in_doubt(mine.order)
            mine.do(*each)
            after = ledger.orders.get(mine.order)
            if doubt and each[0] not in {"resolve", "hold", "void"}:
                assert (after.state, after.paid, after.amount) == (
                    before.state, before.paid, before.amount,
                )  # fmt: skip
        check(ledger, mine.order)
        ledger.close()


def check(ledger: Ledger, identity: int) -> None:
    order = ledger.orders.get(identity)
    told = [event for event in ledger.outbox.read(limit=1000) if event.name.startswith("order.")]
    assert [event.name for event in told] == [
        f"order.{step.what}" for step in ledger.orders.steps(identity)
    ]
    assert told[-1].body["paid"] == order.paid
    assert told[-1].body["state"] == str(order.state)
    approved = sum(
        record.approved_amount or 0
        for record in ledger.transactions.of_order(identity)
        if record.state is State.APPROVED
    )
    assert order.paid >= approved
    if order.state is OrderState.PAID:
        assert order.due == 0
    if order.state in {OrderState.CANCELLED, OrderState.VOIDED}:
        assert approved == 0
    if approved:
        assert ledger.orders.obstacle(identity, Action.SET_BACK) in {
            Obstacle.APPROVED, Obstacle.NOT_PAID, Obstacle.IN_DOUBT, Obstacle.DEBITED,
        }  # fmt: skip
    assert (order.closed_at is None) == (order.state is OrderState.UNPAID)
    waiting = ledger.applications.waiting()
    assert len({application.what for application in waiting}) == len(waiting)
