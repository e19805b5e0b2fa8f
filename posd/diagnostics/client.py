"""One client's connection: bytes in and out, what it still has to be told, and when it has had its time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import cbor2
import msgspec

from posd.diagnostics import messages as m
from posd.diagnostics.access import Peer
from posd.diagnostics.stream import SequenceReader
from posd.redaction import redact_text

OUTPUT_LIMIT: Final = 256 * 1024
"""Bytes that wait for a client before it is dropped as too slow."""
OUTPUT_PAUSE: Final = 32 * 1024  # so much is on its way: the parts that follow wait
NEWS_LIMIT: Final = 256  # what has happened and is not encoded yet
_READ_SIZE: Final = 4096
_HALF_AN_ITEM_SECONDS: Final = 10.0
_UNREAD_SECONDS: Final = 10.0
_IDLE_SECONDS: Final = 300.0
_LAST_WORDS_SECONDS: Final = 10.0  # then it is closed without them

News = Callable[[], m.Answer | None]
"""Makes an item when its turn has come; None: there is nothing to say after all."""


class Client:
    """Reads when it has nothing left to do, writes when the socket takes it.

    ready(client) is called when there is work for `next_item`; gone(client) once, at the end.
    """

    def __init__(
        self,
        connection: socket.socket,
        peer: Peer,
        ready: Callable[[Client], None],
        gone: Callable[[Client], None],
    ) -> None:
        self.peer = peer
        self.parts: Iterator[m.Answer] | None = None  # the rest of the present answer
        self.news: deque[News] = deque()
        self.asking = 0  # the id of the request that is being answered
        self.subscribed = False
        self.dropped_for = ""
        self._connection = connection
        self._number = connection.fileno()  # asyncio is much slower with the socket itself
        self._ready = ready
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._reader = SequenceReader()
        self._out = bytearray()
        self._taken = 0  # bytes, since the beginning
        self._item_ends: deque[int] = deque()  # where the items in _out end, counted likewise
        self._open = True
        self._ended = False  # it says nothing more
        self._writing = False
        self._heard_at = self._taken_at = self._loop.time()
        self._loop.add_reader(self._number, self._readable)

    @property
    def open(self) -> bool:
        return self._open

    @property
    def paused(self) -> bool:
        """Is so much on its way that the rest of an answer waits?"""
        return len(self._out) > OUTPUT_PAUSE

    # -- in --------------------------------------------------------------------------------------

    def next_item(self) -> bytes | None:
        """The next whole item; None: more is awaited from the socket. Raises StreamError."""
        item = self._reader.next()
        if item is None and self._open and not self.dropped_for:
            if not self._ended:
                self._loop.add_reader(self._number, self._readable)
            elif not self._out:
                self.close()
        return item

    def _readable(self) -> None:
        try:
            data = self._connection.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._heard_at = self._loop.time()
        self._loop.remove_reader(self._number)
        if data:
            self._reader.feed(data)
        else:
            self._ended = True
        self._ready(self)

    # -- out -------------------------------------------------------------------------------------

    def tell(self, item: m.Answer | m.Hello | m.Closed) -> None:
        """Queue an item. A client that takes nothing while more and more waits for it is dropped."""
        if not self._open or self.dropped_for:
            return
        self._queue(encode(item))
        if len(self._out) > OUTPUT_LIMIT:
            self.drop(
                "too_slow",
                "what waited for you was more than 256 KiB: ask for less, or read faster",
            )

    def hear(self, news: News) -> None:
        """Something happened that this client wants to be told of, when its turn comes."""
        if len(self.news) >= NEWS_LIMIT:
            self.drop("too_slow", f"more than {NEWS_LIMIT} events waited for you")
            return
        self.news.append(news)
        self._ready(self)

    def drop(self, reason: Any, text: str) -> None:
        """Say why, and close when that has been taken, or soon."""
        if not self._open or self.dropped_for:
            return
        self.dropped_for = reason
        self.parts = None
        self.news.clear()
        self._forget_unsent()
        self._loop.remove_reader(self._number)
        self._queue(encode(m.Closed(reason=reason, text=text)))
        if self._open:
            self._loop.call_later(_LAST_WORDS_SECONDS, self.close)
            if not self._out:
                self.close()

    def close(self) -> None:
        """At once; nothing more is said."""
        if not self._open:
            return
        self._open = False
        self.parts = None
        self.news.clear()
        self._loop.remove_reader(self._number)
        self._loop.remove_writer(self._number)
        self._connection.close()
        self._gone(self)

    def look_at_time(self) -> None:
        """Now and then: has this client had more than its time?"""
        now = self._loop.time()
        if self._out:
            if now - self._taken_at > _UNREAD_SECONDS:
                self.drop("too_slow", "nothing was read for 10 s")
        elif self._reader.pending and now - self._heard_at > _HALF_AN_ITEM_SECONDS:
            self.drop("not_understood", "an item was begun and not ended within 10 s")
        elif not self.subscribed and now - self._heard_at > _IDLE_SECONDS:
            self.drop("idle", "nothing was asked for 5 minutes")

    def _queue(self, data: bytes) -> None:
        if not self._out:
            self._taken_at = self._loop.time()
        self._out += data
        self._item_ends.append(self._taken + len(self._out))
        if not self._writing:
            self._write()

    def _write(self) -> None:
        try:
            count = self._connection.send(self._out, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            count = 0
        except OSError:
            self.close()
            return
        if count:
            self._taken_at = self._loop.time()
            self._taken += count
            del self._out[:count]
            while self._item_ends and self._item_ends[0] <= self._taken:
                self._item_ends.popleft()
        if bool(self._out) != self._writing:
            self._writing = bool(self._out)
            if self._writing:
                self._loop.add_writer(self._number, self._write)
            else:
                self._loop.remove_writer(self._number)
        if self.dropped_for and not self._out:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)
            self.close()
        elif not self.paused and (self.parts is not None or self._ended):
            self._ready(self)

    def _forget_unsent(self) -> None:
        """All but the item that may have been begun: the stream stays a sequence of items."""
        if self._item_ends:
            first = self._item_ends[0]
            del self._out[first - self._taken :]
            self._item_ends = deque([first])


def encode(item: m.Answer | m.Hello | m.Closed) -> bytes:
    """As CBOR. Whatever looks like a card number in a text is masked, wherever it came from."""
    plain = msgspec.to_builtins(item, builtin_types=(bytes,))
    return cbor2.dumps(_redacted(plain))


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return "\n".join(map(redact_text, value.split("\n")))
    if isinstance(value, dict):
        return {key: _redacted(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(each) for each in value]
    return value
