import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
import serial

from devices.simulated.pseudo_terminal import PseudoTerminal


def opened(twin: PseudoTerminal) -> serial.Serial:
    return serial.Serial(str(twin.path), timeout=0)


def fill(port: serial.Serial) -> int:
    """Writes until the kernel takes no more."""
    written = 0
    with contextlib.suppress(BlockingIOError):
        while written < 1_000_000:
            written += os.write(port.fileno(), bytes(1000))
    return written


def test_the_name_stays_while_the_device_comes_and_goes(tmp_path: Path) -> None:
    async def scene() -> None:
        twin = PseudoTerminal(tmp_path / "run" / "keypad", lambda data: None)
        assert twin.path.is_char_device()
        twin.unplug()
        assert not twin.path.exists()
        assert not twin.is_plugged
        twin.unplug()
        twin.replug()
        assert twin.path.is_char_device()
        twin.replug()
        twin.close()
        assert list(twin.path.parent.iterdir()) == []

    asyncio.run(scene())


def test_a_name_left_by_a_program_that_died_is_taken_over(tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / "keypad").symlink_to("/dev/pts/999999")
        twin = PseudoTerminal(tmp_path / "keypad", lambda data: None)
        assert twin.path.is_char_device()
        twin.close()

    asyncio.run(scene())


def test_unplugging_is_a_hang_up_for_who_has_it_open(tmp_path: Path) -> None:
    async def scene() -> None:
        twin = PseudoTerminal(tmp_path / "keypad", lambda data: None)
        with opened(twin) as port:
            twin.unplug()
            assert os.read(port.fileno(), 10) == b""
            with pytest.raises(OSError, match="Input/output error"):
                os.write(port.fileno(), b"x")

    asyncio.run(scene())


def test_half_a_frame_is_sent_and_the_rest_is_lost(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        twin = PseudoTerminal(tmp_path / "keypad", lambda data: None)
        with opened(twin) as port:
            twin.stop_after = 3
            twin.send(b"12345")
            twin.send(b"678")
            twin.stop_after = None
            twin.send(b"9")
            received = bytearray()
            await until(lambda: received.extend(port.read(10)) or received.endswith(b"9"))
            assert received == b"1239"
        twin.close()

    asyncio.run(scene())


def test_a_dripping_device_sends_a_byte_at_a_time(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        twin = PseudoTerminal(tmp_path / "keypad", lambda data: None)
        with opened(twin) as port:
            twin.drip_seconds = 0.02
            loop = asyncio.get_running_loop()
            begun = loop.time()
            twin.send(b"12345")
            received = bytearray(port.read(10))
            assert received == b""
            for count in range(1, 6):
                await until(
                    lambda count=count: received.extend(port.read(10)) or len(received) >= count
                )
                assert loop.time() - begun >= 0.02 * len(received) - 0.001
            assert received == b"12345"
        twin.close()

    asyncio.run(scene())


def test_a_stalled_device_fills_the_kernel_s_buffer_and_then_blocks(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        heard = bytearray()
        twin = PseudoTerminal(tmp_path / "printer", heard.extend)
        with opened(twin) as port:
            twin.stall()
            written = fill(port)
            assert 0 < written < 100_000
            await asyncio.sleep(0.02)
            assert heard == b""
            twin.resume()
            await until(lambda: len(heard) == written)
        twin.close()

    asyncio.run(scene())


def test_a_metered_line_takes_the_time_of_its_rate_in_both_directions(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        heard = bytearray()
        twin = PseudoTerminal(tmp_path / "printer", heard.extend, bytes_per_second=960)
        loop = asyncio.get_running_loop()
        with opened(twin) as port:
            begun = loop.time()
            os.write(port.fileno(), bytes(240))
            twin.send(bytes(240))
            received = bytearray()
            await until(lambda: received.extend(port.read(100)) or len(received) == 240)
            await until(lambda: len(heard) == 240)
            assert loop.time() - begun > 0.2
        twin.close()

    asyncio.run(scene())
