"""What every device does over every transport, however well or badly the bytes travel."""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devices.card_reader import BadSwipe, CardReader, Swipe
from devices.display import Display
from devices.keypad import Key, Keypad
from devices.line import Line, LineSettings, LineState
from devices.picture import Picture
from devices.printer import JobEnded, Printer, PrinterStatus
from devices.simulated.card_reader import SimulatedCardReader
from devices.simulated.display import SimulatedDisplay
from devices.simulated.keypad import SimulatedKeypad
from devices.simulated.printer import SimulatedPrinter
from devices.simulated.pseudo_terminal import PseudoTerminal
from devices.slip import Cut, Slip, Text, lay_out

TRACK_2 = "4000000000000002=25122010000"
SLIP = Slip((*(Text(f"第 {number} 行 {'x' * 20}") for number in range(60)), Cut()))


def perfect(twin: PseudoTerminal) -> None:
    pass


def one_byte_at_a_time(twin: PseudoTerminal) -> None:
    twin.drip_seconds = 0.001


def delayed(twin: PseudoTerminal) -> None:
    twin.delay_seconds = 0.05


def lossy(twin: PseudoTerminal) -> None:
    twin.lose_every = 7


class SerialServer:
    """A TCP server in front of a serial port, as ser2net in raw mode is."""

    def __init__(self, device: Path) -> None:
        self._device = device

    async def __aenter__(self) -> str:
        self._serving: set[asyncio.Task[None] | None] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"socket://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        async with asyncio.timeout(20):  # it hears that the driver has gone
            while self._serving:
                await asyncio.sleep(0.001)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        self._serving.add(asyncio.current_task())
        port = os.open(self._device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

        def from_port() -> None:
            with contextlib.suppress(OSError):
                writer.write(os.read(port, 4096))

        loop.add_reader(port, from_port)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                os.write(port, data)
        loop.remove_reader(port)
        os.close(port)
        writer.close()
        self._serving.discard(asyncio.current_task())


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A TCP port of this machine for a server that asks for it by its number; nobody is given it."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@contextlib.asynccontextmanager
async def socat(device: Path) -> AsyncIterator[str]:
    """A real serial server in front of the device: other people's code, a process of its own."""
    with reserved_port() as number:
        server = await asyncio.create_subprocess_exec(
            "socat",
            f"TCP-LISTEN:{number},bind=127.0.0.1,reuseaddr,fork,nodelay",
            f"OPEN:{device},raw,echo=0,noctty",
        )
        try:
            yield f"socket://127.0.0.1:{number}"
        finally:
            server.terminate()
            await server.wait()


@contextlib.asynccontextmanager
async def ser2net(device: Path) -> AsyncIterator[str]:
    """The serial server that shops have, in raw TCP mode."""
    configuration = device.with_name(f"{device.name}.ser2net.yaml")
    with reserved_port() as number:
        configuration.write_text(
            "connection: &shop\n"
            f"  accepter: tcp(reuseaddr),127.0.0.1,{number}\n"
            f"  connector: serialdev(nouucplock),{device},115200n81,local\n"
        )
        server = await asyncio.create_subprocess_exec("ser2net", "-n", "-c", str(configuration))
        try:
            yield f"socket://127.0.0.1:{number}"
        finally:
            server.terminate()
            await server.wait()


SERVERS = {"socat": socat, "ser2net": ser2net}


@contextlib.asynccontextmanager
async def connected(transport: str, twin: PseudoTerminal) -> AsyncIterator[str]:
    """The port at which a driver finds the twin."""
    if transport == "pseudo-terminal":
        yield str(twin.path)
        return
    if transport in SERVERS:
        async with SERVERS[transport](twin.path) as port:
            yield port
        return
    async with SerialServer(twin.path) as port:
        yield port


async def gets_through(twin: PseudoTerminal, line: Line) -> None:
    """Waits until what the device sends arrives: a server opens the port when it has a client.

    What it finds there it may throw away, so that what is sent until then means nothing.
    """
    async with asyncio.timeout(30):
        while not line.bytes_in:
            twin.noise(b"\x00")
            await asyncio.sleep(0.01)


async def no_exceptions(scene: Callable[[], Any]) -> None:
    """Runs the scene; an exception that reached the loop fails the test."""
    escaped: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: escaped.append(context))
    await scene()
    await asyncio.sleep(0)
    assert escaped == []


def installed(server: str) -> Any:
    missing = shutil.which(server, path=f"{os.environ['PATH']}:/usr/sbin") is None
    return pytest.param(
        server, marks=pytest.mark.skipif(missing, reason=f"{server} is not installed")
    )


transports = pytest.mark.parametrize(
    "transport", ["pseudo-terminal", "tcp", *map(installed, SERVERS)]
)
faithful = pytest.mark.parametrize("way", [perfect, one_byte_at_a_time, delayed])
Way = Callable[[PseudoTerminal], None]


@transports
@faithful
def test_every_key_arrives_in_order(tmp_path: Path, until: Any, transport: str, way: Way) -> None:
    async def scene() -> None:
        twin = SimulatedKeypad(tmp_path / "keypad")
        async with connected(transport, twin) as port:
            keys: list[Key] = []
            keypad = Keypad(LineSettings(port), keys.append, lambda state: None)
            keypad.start()
            await gets_through(twin, keypad.line)
            way(twin)
            twin.press(*Key)
            await until(lambda: keys == list(Key))
            keypad.close()
        twin.close()

    asyncio.run(no_exceptions(scene))


@transports
@faithful
def test_a_swipe_is_read(tmp_path: Path, until: Any, transport: str, way: Way) -> None:
    async def scene() -> None:
        twin = SimulatedCardReader(tmp_path / "reader", framing="stx")
        async with connected(transport, twin) as port:
            swipes: list[Swipe | BadSwipe] = []
            reader = CardReader(LineSettings(port), "stx", swipes.append, lambda state: None)
            reader.start()
            await gets_through(twin, reader.line)
            way(twin)
            twin.swipe(TRACK_2)
            await until(lambda: swipes)
            assert isinstance(swipes[0], Swipe)
            assert swipes[0].track2.reveal() == TRACK_2
            reader.close()
        twin.close()

    asyncio.run(no_exceptions(scene))


@transports
@faithful
def test_a_picture_is_shown(tmp_path: Path, until: Any, transport: str, way: Way) -> None:
    async def scene() -> None:
        twin = SimulatedDisplay(tmp_path / "display")
        async with connected(transport, twin) as port:
            display = Display(LineSettings(port), lambda state: None)
            display.start()
            way(twin)
            for number in range(30):
                display.show(Picture((f"正在处理 {number}", "请稍候")))
                await asyncio.sleep(0.001)
            await until(lambda: [r.rstrip() for r in twin.rows()][:2] == ["正在处理 29", "请稍候"])
            display.close()
        twin.close()

    asyncio.run(no_exceptions(scene))


@transports
@faithful
def test_a_slip_is_printed(tmp_path: Path, until: Any, transport: str, way: Way) -> None:
    async def scene() -> None:
        twin = SimulatedPrinter(tmp_path / "printer")
        async with connected(transport, twin) as port:
            jobs: list[JobEnded] = []
            printer = Printer(
                LineSettings(port, 115200), 32, lambda s: None, jobs.append, lambda s: None
            )
            printer.start()
            await until(lambda: printer.status == PrinterStatus())
            way(twin)
            printer.print(1, SLIP)
            await until(lambda: jobs)
            assert jobs == [JobEnded(1, "printed")]
            assert twin.paper == lay_out(SLIP, 32)
            printer.close()
        twin.close()

    asyncio.run(no_exceptions(scene))


@transports
def test_a_lossy_line_reads_no_card_wrong(tmp_path: Path, until: Any, transport: str) -> None:
    async def scene() -> None:
        twin = SimulatedCardReader(tmp_path / "reader", framing="stx", with_lrc=True)
        async with connected(transport, twin) as port:
            swipes: list[Swipe | BadSwipe] = []
            reader = CardReader(
                LineSettings(port), "stx", swipes.append, lambda state: None, with_lrc=True
            )
            reader.start()
            await gets_through(twin, reader.line)
            lossy(twin)
            for _ in range(20):
                twin.swipe(TRACK_2)
            await until(lambda: len(swipes) >= 10)
            await asyncio.sleep(0.4)
            assert all(isinstance(swipe, BadSwipe) for swipe in swipes)
            twin.lose_every = None
            twin.swipe(TRACK_2)
            await until(lambda: isinstance(swipes[-1], Swipe))
            reader.close()
        twin.close()

    asyncio.run(no_exceptions(scene))


@transports
def test_a_display_on_a_lossy_line_is_right_again_when_the_line_is(
    tmp_path: Path, until: Any, transport: str
) -> None:
    async def scene() -> None:
        twin = SimulatedDisplay(tmp_path / "display")
        async with connected(transport, twin) as port:
            display = Display(LineSettings(port), lambda state: None, refresh_seconds=0.1)
            display.start()
            await until(lambda: display.state is LineState.PRESENT)
            lossy(twin)
            for number in range(30):
                display.show(Picture((f"正在处理 {number}", "请稍候")))
                await asyncio.sleep(0.001)
            twin.lose_every = None
            await until(lambda: [r.rstrip() for r in twin.rows()][:2] == ["正在处理 29", "请稍候"])
            display.close()
        twin.close()

    asyncio.run(no_exceptions(scene))


@transports
def test_every_job_ends_on_a_lossy_line_and_prints_when_the_line_is_right_again(
    tmp_path: Path, until: Any, transport: str
) -> None:
    async def scene() -> None:
        twin = SimulatedPrinter(tmp_path / "printer")
        async with connected(transport, twin) as port:
            jobs: list[JobEnded] = []
            printer = Printer(
                LineSettings(port, 115200), 32, lambda s: None, jobs.append, lambda s: None,
                piece_seconds=0.3,
            )  # fmt: skip
            printer.start()
            await until(lambda: printer.status == PrinterStatus())
            lossy(twin)
            for number in range(3):
                printer.print(number, SLIP)
            await until(lambda: len(jobs) == 3)
            twin.lose_every = None
            twin.power_cycle()  # half a command may have been left in it
            for number in range(3, 13):
                printer.print(number, SLIP)
                await until(lambda number=number: len(jobs) == number + 1)
                if transport not in SERVERS or jobs[-1].outcome == "printed":
                    break  # another process may stand still for 0.3 s, and costs a job its time
            assert jobs[-1] == JobEnded(number, "printed")
            assert twin.paper[-61:] == lay_out(SLIP, 32)
            printer.close()
        twin.close()

    asyncio.run(no_exceptions(scene))
