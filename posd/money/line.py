"""The host line: one exchange at a time, each on a connection of its own (money M17).

Knows connections and time-outs, and whether a frame is ours; does not know what the answer means for money.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog
from msgspec import Struct

from posd.core import ports
from posd.core.events import HostConnected, HostFailed, HostReceived
from posd.core.timers import CoreTimers
from protocol.matching import Foreign, Unusable, Usable

log = structlog.get_logger()

Verdict = Foreign | Unusable | Usable


class Sending(Struct, frozen=True):
    """What goes out on an established connection, and how an incoming frame is judged against it."""

    frame: bytes
    judge: Callable[[bytes], Verdict]


class NotConnected(Struct, frozen=True):
    """The connection was never established: nothing can have been sent (money M9)."""

    reason: str
    untrusted: bool = False  # see HostFailed


class NoAnswer(Struct, frozen=True):
    """Bytes were handed over and nothing usable came back: time-out, or the connection ended."""

    reason: str


Result = NotConnected | NoAnswer | Unusable | Usable


class LastExchange(Struct, frozen=True):
    """How the newest exchange ended, without what was said in it. code: element 39, where there was one."""

    number: int = 0  # counted from the start of the process; 0: there has been none
    result: str = ""  # usable, unusable, no_answer, not_connected
    reason: str = ""
    code: str = ""


class _Exchange(Struct):
    number: int
    prepare: Callable[[], Sending]
    answer_seconds: float
    done: Callable[[Result], None]
    sending: Sending | None = None
    timer: int | None = None


class HostLine:
    """Runs exchanges. Time-outs are the core's, so that a foreign frame never prolongs or ends a wait."""

    def __init__(self, host: ports.Host, timers: CoreTimers, connect_seconds: float) -> None:
        self._host = host
        self._timers = timers
        self._connect_seconds = connect_seconds
        self._numbers = 0
        self._exchange: _Exchange | None = None
        self.trouble = False  # the last connection could not be made
        self.last = LastExchange()

    @property
    def busy(self) -> bool:
        return self._exchange is not None

    def exchange(
        self,
        prepare: Callable[[], Sending],
        answer_seconds: float,
        done: Callable[[Result], None],
    ) -> None:
        """Connect, then send what prepare() gives, then wait for its answer; done() gets the result.

        prepare is called when the connection stands and may commit what must be on disk before the
        first byte (money M14).
        """
        assert self._exchange is None, "one exchange at a time"
        self._numbers += 1
        exchange = _Exchange(self._numbers, prepare, answer_seconds, done)
        self._exchange = exchange
        exchange.timer = self._timers.after(
            self._connect_seconds, lambda: self._end(NotConnected("connect_timeout"))
        )
        self._host.connect(exchange.number)

    def connected(self, event: HostConnected) -> None:
        exchange = self._current(event.exchange)
        if exchange is None or exchange.sending is not None:
            return
        self.trouble = False
        self._timers.stop(exchange.timer)
        exchange.timer = None
        sending = exchange.prepare()
        exchange.sending = sending  # from here on its bytes count as sent (money M9)
        exchange.timer = self._timers.after(
            exchange.answer_seconds, lambda: self._end(NoAnswer("answer_timeout"))
        )
        self._host.send(exchange.number, sending.frame)

    def received(self, event: HostReceived) -> None:
        exchange = self._current(event.exchange)
        if exchange is None:
            log.info("host.late_frame", length=len(event.frame))  # money M7
            return
        if exchange.sending is None:
            log.warning("host.frame_before_request", length=len(event.frame))
            return
        verdict = exchange.sending.judge(event.frame)
        if isinstance(verdict, Foreign):
            log.warning("host.foreign_frame", reason=verdict.reason, length=len(event.frame))
            return
        self._end(verdict)

    def failed(self, event: HostFailed) -> None:
        exchange = self._current(event.exchange)
        if exchange is None:
            return
        if exchange.sending is None:
            self._end(NotConnected(event.reason, event.untrusted))
        else:
            self._end(NoAnswer(event.reason))

    def abandon(self) -> None:
        """Close the line without a result: whoever was waiting is decided from the ledger."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._timers.stop(exchange.timer)
            self._host.close(exchange.number)

    def _current(self, number: int) -> _Exchange | None:
        exchange = self._exchange
        return exchange if exchange is not None and exchange.number == number else None

    def _end(self, result: Result) -> None:
        exchange = self._exchange
        assert exchange is not None
        self._exchange = None
        self._timers.stop(exchange.timer)
        self._host.close(exchange.number)
        self.trouble = isinstance(result, NotConnected)
        self.last = LastExchange(
            exchange.number, _RESULTS[type(result)], _reason(result), _code(result)
        )
        log.info("host.exchange_ended", result=type(result).__name__, reason=_reason(result))
        exchange.done(result)


def _reason(result: Result) -> str:
    return "" if isinstance(result, Usable) else result.reason


def _code(result: Result) -> str:
    if isinstance(result, Usable):
        return str(result.message.get(39, ""))
    return str(result.code or "") if isinstance(result, Unusable) else ""


_RESULTS: Final = {
    Usable: "usable",
    Unusable: "unusable",
    NoAnswer: "no_answer",
    NotConnected: "not_connected",
}
