"""Rules about orders: they expire, they are reported at a set time, old events go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.ledger.records import OrderState
from posd.ledger.retirement import retire
from posd.testing.world import World
from tests.posd.terminal.rig import Clerk
from tests.posd.terminal.test_orders import leave_unpaid, state

HOUR = 3600


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[Clerk]:
    """A terminal without any of these rules, which has signed in."""
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        yield clerk


def next_hour() -> str:
    """An hour after a terminal of these tests gets power."""
    begin = World().now()
    assert begin.hour < 22
    return f"{begin.hour + 1:02d}:00"


def test_orders_expire_by_running_time_only(tmp_path: Path) -> None:
    with Clerk(tmp_path, orders__expire_minutes=10) as clerk:
        clerk.sign_in()
        order = leave_unpaid(clerk)
        clerk.wait(5 * 60)
        clerk.stage.power_cut()
        clerk.stage.let_pass(3600, lambda: False)
        clerk.stage.power_on()
        clerk.wait(4 * 60)
        assert state(clerk, order) is OrderState.UNPAID
        clerk.wait(3 * 60)
        assert state(clerk, order) is OrderState.CANCELLED
        assert clerk.ledger.orders.get(order.id).reason == "expired"
        assert "order_expired" in [entry[2] for entry in clerk.ledger.audit.entries()]


def test_at_a_terminal_that_has_moved_nothing_expires(tmp_path: Path) -> None:
    with Clerk(tmp_path, orders__expire_minutes=10) as clerk:
        clerk.sign_in()
        order = leave_unpaid(clerk)
        retire(clerk.ledger, "moved", "an archive")
        clerk.restart()
        clerk.wait(30 * 60)
        assert state(clerk, order) is OrderState.UNPAID
        assert clerk.ledger.orders.get(order.id).aged_minutes == 0


def test_the_order_on_the_screen_does_not_expire(tmp_path: Path) -> None:
    with Clerk(tmp_path, orders__expire_minutes=1, timeouts__prompt_seconds=600) as clerk:
        clerk.sign_in()
        clerk.press("8000 确认")
        clerk.wait(300)
        clerk.swipe_and_type_pin()
        clerk.take_slips()
        assert clerk.ledger.orders.unpaid(held=False) == []


def test_without_the_rule_nothing_expires_and_no_timer_runs(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    commits = clerk.ledger.commits
    clerk.wait(86_400)
    assert state(clerk, order) is OrderState.UNPAID
    assert clerk.ledger.commits == commits


def test_a_report_is_printed_at_the_set_time_once_a_day(tmp_path: Path) -> None:
    with Clerk(tmp_path, orders__report_time=next_hour()) as clerk:
        clerk.sign_in()
        leave_unpaid(clerk)
        clerk.wait(2 * 3600)
        (report,) = clerk.paper
        assert "订单报表" in report
        clerk.wait(20 * 3600)
        assert len(clerk.paper) == 1
        clerk.wait(3 * 3600)
        assert len(clerk.paper) == 2
        assert clerk.state == "idle.ready"


def test_old_events_are_pruned_when_the_ledger_is_looked_after(tmp_path: Path) -> None:
    with Clerk(tmp_path, orders__events_days=1) as clerk:
        clerk.sign_in()
        leave_unpaid(clerk)
        clerk.core.look_after_ledger()
        assert [event.name for event in clerk.ledger.outbox.read()] == ["order.created"]
        clerk.wait(86_400 + 60)
        clerk.core.look_after_ledger()
        assert clerk.ledger.outbox.read() == []


def test_a_rule_that_is_set_after_its_time_begins_tomorrow(tmp_path: Path) -> None:
    with Clerk(tmp_path, orders__report_time="00:01") as clerk:
        clerk.sign_in()
        clerk.wait(HOUR)
        assert clerk.paper == []
        clerk.wait(24 * HOUR)
        (report,) = clerk.paper
        assert "订单报表" in report


def test_a_report_whose_time_comes_while_the_terminal_is_off_is_printed_when_it_is_on(
    tmp_path: Path,
) -> None:
    with Clerk(tmp_path, orders__report_time=next_hour()) as clerk:
        clerk.sign_in()
        order = leave_unpaid(clerk)
        clerk.stage.power_cut()
        clerk.stage.let_pass(2 * HOUR, lambda: False)
        clerk.stage.power_on()
        clerk.wait(120)
        (report,) = clerk.paper
        assert order.number in report


def test_a_report_that_cannot_be_printed_now_is_kept_and_offered(tmp_path: Path) -> None:
    with Clerk(tmp_path, orders__report_time=next_hour()) as clerk:
        clerk.sign_in()
        clerk.stage.paper_out(0)
        clerk.wait(2 * HOUR)
        assert [job.copy for job in clerk.ledger.print_jobs.waiting()] == ["order_report"]
        clerk.stage.load_paper()
        clerk.wait_for("1 张待打印")
        clerk.press("确认")
        clerk.wait_for_state("idle.ready")
        assert "订单报表" in clerk.paper[-1]


def test_a_report_does_not_take_the_screen_from_a_clerk_at_work(tmp_path: Path) -> None:
    with Clerk(tmp_path, orders__report_time=next_hour(), timeouts__prompt_seconds=9000) as clerk:
        clerk.sign_in()
        clerk.press("8000 确认")
        clerk.wait(2 * HOUR)
        assert clerk.state == "sale.card"
        assert len(clerk.ledger.print_jobs.waiting()) == 1
