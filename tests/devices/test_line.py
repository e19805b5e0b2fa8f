import asyncio
import fcntl
import os
import socket
import termios
import time
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import serial

from devices.line import Line, LineSettings, LineState
from devices.simulated.pseudo_terminal import PseudoTerminal

PRESENT, ABSENT = LineState.PRESENT, LineState.ABSENT


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def notes(line: Line) -> list[tuple[float, str]]:
    """The remarks of a line's flight recorder, with their times."""
    entries = line.recorder.entries()
    return [(each.at, each.data.decode()) for each in entries if each.direction == "note"]


class Ends:
    """A line and what it has said, and the device at its other end and what it has heard."""

    def __init__(self, folder: Path, *, plugged: bool = True, **settings: Any) -> None:
        self.path = folder / "device"
        self.received = bytearray()
        self.states: list[LineState] = []
        self.heard = bytearray()
        self.twin = PseudoTerminal(self.path, self.heard.extend) if plugged else None
        self.line = Line(
            LineSettings(str(self.path), **settings), self.received.extend, self.states.append
        )

    async def __aenter__(self) -> "Ends":
        self.line.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.line.close()
        if self.twin is not None:
            self.twin.close()

    @property
    def device(self) -> PseudoTerminal:
        assert self.twin is not None
        return self.twin


def test_bytes_pass_unchanged_in_both_directions(tmp_path: Path, until: Any) -> None:
    every_byte = bytes(range(256))

    async def scene() -> None:
        async with Ends(tmp_path) as ends:
            await until(lambda: ends.states == [PRESENT])
            assert ends.line.write(every_byte)
            ends.device.send(every_byte)
            await until(lambda: ends.heard == every_byte and ends.received == every_byte)

    asyncio.run(scene())


def test_a_port_that_is_not_there_is_absent_and_found_when_it_comes(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        async with Ends(tmp_path, plugged=False) as ends:
            await until(lambda: ends.states == [ABSENT])
            assert "No such file" in ends.line.reason
            assert not ends.line.write(b"x")
            ends.twin = PseudoTerminal(ends.path, ends.heard.extend)
            await until(lambda: ends.states == [ABSENT, PRESENT])
            assert ends.line.reason == ""

    asyncio.run(scene())


def test_a_link_that_leads_to_itself_is_absent(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        (tmp_path / "device").symlink_to(tmp_path / "device")
        async with Ends(tmp_path, plugged=False) as ends:
            await until(lambda: ends.states == [ABSENT])
            assert "symbolic links" in ends.line.reason

    asyncio.run(scene())


def test_something_that_is_no_serial_port_is_absent(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        (tmp_path / "device").write_text("a file")
        async with Ends(tmp_path, plugged=False) as ends:
            await until(lambda: ends.states == [ABSENT])
            assert ends.line.reason

    asyncio.run(scene())


def test_a_lost_line_is_reported_once_and_once_when_it_is_back(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Ends(tmp_path) as ends:
            await until(lambda: ends.states == [PRESENT])
            ends.device.unplug()
            await until(lambda: ends.states == [PRESENT, ABSENT])
            await asyncio.sleep(0.7)  # several vain tries
            assert ends.states == [PRESENT, ABSENT]
            ends.device.replug()
            await until(lambda: ends.states == [PRESENT, ABSENT, PRESENT])
            assert ends.line.write(b"again")
            await until(lambda: ends.heard == b"again")
            assert ends.line.connections == 2

    asyncio.run(scene())


def test_nothing_written_before_a_line_was_lost_comes_after_it_is_back(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        async with Ends(tmp_path) as ends:
            await until(lambda: ends.states == [PRESENT])
            ends.device.stall()
            while ends.line.write(b"old" * 1000):
                pass
            ends.device.unplug()
            await until(lambda: ends.states == [PRESENT, ABSENT])
            assert ends.line.queued == 0
            ends.device.replug()
            await until(lambda: ends.states == [PRESENT, ABSENT, PRESENT])
            ends.line.write(b"new")
            await until(lambda: ends.heard == b"new")

    asyncio.run(scene())


def test_the_queue_is_bounded_and_takes_a_write_whole_or_not_at_all(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        async with Ends(tmp_path, queue_limit=1000) as ends:
            await until(lambda: ends.states == [PRESENT])
            ends.device.stall()
            accepted = 0
            while ends.line.write(bytes(300)):
                accepted += 300
            assert ends.line.queued <= 1000
            ends.device.resume()
            await until(lambda: len(ends.heard) == accepted)
            assert ends.line.queued == 0

    asyncio.run(scene())


def test_a_device_that_takes_no_bytes_is_absent_until_it_does(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Ends(tmp_path, flow_control="xon_xoff", write_seconds=0.1) as ends:
            await until(lambda: ends.states == [PRESENT])
            ends.device.hold_off()
            await until(lambda: not ends.device.takes_bytes)
            ends.line.write(b"never")
            await until(lambda: ends.states == [PRESENT, ABSENT])
            assert ends.line.stalled
            assert not ends.line.write(b"refused")
            ends.device.send(b"still heard")
            await until(lambda: ends.received == b"still heard")
            ends.device.let_go()
            await until(lambda: ends.states == [PRESENT, ABSENT, PRESENT])
            ends.line.write(b"fresh")
            await until(lambda: ends.heard == b"fresh")

    asyncio.run(scene())


def test_an_xoff_that_nobody_takes_back_is_told_and_outlasted(tmp_path: Path, until: Any) -> None:
    """Noise can be an XOFF. The device that did not mean it takes bytes after a while."""

    async def scene() -> None:
        settings = {"flow_control": "xon_xoff", "write_seconds": 0.1, "flow_seconds": 0.3}
        async with Ends(tmp_path, **settings) as ends:
            await until(lambda: ends.states == [PRESENT])
            ends.device.noise(b"\xfe\x13")
            await until(lambda: ends.received == b"\xfe" and not ends.device.takes_bytes)
            ends.line.write(b"never")
            await until(lambda: ends.states == [PRESENT, ABSENT])
            assert ends.line.reason == "flow stopped: held back by XOFF for 0.1 s, no XON came"
            await until(lambda: ends.states == [PRESENT, ABSENT, PRESENT])
            ends.line.write(b"fresh")
            await until(lambda: ends.heard == b"fresh")
            assert [each for _, each in notes(ends.line) if "let flow" in each]

    asyncio.run(scene())


def test_a_device_that_says_xoff_again_is_given_more_time_each_time(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        settings = {"flow_control": "xon_xoff", "write_seconds": 0.05, "flow_seconds": 0.2}
        async with Ends(tmp_path, **settings) as ends:
            await until(lambda: ends.states == [PRESENT])
            for count in (1, 2, 3):
                ends.device.hold_off()
                await until(lambda: not ends.device.takes_bytes)
                ends.line.write(b"?")
                await until(lambda count=count: ends.states == [PRESENT, ABSENT] * count)
                await until(lambda count=count: len(ends.states) == 2 * count + 1)
            stopped = [at for at, each in notes(ends.line) if each.startswith("absent")]
            tried = [at for at, each in notes(ends.line) if each.startswith("let flow")]
            waits = [after - before for before, after in zip(stopped, tried, strict=True)]
            for wait, least in zip(waits, (0.2, 0.4, 0.8), strict=True):
                assert least - 0.001 <= wait < 2 * least

    asyncio.run(scene())


def test_bytes_that_xoff_holds_in_the_kernel_are_missed_too(
    tmp_path: Path, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pseudo-terminal holds none; a serial port does. Only how many it holds is played here."""
    held = 0
    monkeypatch.setattr("devices.port._SerialPort.unsent", property(lambda port: held))
    monkeypatch.setattr("devices.line._HELD_POLL_SECONDS", 0.02)

    async def scene() -> None:
        nonlocal held
        async with Ends(tmp_path, flow_control="xon_xoff", write_seconds=0.1) as ends:
            await until(lambda: ends.states == [PRESENT])
            held = 5
            ends.line.write(b"12345")
            await until(lambda: ends.states == [PRESENT, ABSENT])
            assert ends.line.reason.startswith("flow stopped")
            held = 3
            await until(lambda: ends.states == [PRESENT, ABSENT, PRESENT])
            held = 0

    asyncio.run(scene())


def test_xoff_holds_bytes_back_and_xon_lets_them_go(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Ends(tmp_path, flow_control="xon_xoff") as ends:
            await until(lambda: ends.states == [PRESENT])
            ends.device.hold_off()
            await until(lambda: not ends.device.takes_bytes)
            assert ends.line.write(b"later")
            await asyncio.sleep(0.05)
            assert ends.heard == b""
            ends.device.let_go()
            await until(lambda: ends.heard == b"later")
            assert ends.received == b"", "flow control is no data"

    asyncio.run(scene())


def test_without_flow_control_xon_and_xoff_are_data(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Ends(tmp_path) as ends:
            await until(lambda: ends.states == [PRESENT])
            ends.device.hold_off()
            ends.device.let_go()
            await until(lambda: ends.received == b"\x13\x11")

    asyncio.run(scene())


def test_a_line_belongs_to_one_program(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Ends(tmp_path) as ends:
            await until(lambda: ends.states == [PRESENT])
            second: list[LineState] = []
            other = Line(LineSettings(str(ends.path)), lambda data: None, second.append)
            other.start()
            await until(lambda: second == [ABSENT])
            assert other.reason == "in use by another program"
            with pytest.raises(serial.SerialException):
                serial.Serial(str(ends.path), exclusive=True)
            ends.line.close()
            await until(lambda: second == [ABSENT, PRESENT])
            other.close()

    asyncio.run(scene())


def test_an_open_line_is_closed_to_everyone_and_open_again_after(
    tmp_path: Path, until: Any
) -> None:
    """Root may open it all the same, so the kernel is asked for the flag that keeps others out."""
    get_exclusive = 0x80045440  # TIOCGEXCL, ioctl_tty(2)

    def is_exclusive(descriptor: int) -> bool:
        return fcntl.ioctl(descriptor, get_exclusive, bytes(4)) != bytes(4)

    async def scene() -> None:
        master, slave = os.openpty()
        line = Line(LineSettings(os.ttyname(slave)), lambda data: None, lambda state: None)
        line.start()
        await until(lambda: line.state is PRESENT)
        assert is_exclusive(slave)
        line.close()
        assert not is_exclusive(slave)
        os.close(slave)
        os.close(master)

    asyncio.run(scene())


def test_a_link_left_by_a_dead_simulator_does_not_lead_to_another_program_s_terminal(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        twin = PseudoTerminal(tmp_path / "another", lambda data: None)
        left = tmp_path / "device"
        left.symlink_to(twin.path.readlink())
        long_ago = time.time() - 60  # noqa: TID251 - the age of a file
        os.utime(left, (long_ago, long_ago), follow_symlinks=False)
        async with Ends(tmp_path, plugged=False) as ends:
            await until(lambda: ends.states == [ABSENT])
            assert ends.line.reason == "a link left by a simulator that died"
        twin.close()

    asyncio.run(scene())


def test_what_was_typed_before_the_line_was_opened_is_forgotten(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        twin = PseudoTerminal(tmp_path / "device", lambda data: None)
        twin.send(b"stale")
        await until(lambda: twin.unread == len(b"stale"))
        received = bytearray()
        line = Line(LineSettings(str(twin.path)), received.extend, lambda state: None)
        line.start()
        await until(lambda: line.state is PRESENT)
        twin.send(b"fresh")
        await until(lambda: received == b"fresh")
        line.close()
        twin.close()

    asyncio.run(scene())


def test_a_clean_stop_lets_the_last_bytes_out(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Ends(tmp_path) as ends:
            await until(lambda: ends.states == [PRESENT])
            ends.line.write(b"goodbye")
            await ends.line.stop()
            assert ends.states == [PRESENT], "a stop is no loss"
            assert ends.line.state is ABSENT
            await until(lambda: ends.heard == b"goodbye")

    asyncio.run(scene())


def test_a_stop_does_not_wait_for_a_device_that_takes_nothing(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Ends(tmp_path, flow_control="xon_xoff") as ends:
            await until(lambda: ends.states == [PRESENT])
            ends.device.hold_off()
            await until(lambda: not ends.device.takes_bytes)
            ends.line.write(b"never")
            begun = time.monotonic()  # noqa: TID251
            await ends.line.stop()
            assert time.monotonic() - begun < 20, "close(2) would wait 30 s"  # noqa: TID251

    asyncio.run(scene())


def test_closing_leaves_no_descriptor_and_no_task_behind(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        before = open_descriptors()
        for _ in range(3):
            async with Ends(tmp_path) as ends:
                await until(lambda ends=ends: ends.states == [PRESENT])
        async with Ends(tmp_path, plugged=False) as ends:
            await until(lambda: ends.states == [ABSENT])
        await asyncio.sleep(0)
        assert open_descriptors() == before
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scene())


def test_the_flight_recorder_tells_what_passed_and_what_happened(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        async with Ends(tmp_path) as ends:
            await until(lambda: ends.states == [PRESENT])
            ends.line.write(b"question")
            ends.device.send(b"answer")
            await until(lambda: ends.received == b"answer")
            ends.device.unplug()
            await until(lambda: ends.states == [PRESENT, ABSENT])
            # A line may hand over its bytes in more than one piece.
            told = [
                (direction, b"".join(entry.data for entry in entries))
                for direction, entries in groupby(
                    ends.line.recorder.entries(), key=lambda entry: entry.direction
                )
            ]
            assert told == [
                ("note", b"opened"),
                ("out", b"question"),
                ("in", b"answer"),
                ("note", b"absent: hung up"),
            ]

    asyncio.run(scene())


@pytest.mark.parametrize("drip", [0.0, 0.001])
def test_bytes_one_at_a_time_are_the_same_bytes(tmp_path: Path, until: Any, drip: float) -> None:
    async def scene() -> None:
        async with Ends(tmp_path) as ends:
            await until(lambda: ends.states == [PRESENT])
            ends.device.drip_seconds = drip
            ends.device.send(bytes(range(100)))
            await until(lambda: ends.received == bytes(range(100)))

    asyncio.run(scene())


def test_a_line_runs_over_plain_tcp_and_finds_its_server_again(until: Any) -> None:
    async def scene() -> None:
        heard = bytearray()
        connections: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(writer)
            while data := await reader.read(100):
                heard.extend(data)
            writer.close()

        bound = socket.socket()  # who only has a port refuses connections, and nobody else gets it
        bound.bind(("127.0.0.1", 0))
        number = bound.getsockname()[1]
        received = bytearray()
        states: list[LineState] = []
        settings = LineSettings(f"socket://127.0.0.1:{number}")
        line = Line(settings, received.extend, states.append)
        line.start()
        await until(lambda: states == [ABSENT])
        server = await asyncio.start_server(serve, sock=bound)
        await until(lambda: states == [ABSENT, PRESENT])
        line.write(b"question")
        await until(lambda: heard == b"question")
        connections[0].write(b"answer")
        await until(lambda: received == b"answer")
        connections[0].close()
        await until(lambda: states == [ABSENT, PRESENT, ABSENT])
        await until(lambda: states == [ABSENT, PRESENT, ABSENT, PRESENT])
        line.close()
        for connection in connections:
            connection.close()
        server.close()
        await server.wait_closed()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"port": ""}, "port: expected"),
        ({"speed": 9601}, "speed: expected one of .* found 9601"),
        ({"parity": "mark"}, "parity: expected one of .* found 'mark'"),
        ({"flow_control": "dtr"}, "flow_control: expected one of"),
        ({"data_bits": 5}, "data_bits: expected one of"),
        ({"stop_bits": 3}, "stop_bits: expected one of"),
        ({"port": "socket://nowhere"}, "expected socket://HOST:PORT"),
        ({"port": "socket://host:99999"}, "expected socket://HOST:PORT"),
        ({"write_seconds": 0}, "more than 0"),
    ],
)
def test_settings_that_no_line_has_are_refused_by_name(
    settings: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        LineSettings(**{"port": "/dev/null", **settings})


def test_the_settings_reach_the_port(tmp_path: Path, until: Any) -> None:
    """All that a pseudo-terminal shows of them: it has neither parity nor seven bits."""

    async def scene() -> None:
        async with Ends(tmp_path, speed=19200, stop_bits=2, flow_control="rts_cts") as ends:
            await until(lambda: ends.states == [PRESENT])
            descriptor = os.open(ends.path, os.O_RDWR | os.O_NOCTTY)
            _, _, control, _, speed_in, speed_out, _ = termios.tcgetattr(descriptor)
            os.close(descriptor)
            assert speed_in == speed_out == termios.B19200
            assert control & termios.CSTOPB
            assert control & termios.CRTSCTS

    asyncio.run(scene())


def test_a_parity_and_seven_bits_do_not_keep_a_line_from_opening(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        async with Ends(tmp_path, parity="even", data_bits=7) as ends:
            await until(lambda: ends.states == [PRESENT])

    asyncio.run(scene())
