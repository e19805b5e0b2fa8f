"""The core: one event at a time, one place that catches what escapes, invariants after each event."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

import structlog

from posd.core.ending import Ending
from posd.core.events import (
    Event,
    HostConnected,
    HostFailed,
    HostReceived,
    PoweredUp,
    TimerFired,
)
from posd.core.ports import Ports
from posd.core.timers import CoreTimers
from posd.keys import Keys
from posd.ledger.errors import LedgerDamaged, LedgerError
from posd.ledger.ledger import Ledger
from posd.money.money import Money
from posd.order_keeping import OrderKeeping
from posd.settings import Configuration
from posd.terminal.dialogue import Dialogue

log = structlog.get_logger()

SYSTEM_FAULT = "E900"
LEDGER_FAULT = "E901"


def _nobody(_event: Event) -> None:
    """Nobody looks on."""


class Core:
    """Dialogue and money of one terminal. Not reentrant: handle() may be called from anywhere, also from
    inside a port; the event waits its turn.

    halted is None while the terminal works, else the reason why it must be started again.
    """

    def __init__(
        self, configuration: Configuration, ledger: Ledger, ports: Ports, keys: Keys
    ) -> None:
        assert ledger.keys is keys
        self._queue: deque[Event] = deque()
        self._working = False
        self.halted: str | None = None
        self.faults = 0
        self.observe: Callable[[Event], None] = _nobody
        """Is told of each event when all of it has been done; for diagnostics. Must not raise."""
        self.timers = CoreTimers(ports.timers)
        self.ledger = ledger
        self._keep_months = configuration.settlement.keep_months
        self.money = Money(configuration, ledger, ports, self.timers, self._queue.append)
        self.dialogue = Dialogue(configuration, self.money, ledger, ports, self.timers)
        self.orders = OrderKeeping(
            configuration,
            ledger,
            self.timers,
            busy_with=lambda: self.dialogue.form.order,
            report_waits=self.dialogue.slip_is_due,
        )

    def start(self) -> None:
        """Recover what the ledger holds open, then take the first event."""
        try:
            self.money.recover()
        except LedgerError as error:
            self._halt(error)
            return
        self.handle(PoweredUp())

    def handle(self, event: Event) -> None:
        """Take an event; everything that follows from it has happened when this returns."""
        self._queue.append(event)
        if self._working:
            return
        self._working = True
        try:
            while self._queue and self.halted is None and self.ending is None:
                event = self._queue.popleft()
                self._step(event)
                self.observe(event)
        finally:
            self._working = False

    @property
    def ending(self) -> Ending | None:
        """Not None: somebody at the terminal ended this life of it; no event is taken any more."""
        return self.dialogue.ending

    @property
    def idle(self) -> bool:
        """Does nobody wait for the terminal: nothing on the line, nothing asked of the clerk?"""
        return self.halted is None and self.dialogue.is_idle and not self.money.busy

    def look_after_ledger(self) -> None:
        """What the ledger needs now and then; to be called while idle, between two events."""
        try:
            self.ledger.look_after()
            self.orders.prune()
            self.ledger.pruning.look(self._keep_months)
        except LedgerError as error:
            self._halt(error)

    def audit(self, who: str, what: str, details: Mapping[str, object]) -> bool:
        """Write down what somebody is about to do from outside; between two events.

        False when that failed: the core has halted, and it must not be done.
        """
        assert not self._working
        try:
            with self.ledger.commit("audit"):
                self.ledger.audit.add(self.ledger.now(), who, what, details)
        except LedgerError as error:
            self._halt(error)
        return self.halted is None

    def ledger_failed(self, error: LedgerError) -> None:
        """Somebody else met this error of the ledger: it halts the core as its own would."""
        if self.halted is None:
            self._halt(error)

    def suspect_ledger(self, reason: str) -> None:
        """Somebody found that the ledger may not be whole: the next start checks all of it."""
        self.ledger.suspect(reason)
        self._halt(LedgerDamaged(reason))

    def _step(self, event: Event) -> None:
        try:
            self._dispatch(event)
            self.money.check_invariants()
        except LedgerError as error:
            self._halt(error)
        except Exception as error:  # noqa: BLE001 - the one place that catches whatever escapes
            self._fault(event, error)

    def _dispatch(self, event: Event) -> None:
        match event:
            case HostConnected():
                self.money.host_connected(event)
            case HostReceived():
                self.money.host_received(event)
            case HostFailed():
                self.money.host_failed(event)
            case TimerFired():
                self.timers.fired(event.serial)
            case PoweredUp():
                self.money.power_up()
                self.orders.power_up()
                self.dialogue.handle(event)
            case _:
                self.dialogue.handle(event)
        self.dialogue.refresh()

    def _fault(self, event: Event, error: Exception) -> None:
        """A mistake of ours: the clerk is told, the dialogue starts over, the money follows the ledger."""
        self.faults += 1
        log.error("core.fault", event_kind=type(event).__name__, exc_info=error)
        try:
            self.money.after_fault()
            self.dialogue.fault(SYSTEM_FAULT)
            self.dialogue.refresh()
        except LedgerError as ledger_error:
            self._halt(ledger_error)
        except Exception as second:
            log.critical("core.fault_in_fault", exc_info=second)
            self.halted = f"{type(second).__name__} while handling {type(error).__name__}"

    def _halt(self, error: LedgerError) -> None:
        """The ledger is in doubt: nothing more is sent, printed or shown but this (money M14)."""
        log.critical("core.halted", reason=str(error))
        self.halted = str(error)
        self.dialogue.halt(LEDGER_FAULT)
