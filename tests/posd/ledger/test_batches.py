"""Closing a batch: what is one commit with it, what is erased, and what goes after its months."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest

from posd.ledger.batches import PlannedUpload, SettlementState, UploadKind
from posd.ledger.ledger import Ledger, moment
from posd.ledger.pruning import Pruning, months_before
from posd.ledger.records import State
from tests.posd.ledger.rig import TurnedClock, intent

DAY = 86_400.0


def stored(ledger: Ledger, stan: str, state: State = State.APPROVED, **changes: object) -> int:
    with ledger.commit("intent"):
        identity = ledger.transactions.add(intent(stan, **changes))
        ledger.transactions.move(identity, [State.OPEN], state)
    return identity


def begun(ledger: Ledger) -> int:
    with ledger.commit("begin"):
        return ledger.batches.begin("000007", "01", {11: "000900"}, {"kinds": []}, ledger.now())


def closed(ledger: Ledger) -> int:
    settlement = begun(ledger)
    with ledger.commit("close"):
        ledger.batches.close(settlement, ledger.now())
    return settlement


def prune(ledger: Ledger, months: int = 24) -> None:
    for _ in range(100):
        if not ledger.pruning.look(months):
            return
    raise AssertionError("it never ends")


def batches(ledger: Ledger) -> list[int]:
    return [row["id"] for row in ledger._database.all("SELECT id FROM batches ORDER BY id")]


# --- the steps ------------------------------------------------------------------------------------


def test_a_settlement_is_unfinished_until_its_batch_is_closed(ledger: Ledger) -> None:
    assert ledger.batches.unfinished() is None
    settlement = begun(ledger)
    record = ledger.batches.unfinished()
    assert record is not None
    assert (record.id, record.state, record.tries) == (settlement, SettlementState.BEGUN, 1)
    with ledger.commit("answer"):
        planned = PlannedUpload(UploadKind.END, {48: "0000"})
        ledger.batches.answered(settlement, "00", "0" * 62, [planned], ledger.now())
    (upload,) = ledger.batches.uploads(settlement)
    assert (upload.kind, upload.request, upload.done_at) == (UploadKind.END, {48: "0000"}, None)
    with ledger.commit("close"):
        ledger.batches.close(settlement, ledger.now(), "99")
    assert ledger.batches.unfinished() is None
    last = ledger.batches.last_closed()
    assert last is not None
    assert (last.id, last.closed_by) == (settlement, "99")
    assert ledger.counters.open_batch == record.batch + 1


def test_a_second_answer_and_a_second_end_are_mistakes(ledger: Ledger) -> None:
    settlement = begun(ledger)
    with ledger.commit("answer"):
        ledger.batches.answered(settlement, "00", "", [], ledger.now())
    with pytest.raises(AssertionError), ledger.commit("again"):
        ledger.batches.answered(settlement, "00", "", [], ledger.now())
    with ledger.commit("close"):
        ledger.batches.close(settlement, ledger.now())
    with pytest.raises(AssertionError), ledger.commit("again"):
        ledger.batches.close(settlement, ledger.now())


def test_what_cannot_be_uploaded_is_done_when_it_is_planned(ledger: Ledger) -> None:
    settlement = begun(ledger)
    lost = stored(ledger, "000001")
    with ledger.commit("answer"):
        planned = PlannedUpload(UploadKind.UNREADABLE, {}, (lost,))
        ledger.batches.answered(settlement, "00", "", [planned], ledger.now())
    (upload,) = ledger.batches.uploads(settlement)
    assert upload.done_at is not None
    assert upload.transactions == (lost,)


def test_an_unknown_settlement_is_an_error(ledger: Ledger) -> None:
    with pytest.raises(KeyError):
        ledger.batches.get(77)


def test_card_numbers_go_with_the_batch_but_for_open_cases(ledger: Ledger) -> None:
    sale = stored(ledger, "000001")
    case = stored(ledger, "000002", State.UNRESOLVED)
    over = stored(ledger, "000003", State.UNRESOLVED)
    with ledger.commit("verdict"):
        ledger.transactions.note(over, "case_closed")
        ledger.batches.forget_card(case)  # of the open batch: nothing
    closed(ledger)
    kept = []
    for identity in (sale, case, over):
        try:
            ledger.transactions.card(identity)
            kept.append(identity)
        except KeyError:
            pass
    assert kept == [case]
    with ledger.commit("verdict"):
        ledger.transactions.note(case, "case_closed")
        ledger.batches.forget_card(case)
    with pytest.raises(KeyError):
        ledger.transactions.card(case)


def test_cancellations_belong_to_the_batch_in_which_they_were_made(
    ledger: Ledger, clock: TurnedClock
) -> None:
    with ledger.commit("order"):
        order = ledger.orders.create("000001", 500, ledger.now())
    clock.turn(60)
    closed(ledger)
    clock.turn(60)
    with ledger.commit("cancel"):
        assert ledger.orders.cancel(order, ledger.now(), "01", "1", "00") is None
    assert ledger.batches.cancelled_orders(1) == []
    assert ledger.batches.cancelled_orders(2) == [("01", "00", 500)]


# --- pruning --------------------------------------------------------------------------------------


def test_a_batch_is_kept_for_its_months_and_then_goes_whole(
    ledger: Ledger, clock: TurnedClock
) -> None:
    old = stored(ledger, "000001")
    closed(ledger)
    kept = stored(ledger, "000002")
    clock.turn(729 * DAY)
    prune(ledger)
    assert ledger.transactions.get(old).stan == "000001"
    clock.turn(3 * DAY)
    prune(ledger)
    with pytest.raises(KeyError):
        ledger.transactions.get(old)
    assert batches(ledger) == [2]
    assert ledger.batches.last_closed() is None
    assert ledger.transactions.get(kept).stan == "000002"
    ledger.check()


def test_a_batch_stays_while_a_later_one_refers_to_it(ledger: Ledger, clock: TurnedClock) -> None:
    sale = stored(ledger, "000001")
    closed(ledger)
    clock.turn(600 * DAY)
    refund = stored(ledger, "000002", kind="refund", original=sale)
    closed(ledger)
    clock.turn(200 * DAY)
    prune(ledger)
    assert ledger.transactions.get(sale).stan == "000001"
    clock.turn(600 * DAY)
    prune(ledger)  # the refund's batch goes, and with the next look the sale's
    clock.turn(DAY)
    prune(ledger)
    for identity in (sale, refund):
        with pytest.raises(KeyError):
            ledger.transactions.get(identity)
    assert batches(ledger) == [3]


def test_a_batch_with_an_open_case_or_an_unpaid_order_stays(
    ledger: Ledger, clock: TurnedClock
) -> None:
    case = stored(ledger, "000001", State.UNRESOLVED)
    closed(ledger)
    with ledger.commit("order"):
        order = ledger.orders.create("000002", 500, ledger.now())
    closed(ledger)
    clock.turn(900 * DAY)
    prune(ledger)
    assert batches(ledger) == [1, 2, 3]
    with ledger.commit("over"):
        ledger.transactions.note(case, "case_closed")
        assert ledger.orders.cancel(order, ledger.now(), "01", "1") is None
    clock.turn(DAY)
    prune(ledger)
    assert batches(ledger) == [3]


def test_a_batch_goes_in_small_bites_also_when_the_power_fails_in_between(
    ledger: Ledger, clock: TurnedClock
) -> None:
    for number in range(1, 101):
        sale = stored(ledger, f"{2 * number:06d}")
        with ledger.commit("void"):
            ledger.orders.create(f"{500 + number:06d}", 500, ledger.now())
            ledger.orders.cancel(number, ledger.now(), "01", "1")
        stored(ledger, f"{2 * number + 1:06d}", kind="sale_void", original=sale)
    closed(ledger)
    clock.turn(800 * DAY)
    left = [counted(ledger)]
    while batches(ledger) != [2]:
        power_failed = Pruning(ledger._database, lambda: moment(ledger.now()))
        assert power_failed.look(24)
        left.append(counted(ledger))
    assert left[-1] == 0
    assert max(before - after for before, after in pairwise(left)) <= 50
    assert len(left) > 6
    ledger.check()


def counted(ledger: Ledger) -> int:
    """Transactions and orders."""
    row = ledger._database.one(
        "SELECT (SELECT count(*) FROM transactions) + (SELECT count(*) FROM orders)"
    )
    assert row is not None
    return int(row[0])


def test_the_audit_goes_likewise(ledger: Ledger, clock: TurnedClock) -> None:
    for number in range(1_200):
        with ledger.commit("audit"):
            ledger.audit.add(ledger.now(), "00", f"entry {number}")
        clock.turn(DAY)
    prune(ledger)
    names = [entry[2] for entry in ledger.audit.entries()]
    assert names[-1] == "entry 1199"
    assert len(names) == pytest.approx(730, abs=3)


def test_it_looks_once_a_day(ledger: Ledger, clock: TurnedClock) -> None:
    prune(ledger)
    before = ledger.commits
    closed(ledger)
    clock.turn(60)
    assert ledger.pruning.look(1) is False
    assert ledger.commits == before + 2


@pytest.mark.parametrize(
    ("moment", "months", "expected"),
    [
        (datetime(2026, 6, 1), 24, datetime(2024, 6, 1)),
        (datetime(2028, 2, 29), 24, datetime(2026, 2, 28)),
        (datetime(2026, 1, 31), 1, datetime(2025, 12, 31)),
        (datetime(2026, 3, 31), 1, datetime(2026, 2, 28)),
    ],
)
def test_months_are_those_of_the_calendar(
    moment: datetime, months: int, expected: datetime
) -> None:
    assert months_before(moment, months) == expected
