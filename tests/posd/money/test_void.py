"""A void and its original: M8."""

from __future__ import annotations

import pytest

from posd.acquirer import Fault
from posd.core.events import Outcome
from posd.ledger.records import OrderState, State
from tests.posd.money.rig import Counter, only_refusal, outcomes


def test_a_void_and_its_original_change_in_one_commit(counter: Counter) -> None:
    sale = counter.approved_sale(12345)
    counter.diary.clear()
    assert outcomes(counter.void(sale.id)) == [Outcome.APPROVED]
    assert counter.diary.count("after outcome") == 1
    assert counter.ledger.transactions.get(sale.id).state is State.VOIDED
    void = counter.newest()
    assert (void.kind, void.state, void.original, void.supervisor) == (
        "sale_void", State.APPROVED, sale.id, "00",
    )  # fmt: skip
    assert sale.order is not None
    assert counter.ledger.orders.get(sale.order).state is OrderState.VOIDED
    assert counter.net_here() == counter.net_there() == 0


def test_the_void_names_its_original(counter: Counter) -> None:
    sale = counter.approved_sale(12345)
    counter.void(sale.id)
    request = counter.sent[-1]
    assert request.elements[37] == sale.retrieval_reference
    assert request.elements[61] == sale.batch_number + sale.stan
    assert request.elements.get(38, "").strip() == sale.authorisation_code
    assert request.elements[4] == "000000012345"


def test_without_the_card_number_and_expiry_come_from_the_ledger(counter: Counter) -> None:
    sale = counter.approved_sale(12345)
    assert outcomes(counter.void(sale.id, card=None)) == [Outcome.APPROVED]
    request = counter.sent[-1]
    assert request.elements[22] == "012"
    assert request.elements[2].reveal() == "6225000000000048"
    assert request.elements[14] == "4710"
    assert not {35, 53} & request.elements.keys()


@pytest.mark.parametrize("card", ["nopin", None])
def test_a_void_in_doubt_is_reversed_and_its_original_stands(
    counter: Counter, card: str | None
) -> None:
    sale = counter.approved_sale(12345)
    counter.order_at_host("sale_void", Fault.NO_ANSWER)
    assert outcomes(counter.void(sale.id, card)) == [Outcome.REVERSED]
    void, reversal = counter.sent[-2:]
    assert reversal.elements[61] == void.elements[60][2:8] + void.elements[11]
    assert (2 in reversal.elements) == (card is None)
    assert counter.ledger.transactions.get(sale.id).state is State.APPROVED
    assert counter.net_here() == counter.net_there() == 12345


def test_while_a_void_is_in_doubt_its_original_is_locked(counter: Counter) -> None:
    sale = counter.approved_sale(12345)
    counter.order_at_host("sale_void", Fault.NO_ANSWER)
    counter.order_at_host("reversal", Fault.LOST, times=20)
    assert outcomes(counter.void(sale.id))[:1] == [Outcome.REVERSAL_PENDING]
    assert counter.ledger.transactions.locked_by(sale.id) is not None
    assert only_refusal(counter.void(sale.id)[-1:]) == "reversal_pending"
    counter.acquirer._orders.clear()
    counter.let_pass(400)
    assert counter.ledger.transactions.locked_by(sale.id) is None
    assert outcomes(counter.void(sale.id)) == [Outcome.APPROVED]
    assert counter.net_here() == counter.net_there() == 0


def test_a_declined_void_leaves_its_original_alone(counter: Counter) -> None:
    sale = counter.approved_sale(151)  # the acquirer's table: its void is declined 51
    assert outcomes(counter.void(sale.id)) == [Outcome.DECLINED]
    assert counter.ledger.transactions.get(sale.id).state is State.APPROVED
    assert counter.net_here() == counter.net_there() == 151


def test_another_card_is_refused_before_anything_is_sent(counter: Counter) -> None:
    sale = counter.approved_sale(12345)
    sent = len(counter.sent)
    assert only_refusal(counter.void(sale.id, card="good")) == "other_card"
    assert len(counter.sent) == sent


def test_what_is_voided_cannot_be_voided_again(counter: Counter) -> None:
    sale = counter.approved_sale(12345)
    counter.void(sale.id)
    sent = len(counter.sent)
    assert only_refusal(counter.void(sale.id)) == "original_not_approved"
    assert len(counter.sent) == sent
