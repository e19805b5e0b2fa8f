"""What the socket is connected to: answers, subscriptions, acts. One for the life of the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from posd.core.events import Event
from posd.diagnostics import messages as m
from posd.diagnostics.actions import Actions
from posd.diagnostics.answers import ANSWERS, Terminal
from posd.diagnostics.client import Client
from posd.diagnostics.happenings import happening
from posd.diagnostics.server import Parts
from posd.diagnostics.traffic import Direction, Traffic
from posd.ledger.errors import LedgerError
from posd.ledger.ledger import moment
from posd.settings import make_dialect
from protocol import Dialect, ProtocolError, decode


class DiagnosticService:
    """Answers through `posd.diagnostics.answers`, acts through `actions`; keeps who watches what.

    looked: to be called when the core may have halted.
    """

    def __init__(
        self, terminal: Terminal, actions: Actions, traffic: Traffic, looked: Callable[[], None]
    ) -> None:
        self._terminal = terminal
        self._actions = actions
        self._looked = looked
        self._traffic = traffic
        self._dialect = make_dialect(terminal.configuration)
        self._watching: dict[Client, int] = {}  # -> the id of the request
        self._tracing: dict[Client, int] = {}
        self._following: dict[Client, tuple[int, int]] = {}  # -> id, the next number
        terminal.observations.on_event = self._happened

    def answer(self, client: Client, request: m.Request) -> Parts:
        """See posd.diagnostics.server.Service."""
        if self._terminal.configuration.is_training and type(request) not in _IN_TRAINING:
            return iter((_training(request),))
        looker = ANSWERS.get(type(request))
        if looker is not None:
            return looker(self._terminal, request)
        match request:
            case m.WatchRequest():
                return self._watch(client, request.id)
            case m.TraceRequest():
                return self._trace(client, request)
            case m.TraceOffRequest():
                return self._end_traces(client, request)
            case m.EventsRequest():
                return self._events(client, request)
        return self._actions.act(client, request)

    def forget(self, client: Client) -> None:
        """See Service."""
        self._watching.pop(client, None)
        self._following.pop(client, None)
        self._tracing.pop(client, None)
        self._traffic.listener = self._passed if self._tracing else None
        self._actions.forget(client)

    def ledger_failed(self, error: LedgerError) -> None:
        """See Service: the core halts as it does when it meets the error itself."""
        self._terminal.core.ledger_failed(error)
        self._looked()

    # -- subscriptions ---------------------------------------------------------------------------

    def _watch(self, client: Client, identity: int) -> Parts:
        client.subscribed = True
        self._watching[client] = identity
        return iter(())

    def _trace(self, client: Client, request: m.TraceRequest) -> Parts:
        refused = self._actions.audit(client, request, {})
        if refused is not None:
            return iter((refused,))
        client.subscribed = True
        self._tracing[client] = request.id
        self._traffic.listener = self._passed
        return iter(())

    def _end_traces(self, client: Client, request: m.TraceOffRequest) -> Parts:
        refused = self._actions.audit(client, request, {"traces": len(self._tracing)})
        if refused is not None:
            return iter((refused,))
        ended = len(self._tracing)
        for tracing, identity in self._tracing.items():
            tracing.subscribed = tracing in self._watching
            tracing.tell(m.Done(id=identity, text="the trace was ended by somebody else"))
        self._tracing.clear()
        self._traffic.listener = None
        return iter(
            (m.Done(id=request.id, text=f"{ended} {'trace' if ended == 1 else 'traces'} ended"),)
        )

    def _events(self, client: Client, request: m.EventsRequest) -> Parts:
        """A slice of the outbox at a time; then, when it is followed, what is added."""
        number, oldest = request.start, self._terminal.core.ledger.outbox.oldest()
        if 0 < number < oldest:
            yield m.Step(id=request.id, text=f"events before {oldest} are no longer kept")
        while found := self._terminal.core.ledger.outbox.read(number, _EVENTS_A_SLICE):
            for event in found:
                number = event.number + 1
                yield _recorded(request.id, event.number, event.at, event.name, event.body)
        if not request.follow:
            yield m.Done(id=request.id)
            return
        client.subscribed = True
        self._following[client] = (request.id, number)

    def _happened(self, event: Event) -> None:
        self._actions.happened(event)
        for client, (identity, number) in list(self._following.items()):
            self._follow(client, identity, number)
        told = happening(event) if self._watching else None
        if told is None:
            return
        at, (name, details) = self._now(), told
        for client, identity in list(self._watching.items()):
            item = m.Happened(id=identity, at=at, name=name, details=details)
            client.hear(lambda item=item: item)  # type: ignore[misc]

    def _follow(self, client: Client, identity: int, number: int) -> None:
        """Whatever an event has added to the outbox since; most add nothing."""
        if self._terminal.core.ledger.outbox.newest() < number:
            return
        for event in self._terminal.core.ledger.outbox.read(number, _EVENTS_A_SLICE):
            number = event.number + 1
            item = _recorded(identity, event.number, event.at, event.name, event.body)
            client.hear(lambda item=item: item)  # type: ignore[misc]
        if client in self._following:
            self._following[client] = (identity, number)

    def _passed(self, direction: Direction, frame: bytes) -> None:
        at = self._now()
        for client, identity in list(self._tracing.items()):
            client.hear(lambda identity=identity: self._traced(identity, at, direction, frame))  # type: ignore[misc]

    def _traced(self, identity: int, at: str, direction: Direction, frame: bytes) -> m.Traced:
        return m.Traced(id=identity, at=at, direction=direction, lines=masked(frame, self._dialect))

    def _now(self) -> str:
        return self._terminal.clock.now().isoformat(timespec="milliseconds")


def masked(frame: bytes, dialect: Dialect) -> tuple[str, ...]:
    """A message in lines, masked; one that cannot be decoded by its length alone."""
    try:
        return tuple(decode(frame, dialect).describe(dialect.table).split("\n"))
    except ProtocolError as error:
        return (f"{len(frame)} bytes that cannot be decoded: {error}",)


def _recorded(
    identity: int, number: int, at: int, name: str, body: Mapping[str, object]
) -> m.Recorded:
    details = {
        key: value if isinstance(value, str | int) else "" if value is None else str(value)
        for key, value in body.items()
    }
    time = moment(at).isoformat(timespec="seconds")
    return m.Recorded(id=identity, number=number, at=time, name=name, details=details)


_EVENTS_A_SLICE: Final = 50
_IN_TRAINING: Final = frozenset(
    {m.StatusRequest, m.WhyRequest, m.DevicesRequest, m.ScreenRequest, m.FlightRequest}
)
"""Nothing of a training may be taken for business, and no act of it is written down."""


def _training(request: m.Request) -> m.Failed:
    return m.Failed(
        id=request.id,
        reason="busy",
        text="the terminal is in training mode",
        hint="end it at the terminal (menu 9, 6); posctl status, why, devices, screen, flight work",
    )
