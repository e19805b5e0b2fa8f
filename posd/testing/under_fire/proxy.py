"""A TCP proxy between the terminal and its acquirer, which cuts, delays, repeats and swallows."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from random import Random
from typing import Final

from posd.testing.under_fire.capture import Capture, Conversation, mti_of
from posd.testing.under_fire.story import Story

_CHUNK: Final = 4096
_LEN: Final = 2
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: the connection ends with RST
_SHARE_OF_MISHAPS: Final = 0.3
_SHARE_OF_COPIES: Final = 0.1
_LATEST: Final = 2.0  # s that a request may be late, or its copy
_PATIENCE: Final = 1.0  # s for the answer to a copy, which nobody reads


class Mishap(StrEnum):
    """What happens to one connection. The value is what reports call it."""

    ENDS_AT_ONCE = "line: connection ends at once"
    REQUEST_CUT = "line: request cut, connection ends"
    REQUEST_CUT_HANGS = "line: request cut, connection stays"
    REQUEST_LOST = "line: request lost"
    REQUEST_LATE = "line: request delivered late"
    ENDS_AFTER_REQUEST = "line: connection ends after the request"
    ANSWER_LOST = "line: answer lost"
    ANSWER_CUT = "line: answer cut, connection ends"
    ANSWER_CUT_HANGS = "line: answer cut, connection stays"
    ANSWER_LATE = "line: answer late"
    ANSWER_TWICE = "line: answer twice"
    ANSWER_IN_PIECES = "line: answer in pieces"


_COPY: Final = "line: request delivered twice"
_ALL: Final = tuple(Mishap)
_REQUEST_CUT: Final = (Mishap.REQUEST_CUT, Mishap.REQUEST_CUT_HANGS)
_ANSWER_CUT: Final = (Mishap.ANSWER_CUT, Mishap.ANSWER_CUT_HANGS)


class Proxy:
    """Listens for the terminal; `calm` means that it only passes on. Lives in one event loop.

    host_port: where the acquirer listens at the moment.
    """

    def __init__(
        self, capture: Capture, story: Story, random: Random, host_port: Callable[[], int]
    ) -> None:
        self.calm = False
        self._capture = capture
        self._story = story
        self._random = random
        self._host_port = host_port
        self._server: asyncio.Server | None = None
        self._port = 0
        self._lines: dict[asyncio.StreamWriter, Conversation] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> int:
        """Listen; returns the port, which stays the same from the first time on."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
            self._port = int(self._server.sockets[0].getsockname()[1])
        return self._port

    async def shut(self) -> None:
        """Refuse connections, and end those that there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()

    def reset(self) -> None:
        """The connections that there are end in the middle of whatever they carry."""
        for writer in tuple(self._lines):
            self.cut(writer)

    async def drained(self) -> None:
        """Wait until everything that was on its way has arrived."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- one connection ---------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        conversation = self._capture.open()
        self._lines[writer] = conversation
        try:
            await _Exchange(self, reader, writer, conversation).run()
        except OSError:
            pass  # an end went away: that is what this is about
        finally:
            conversation.over = True
            del self._lines[writer]
            writer.close()
            self._tasks.discard(task)

    def plan(self, mti: str) -> Mishap | None:
        """What happens to this request or its answer."""
        if self.calm or self._random.random() >= _SHARE_OF_MISHAPS:
            return None
        mishap = self._random.choice(_ALL)
        self._story.fault(mishap, mti)
        return mishap

    def perhaps_copy(self, request: bytes) -> None:
        """The network delivers a request a second time, at some other moment."""
        if self.calm or self._random.random() >= _SHARE_OF_COPIES:
            return
        self._story.fault(_COPY, mti_of(request))
        task = asyncio.create_task(self._deliver_copy(request, self.some_time()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver_copy(self, request: bytes, after: float) -> None:
        await asyncio.sleep(after)
        with suppress(OSError, TimeoutError):
            reader, writer = await self.host()
            try:
                writer.write(request)
                async with asyncio.timeout(_PATIENCE):
                    await reader.read(_CHUNK)
            finally:
                writer.close()

    async def host(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new connection to the acquirer. Raises OSError."""
        return await asyncio.open_connection("127.0.0.1", self._host_port())

    def some_time(self) -> float:
        return self._random.uniform(0.0, _LATEST)

    def part(self, size: int) -> int:
        """Somewhere in so many bytes, both ends included."""
        return self._random.randint(0, size)

    def cut(self, writer: asyncio.StreamWriter) -> None:
        """With RST or with FIN."""
        line = writer.get_extra_info("socket")
        if line is not None and self._random.random() < 0.5:
            with suppress(OSError):
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()


class _Exchange:
    """One connection of the terminal: its request, what happens to it, and the answer."""

    def __init__(
        self,
        proxy: Proxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        conversation: Conversation,
    ) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writer = writer
        self._conversation = conversation
        self._mishap: Mishap | None = None

    async def run(self) -> None:
        request = await self._request()
        self._mishap = self._proxy.plan(mti_of(request))
        if self._mishap is Mishap.ENDS_AT_ONCE:
            self._proxy.cut(self._writer)
            return
        if self._mishap is Mishap.REQUEST_LATE:
            await asyncio.sleep(self._proxy.some_time())
        elif self._mishap is Mishap.REQUEST_LOST:
            await self._until_gone()
            return
        elif self._mishap in _REQUEST_CUT:
            request = request[: self._proxy.part(len(request))]
        else:
            self._proxy.perhaps_copy(request)
        try:
            host_reader, host_writer = await self._proxy.host()
        except OSError:
            self._proxy.cut(self._writer)
            return
        try:
            host_writer.write(request)
            await host_writer.drain()
            await self._after_request(host_reader)
        finally:
            host_writer.close()

    async def _request(self) -> bytes:
        """The whole frame, or what there is of it when the terminal goes."""
        request = b""
        while len(request) < _LEN or len(request) < _LEN + int.from_bytes(request[:_LEN], "big"):
            data = await self._reader.read(_CHUNK)
            if not data:
                break
            self._conversation.asked(data)
            request += data
        return request

    async def _after_request(self, host: asyncio.StreamReader) -> None:
        if self._mishap is Mishap.REQUEST_CUT or self._mishap is Mishap.ENDS_AFTER_REQUEST:
            self._proxy.cut(self._writer)
            if self._mishap is Mishap.ENDS_AFTER_REQUEST:
                with suppress(TimeoutError):  # the host takes it all the same
                    async with asyncio.timeout(_PATIENCE):
                        await host.read(_CHUNK)
            return
        if self._mishap is Mishap.REQUEST_CUT_HANGS:
            await self._until_gone()
            return
        passing = asyncio.create_task(self._pass_answers(host))
        gone = asyncio.create_task(self._until_gone())
        try:
            await asyncio.wait((passing, gone), return_when=asyncio.FIRST_COMPLETED)
            if self._mishap is Mishap.REQUEST_LATE and not passing.done():
                await asyncio.wait((passing,), timeout=_PATIENCE)  # it arrives, whoever waits
        finally:
            passing.cancel()
            gone.cancel()
            await asyncio.gather(passing, gone, return_exceptions=True)

    async def _pass_answers(self, host: asyncio.StreamReader) -> None:
        while data := await host.read(_CHUNK):
            match self._mishap:
                case Mishap.ANSWER_LOST:
                    continue
                case Mishap.ANSWER_CUT | Mishap.ANSWER_CUT_HANGS:
                    await self._answer(data[: self._proxy.part(len(data))])
                    if self._mishap is Mishap.ANSWER_CUT:
                        self._proxy.cut(self._writer)
                        return
                    await self._until_gone()
                    return
                case Mishap.ANSWER_LATE:
                    await asyncio.sleep(self._proxy.some_time())
                    await self._answer(data)
                case Mishap.ANSWER_TWICE:
                    await self._answer(data + data)
                case Mishap.ANSWER_IN_PIECES:
                    while data:
                        size = 1 + self._proxy.part(min(20, len(data) - 1))
                        await self._answer(data[:size])
                        data = data[size:]
                        await asyncio.sleep(0.001)
                case _:
                    await self._answer(data)

    async def _answer(self, data: bytes) -> None:
        if data and not self._writer.is_closing():
            self._conversation.answered(data)
            self._writer.write(data)
            await self._writer.drain()

    async def _until_gone(self) -> None:
        """Until the terminal has closed; what it still sends is captured and goes nowhere."""
        with suppress(OSError):
            while data := await self._reader.read(_CHUNK):
                self._conversation.asked(data)
