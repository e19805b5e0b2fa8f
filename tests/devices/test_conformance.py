"""What every device does over every transport, however well or badly the bytes travel."""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from devices.card_reader import BadSwipe, CardReader, Swipe
from devices.display import Display
from devices.keypad import Key, Keypad
from devices.line import LineSettings, LineState
from devices.picture import Picture
from devices.printer import JobEnded, Printer
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
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"socket://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
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


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


@contextlib.asynccontextmanager
async def socat(device: Path) -> AsyncIterator[str]:
    """A real serial server in front of the device: other people's code, a process of its own."""
    number = free_port()
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
    number = free_port()
    configuration = device.with_name(f"{device.name}.ser2net.yaml")
    configuration.write_text(
        "connection: &shop\n"
        f"  accepter: tcp,127.0.0.1,{number}\n"
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
        await asyncio.sleep(0.02)  # the server hears that the driver has gone


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
            await until(lambda: keypad.state is LineState.PRESENT)
            await asyncio.sleep(0.02)
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
            await until(lambda: reader.state is LineState.PRESENT)
            await asyncio.sleep(0.02)
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
            await until(lambda: printer.status is not None)
            way(twin)
            printer.print(1, SLIP)
            await until(lambda: jobs, seconds=5)
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
            await until(lambda: reader.state is LineState.PRESENT)
            await asyncio.sleep(0.02)
            lossy(twin)
            for _ in range(20):
                twin.swipe(TRACK_2)
            await until(lambda: len(swipes) >= 10)
            await asyncio.sleep(0.4)
            assert all(isinstance(swipe, BadSwipe) for swipe in swipes)
            twin.lose_every = None
            seen = len(swipes)
            twin.swipe(TRACK_2)
            await until(lambda: len(swipes) > seen)
            assert isinstance(swipes[-1], Swipe)
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
            await until(lambda: printer.status is not None)
            lossy(twin)
            for number in range(3):
                printer.print(number, SLIP)
            await until(lambda: len(jobs) == 3, seconds=10)
            twin.lose_every = None
            twin.power_cycle()  # half a command may have been left in it
            await asyncio.sleep(0.1)
            printer.print(3, SLIP)
            await until(lambda: len(jobs) == 4, seconds=5)
            assert jobs[3] == JobEnded(3, "printed")
            assert twin.paper[-61:] == lay_out(SLIP, 32)
            printer.close()
        twin.close()

    asyncio.run(no_exceptions(scene))
