"""The diagnostic socket: who may come in, whose turn it is, and that no clerk ever waits for any of it.

All clients share one queue of turns. A turn is short, and after it the socket rests for a multiple of what
the turn took: whatever is asked, by however many, it costs the loop no more than a fixed share.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import msgspec
import structlog

from posd.diagnostics import messages as m
from posd.diagnostics.access import Access, Peer
from posd.diagnostics.client import Client, News
from posd.diagnostics.stream import StreamError, decode_item
from posd.ledger.errors import LedgerError
from posd.redaction import redact_text

_log = structlog.get_logger()

SHARE: Final = 0.2
"""Of the loop's time that all clients together may take, while they ask without a pause."""
_TURN_SECONDS: Final = 0.0005  # a turn begins nothing more after so long
_LONGEST_REST: Final = (
    1.0  # seconds: a process that was stopped in a turn does not rest for minutes
)
_LOOK_SECONDS: Final = 1.0
_NO_DESCRIPTORS_SECONDS: Final = 1.0
_LONGEST_TEXT: Final = 200
_REQUESTS: Final[tuple[type[m.Request], ...]] = m.AnyRequest.__args__

Parts = Iterator[m.Answer]


class Service(Protocol):
    """What is behind the socket."""

    def answer(self, client: Client, request: m.Request) -> Parts:
        """The parts of the answer; an act may give none now and tell the client later."""

    def forget(self, client: Client) -> None:
        """This client is gone."""

    def ledger_failed(self, error: LedgerError) -> None:
        """Reading or writing the ledger failed on behalf of a client."""


class DiagnosticServer:
    """Serves one listening socket on the running loop, from `start` to `stop`."""

    def __init__(
        self,
        listening: socket.socket,
        access: Access,
        service: Service,
        version: str,
        clients_at_most: int,
    ) -> None:
        self._listening = listening
        self._access = access
        self._service = service
        self._version = version
        self._clients_at_most = clients_at_most
        self._clients: set[Client] = set()
        self._turns: deque[Client] = deque()
        self._next_turn: asyncio.Handle | None = None
        self._rest_until = 0.0
        self._look: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.connections = 0
        self.requests = 0
        self.dropped = 0

    @property
    def clients(self) -> int:
        """How many are connected now, without those that are on their way out."""
        return sum(not client.dropped_for for client in self._clients)

    def start(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def stop(self, why: str = "the terminal ends") -> None:
        """Tell everybody why, and close."""
        self._loop.remove_reader(self._listening)
        self._listening.close()
        for client in list(self._clients):
            client.drop("ending", why)
            client.close()
        for timer in (self._next_turn, self._look):
            if timer is not None:
                timer.cancel()

    # -- who comes in ----------------------------------------------------------------------------

    def _accept(self) -> None:
        """One connection; the next one when all of this turn has been paid for."""
        began = self._loop.time()
        self._loop.remove_reader(self._listening)
        try:
            connection, _ = self._listening.accept()
        except BlockingIOError:
            pass  # it went away before it was looked at
        except OSError as error:
            # Without descriptors the socket stays readable: asking again at once would never end.
            _log.warning("diagnostics.not_accepted", reason=str(error.strerror))
            self._loop.call_later(_NO_DESCRIPTORS_SECONDS, self._accept_again)
            return
        else:
            connection.setblocking(False)
            self._let_in(connection)
        self._rest(began)
        self._loop.call_at(self._rest_until, self._accept_again)

    def _accept_again(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.add_reader(self._listening, self._accept)

    def _let_in(self, connection: socket.socket) -> None:
        self.connections += 1
        try:
            peer = Peer.of(connection)
        except OSError as error:
            _log.warning("diagnostics.no_credentials", reason=str(error.strerror))
            connection.close()
            return
        client = Client(connection, peer, self._has_work, self._gone)
        self._clients.add(client)
        if not self._access.allows(peer):
            _log.warning("diagnostics.refused", uid=peer.user, pid=peer.process)
            client.drop(
                "refused", f"user {peer.user} may not ask this terminal; {self._access.advice}"
            )
        elif self.clients > self._clients_at_most:
            client.drop(
                "too_many", f"{self._clients_at_most} others are connected; end one of them"
            )
        else:
            may = self._access.may(peer, _REQUESTS)
            client.tell(m.Hello(speaks=m.VERSION, version=self._version, may=may))
            if self._look is None:
                self._look = self._loop.call_later(_LOOK_SECONDS, self._look_at_time)

    def _gone(self, client: Client) -> None:
        self._clients.discard(client)
        with contextlib.suppress(ValueError):
            self._turns.remove(client)
        self._service.forget(client)
        if client.dropped_for not in ("", "refused", "ending"):
            self.dropped += 1
            _log.info("diagnostics.dropped", uid=client.peer.user, reason=client.dropped_for)

    def _look_at_time(self) -> None:
        for client in list(self._clients):
            client.look_at_time()
        more = bool(self._clients)
        self._look = self._loop.call_later(_LOOK_SECONDS, self._look_at_time) if more else None

    # -- whose turn it is ------------------------------------------------------------------------

    def _has_work(self, client: Client) -> None:
        if client not in self._turns:
            self._turns.append(client)
        if self._next_turn is None:
            self._next_turn = self._loop.call_at(self._rest_until, self._turn)

    def _turn(self) -> None:
        """A little work for one client, or for several, then a rest in which the loop is for the clerk."""
        began = self._loop.time()
        while self._turns and self._loop.time() - began < _TURN_SECONDS:
            client = self._turns.popleft()
            if self._work(client) and client not in self._turns:
                self._turns.append(client)
        self._next_turn = None
        self._rest(began)
        if self._turns:
            self._next_turn = self._loop.call_at(self._rest_until, self._turn)

    def _rest(self, began: float) -> None:
        now = self._loop.time()
        seconds = min((now - began) * (1 / SHARE - 1), _LONGEST_REST)
        self._rest_until = max(now, self._rest_until) + seconds

    def _work(self, client: Client) -> bool:
        """One step for this client. Is there more to do at once?"""
        if not client.open or client.dropped_for:
            return False
        if client.news:
            self._guarded(client, lambda: self._tell_news(client, client.news.popleft()))
            return True
        if client.parts is not None:
            self._guarded(client, lambda: self._go_on(client))
            return client.parts is None or not client.paused
        try:
            item = client.next_item()
            if item is None:
                return False
            value = decode_item(item)
        except StreamError as error:
            client.drop("not_understood", str(error))
            return False
        self.requests += 1
        client.asking = _id_of(value)
        self._guarded(client, lambda: self._ask(client, value))
        return True

    def _tell_news(self, client: Client, news: News) -> None:
        item = news()
        if item is not None:
            client.tell(item)

    def _go_on(self, client: Client) -> None:
        """The next part of an answer."""
        assert client.parts is not None
        part = next(client.parts, None)
        if part is None:
            client.parts = None
        else:
            client.tell(part)

    def _ask(self, client: Client, value: Any) -> None:
        try:
            request: m.Request = msgspec.convert(value, m.AnyRequest, strict=True)
        except msgspec.ValidationError as error:
            text = redact_text(str(error))[:_LONGEST_TEXT]
            client.tell(_not_understood(_id_of(value), text))
            return
        if not self._access.permits(client.peer, type(request)):
            client.tell(
                m.Failed(
                    id=request.id,
                    reason="not_permitted",
                    text="that is for the machine's administrator",
                    hint="use sudo",
                )
            )
            return
        client.parts = self._service.answer(client, request)
        self._go_on(client)

    def _guarded(self, client: Client, work: Callable[[], None]) -> None:
        """Nothing that is asked ends the terminal, or this connection."""
        try:
            work()
        except LedgerError as error:
            client.parts = None
            client.tell(
                m.Failed(
                    id=client.asking,
                    reason="halted",
                    text="the ledger cannot be read: the terminal starts again",
                    hint="ask again in a few seconds; then posctl explain E901",
                )
            )
            self._service.ledger_failed(error)
        except Exception as error:  # noqa: BLE001 - a question must not end what it asks about
            client.parts = None
            _log.error("diagnostics.failed", exc_info=error)
            client.tell(
                m.Failed(
                    id=client.asking,
                    reason="failed",
                    text="a mistake of the program: the log has its place",
                    hint="send posctl bundle to support",
                )
            )


def _id_of(value: Any) -> int:
    """The id of a request that may be no request."""
    identity = value.get("id") if isinstance(value, dict) else None
    if isinstance(identity, int) and 0 <= identity < 1 << 32:
        return int(identity)
    return 0


def _not_understood(identity: int, text: str) -> m.Failed:
    return m.Failed(
        id=identity,
        reason="not_understood",
        text=f"no such request: {text}",
        hint="the client may be older or newer than the terminal",
    )
