"""The line between terminal and acquirer, byte by byte, with a fault for each connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from posd.acquirer.answers import Delivery
from posd.acquirer.outcomes import ORDINARY, Outcome
from posd.core.events import Event, HostConnected, HostFailed, HostReceived
from posd.testing.checks.wire import Captured, Word
from posd.testing.matrix.points import AcquirerStopped
from posd.testing.world import Appointment, World
from protocol import FrameReader
from protocol.errors import LengthAboveCap

LATENCY = 0.05  # s in one direction


@dataclass(frozen=True)
class Fault:
    """What happens on one connection. Times in seconds.

    refused: it cannot be made; silent: nothing answers the attempt.
    arrives: so many bytes of the request reach the acquirer (-1: all but one), None: all. reset: the
    connection ends then. delay: the request is so late, whatever has become of the connection.
    again: it comes once more, whole, so much later. outcome: how the acquirer treats it. first_only:
    of several frames that it answers only the first comes. cut: so many bytes of the answer come.
    hangs: after a cut the connection stays.
    """

    name: str
    refused: bool = False
    silent: bool = False
    arrives: int | None = None
    reset: bool = False
    delay: float = 0.0
    again: float | None = None
    outcome: Outcome = ORDINARY
    first_only: bool = False
    cut: int | None = None
    hangs: bool = False


CLEAN = Fault("clean")


class Wire:
    """The network. It outlives terminals; faults are used up by connections, one each, in their order.

    receive is the acquirer's; place tells it how to treat what it receives next. captured: what the
    terminal handed over and got, for the checker. answers: how long each one of the acquirer's was.
    """

    def __init__(
        self,
        world: World,
        receive: Callable[[bytes], tuple[Delivery, ...]],
        place: Callable[[Outcome], None],
        faults: Sequence[Fault],
    ) -> None:
        self.world = world
        self.captured: list[Captured] = []
        self.requests: list[int] = []  # bytes of each frame that was handed over
        self.answers: list[int] = []
        self._receive = receive
        self._place = place
        self._faults = list(faults)
        self._line: Line | None = None

    def plug_in(self, report: Callable[[Event], None]) -> Line:
        """The Host port of a terminal that has just been switched on."""
        self.capture("start")
        self._line = Line(self, report)
        return self._line

    def terminal_gone(self, *, power: bool) -> None:
        """The terminal has stopped. power: what had not left it yet is lost with it."""
        if self._line is not None:
            self._line.forget(power=power)
            self._line = None

    def capture(self, word: Word, data: bytes = b"") -> None:
        self.captured.append(Captured(self.world.monotonic(), word, data))

    def no_more_faults(self) -> None:
        self._faults.clear()

    def next_fault(self) -> Fault:
        return self._faults.pop(0) if self._faults else CLEAN

    def arrive(self, frames: Sequence[bytes], fault: Fault) -> tuple[Delivery, ...] | None:
        """Whole frames reach the acquirer: what it sends back; None when it has stopped over them."""
        deliveries: list[Delivery] = []
        for frame in frames:
            if fault.outcome is not ORDINARY:
                self._place(fault.outcome)
            try:
                answered = self._receive(frame)
            except AcquirerStopped:
                return None
            deliveries += answered[:1] if fault.first_only else answered
        self.answers += [len(delivery.data) for delivery in deliveries]
        return tuple(deliveries)


class Line:
    """One life's Host port."""

    def __init__(self, wire: Wire, report: Callable[[Event], None]) -> None:
        self._wire = wire
        self._report = report
        self._wanted: int | None = None  # the exchange whose connection is wanted or there
        self._open = False
        self._fault = CLEAN
        self._frames = FrameReader()
        self._leaving: list[Appointment] = []

    def connect(self, exchange: int) -> None:
        self._wanted, self._open = exchange, False
        self._fault = self._wire.next_fault()
        if not self._fault.silent:
            self._wire.world.after(LATENCY, lambda: self._connect(exchange))

    def send(self, exchange: int, frame: bytes) -> None:
        if self._wanted != exchange or not self._open:
            return
        wire, fault = self._wire, self._fault
        wire.capture("out", frame)
        wire.requests.append(len(frame))
        data = frame if fault.arrives is None else frame[: fault.arrives]
        leaving = wire.world.after(
            LATENCY + fault.delay, lambda: self._arrive(exchange, data, fault)
        )
        if not fault.delay:
            self._leaving = [leaving]
        if fault.again is not None:
            wire.world.after(
                LATENCY + fault.delay + fault.again,
                lambda: self._arrive(exchange, frame, CLEAN),
            )
        if fault.reset:
            wire.world.after(LATENCY, lambda: self._end(exchange, "connection_reset"))

    def close(self, exchange: int) -> None:
        if self._wanted == exchange:
            self._wanted, self._open = None, False
            self._wire.capture("close")

    def forget(self, *, power: bool) -> None:
        """Nobody is at this end any more."""
        self._wanted, self._open = None, False
        if power:
            for leaving in self._leaving:
                leaving.forget()

    def _connect(self, exchange: int) -> None:
        if self._wanted != exchange:
            return
        if self._fault.refused:
            self._wanted = None
            self._report(HostFailed(exchange, "refused"))
            return
        self._open = True
        self._frames = FrameReader()
        self._wire.capture("open")
        self._report(HostConnected(exchange))

    def _arrive(self, exchange: int, data: bytes, fault: Fault) -> None:
        wire = self._wire
        deliveries = wire.arrive(FrameReader().feed(data), fault)
        if deliveries is None:
            wire.world.after(LATENCY, lambda: self._end(exchange, "closed_by_host"))
            return
        left = fault.cut
        for delivery in deliveries:
            cut = delivery if left is None else _cut(delivery, left, hangs=fault.hangs)
            wire.world.after(
                delivery.after + LATENCY,
                lambda cut=cut: self._deliver(exchange, cut),  # type: ignore[misc]
            )

    def _deliver(self, exchange: int, delivery: Delivery) -> None:
        if self._wanted != exchange or not self._open:
            return
        wire = self._wire
        wire.capture("in", delivery.data)
        try:
            frames = self._frames.feed(delivery.data)
        except LengthAboveCap:
            self._end(exchange, "not_a_frame")
            return
        for frame in frames:
            self._report(HostReceived(exchange, frame))
        if delivery.close:
            self._end(exchange, "closed_by_host")

    def _end(self, exchange: int, reason: str) -> None:
        if self._wanted == exchange and self._open:
            self._wanted, self._open = None, False
            self._report(HostFailed(exchange, reason))


def _cut(delivery: Delivery, length: int, *, hangs: bool) -> Delivery:
    return Delivery(delivery.after, delivery.data[:length], close=not hangs)
