"""The acquirer of a simulated day: the real test acquirer, its own clock, its crashes and restarts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from posd.acquirer.acquirer import Acquirer
from posd.acquirer.answers import Delivery
from posd.acquirer.ledger import AcquirerLedger
from posd.acquirer.outcomes import Order
from posd.acquirer.situation import Options, TerminalRecord
from posd.testing.simulation.chance import Chance
from posd.testing.world import World
from protocol import Key

TERMINAL_ID: Final = "T0000001"
MERCHANT_ID: Final = "M00000000000001"


class _Crash(Exception):
    """The acquirer ends between its commit and its answer."""


class SimulatedHost:
    """It has power all day; its process may crash.

    happened: told of each fault that came true. note: a line of the history.
    """

    def __init__(
        self,
        seed: int,
        world: World,
        master: Key,
        options: Options,
        happened: Callable[[str], None],
        note: Callable[[str], None],
    ) -> None:
        self.ledger = AcquirerLedger(":memory:")
        self._seed = seed
        self._world = world
        self._began = world.now()
        self._master = master
        self._options = options
        self._happened = happened
        self._note = note
        self._crash_due = False
        self._processes = 0
        self._acquirer = self._start()

    def receive(self, frame: bytes) -> tuple[Delivery, ...] | None:
        """What goes back; None when the process crashed over it, and its connections are gone."""
        try:
            return self._acquirer.receive(frame)
        except _Crash:
            self._happened("acquirer crashed between commit and answer")
            self.restart()
            return None

    def clock(self) -> datetime:
        """Its own, which no step of the terminal's clock touches."""
        return self._began + timedelta(seconds=self._world.monotonic())

    def advance_clock(self, by: timedelta) -> None:
        self._began += by

    def order(self, order: Order) -> None:
        self._acquirer.order(order)

    def change_batch(self, batch: str) -> None:
        """From the next sign-in on."""
        self._acquirer.change_batch(TERMINAL_ID, batch)

    def forget_session(self) -> None:
        """77 to whatever comes before the next sign-in."""
        with self.ledger.commit():
            self.ledger.sign_off(TERMINAL_ID)

    def crash_at_next_request(self) -> None:
        self._crash_due = True

    def restart(self) -> None:
        """A new process on the old ledger: what was ordered is forgotten, nothing else."""
        self._crash_due = False
        self._acquirer = self._start()

    def calm(self) -> None:
        """From now on every request is treated in the ordinary way, whatever its amount says."""
        self._options = replace(self._options, amounts_choose=False)
        self.restart()

    def close(self) -> None:
        self.ledger.close()

    def _start(self) -> Acquirer:
        self._processes += 1
        return Acquirer(
            self.ledger,
            [TerminalRecord(TERMINAL_ID, MERCHANT_ID, self._master)],
            clock=self.clock,
            random_bytes=Chance(self._seed, "acquirer", self._processes),
            options=self._options,
            after_commit=self._decided,
        )

    def _decided(self, number: int) -> None:
        outcome, kind, code = self.ledger.connection.execute(
            "SELECT outcome, kind, code FROM requests WHERE id = ?", (number,)
        ).fetchone()
        self._note(f"host: {kind} answered {code} {outcome}".rstrip())
        if outcome:
            to = kind if kind in ("reversal", "sign_in") else "request"
            self._happened(f"host: {outcome.partition(':')[0]} to {to}")
        if self._crash_due:
            raise _Crash
