"""The network between a terminal and the test acquirer in virtual time."""

from __future__ import annotations

from collections.abc import Callable

from posd.acquirer.answers import Delivery
from posd.acquirer.line import BuiltInLine
from posd.core.events import Event
from posd.testing.world import World

VirtualHost = BuiltInLine
"""One life of a terminal's line."""


class VirtualLink:
    """The network between one terminal and its host. It outlives the terminal's power cuts."""

    def __init__(self, world: World, receive: Callable[[bytes], tuple[Delivery, ...]]) -> None:
        self.world = world
        self.receive = receive
        self._up = True
        self._port: BuiltInLine | None = None

    @property
    def up(self) -> bool:
        return self._up

    @up.setter
    def up(self, up: bool) -> None:
        """Down: connections are refused, and the one that there is ends."""
        self._up = up
        if not up and self._port is not None:
            self._port.lose_connection()

    def plug_in(self, report: Callable[[Event], None]) -> BuiltInLine:
        """A host port for a terminal that was just switched on."""
        self._port = BuiltInLine(self.receive, report, self.world.after, lambda: self._up)
        return self._port

    def power_cut(self) -> None:
        """The terminal is gone, without a word to the host."""
        if self._port is not None:
            self._port.forget()
            self._port = None
