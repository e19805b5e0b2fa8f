"""Rows of lists of orders: whatever is in the ledger, a row fits and names its order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices import columns as grid
from posd.ledger.records import OrderRecord, OrderState
from posd.terminal.order_lists import order_row
from posd.texts import LANGUAGES, catalogue

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
    row = order_row(catalogue(language), order, age)
    assert grid.width(row) <= 16
    assert row.startswith(label if held else "012345")


def test_a_row_says_how_old_the_order_is_where_there_is_room() -> None:
    order = OrderRecord(1, "000002", 8000, OrderState.UNPAID, 0)
    assert order_row(catalogue("zh_CN"), order, 3 * 60_000) == "000002 80.00 3分"
    dear = OrderRecord(1, "000002", 9_999_999, OrderState.UNPAID, 0)
    assert order_row(catalogue("zh_CN"), dear, 3 * 60_000) == "000002 99999.99"


def test_a_row_that_is_too_narrow_for_fen_leaves_them_out() -> None:
    order = OrderRecord(1, "000002", 9_999_999_999, OrderState.UNPAID, 0)
    assert order_row(catalogue("zh_CN"), order, 0) == "000002 99999999"
