from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from posd.keys import Keys
from posd.ledger.ledger import Ledger
from posd.order_report import day_of, report, to_csv
from protocol import Key
from tests.posd.ledger.rig import SeededBytes, TurnedClock

DAY = 86_400_000


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: TurnedClock) -> Iterator[Ledger]:
    master = Key(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
    keys = Keys(bytes(range(32)), master, password_cost=2)
    ledger = Ledger.open(tmp_path / "ledger.db", keys, clock, SeededBytes())
    yield ledger
    ledger.close()


@pytest.fixture
def day(ledger: Ledger, clock: TurnedClock) -> tuple[int, int]:
    """Two operators' orders of one day: unpaid, held, cancelled, paid in cash, paid by card."""
    orders = ledger.orders
    with ledger.commit("orders"):
        for number, amount, operator in (
            ("000001", 100, "01"), ("000002", 200, "02"), ("000003", 300, "01"),
            ("000004", 400, "02"), ("000005", 500, "01"), ("000006", 600, "01"),
        ):  # fmt: skip
            orders.create(number, amount, ledger.now(), operator)
        orders.hold(3, "13800138000", ledger.now(), "01")
        orders.cancel(4, ledger.now(), "01", "2", "00")
        orders.pay_otherwise(5, "cash", ledger.now(), "01", "00")
        orders.receive(6, 600, ledger.now(), "01")
        orders.receive(1, 30, ledger.now(), "01")
    return day_of(ledger.now())


def test_orders_stand_in_their_groups_with_what_is_due(
    ledger: Ledger, day: tuple[int, int]
) -> None:
    made = report(ledger, *day)
    assert {group.name: [order.number for order in group.orders] for group in made.groups} == {
        "unpaid": ["000001", "000002"],
        "held": ["000003"],
        "cancelled": ["000004"],
        "paid_otherwise": ["000005"],
    }
    assert {group.name: group.total for group in made.groups} == {
        "unpaid": 270, "held": 300, "cancelled": 400, "paid_otherwise": 500,
    }  # fmt: skip


def test_shares_are_those_of_who_made_an_open_order_and_who_closed_a_closed_one(
    ledger: Ledger, day: tuple[int, int]
) -> None:
    unpaid, _, cancelled, _ = report(ledger, *day).groups
    assert [(each.operator, each.count, each.amount) for each in unpaid.shares] == [
        ("01", 1, 70), ("02", 1, 200),
    ]  # fmt: skip
    assert [(each.operator, each.count) for each in cancelled.shares] == [("01", 1)]


def test_another_day_holds_nothing_of_it_but_what_is_closed_then(
    ledger: Ledger, clock: TurnedClock, day: tuple[int, int]
) -> None:
    clock.turn(DAY / 1000)
    with ledger.commit("cancel"):
        ledger.orders.cancel(2, ledger.now(), "01", "1")
    today = day_of(ledger.now())
    assert today[0] == day[1]
    assert [len(group.orders) for group in report(ledger, *today).groups] == [0, 0, 1, 0]
    assert [len(group.orders) for group in report(ledger, *day).groups] == [1, 1, 1, 1]


def test_the_csv_has_every_order_of_the_time_in_any_state(
    ledger: Ledger, day: tuple[int, int]
) -> None:
    rows = list(csv.DictReader(StringIO("".join(to_csv(ledger, *day)), newline="")))
    assert [(row["number"], row["state"], row["due"]) for row in rows] == [
        ("000001", "unpaid", "70"), ("000002", "unpaid", "200"), ("000003", "held", "300"),
        ("000004", "cancelled", "0"), ("000005", "paid", "0"), ("000006", "paid", "0"),
    ]  # fmt: skip
    assert rows[2]["label"] == "13800138000"
    assert rows[3]["closed_by"] == "01"
    assert rows[0]["created_at"] == "2026-06-01T09:30:00"


def test_an_empty_time_is_a_heading_only(ledger: Ledger) -> None:
    assert len(list(to_csv(ledger, 0, DAY))) == 1
