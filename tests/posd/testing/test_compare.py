"""Both ledgers are real: the daemon's schema and the acquirer's, filled row by row."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from posd.acquirer.schema import SCHEMA
from posd.ledger.schema import MIGRATIONS
from posd.testing.compare import (
    Comparison,
    compare,
    last_voucher,
    money,
    order_state,
    transaction_state,
)

Row = tuple[str, str, str, int]  # voucher, kind, state, fen


@pytest.fixture
def terminal(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        for script in MIGRATIONS:
            connection.executescript(script)
        connection.execute("INSERT INTO batches VALUES (1, 0, NULL)")
        connection.commit()
    return path


@pytest.fixture
def acquirer(tmp_path: Path) -> Path:
    path = tmp_path / "acquirer.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
        connection.execute("INSERT INTO terminals VALUES ('T0000001', 'M', '000001', 1, NULL)")
        connection.commit()
    return path


def at_terminal(path: Path, *rows: Row) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO transactions (stan, kind, state, amount, batch, batch_number, operator,"
            " masked_card, entry_mode, created_at, sent_date, request, checksum)"
            " VALUES (?, ?, ?, ?, 1, '000001', '01', '', '022', 0, '0101', x'', x'')",
            rows,
        )


def at_acquirer(path: Path, *rows: Row) -> None:
    directions = {"sale": 1, "sale_void": -1, "pre_authorisation": 0}
    with closing(sqlite3.connect(path)) as connection, connection:
        for stan, kind, state, amount in rows:
            request = connection.execute(
                "INSERT INTO requests (received_at, kind, contents, outcome, final)"
                " VALUES ('', ?, '', '', 1)",
                (kind,),
            ).lastrowid
            connection.execute(
                "INSERT INTO transactions (request, kind, terminal, batch, stan, processing_code,"
                " masked_number, amount_requested, amount, direction, state, code, reference,"
                " date, foreign_card) VALUES (?, ?, 'T0000001', '000001', ?, '', '', ?, ?, ?, ?,"
                " '00', '', '0101', 0)",
                (request, kind, stan, amount, amount, directions[kind], state),
            )


SALE = ("000002", "sale", "approved", 12345)


def test_a_kind_with_a_long_name_leaves_its_amount_below_the_others(
    terminal: Path, acquirer: Path
) -> None:
    rows: list[Row] = [SALE, ("000003", "pre_authorisation", "approved", 700)]
    at_terminal(terminal, *rows)
    at_acquirer(acquirer, *rows)
    assert compare(terminal, acquirer).table == (
        "voucher  kind                  amount  terminal   acquirer",
        "000002   sale                  123.45  approved   approved",
        "000003   pre_authorisation       7.00  approved   approved",
    )


def test_equal_ledgers_agree_in_each_transaction_and_in_sum(terminal: Path, acquirer: Path) -> None:
    rows: list[Row] = [
        SALE,
        ("000003", "sale", "voided", 700),
        ("000004", "sale_void", "approved", 700),
    ]
    at_terminal(terminal, *rows)
    at_acquirer(acquirer, *rows)
    found = compare(terminal, acquirer)
    assert found == Comparison(
        (
            "voucher  kind             amount  terminal   acquirer",
            "000002   sale             123.45  approved   approved",
            "000003   sale               7.00  voided     voided",
            "000004   sale_void          7.00  approved   approved",
        ),
        *(3, 12345, 12345, (), ()),
    )
    assert str(found) == (
        "terminal and acquirer agree: 3 transactions,"
        " 123.45 at the terminal, 123.45 at the acquirer"
    )


@pytest.mark.parametrize("ours", ["declined", "reversed"])
@pytest.mark.parametrize("theirs", ["declined", "reversed", None])
def test_what_moved_no_money_on_either_side_agrees(
    terminal: Path, acquirer: Path, ours: str, theirs: str | None
) -> None:
    at_terminal(terminal, ("000002", "sale", ours, 500))
    if theirs:
        at_acquirer(acquirer, ("000002", "sale", theirs, 500))
    assert compare(terminal, acquirer).agree


@pytest.mark.parametrize(
    ("ours", "theirs", "problem"),
    [
        (SALE, None, "sale 123.45 approved at the terminal, unknown at the acquirer"),
        (None, SALE, "unknown at the terminal, sale 123.45 approved at the acquirer"),
        (
            SALE,
            ("000002", "sale", "reversed", 12345),
            "sale 123.45 approved at the terminal, sale 123.45 reversed at the acquirer",
        ),
        (
            ("000002", "sale", "reversed", 12345),
            SALE,
            "sale 123.45 reversed at the terminal, sale 123.45 approved at the acquirer",
        ),
        (
            SALE,
            ("000002", "sale", "approved", 12346),
            "sale 123.45 approved at the terminal, sale 123.46 approved at the acquirer",
        ),
        (
            ("000002", "sale", "reversing", 12345),
            ("000002", "sale", "reversed", 12345),
            "sale 123.45 reversing at the terminal, sale 123.45 reversed at the acquirer; "
            "it is not finished",
        ),
        (
            ("000002", "sale", "voided", 12345),
            SALE,
            "sale 123.45 voided at the terminal, sale 123.45 approved at the acquirer",
        ),
        (
            ("000002", "sale", "not_sent", 12345),
            ("000002", "sale", "declined", 12345),
            "sale 123.45 not_sent at the terminal, sale 123.45 declined at the acquirer",
        ),
    ],
)
def test_a_difference_is_named(
    terminal: Path, acquirer: Path, ours: Row | None, theirs: Row | None, problem: str
) -> None:
    if ours:
        at_terminal(terminal, ours)
    if theirs:
        at_acquirer(acquirer, theirs)
    found = compare(terminal, acquirer)
    assert not found.agree
    assert found.differences[0] == f"voucher 000002 of batch 000001: {problem}"


def test_what_an_unresolved_void_may_have_voided_is_no_difference(
    terminal: Path, acquirer: Path
) -> None:
    at_terminal(
        terminal,
        ("000002", "sale", "approved", 12345),
        ("000003", "sale_void", "unresolved", 12345),
        ("000004", "sale", "approved", 500),
    )
    with closing(sqlite3.connect(terminal)) as connection, connection:
        connection.execute("UPDATE transactions SET original = 1 WHERE stan = '000003'")
    at_acquirer(
        acquirer,
        ("000002", "sale", "voided", 12345),
        ("000003", "sale_void", "approved", 12345),
        ("000004", "sale", "approved", 500),
    )
    assert compare(terminal, acquirer).agree
    with closing(sqlite3.connect(acquirer)) as connection, connection:
        connection.execute("UPDATE transactions SET state = 'voided' WHERE stan = '000004'")
    (difference,) = compare(terminal, acquirer).differences
    assert "000004" in difference


def test_an_unresolved_case_is_listed_and_in_no_sum(terminal: Path, acquirer: Path) -> None:
    at_terminal(terminal, ("000002", "sale", "unresolved", 12345))
    at_acquirer(acquirer, SALE)
    found = compare(terminal, acquirer)
    assert found.agree
    assert (found.terminal_net, found.host_net) == (0, 0)
    assert found.unresolved == (
        "voucher 000002 of batch 000001: sale 123.45, at the acquirer sale 123.45 approved",
    )


def test_states_are_found_by_voucher_number(terminal: Path) -> None:
    assert last_voucher(terminal) is None
    assert transaction_state(terminal, "last") is None
    at_terminal(terminal, SALE, ("000003", "sale", "declined", 1))
    assert last_voucher(terminal) == "000003"
    assert transaction_state(terminal, "last") == "declined"
    assert transaction_state(terminal, "000002") == "approved"


def test_an_order_is_found_by_its_own_number_and_by_an_attempt_to_pay_it(terminal: Path) -> None:
    with closing(sqlite3.connect(terminal)) as connection, connection:
        connection.execute(
            "INSERT INTO orders (id, batch, number, amount, state, created_at)"
            " VALUES (7, 1, '000001', 5, 'unpaid', 0)"
        )
    at_terminal(terminal, SALE)
    with closing(sqlite3.connect(terminal)) as connection, connection:
        connection.execute("UPDATE transactions SET order_id = 7")
    assert order_state(terminal, "000001") == "unpaid"
    assert order_state(terminal, "000002") == "unpaid"
    assert order_state(terminal, "last") == "unpaid"
    assert order_state(terminal, "000009") is None


@pytest.mark.parametrize(("fen", "text"), [(0, "0.00"), (12345, "123.45"), (-5, "-0.05")])
def test_money_is_shown_with_two_places(fen: int, text: str) -> None:
    assert money(fen) == text
