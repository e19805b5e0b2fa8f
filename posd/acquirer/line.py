"""The line to an acquirer in the same process: the core's Host port without a socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from posd.acquirer.answers import Delivery
from posd.core.events import Event, HostConnected, HostFailed, HostReceived
from protocol import FrameReader

LATENCY: Final = 0.05  # s in one direction

Later = Callable[[float, Callable[[], None]], object]
"""Calls this after so many seconds: an event loop's, or virtual time's."""


class BuiltInLine:
    """One life of a terminal's line. `report` gets HostConnected, HostReceived and HostFailed.

    receive: the acquirer's. reachable: asked at each connection and for each frame on its way.
    """

    def __init__(
        self,
        receive: Callable[[bytes], tuple[Delivery, ...]],
        report: Callable[[Event], None],
        later: Later,
        reachable: Callable[[], bool] = lambda: True,
    ) -> None:
        self._receive = receive
        self._report = report
        self._later = later
        self._reachable = reachable
        self._open: int | None = None  # the exchange whose connection is established
        self._wanted: int | None = None  # the exchange that has not been closed
        self._frames = FrameReader()

    def connect(self, exchange: int) -> None:
        self._wanted = exchange
        self._later(LATENCY, lambda: self._connect(exchange))

    def send(self, exchange: int, frame: bytes) -> None:
        if self._open == exchange:
            # On the way it can no longer be called back, not even by a power cut.
            self._later(LATENCY, lambda: self._arrive(exchange, frame))

    def close(self, exchange: int) -> None:
        if self._wanted == exchange:
            self._wanted = self._open = None

    def forget(self) -> None:
        """Whatever was open or wanted is not; nothing is reported any more."""
        self._wanted = self._open = None

    def lose_connection(self) -> None:
        """The connection that there is ends now."""
        if self._open is not None:
            self._end(self._open, "connection_reset")

    def _connect(self, exchange: int) -> None:
        if self._wanted != exchange:
            return
        if not self._reachable():
            self._wanted = None
            self._report(HostFailed(exchange, "refused"))
            return
        self._open = exchange
        self._frames = FrameReader()
        self._report(HostConnected(exchange))

    def _arrive(self, exchange: int, frame: bytes) -> None:
        if not self._reachable():
            return
        for delivery in self._receive(frame):
            self._later(
                delivery.after + LATENCY,
                lambda delivery=delivery: self._deliver(exchange, delivery),  # type: ignore[misc]
            )

    def _deliver(self, exchange: int, delivery: Delivery) -> None:
        if self._open != exchange:
            return
        for frame in self._frames.feed(delivery.data):
            self._report(HostReceived(exchange, frame))
        if delivery.close and self._open == exchange:
            self._end(exchange, "closed_by_host")

    def _end(self, exchange: int, reason: str) -> None:
        self._wanted = self._open = None
        self._report(HostFailed(exchange, reason))
