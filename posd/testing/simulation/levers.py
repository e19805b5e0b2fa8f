"""What the troublemaker can do to a day: host, line, power, paper, clocks. The day counts what comes true."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from posd.acquirer.outcomes import Order
from posd.core.events import Key
from posd.testing.checks.evidence import Expectations
from posd.testing.simulation.cuts import Cuts, Where
from posd.testing.simulation.host import SimulatedHost
from posd.testing.simulation.life import Life, Surroundings
from posd.testing.simulation.network import Network, Trouble
from posd.testing.world import World


class Levers(ABC):
    """The half of a day that things are done to."""

    _world: World
    _host: SimulatedHost
    _network: Network
    _cuts: Cuts
    _surroundings: Surroundings
    _expected: Expectations
    _life: Life | None
    _cut_in_recovery: tuple[Where, int] | None

    @abstractmethod
    def note(self, what: str) -> None:
        """A line of the history."""

    @abstractmethod
    def _happened(self, what: str) -> None:
        """A fault came true."""

    @abstractmethod
    def _guarded(self, call: Callable[[], None]) -> None:
        """Whatever reaches into the terminal may end in a power cut. Without power it does nothing."""

    @abstractmethod
    def _cut_later(self, seconds: float, what: str) -> None:
        """Let the power fail after so many seconds, unless this life has ended before."""

    @abstractmethod
    def _end_life(self, why: str) -> None: ...

    def order(self, order: Order) -> None:
        self.note(f"host: {order.outcome.label} to next {order.times} {order.transaction}")
        self._host.order(order)

    def expect(self, trouble: Trouble) -> None:
        self.note(f"line: {trouble.mishap} to next {trouble.mti or 'message'}")
        self._network.expect(trouble)

    def arm(self, where: Where, label: str, passes: int, seconds: float = 0.0) -> None:
        self.note(f"armed: {where}, {label or 'any'}, {passes}")
        self._cuts.arm(where, label, passes, seconds)

    def cut_power_in(self, seconds: float) -> None:
        self._cut_later(seconds, "power cut between events")

    def cut_in_recovery(self, where: Where, passes: int) -> None:
        """At the next power-up."""
        self._cut_in_recovery = where, passes

    def restart(self) -> None:
        if self._life is not None:
            self._happened("restart")
            self._end_life("restart")

    def crash_acquirer_at_next_request(self) -> None:
        self.note("the acquirer will crash between its commit and its answer")
        self._host.crash_at_next_request()

    def change_batch(self, batch: str) -> None:
        self._happened("another batch number at the host")
        self.note(f"batch {batch} from the next sign-in on")
        self._host.change_batch(batch)

    def forget_session(self) -> None:
        self._happened("the host forgot the session")
        self._host.forget_session()

    def link_down(self, seconds: float) -> None:
        self._happened("link down")
        self.note(f"for {seconds:.1f} s")
        self._guarded(lambda: setattr(self._network, "up", False))

        def up() -> None:
            self.note("link up")
            self._network.up = True

        self._world.after(seconds, up)

    def reset_connection_in(self, seconds: float) -> None:
        def reset() -> None:
            self._happened("connection reset")
            self._network.reset()

        self._world.after(seconds, reset)

    def paper_out(self, lines: int, seconds: float) -> None:
        """After so many lines, for so long."""
        self._happened("paper out")
        self._guarded(lambda: self._surroundings.printer.paper_out(lines))
        self._world.after(seconds, self._surroundings.printer.load_paper)

    def unplug_printer(self, seconds: float) -> None:
        self._happened("printer unplugged")
        self._guarded(self._surroundings.printer.unplug)
        self._world.after(seconds, self._surroundings.printer.replug)

    def step_clock(self, by: timedelta) -> None:
        """The machine's clock, not the host's."""
        self._happened("clock step")
        self.note(f"by {by}")
        self._world.step_clock(by)

    def counter_comes_round(self, numbers: int) -> None:
        """The next numbers are those of the last ones: all others have been used since."""
        life = self._life
        if life is None:
            return
        self._happened("STAN comes round")
        self._expected = replace(self._expected, counter_came_round=True)

        def back() -> None:
            with life.ledger.commit("round"):
                life.ledger.counters.jump_stan(999_999 - numbers)

        life.ask(back)

    def jump_to_midnight_in(self, seconds: float) -> None:
        self._world.after(seconds, lambda: self.jump_to_midnight(0.0))

    def jump_to_midnight(self, seconds: float) -> None:
        """Both clocks: so many seconds after the next midnight."""
        now = self._host.clock()
        midnight = datetime(now.year, now.month, now.day) + timedelta(days=1)
        jump = max(timedelta(), midnight - now + timedelta(seconds=seconds))
        self._happened("midnight")
        self._host.advance_clock(jump)
        self._world.step_clock(jump)

    def press(self, key: Key) -> None:
        self.note(f"key {key}, unmeant")

        def press() -> None:
            assert self._life is not None
            self._life.press(key)

        self._guarded(press)
