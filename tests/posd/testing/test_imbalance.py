"""Why a settlement did not balance: each cause is found in two ledgers, and what may not be is named."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from posd.testing.simulation import imbalance
from tests.posd.testing.test_checker_settlement import Evening


@pytest.fixture
def balanced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evening:
    return Evening(tmp_path, monkeypatch, unresolved=False)


@pytest.fixture
def uploaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evening:
    return Evening(tmp_path, monkeypatch, unresolved=True)


def causes(evening: Evening) -> list[str]:
    with (
        closing(sqlite3.connect(evening.terminal)) as terminal,
        closing(sqlite3.connect(evening.acquirer)) as acquirer,
    ):
        return list(imbalance.causes(terminal, acquirer))


def test_a_settlement_that_balances_has_none(balanced: Evening) -> None:
    assert causes(balanced) == []


def test_a_case_without_an_answer_is_one(uploaded: Evening) -> None:
    assert causes(uploaded) == [imbalance.OPEN_CASE]


def test_a_case_that_a_person_has_closed_is_still_one(uploaded: Evening) -> None:
    uploaded.damage(
        """INSERT INTO steps (transaction_id, at, what, details)
           SELECT id, 0, 'case_closed', x'a0' FROM transactions WHERE state = 'unresolved'"""
    )
    assert causes(uploaded) == [imbalance.CLOSED_CASE]


def test_a_transaction_that_only_the_acquirer_counts_is_no_cause_that_may_be(
    uploaded: Evening,
) -> None:
    uploaded.damage("UPDATE transactions SET state = 'declined' WHERE state = 'unresolved'")
    (cause,) = causes(uploaded)
    assert cause == f"{imbalance.UNEXPLAINED}: a refund that is declined"


def test_nor_is_one_that_the_terminal_does_not_know(uploaded: Evening) -> None:
    uploaded.damage("UPDATE transactions SET stan = '654321' WHERE state = 'unresolved'")
    (cause,) = causes(uploaded)
    assert cause == f"{imbalance.UNEXPLAINED}: the terminal does not know it"


def test_a_batch_before_that_was_closed_without_the_acquirer_is_one(uploaded: Evening) -> None:
    """Its refund is still open at the acquirer, and settled there with the next batch."""
    uploaded.damage(
        "INSERT INTO batches SELECT id + 10, opened_at, closed_at FROM batches ORDER BY id LIMIT 1",
        """INSERT INTO settlements (batch, batch_number, state, operator, begun_at, request, totals,
           tries, closed_by) SELECT batch + 10, '000009', state, operator, begun_at, x'a0', totals,
           tries, '99' FROM settlements LIMIT 1""",
        """UPDATE transactions SET state = 'approved', batch = batch + 10
           WHERE state = 'unresolved'""",
    )
    assert causes(uploaded) == [imbalance.BATCH_BEFORE]
