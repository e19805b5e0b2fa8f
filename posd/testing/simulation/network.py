"""The network between the terminal and its acquirer: connections, frames, and what happens to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from posd.acquirer.answers import Delivery
from posd.core.events import Event, HostConnected, HostFailed, HostReceived
from posd.testing.world import World
from protocol import FrameReader
from protocol.errors import LengthAboveCap

LATENCY: Final = 0.05  # s in one direction
_MTI = slice(13, 15)


class Mishap(StrEnum):
    """What happens to one exchange on its way. The value is what reports call it."""

    REFUSED = "connection refused"
    CONNECT_HANGS = "connection never stands"
    NOTHING_SENT = "connection ends, nothing arrived"
    REQUEST_CUT = "request cut"
    REQUEST_LOST = "request lost"
    REQUEST_LATE = "request delivered late"
    REQUEST_TWICE = "request delivered twice"
    RESET = "connection ends after the request"
    ANSWER_LOST = "answer lost"
    ANSWER_CUT = "answer cut, connection ends"
    ANSWER_HANGS = "answer cut, connection stays"
    ANSWER_LATE = "answer late"
    ANSWER_AT_TIME_OUT = "answer at the time-out"
    ANSWER_TWICE = "answer twice"
    ANSWER_IN_PIECES = "answer in pieces"


_CONNECTING: Final = (Mishap.REFUSED, Mishap.CONNECT_HANGS)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A mishap for the next exchange of one sort. mti: "" for any, else what the request is.

    share: how much of what is cut arrives, below 1. seconds: how late what is late comes.
    """

    mishap: Mishap
    mti: str = ""
    share: float = 0.5
    seconds: float = 90.0


class Network:
    """It outlives power cuts of the terminal; what is on its way arrives.

    receive: the acquirer. happened: told of each mishap that came true. time_out: of the terminal.
    """

    def __init__(
        self,
        world: World,
        receive: Callable[[bytes], tuple[Delivery, ...]],
        happened: Callable[[str], None],
        time_out: float,
    ) -> None:
        self.world = world
        self.receive = receive
        self.time_out = time_out
        self._happened = happened
        self._waiting: list[Trouble] = []
        self._up = True
        self._line: Line | None = None

    @property
    def up(self) -> bool:
        return self._up

    @up.setter
    def up(self, up: bool) -> None:
        self._up = up
        if not up:
            self.reset()

    def reset(self) -> None:
        """The connection that there is ends."""
        if self._line is not None:
            self._line.lose_connection()

    def expect(self, trouble: Trouble) -> None:
        """Let this happen to the next exchange that it fits."""
        self._waiting.append(trouble)

    def calm(self) -> None:
        """Nothing that was expected happens any more."""
        self._waiting.clear()

    def plug_in(self, report: Callable[[Event], None]) -> Line:
        """The line of a terminal that was just switched on."""
        self._line = Line(self, report)
        return self._line

    def power_cut(self) -> None:
        if self._line is not None:
            self._line.forget()
            self._line = None

    def take(self, mti: str, *, connecting: bool) -> Trouble | None:
        """The trouble that is due now, used up."""
        for trouble in self._waiting:
            if (trouble.mishap in _CONNECTING) == connecting and trouble.mti in ("", mti):
                self._waiting.remove(trouble)
                self._happened(f"line: {trouble.mishap}")
                return trouble
        return None


class Line:
    """One life of a terminal's host port."""

    def __init__(self, network: Network, report: Callable[[Event], None]) -> None:
        self._network = network
        self._world = network.world
        self._report = report
        self._open: int | None = None
        self._wanted: int | None = None
        self._frames = FrameReader()

    # --- the port ---------------------------------------------------------------------------------

    def connect(self, exchange: int) -> None:
        self._wanted = exchange
        trouble = self._network.take("", connecting=True)
        if trouble is None or trouble.mishap is not Mishap.CONNECT_HANGS:
            self._world.after(LATENCY, lambda: self._connect(exchange, refused=trouble is not None))

    def send(self, exchange: int, frame: bytes) -> None:
        if self._open != exchange:
            return
        trouble = self._network.take(frame[_MTI].hex(), connecting=False)
        self._world.after(LATENCY, lambda: self._arrive(exchange, frame, trouble))

    def close(self, exchange: int) -> None:
        if self._wanted == exchange:
            self.forget()

    # --- the other side ---------------------------------------------------------------------------

    def forget(self) -> None:
        self._wanted = self._open = None

    def lose_connection(self) -> None:
        if self._open is not None:
            self._end(self._open, "connection_reset")

    def _connect(self, exchange: int, *, refused: bool) -> None:
        if self._wanted != exchange:
            return
        if refused or not self._network.up:
            self._wanted = None
            self._report(HostFailed(exchange, "refused"))
            return
        self._open = exchange
        self._frames = FrameReader()
        self._report(HostConnected(exchange))

    def _arrive(self, exchange: int, frame: bytes, trouble: Trouble | None) -> None:
        """The bytes are on their way: nothing that the terminal does calls them back."""
        match trouble.mishap if trouble else None:
            case Mishap.NOTHING_SENT | Mishap.REQUEST_CUT:  # a part of a frame is nothing to a host
                self._end_if_open(exchange)
            case Mishap.REQUEST_LOST:
                pass
            case Mishap.REQUEST_LATE:
                assert trouble is not None
                self._world.after(trouble.seconds, lambda: self._reach(exchange, frame, None))
            case Mishap.REQUEST_TWICE:
                assert trouble is not None
                self._reach(exchange, frame, None)
                self._world.after(trouble.seconds, lambda: self._reach(exchange, frame, None))
            case Mishap.RESET:
                self._reach(exchange, frame, trouble)
                self._end_if_open(exchange)
            case _:
                self._reach(exchange, frame, trouble)

    def _reach(self, exchange: int, frame: bytes, trouble: Trouble | None) -> None:
        if not self._network.up:
            return
        for delivery in self._network.receive(frame):
            self._answer(exchange, delivery, trouble)

    def _answer(self, exchange: int, delivery: Delivery, trouble: Trouble | None) -> None:
        after, data = delivery.after + LATENCY, delivery.data
        time_out = self._network.time_out
        part = data if trouble is None else data[: int(len(data) * trouble.share)]
        match trouble.mishap if trouble else None:
            case Mishap.ANSWER_LOST | Mishap.RESET:
                return
            case Mishap.ANSWER_CUT:
                self._later(exchange, after, Delivery(0.0, part, close=True))
            case Mishap.ANSWER_HANGS:
                self._later(exchange, after, Delivery(0.0, part))
            case Mishap.ANSWER_LATE:
                self._later(exchange, after + time_out, delivery)
            case Mishap.ANSWER_AT_TIME_OUT:  # the timer was started when the frame was handed over
                self._later(exchange, max(after, time_out - LATENCY), delivery)
            case Mishap.ANSWER_TWICE:
                self._later(exchange, after, delivery)
                self._later(exchange, after, delivery)
            case Mishap.ANSWER_IN_PIECES:
                self._later(exchange, after, Delivery(0.0, part))
                self._later(exchange, after + 1.0, Delivery(0.0, data[len(part) :], delivery.close))
            case _:
                self._later(exchange, after, delivery)

    def _later(self, exchange: int, seconds: float, delivery: Delivery) -> None:
        self._world.after(seconds, lambda: self._deliver(exchange, delivery))

    def _deliver(self, exchange: int, delivery: Delivery) -> None:
        if self._open != exchange:
            return
        try:
            frames = self._frames.feed(delivery.data)
        except LengthAboveCap:  # pieces that do not fit together, as the real edge sees it
            self._end(exchange, "frame_too_long")
            return
        for frame in frames:
            if self._open == exchange:
                self._report(HostReceived(exchange, frame))
        if delivery.close:
            self._end_if_open(exchange)

    def _end_if_open(self, exchange: int) -> None:
        if self._open == exchange:
            self._end(exchange, "closed_by_host")

    def _end(self, exchange: int, reason: str) -> None:
        self.forget()
        self._report(HostFailed(exchange, reason))
