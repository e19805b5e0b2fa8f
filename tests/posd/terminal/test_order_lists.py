"""Rows of lists of orders: whatever is in the ledger, a row fits and names its order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices import columns as grid
from posd.ledger.records import OrderRecord, OrderState
from posd.terminal.order_lists import order_row
from posd.texts import LANGUAGES, amount_text, catalogue

AMOUNTS = st.integers(1, 9_999_999_999)
LABELS = st.from_regex(r"[0-9]{1,11}", fullmatch=True)
AGES = st.integers(0, 10**11)


@given(AMOUNTS, LABELS, AGES, st.sampled_from(LANGUAGES), st.booleans())
def test_a_row_fits_sixteen_columns_and_names_its_order(
    amount: int, label: str, age: int, language: str, held: bool
) -> None:
    order = OrderRecord(
        1, "012345", amount, OrderState.UNPAID, 0, held_at=0 if held else None, label=label
    )
    row = order_row(catalogue(language), order, age, 16)
    assert grid.width(row) <= 16
    named, due = row.split()[:2]
    assert due == amount_text(amount)
    name = label if held else "012345"
    assert named == name or (named[0] == "*" and name.endswith(named[1:]) and len(named) >= 4)


def test_a_row_says_how_old_the_order_is_where_there_is_room() -> None:
    order = OrderRecord(1, "000002", 8000, OrderState.UNPAID, 0)
    assert order_row(catalogue("zh_CN"), order, 3 * 60_000, 16) == "000002 80.00 3分"
    dear = OrderRecord(1, "000002", 9_999_999, OrderState.UNPAID, 0)
    assert order_row(catalogue("zh_CN"), dear, 3 * 60_000, 16) == "000002 99999.99"


def test_a_row_shows_the_whole_amount_and_the_end_of_a_name_that_is_too_long() -> None:
    order = OrderRecord(1, "000002", 9_999_999_999, OrderState.UNPAID, 0)
    assert order_row(catalogue("zh_CN"), order, 0, 16) == "*002 99999999.99"
    held = OrderRecord(1, "000002", 6600, OrderState.UNPAID, 0, held_at=0, label="13912345678")
    assert order_row(catalogue("zh_CN"), held, 0, 16) == "*912345678 66.00"
    assert order_row(catalogue("zh_CN"), held, 0, 21) == "13912345678 66.00 0分"
