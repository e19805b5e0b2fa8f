"""The `Host` port over asyncio: one connection an exchange, whole frames in, events out.

What this module promises to the money core: HostConnected before anything is sent; at most one
HostFailed an exchange; nothing at all after `close`; and no event from inside a port call.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import cast

import structlog

from posd.core.events import Event, HostConnected, HostFailed, HostReceived
from posd.host.addresses import numeric_addresses
from posd.host.tls import (
    HANDSHAKE_ENDED,
    HANDSHAKE_ENDED_WORDS,
    WrongCertificateError,
    check_pin,
)
from posd.settings import HostSettings
from protocol import FrameReader
from protocol.errors import LengthAboveCap

_log = structlog.get_logger()

# How long a host may take to answer our TLS good-bye before the socket is simply closed.
_TLS_FAREWELL_SECONDS = 1.0
_UNTRUSTED = (ssl.SSLError, WrongCertificateError)


class HostConnection:
    """Connects, sends and closes for the core; deliver is called on the event loop.

    tls: the context to use, None for plain TCP. An open connection is used again for the next
    exchange only with `keep_open` and only when its last exchange was answered in time and in full.
    """

    def __init__(
        self,
        settings: HostSettings,
        frame_cap: int,
        deliver: Callable[[Event], None],
        tls: ssl.SSLContext | None,
    ) -> None:
        self._settings = settings
        self._frame_cap = frame_cap
        self._deliver = deliver
        self._tls = tls
        self._connecting: dict[int, asyncio.Task[None]] = {}
        self._lines: dict[int, _Line] = {}
        self._idle: _Line | None = None
        self._open: set[_Line] = set()  # whoever owns them, also those that are on their way out

    def connect(self, exchange: int) -> None:
        """Answered by HostConnected or HostFailed."""
        task = asyncio.get_running_loop().create_task(self._connect(exchange))
        self._connecting[exchange] = task

    def send(self, exchange: int, frame: bytes) -> None:
        """Hand these bytes to the established connection: from here on they count as sent."""
        line = self._lines.get(exchange)
        if line is not None:  # else its HostFailed has been delivered and is in the core's queue
            line.send(frame)

    def close(self, exchange: int) -> None:
        """Close, or stop connecting; nothing is reported for this exchange afterwards."""
        task = self._connecting.pop(exchange, None)
        if task is not None:
            task.cancel()
        line = self._lines.pop(exchange, None)
        if line is None:
            return
        line.exchange = None
        in_time = min(self._settings.answer_seconds, self._settings.reversal_answer_seconds)
        if self._settings.keep_open and self._idle is None and line.reusable(in_time):
            self._idle = line
        else:
            line.leave()

    async def end(self) -> None:
        """Close everything without waiting for the other side."""
        tasks = list(self._connecting.values())
        for exchange in [*self._connecting, *self._lines]:
            self.close(exchange)
        for line in self._open:
            line.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        while self._open:
            await asyncio.sleep(0)  # an aborted transport says so in a later turn of the loop

    async def _connect(self, exchange: int) -> None:
        line, self._idle = self._idle, None
        if line is None:
            line = _Line(self._frame_cap, self._received, self._lost)
            try:
                await self._establish(line)
            except asyncio.CancelledError:  # by close(): nothing is reported
                line.abort()
                raise
            except Exception as error:  # noqa: BLE001 - an exchange without an answer would hang
                line.abort()
                del self._connecting[exchange]
                self._fail(exchange, self._reason(error), untrusted=isinstance(error, _UNTRUSTED))
                return
            self._open.add(line)
        del self._connecting[exchange]
        if line.ended is not None:  # the host hung up before it could be told
            self._open.discard(line)
            self._fail(exchange, line.ended)
            return
        line.exchange = exchange
        self._lines[exchange] = line
        _log.info("host_connected", exchange=exchange, tls=self._tls is not None)
        self._deliver(HostConnected(exchange))

    async def _establish(self, line: _Line) -> None:
        settings, loop = self._settings, asyncio.get_running_loop()
        last = OSError("the host name has no address")
        async with asyncio.timeout(settings.connect_seconds):
            for address in await numeric_addresses(settings.address, settings.port):
                try:
                    await loop.create_connection(
                        lambda: line,
                        address,
                        settings.port,
                        ssl=self._tls,
                        server_hostname=self._server_name(),
                        ssl_shutdown_timeout=_TLS_FAREWELL_SECONDS if self._tls else None,
                    )
                    break
                except ssl.SSLError:
                    raise  # a host that is there and cannot prove who it is: no other is tried
                except OSError as error:
                    last = error
            else:
                raise last
        if self._tls is not None:
            check_pin(line.tls_object(), settings)

    def _server_name(self) -> str | None:
        return (self._settings.server_name or self._settings.address) if self._tls else None

    def _received(self, line: _Line, frame: bytes) -> None:
        if line.exchange is not None:
            self._deliver(HostReceived(line.exchange, frame))
        elif line is self._idle:  # nobody asked: what follows could not be told from answers
            self._idle = None
            line.abort()

    def _lost(self, line: _Line, reason: str) -> None:
        self._open.discard(line)
        if line is self._idle:
            self._idle = None
        exchange, line.exchange = line.exchange, None
        if exchange is not None:
            del self._lines[exchange]
            self._fail(exchange, reason)

    def _fail(self, exchange: int, reason: str, *, untrusted: bool = False) -> None:
        _log.warning("host_failed", exchange=exchange, reason=reason)
        self._deliver(HostFailed(exchange, reason, untrusted))

    def _reason(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"certificate refused: {error.verify_message}"
        if isinstance(error, TimeoutError) and not error.errno:
            return f"no connection within {self._settings.connect_seconds:g} s"
        if isinstance(error, HANDSHAKE_ENDED) and self._tls is not None:
            return HANDSHAKE_ENDED_WORDS
        return _words(error)


class _Line(asyncio.Protocol):
    """One connection. Tells its owner each whole frame, and once that it has ended."""

    def __init__(
        self,
        frame_cap: int,
        received: Callable[[_Line, bytes], None],
        lost: Callable[[_Line, str], None],
    ) -> None:
        self.exchange: int | None = None
        self.ended: str | None = None  # why, once it has ended
        self._frames = FrameReader(frame_cap)
        self._on_frame = received
        self._on_end = lost
        self._transport: asyncio.Transport | None = None
        self._unanswered = 0
        self._sent_at = 0.0

    def send(self, frame: bytes) -> None:
        assert self._transport is not None
        self._unanswered += 1
        self._sent_at = asyncio.get_running_loop().time()
        try:
            self._transport.write(frame)
        except Exception as error:  # noqa: BLE001 - whatever it was, the bytes count as sent (M9)
            # Not from here: a port never answers from inside a call.
            asyncio.get_running_loop().call_soon(self._end, _words(error))

    def reusable(self, in_time: float) -> bool:
        """Was everything answered, in whole frames and in time, so that nothing old can follow?"""
        waited = asyncio.get_running_loop().time() - self._sent_at
        return (
            self.ended is None
            and self._unanswered == 0
            and not self._frames.pending
            and waited < in_time
        )

    def leave(self) -> None:
        """Close; bytes that the host has not taken yet are dropped, they must not arrive later."""
        if self._transport is not None:
            if self._transport.get_write_buffer_size():
                self._transport.abort()
            else:
                self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def tls_object(self) -> object:
        assert self._transport is not None
        return self._transport.get_extra_info("ssl_object")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._hand_out(self._frames.feed(data))
            self._hand_out(self._frames.feed(b""))  # a bad LEN behind good frames shows itself
        except LengthAboveCap as error:
            self.abort()
            self._end(f"the host announced a frame that is too long: {error}")

    def _hand_out(self, frames: list[bytes]) -> None:
        for frame in frames:
            self._unanswered -= 1
            self._on_frame(self, frame)

    def connection_lost(self, error: Exception | None) -> None:
        if self._frames.pending:
            self._end(f"closed by the host after {self._frames.pending} bytes of a frame")
        else:
            self._end(_words(error) if error else "closed by the host")

    def _end(self, reason: str) -> None:
        if self.ended is None:
            self.ended = reason
            self._on_end(self, reason)


def _words(error: BaseException) -> str:
    """What the system said, never what was in a buffer."""
    if isinstance(error, WrongCertificateError):
        return str(error)
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error.strerror}"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return type(error).__name__
