"""Settlement: totals, the host's word about them, uploads of every kind, the end of the batch."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devices.slip import Pair, Row, Text
from posd.acquirer import Fault
from posd.acquirer.answers import Delivery
from posd.acquirer.cards import BY_NAME as CARDS
from posd.core.events import (
    Event,
    SettlementEnded,
    SettlementProgress,
    SettlementStep,
    TransactionEnded,
)
from posd.ledger.batches import SettlementState, UploadKind
from posd.ledger.records import State, TransactionRecord
from posd.money.kinds import KINDS
from posd.money.requests import Reference, SwipedCard, request_of
from posd.money.totals import ClassTotals
from posd.settings import DialectSettings, SettlementSettings
from protocol import Message, decode, encode
from protocol.pin import pin_block
from protocol.settlement_data import UploadEnd, UploadList, parse_48
from tests.posd.money.rig import Counter, only_refusal

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
    """The host has another amount for a sale of each class: nothing balances any more."""
    change_there(
        counter,
        "UPDATE transactions SET amount = amount + 1 WHERE kind = 'sale' AND state = 'approved'",
    )


def change_there(counter: Counter, statement: str) -> None:
    with closing(sqlite3.connect(_acquirers_file(counter))) as other:
        other.execute(statement)
        other.commit()


def _acquirers_file(counter: Counter) -> Path:
    return counter.configuration.terminal.state_directory / "acquirer.db"


def asked_there(counter: Counter, question: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(_acquirers_file(counter))) as other:
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


def test_equal_totals_upload_nothing_but_the_end(counter: Counter) -> None:
    a_day(counter)
    settled(counter)
    (totals,) = sent(counter, "0500")
    assert totals[48] == f"{73_345:012d}005{21_345:012d}0030" + f"{700:012d}001{0:012d}0000"
    assert (totals[60], totals[63], totals[49]) == ("00000001201", "01 ", "156")
    (end,) = sent(counter, "0320")
    assert (end[48], end[60]) == ("0000", "00000001207")
    assert 64 not in totals
    assert 64 not in end


def test_progress_tells_each_step(counter: Counter) -> None:
    a_day(counter)
    unbalance(counter)
    settle(counter)
    steps = [each for each in counter.reports if isinstance(each, SettlementProgress)]
    assert [step.step for step in steps] == [
        SettlementStep.TOTALS,
        *[SettlementStep.UPLOAD] * (len(steps) - 2),
        SettlementStep.END,
    ]
    assert [step.number for step in steps[1:]] == list(range(1, len(steps)))
    assert {step.of for step in steps[1:]} == {len(steps) - 1}


def test_an_empty_batch_can_be_settled(counter: Counter) -> None:
    settled(counter)
    assert counter.ledger.counters.batch_number == "000002"
    assert counter.approved_sale(100).batch_number == "000002"


def test_after_batch_999999_comes_000001(counter: Counter) -> None:
    counter.acquirer.change_batch("T0000001", "999999")
    assert counter.sign_in().signed_in
    counter.approved_sale(100)
    settled(counter)
    assert counter.ledger.counters.batch_number == "000001"
    counter.approved_sale(100)


def test_a_void_of_a_settled_sale_is_refused(counter: Counter) -> None:
    sale = counter.approved_sale(100)
    settled(counter)
    assert only_refusal(counter.void(sale.id)) == "original_settled"
    request = request_of(
        "sale_void", 100, SwipedCard(CARDS["nopin"].track2), original=sale, supervisor="00"
    )
    assert only_refusal(counter.do(lambda: counter.money.request(request))) == "original_settled"


def test_a_refund_of_a_settled_sale_goes_into_the_new_batch(counter: Counter) -> None:
    sale = counter.approved_sale(900)
    settled(counter)
    refund = made(counter, "refund", 400, sale)
    assert refund.batch_number == "000002"
    assert counter.money.settlement_totals().domestic == ClassTotals(0, 0, 400, 1)
    settled(counter)
    assert asked_there(counter, "SELECT count(*) FROM transactions WHERE settlement IS NULL") == [
        (0,)
    ]


# --- not balanced ---------------------------------------------------------------------------------


def uploaded(counter: Counter) -> list[dict[int, Any]]:
    return sent(counter, "0320")


def test_every_kind_is_uploaded_when_nothing_balances(counter: Counter) -> None:
    day = a_day(counter)
    unbalance(counter)
    event = settled(counter)
    lists = [each for each in uploaded(counter) if each[60] == "00000001201"]
    items = [item for each in lists for item in _items(each)]
    domestic = ("voided", "void", "sale", "completion", "undone", "completion_void")
    assert [(item.card_class, item.stan, int(item.amount)) for item in items] == [
        *(("00", day[name].stan, day[name].amount) for name in domestic),
        ("01", day["foreign"].stan, 700),
    ]
    assert {item.pan for item in items} == {CARDS["nopin"].pan, CARDS["visa"].pan}
    refund, notice = (each for each in uploaded(counter) if 4 in each)
    for elements, record in ((refund, day["refund"]), (notice, day["notice"])):
        stored = {n: v for n, v in record.request.items() if n not in (26, 53)}
        assert {n: v for n, v in elements.items() if n not in (2, 14)} == stored
        assert (elements[2], elements[14]) == (CARDS["nopin"].pan, CARDS["nopin"].expiry)
    end = uploaded(counter)[-1]
    assert (parse_48(end[48]), end[60]) == (UploadEnd("0009"), "00000001202")
    known = asked_there(counter, "SELECT stan, known FROM uploads ORDER BY id")
    assert len(known) == 9
    assert {stan for stan, is_known in known if not is_known} == {
        day["sale"].stan,  # the one that the host has with another amount
        day["foreign"].stan,
    }
    assert event.settlement is not None
    assert counter.ledger.batches.get(event.settlement).answer[30] == "2"


def _items(elements: dict[int, Any]) -> tuple[Any, ...]:
    parts = parse_48(elements[48])
    assert isinstance(parts, UploadList)
    return parts.items


def test_only_the_class_that_does_not_balance_is_uploaded(counter: Counter) -> None:
    day = a_day(counter)
    change_there(counter, "UPDATE transactions SET amount = amount + 1 WHERE foreign_card = 1")
    settled(counter)
    items, end = uploaded(counter)
    assert [item.stan for item in _items(items)] == [day["foreign"].stan]
    assert (end[48], end[60]) == ("0001", "00000001202")


def test_items_go_out_eight_at_a_time_in_their_order(counter: Counter) -> None:
    sales = [counter.approved_sale(1_000 + number) for number in range(17)]
    unbalance(counter)
    settled(counter)
    *lists, end = uploaded(counter)
    assert [len(_items(each)) for each in lists] == [8, 8, 1]
    assert [item.stan for each in lists for item in _items(each)] == [sale.stan for sale in sales]
    assert end[48] == "0017"
    numbers = [each[11] for each in uploaded(counter)]
    assert numbers == sorted(set(numbers))


def test_a_partial_approval_counts_with_what_was_approved(tmp_path: Any) -> None:
    counter = Counter(tmp_path)
    try:
        assert counter.sign_in().signed_in
        sale = counter.approved_sale(5_000)
        with counter.ledger.commit("as a partial approval leaves it"):
            counter.ledger.transactions.note(sale.id, "test", approved_amount=3_000)
        assert counter.money.settlement_totals().domestic == ClassTotals(3_000, 1)
        settled(counter)
        items, _end = uploaded(counter)
        assert [int(item.amount) for item in _items(items)] == [3_000]
    finally:
        counter.close()


@pytest.mark.parametrize("kind", [UploadKind.ITEMS, UploadKind.NOTICE])
def test_a_declined_detail_is_marked_and_the_upload_goes_on(
    counter: Counter, kind: UploadKind
) -> None:
    a_day(counter)
    unbalance(counter)
    settlement = _settled_with(counter, kind, "12")
    uploads = counter.ledger.batches.uploads(settlement)
    assert next(each.response_code for each in uploads if each.kind is kind) == "12"
    assert [each.response_code for each in uploads].count("00") == len(uploads) - 1
    slip = _slip(counter)
    assert "批上送 未被接受" in slip
    first = next(each for each in uploads if each.kind is kind)
    for identity in first.transactions:
        assert f"{counter.ledger.transactions.get(identity).stan} 被拒 12" in slip


def _settled_with(counter: Counter, kind: UploadKind, code: str) -> int:
    """Settle with the first upload of this kind declined."""
    declined = 0

    def change(message: Message) -> Message:
        nonlocal declined
        notice = 4 in message.elements
        ours = message.mti == "0330" and notice is (kind is UploadKind.NOTICE)
        if ours and message.elements[60].endswith(("201", "0")) and not declined:
            declined += 1
            return message.with_elements({39: code})
        return message

    host_says(counter, change)
    event = settled(counter)
    assert declined == 1
    assert event.settlement is not None
    return event.settlement


def host_says(counter: Counter, change: Callable[[Message], Message]) -> None:
    """Another host: what the acquirer answers without a MAC passes through this."""
    receive = counter.acquirer.receive

    def changed(frame: bytes) -> tuple[Delivery, ...]:
        return tuple(_changed(delivery, change) for delivery in receive(frame))

    counter.link.receive = changed
    counter.restart()


def _changed(delivery: Delivery, change: Callable[[Message], Message]) -> Delivery:
    message = decode(delivery.data)
    if message.mti not in ("0510", "0330"):
        return delivery
    return replace(delivery, data=encode(change(message)))


def _slip(counter: Counter, copy: str = "totals") -> str:
    """The newest slip of this kind as its rows, each with single blanks."""
    jobs = [job for job in counter.ledger.print_jobs.waiting() if job.copy == copy]
    words = [" ".join(str(word) for word in _words(row)) for row in jobs[-1].slip.rows]
    return "\n".join(" ".join(text.split()) for text in words)


def _words(row: Row) -> tuple[str, ...]:
    match row:
        case Text():
            return (row.text,)
        case Pair():
            return (row.left, row.right)
        case _:
            return ()


def test_a_card_number_that_cannot_be_read_is_not_uploaded_and_is_told(counter: Counter) -> None:
    sales = [counter.approved_sale(1_000 + number) for number in range(3)]
    unbalance(counter)
    with counter.ledger.commit("damage"):
        counter.ledger._database.write(
            "UPDATE transactions SET account_number = zeroblob(40) WHERE id = ?", (sales[1].id,)
        )
    settled(counter)
    items, end = uploaded(counter)
    assert [item.stan for item in _items(items)] == [sales[0].stan, sales[2].stan]
    assert end[48] == "0002"
    assert f"{sales[1].stan} 未上送" in _slip(counter)


def result(digits: str) -> Callable[[Message], Message]:
    """The host gives these results, domestic and foreign."""

    def change(message: Message) -> Message:
        if message.mti != "0510":
            return message
        totals = message.elements[48]
        return message.with_elements({48: totals[:30] + digits[0] + totals[31:61] + digits[1]})

    return change


def test_an_error_is_treated_as_not_balanced(counter: Counter) -> None:
    day = a_day(counter)
    host_says(counter, result("13"))
    settled(counter)
    items, end = uploaded(counter)
    assert [item.stan for item in _items(items)] == [day["foreign"].stan]
    assert end[60] == "00000001202"
    assert "外卡 对账错" in _slip(counter)


@pytest.mark.parametrize("digits", ["01", "19", "40"])
def test_a_result_that_is_none_ends_nothing(counter: Counter, digits: str) -> None:
    counter.approved_sale(100)
    host_says(counter, result(digits))
    event = ended(settle(counter))
    assert (event.settled, event.reason) == (False, "no_result")
    assert counter.money.settlement_unfinished is not None
    counter.link.receive = counter.acquirer.receive
    counter.restart()
    settled(counter)


@pytest.mark.parametrize("element_48", [None, "0" * 40, "0000"])
def test_an_answer_without_totals_ends_nothing(counter: Counter, element_48: str | None) -> None:
    counter.approved_sale(100)
    host_says(
        counter, lambda each: each.with_elements({48: element_48}) if each.mti == "0510" else each
    )
    assert ended(settle(counter)).reason == "no_result"


def test_a_host_that_takes_the_domestic_totals_alone(tmp_path: Any) -> None:
    counter = Counter(tmp_path)
    try:
        counter.reconfigure(dialect=DialectSettings(foreign_totals=False))
        assert counter.sign_in().signed_in
        counter.approved_sale(1_000)
        foreign = made(counter, "sale", 700, card="visa")
        settled(counter)
        (totals,) = sent(counter, "0500")
        assert totals[48] == f"{1_000:012d}001{0:012d}0000"
        items, end = uploaded(counter)
        assert [item.stan for item in _items(items)] == [foreign.stan]  # nobody has compared it
        assert end[60] == "00000001202"
        assert "外卡 未对账" in _slip(counter)
    finally:
        counter.close()


def test_a_host_that_wants_no_end_message(tmp_path: Any) -> None:
    counter = Counter(tmp_path)
    try:
        counter.reconfigure(settlement=SettlementSettings(end_message=False))
        assert counter.sign_in().signed_in
        counter.approved_sale(100)
        settled(counter)
        assert uploaded(counter) == []
        assert counter.ledger.counters.batch_number == "000002"
    finally:
        counter.close()
