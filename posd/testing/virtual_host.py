"""The line to the test acquirer in virtual time: the core's Host port without a socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from posd.acquirer.answers import Delivery
from posd.core.events import Event, HostConnected, HostFailed, HostReceived
from posd.testing.world import World
from protocol import FrameReader

LATENCY: Final = 0.05  # s in one direction


class VirtualLink:
    """The network between one terminal and its host. It outlives the terminal's power cuts."""

    def __init__(self, world: World, receive: Callable[[bytes], tuple[Delivery, ...]]) -> None:
        self.world = world
        self.receive = receive
        self._up = True
        self._port: VirtualHost | None = None

    @property
    def up(self) -> bool:
        return self._up

    @up.setter
    def up(self, up: bool) -> None:
        """Down: connections are refused, and the one that there is ends."""
        self._up = up
        if not up and self._port is not None:
            self._port.lose_connection()

    def plug_in(self, report: Callable[[Event], None]) -> VirtualHost:
        """A host port for a terminal that was just switched on."""
        self._port = VirtualHost(self, report)
        return self._port

    def power_cut(self) -> None:
        """The terminal is gone, without a word to the host."""
        if self._port is not None:
            self._port.forget()
            self._port = None


class VirtualHost:
    """One life of a terminal's line. `report` gets HostConnected, HostReceived and HostFailed."""

    def __init__(self, link: VirtualLink, report: Callable[[Event], None]) -> None:
        self._link = link
        self._report = report
        self._open: int | None = None  # the exchange whose connection is established
        self._wanted: int | None = None  # the exchange that has not been closed
        self._frames = FrameReader()

    def connect(self, exchange: int) -> None:
        self._wanted = exchange
        self._link.world.after(LATENCY, lambda: self._connect(exchange))

    def send(self, exchange: int, frame: bytes) -> None:
        if self._open == exchange:
            # On the way it can no longer be called back, not even by a power cut.
            self._link.world.after(LATENCY, lambda: self._arrive(exchange, frame))

    def close(self, exchange: int) -> None:
        if self._wanted == exchange:
            self._wanted = self._open = None

    def forget(self) -> None:
        """Whatever was open or wanted is not."""
        self._wanted = self._open = None

    def lose_connection(self) -> None:
        """The connection that there is ends now."""
        if self._open is not None:
            self._end(self._open, "connection_reset")

    def _connect(self, exchange: int) -> None:
        if self._wanted != exchange:
            return
        if not self._link.up:
            self._wanted = None
            self._report(HostFailed(exchange, "refused"))
            return
        self._open = exchange
        self._frames = FrameReader()
        self._report(HostConnected(exchange))

    def _arrive(self, exchange: int, frame: bytes) -> None:
        if not self._link.up:
            return
        for delivery in self._link.receive(frame):
            self._link.world.after(
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
