"""The acquirer on a TCP port: frames from any cut of the stream, deliveries when they are due."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress

from posd.acquirer.acquirer import Acquirer
from posd.acquirer.answers import Delivery
from protocol import FrameReader, ProtocolError

_CHUNK = 4096  # bytes asked of the socket at a time; frames are put together by the reader

Traffic = Callable[[str, bytes], None]


def _unheard(_: str, __: bytes) -> None:
    pass


class AcquirerServer:
    """Serves an acquirer to terminals, several frames a connection if they like.

    on_traffic: called with "received" and every whole frame, and with "sent" and the bytes of
    every delivery (a cut one is no whole frame). tls: a server-side context, None for plain TCP.
    A LEN above the dialect's cap ends the connection. An answer that is not due yet when its
    connection ends is never sent.
    """

    def __init__(
        self,
        acquirer: Acquirer,
        *,
        on_traffic: Traffic = _unheard,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.acquirer = acquirer
        self.on_traffic = on_traffic
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._failure: Exception | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port, which the system chooses for 0. Raises OSError."""
        self._server = await asyncio.start_server(self._serve, host, port, ssl=self._tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and end every connection. Raises what went wrong inside the acquirer."""
        if self._server is not None:
            self._server.close()
            await asyncio.sleep(0)  # a connection that was just accepted begins, and is ended too
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        later: set[asyncio.Task[None]] = set()
        try:
            await self._answer_all(reader, writer, later)
        except (OSError, ProtocolError, asyncio.CancelledError):
            pass  # the terminal went, sent no frames, or the server closes
        except Exception as failure:  # noqa: BLE001  (a bug in the acquirer: close() tells it)
            self._failure = failure
        finally:
            await _end(writer, later)
            self._connections.discard(task)

    async def _answer_all(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        later: set[asyncio.Task[None]],
    ) -> None:
        frames = FrameReader(self.acquirer.house.dialect.frame_cap)
        while data := await reader.read(_CHUNK):
            for frame in frames.feed(data):
                self.on_traffic("received", frame)
                for delivery in self.acquirer.receive(frame):
                    if delivery.after:
                        later.add(asyncio.create_task(self._deliver(writer, delivery)))
                        continue
                    await self._deliver(writer, delivery)
                    if delivery.close:
                        return

    async def _deliver(self, writer: asyncio.StreamWriter, delivery: Delivery) -> None:
        await asyncio.sleep(delivery.after)
        if writer.is_closing():
            return
        if delivery.data:
            self.on_traffic("sent", delivery.data)
            writer.write(delivery.data)
            await writer.drain()
        if delivery.close:
            writer.close()


async def _end(writer: asyncio.StreamWriter, later: set[asyncio.Task[None]]) -> None:
    # Everything is told to end before anything is waited for: the waiting may be cancelled.
    writer.close()
    for delivery in later:
        delivery.cancel()
    with suppress(OSError, asyncio.CancelledError):  # the terminal was faster
        await asyncio.gather(*later, return_exceptions=True)
        await writer.wait_closed()
