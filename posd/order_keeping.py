"""What happens to orders by rule: they expire, they are reported at a set time, old events go.

Nobody at the keypad is asked. Synchronous, as the core: one timer a minute while a rule is set, and none
otherwise; what it decides is committed before anything is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from posd.core.timers import CoreTimers
from posd.ledger.ledger import Ledger, moment
from posd.ledger.retirement import retirement_of
from posd.order_report import day_of, report
from posd.receipts import orders as slips
from posd.settings import Configuration

log = structlog.get_logger()

_MINUTE: Final = 60.0
_DAY_MILLISECONDS: Final = 86_400_000
_REPORTED_AT: Final = "orders_reported_at"  # a name in the ledger's settings: milliseconds


class OrderKeeping:
    """Rules about orders. busy_with says which order a clerk has on the screen; it is left alone."""

    def __init__(
        self,
        configuration: Configuration,
        ledger: Ledger,
        timers: CoreTimers,
        busy_with: Callable[[], int | None],
        report_waits: Callable[[], None],
    ) -> None:
        """report_waits is called when a report lies in the print queue."""
        self._configuration = configuration
        self._settings = configuration.orders
        self._ledger = ledger
        self._timers = timers
        self._busy_with = busy_with
        self._report_waits = report_waits

    def power_up(self) -> None:
        """Begin to keep time, if a rule wants it."""
        if not (self._settings.expire_minutes or self._settings.report_time):
            return
        if retirement_of(self._ledger) is not None:
            return  # its orders are another terminal's now
        if self._settings.report_time and self._ledger.settings.get(_REPORTED_AT) is None:
            self._begin_reports()
        self._timers.after(_MINUTE, self._minute)

    def prune(self) -> None:
        """Events that are older than the setting says; to be called while nobody waits."""
        before = self._ledger.now() - self._settings.events_days * _DAY_MILLISECONDS
        if self._ledger.outbox.is_to_be_pruned(before):
            with self._ledger.commit("prune_outbox"):
                pruned = self._ledger.outbox.prune(before)
            log.info("outbox.pruned", events=pruned)

    def _minute(self) -> None:
        self._timers.after(_MINUTE, self._minute)
        if self._settings.expire_minutes:
            self._age()
        if self._settings.report_time and self._report_is_due():
            self._report()

    def _age(self) -> None:
        """A minute of running time is a commit only when there is an order that it counts for."""
        ledger = self._ledger
        if not ledger.orders.unpaid(held=False):
            return
        now = ledger.now()
        with ledger.commit("orders_age"):
            expired = ledger.orders.age(
                1, self._settings.expire_minutes, now, but=self._busy_with()
            )
            for order in expired:
                details = {"order": order.number, "amount": order.amount}
                ledger.audit.add(now, "posd", "order_expired", details)
        for order in expired:
            log.info("order.expired", order=order.number)

    def _report_is_due(self) -> bool:
        """Has today's time come, and was nothing reported today?"""
        now = self._ledger.now()
        reported = self._ledger.settings.get(_REPORTED_AT, 0)
        today, _ = day_of(now)
        return reported < today and f"{moment(now):%H:%M}" >= self._settings.report_time

    def _begin_reports(self) -> None:
        """The rule is new: it begins with today, or with tomorrow when today's time is over."""
        now = self._ledger.now()
        before_today = day_of(now)[0] - 1
        with self._ledger.commit("order_report_rule"):
            self._ledger.settings.put(_REPORTED_AT, now if self._report_is_due() else before_today)

    def _report(self) -> None:
        """Everything since the last one, so that each order is in one of them."""
        ledger, now = self._ledger, self._ledger.now()
        since = ledger.settings.get(_REPORTED_AT)
        slip = slips.report_slip(report(ledger, since, now), self._configuration)
        with ledger.commit("order_report"):
            ledger.settings.put(_REPORTED_AT, now)
            ledger.print_jobs.add(None, slips.REPORT, slip)
        self._report_waits()
