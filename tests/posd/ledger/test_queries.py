"""No question of a working day may read a table that grows with every sale."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from posd.keys import Keys
from posd.ledger.database import Database
from posd.ledger.ledger import Ledger
from posd.ledger.order_rules import Action
from posd.ledger.records import IN_DOUBT, State
from tests.posd.ledger.rig import SeededBytes, TurnedClock, intent
from tests.posd.terminal.rig import Clerk

# A scan of a partial index of what is waiting, unseen or in doubt reads only what is.
SCAN = re.compile(
    r"SCAN (transactions|steps|orders|order_\w+|outbox|print_jobs|audit|batches|[a-z])\b"
    r"(?! USING INDEX \w+_(waiting|unseen|in_doubt)\b)"
)


@contextmanager
def statements() -> Iterator[dict[str, tuple[object, ...]]]:
    """Every statement that any ledger executes, with one of its sets of values."""
    seen: dict[str, tuple[object, ...]] = {}
    execute = Database.execute

    def noted(self: Database, statement: str, values: Sequence[object] = ()) -> object:
        seen.setdefault(statement, tuple(values))
        return execute(self, statement, values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "execute", noted)
        yield seen


def scans(ledger: Ledger, seen: dict[str, tuple[object, ...]]) -> list[str]:
    """The plans that read a growing table from end to end, with their statements."""
    return [
        f"{row['detail']}: {statement}"
        for statement, values in list(seen.items())
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE"))
        for row in ledger._database.all(f"EXPLAIN QUERY PLAN {statement}", values)
        if SCAN.match(row["detail"])
    ]


def test_a_scan_would_be_seen(ledger: Ledger) -> None:
    with statements() as seen:
        ledger._database.all("SELECT * FROM transactions WHERE masked_card = ?", ("x",))
        ledger._database.all("SELECT * FROM steps ORDER BY at")
    assert len(scans(ledger, seen)) == 2


def test_every_question_that_can_be_asked_uses_an_index(ledger: Ledger) -> None:
    sale = intent("000001")
    transactions = ledger.transactions
    with statements() as seen:
        with ledger.commit("all"):
            stan = ledger.counters.next_stan()
            order = ledger.orders.create(stan, 1, 1)
            identity = transactions.add(sale)
            transactions.move(identity, [State.OPEN], State.APPROVED)
            transactions.acknowledge(identity)
            ledger.audit.add(1, "00", "x")
        transactions.by_stan(stan)
        transactions.last("sale")
        transactions.last("sale", State.APPROVED, State.VOIDED)
        transactions.in_states(State.OPEN)
        transactions.in_states(*IN_DOUBT)
        transactions.of_order(order)
        transactions.is_whole(identity)
        transactions.card(identity)
        transactions.steps(identity)
        transactions.last_unacknowledged()
        transactions.unsettled_count()
        transactions.locked_by(identity)
        transactions.refunded(identity)
        transactions.similar(sale.account_number, sale.amount, 0)
        transactions.newest_time()
        ledger.orders.by_number(stan)
        ledger.orders.has_attempt_in_doubt(order)
        with ledger.commit("orders"):
            ledger.orders.hold(order, "7", 1, "01")
            ledger.orders.resume(order, 1, "01")
            ledger.orders.age(1, 99, 1)
            application = ledger.applications.make(order, Action.CANCEL, "1", 1, "01")
            assert isinstance(application, int)
            ledger.applications.approve(application, "00", 1)
            ledger.outbox.prune(2)
        ledger.orders.find(stan)
        ledger.orders.unpaid(held=True)
        ledger.orders.with_amount(1)
        ledger.orders.created_between(0, 2)
        ledger.orders.closed_between(0, 2)
        ledger.batches.cancelled_orders(1)
        ledger.orders.steps(order)
        ledger.applications.waiting()
        ledger.applications.of_order(order)
        ledger.outbox.read(1, 10)
        ledger.outbox.oldest()
        ledger.outbox.is_to_be_pruned(2)
        ledger.print_jobs.waiting()
        ledger.print_jobs.waiting_numbers()
        ledger.print_jobs.waiting(identity)
    assert len(seen) > 20
    assert scans(ledger, seen) == []


def test_a_day_at_the_terminal_reads_no_table_from_end_to_end(tmp_path: Path) -> None:
    with statements() as seen, Clerk(tmp_path) as clerk:
        clerk.sign_in()
        clerk.sell("10000")
        sale = clerk.sell("20000", "good")
        clerk.pay("10000")  # the same card and amount again
        clerk.press("确认")
        clerk.wait(400)
        clerk.press("取消")
        clerk.wait(100)
        clerk.press("确认 1 123456 确认")
        clerk.press(f"{int(sale.stan)} 确认 确认")
        clerk.swipe("good")
        clerk.take_slips()
        clerk.host_does("lost")
        clerk.pay("30000")
        clerk.wait(400)
        clerk.restart()
        clerk.wait(100)
        assert len(clerk.ledger.transactions.steps(sale.id)) == 3
        assert len(seen) > 40
        assert scans(clerk.ledger, seen) == []


def test_a_start_reads_no_table_from_end_to_end(
    path: Path, keys: Keys, clock: TurnedClock, ledger: Ledger
) -> None:
    ledger.close()
    with statements() as seen:
        again = Ledger.open(path, keys, clock, SeededBytes())
    assert len(seen) > 5
    assert scans(again, seen) == []
    again.close()
