"""The core's Host port with a note of every byte, in the words of `posd.testing.checks.wire`."""

from __future__ import annotations

from collections.abc import Callable

from posd.core.events import Event, HostConnected, HostFailed, HostReceived
from posd.core.ports import Host
from posd.testing.checks.wire import Captured, Word


class CapturedHost:
    """Stands between the core and its line: what passes is noted, then goes on unchanged.

    plug_in: makes the line below, which reports to the callable that it is given.
    """

    def __init__(
        self,
        plug_in: Callable[[Callable[[Event], None]], Host],
        report: Callable[[Event], None],
        captured: list[Captured],
        seconds: Callable[[], float],
    ) -> None:
        self._report = report
        self._captured = captured
        self._seconds = seconds
        self._note("start")
        self._host = plug_in(self._heard)

    def connect(self, exchange: int) -> None:
        self._host.connect(exchange)

    def send(self, exchange: int, frame: bytes) -> None:
        self._note("out", frame)
        self._host.send(exchange, frame)

    def close(self, exchange: int) -> None:
        self._note("close")
        self._host.close(exchange)

    def _heard(self, event: Event) -> None:
        match event:
            case HostConnected():
                self._note("open")
            case HostReceived(frame=frame):
                self._note("in", frame)
            case HostFailed():
                self._note("close")
        self._report(event)

    def _note(self, word: Word, data: bytes = b"") -> None:
        self._captured.append(Captured(self._seconds(), word, data))
