"""What passes on the line to the acquirer, for whoever traces it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from posd.core import ports

Direction = Literal["in", "out"]


class Traffic:
    """The `Host` port as it is, and somebody who may listen to what passes."""

    def __init__(self, host: ports.Host) -> None:
        self._host = host
        self.listener: Callable[[Direction, bytes], None] | None = None

    def connect(self, exchange: int) -> None:
        """See posd.core.ports.Host."""
        self._host.connect(exchange)

    def send(self, exchange: int, frame: bytes) -> None:
        """See posd.core.ports.Host."""
        self._host.send(exchange, frame)
        if self.listener is not None:
            self.listener("out", frame)

    def close(self, exchange: int) -> None:
        """See posd.core.ports.Host."""
        self._host.close(exchange)

    def received(self, frame: bytes) -> None:
        """This came from the host."""
        if self.listener is not None:
            self.listener("in", frame)
