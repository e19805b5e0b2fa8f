"""The connection to the acquirer over real TCP: any cut, and exactly the promised events."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import pytest

from posd.core.events import Event, HostConnected, HostFailed, HostReceived
from posd.host.connection import HostConnection
from posd.settings import HostSettings

FRAME = (60).to_bytes(2, "big") + bytes(range(60))
OTHER = (3).to_bytes(2, "big") + b"abc"
Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Heard:
    """Collects what the connection reports, and waits for it."""

    events: list[Event] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self.changed.set()

    async def until(self, count: int) -> list[Event]:
        async with asyncio.timeout(60):
            while len(self.events) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.events

    async def nothing_more(self) -> list[Event]:
        before = len(self.events)
        await asyncio.sleep(0.05)
        assert self.events[before:] == []
        return self.events


@dataclass
class Acquirer:
    """A host on a real socket: it answers as the test says."""

    answer: Answering
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.answer(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def acquirer(answer: Answering) -> AsyncIterator[Acquirer]:
    host = Acquirer(answer)
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()


@asynccontextmanager
async def connection(port: int, **options: object) -> AsyncIterator[tuple[HostConnection, Heard]]:
    heard = Heard()
    settings = HostSettings(address="127.0.0.1", port=port, **options)  # type: ignore[arg-type]
    host = HostConnection(settings, 4096, heard, None)
    try:
        yield host, heard
    finally:
        await host.end()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)


def saying(*pieces: bytes, then: str = "wait") -> Answering:
    """Send these pieces, each on its own, once something has been received."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.002)  # the next piece is another segment, and another read
        if then == "wait":
            await reader.read()

    return answer


@contextmanager
def port_without_a_listener() -> Iterator[int]:
    """It stays bound meanwhile: nobody else is given it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


def test_a_request_is_answered_over_the_connection() -> None:
    async def main() -> None:
        async with acquirer(echo) as host, connection(host.port) as (line, heard):
            line.connect(1)
            assert await heard.until(1) == [HostConnected(1)]
            line.send(1, FRAME)
            assert (await heard.until(2))[1] == HostReceived(1, FRAME)

    asyncio.run(main())


def test_a_port_call_never_answers_from_inside() -> None:
    async def main() -> None:
        async with acquirer(echo) as host, connection(host.port) as (line, heard):
            line.connect(1)
            assert heard.events == []
            await heard.until(1)
            line.send(1, FRAME)
            line.close(1)
            assert heard.events == [HostConnected(1)]

    asyncio.run(main())


@pytest.mark.parametrize("cut", range(1, len(FRAME)))
def test_a_frame_is_put_together_again_wherever_it_was_cut(cut: int) -> None:
    async def main() -> None:
        pieces = saying(FRAME[:cut], FRAME[cut:] + OTHER)
        async with acquirer(pieces) as host, connection(host.port) as (line, heard):
            line.connect(1)
            await heard.until(1)
            line.send(1, OTHER)
            assert (await heard.until(3))[1:] == [HostReceived(1, FRAME), HostReceived(1, OTHER)]

    asyncio.run(main())


def test_a_frame_that_arrives_byte_by_byte_is_one_frame() -> None:
    async def main() -> None:
        pieces = saying(*(bytes([byte]) for byte in FRAME))
        async with acquirer(pieces) as host, connection(host.port) as (line, heard):
            line.connect(1)
            await heard.until(1)
            line.send(1, OTHER)
            assert (await heard.until(2))[1:] == [HostReceived(1, FRAME)]

    asyncio.run(main())


def test_a_length_above_the_cap_ends_the_connection_after_the_good_frames() -> None:
    async def main() -> None:
        async with (
            acquirer(saying(OTHER + b"\xff\xff" + FRAME)) as host,
            connection(host.port) as (line, heard),
        ):
            line.connect(1)
            await heard.until(1)
            line.send(1, FRAME)
            events = await heard.until(3)
            assert events[1] == HostReceived(1, OTHER)
            assert isinstance(events[2], HostFailed)
            assert "too long" in events[2].reason
            assert "65535" in events[2].reason
            await heard.nothing_more()

    asyncio.run(main())


def test_nobody_listening_is_a_failure_with_its_reason() -> None:
    async def main() -> None:
        with port_without_a_listener() as port:
            async with connection(port) as (line, heard):
                line.connect(1)
                assert await heard.until(1) == [HostFailed(1, "connection refused")]
                await heard.nothing_more()

    asyncio.run(main())


def test_a_host_that_does_not_take_the_connection_is_given_up_in_time() -> None:
    async def main() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            port = full.getsockname()[1]
            waiting = []
            for _ in range(3):  # until the queue of the listening socket is full
                other = socket.socket()
                other.setblocking(False)
                other.connect_ex(("127.0.0.1", port))
                waiting.append(other)
            async with connection(port, connect_seconds=0.2) as (line, heard):
                line.connect(1)
                assert await heard.until(1) == [HostFailed(1, "no connection within 0.2 s")]
            for other in waiting:
                other.close()

    asyncio.run(main())


def test_a_name_is_looked_up_and_an_unknown_one_is_a_failure() -> None:
    async def main() -> None:
        async with acquirer(echo) as host:
            for address, outcome in (("localhost", HostConnected), ("host.invalid", HostFailed)):
                heard = Heard()
                settings = HostSettings(address=address, port=host.port, plaintext=True)
                line = HostConnection(settings, 4096, heard, None)
                line.connect(1)
                assert isinstance((await heard.until(1))[0], outcome)
                await line.end()

    asyncio.run(main())


def test_a_host_that_hangs_up_is_reported_once() -> None:
    async def main() -> None:
        async with (
            acquirer(saying(then="close")) as host,
            connection(host.port) as (line, heard),
        ):
            line.connect(1)
            await heard.until(1)
            line.send(1, FRAME)
            assert (await heard.until(2))[1] == HostFailed(1, "closed by the host")
            line.send(1, FRAME)
            line.close(1)
            await heard.nothing_more()

    asyncio.run(main())


@pytest.mark.parametrize("cut", [1, 2, 3, 61])
def test_a_host_that_hangs_up_in_the_middle_of_a_frame_gives_no_frame(cut: int) -> None:
    async def main() -> None:
        async with (
            acquirer(saying(FRAME[:cut], then="close")) as host,
            connection(host.port) as (line, heard),
        ):
            line.connect(1)
            await heard.until(1)
            line.send(1, OTHER)
            assert (await heard.until(2))[1:] == [
                HostFailed(1, f"closed by the host after {cut} bytes of a frame")
            ]

    asyncio.run(main())


def test_a_reset_is_a_failure_after_the_bytes_count_as_sent() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async def main() -> None:
        async with acquirer(reset) as host, connection(host.port) as (line, heard):
            line.connect(1)
            await heard.until(1)
            line.send(1, FRAME)
            assert (await heard.until(2))[1] == HostFailed(1, "connection reset by peer")
            await heard.nothing_more()

    asyncio.run(main())


def test_nothing_is_reported_after_close() -> None:
    async def main() -> None:
        async with (
            acquirer(saying(FRAME, then="close")) as host,
            connection(host.port) as (line, heard),
        ):
            line.connect(1)
            await heard.until(1)
            line.send(1, OTHER)
            line.close(1)
            assert await heard.nothing_more() == [HostConnected(1)]

    asyncio.run(main())


@pytest.mark.parametrize("turns", range(8))
def test_nothing_is_reported_when_it_is_closed_while_it_connects(turns: int) -> None:
    async def main() -> None:
        async with acquirer(silent) as host, connection(host.port) as (line, heard):
            line.connect(1)
            for _ in range(turns):
                await asyncio.sleep(0)
            before = list(heard.events)
            line.close(1)
            line.connect(2)
            await heard.until(len(before) + 1)
            assert await heard.nothing_more() == [*before, HostConnected(2)]

    asyncio.run(main())


def test_closing_from_within_a_report_is_possible_and_stops_the_rest() -> None:
    async def main() -> None:
        async with acquirer(saying(FRAME + FRAME + FRAME)) as host:
            heard: list[Event] = []

            def close_at_the_first_frame(event: Event) -> None:
                heard.append(event)
                if isinstance(event, HostConnected):
                    line.send(1, OTHER)
                if isinstance(event, HostReceived):
                    line.close(1)

            settings = HostSettings(address="127.0.0.1", port=host.port)
            line = HostConnection(settings, 4096, close_at_the_first_frame, None)
            line.connect(1)
            async with asyncio.timeout(60):
                while len(heard) < 2:
                    await asyncio.sleep(0.005)
            await asyncio.sleep(0.1)
            assert heard == [HostConnected(1), HostReceived(1, FRAME)]
            await line.end()

    asyncio.run(main())


def test_what_the_host_has_not_taken_when_it_is_closed_never_arrives() -> None:
    async def main() -> None:
        arrived = asyncio.get_running_loop().create_future()
        closed = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await closed.wait()
            try:
                arrived.set_result(len(await reader.read()))
            except ConnectionError:
                arrived.set_result(-1)

        async with acquirer(slow) as host, connection(host.port) as (line, heard):
            line.connect(1)
            await heard.until(1)
            line.send(1, bytes(50_000_000))
            line.close(1)
            await asyncio.sleep(0.05)
            closed.set()
            assert await arrived < 50_000_000

    asyncio.run(main())


def counting() -> tuple[list[int], Answering]:
    """A host that echoes, and how many connections it was asked for."""
    connections: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        await echo(reader, writer)

    return connections, answer


async def exchange(line: HostConnection, heard: Heard, number: int, answered: bool = True) -> None:
    line.connect(number)
    await heard.until(len(heard.events) + 1)
    assert heard.events[-1:] == [HostConnected(number)]
    line.send(number, FRAME if answered else FRAME[:-1])
    if answered:
        await heard.until(len(heard.events) + 1)
        assert heard.events[-1:] == [HostReceived(number, FRAME)]
    line.close(number)


def test_each_exchange_has_a_fresh_connection() -> None:
    async def main() -> None:
        connections, answer = counting()
        async with acquirer(answer) as host, connection(host.port) as (line, heard):
            for number in (1, 2, 3):
                await exchange(line, heard, number)
            assert len(connections) == 3

    asyncio.run(main())


def test_with_keep_open_the_connection_serves_the_next_exchange() -> None:
    async def main() -> None:
        connections, answer = counting()
        async with acquirer(answer) as host, connection(host.port, keep_open=True) as (line, heard):
            for number in (1, 2, 3):
                await exchange(line, heard, number)
            assert len(connections) == 1

    asyncio.run(main())


def test_with_keep_open_an_exchange_without_an_answer_takes_its_connection_with_it() -> None:
    async def main() -> None:
        connections, answer = counting()
        async with acquirer(answer) as host, connection(host.port, keep_open=True) as (line, heard):
            await exchange(line, heard, 1)
            await exchange(line, heard, 2, answered=False)
            await exchange(line, heard, 3)
            assert len(connections) == 2

    asyncio.run(main())


def test_with_keep_open_an_answer_after_the_time_out_does_not_save_the_connection() -> None:
    async def main() -> None:
        connections, answer = counting()
        async with (
            acquirer(answer) as host,
            connection(host.port, keep_open=True, answer_seconds=0.05) as (line, heard),
        ):
            line.connect(1)
            await heard.until(1)
            line.send(1, FRAME)
            await heard.until(2)
            await asyncio.sleep(0.06)
            line.close(1)
            await exchange(line, heard, 2)
            assert len(connections) == 2

    asyncio.run(main())


def test_with_keep_open_a_frame_that_nobody_asked_for_ends_the_connection() -> None:
    async def main() -> None:
        connections: list[asyncio.StreamWriter] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(writer)
            await echo(reader, writer)

        async with acquirer(answer) as host, connection(host.port, keep_open=True) as (line, heard):
            await exchange(line, heard, 1)
            connections[0].write(OTHER)
            await heard.nothing_more()
            await exchange(line, heard, 2)
            assert len(connections) == 2

    asyncio.run(main())


def test_with_keep_open_a_connection_that_the_host_closed_meanwhile_is_not_used() -> None:
    async def main() -> None:
        connections: list[asyncio.StreamWriter] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(writer)
            await echo(reader, writer)

        async with acquirer(answer) as host, connection(host.port, keep_open=True) as (line, heard):
            await exchange(line, heard, 1)
            connections[0].close()
            await heard.nothing_more()
            await exchange(line, heard, 2)
            assert len(connections) == 2

    asyncio.run(main())


def test_the_end_closes_everything_and_reports_nothing() -> None:
    async def main() -> None:
        async with acquirer(silent) as host, connection(host.port) as (line, heard):
            line.connect(1)
            await heard.until(1)
            line.connect(2)
            await line.end()
            assert await heard.nothing_more() == [HostConnected(1)]

    asyncio.run(main())
