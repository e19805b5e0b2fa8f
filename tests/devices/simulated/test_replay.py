import asyncio
from pathlib import Path
from typing import Any

from devices.keypad import Key, Keypad
from devices.line import LineSettings, LineState
from devices.printer import JobEnded, Printer
from devices.recording import Piece, Recording, read_recording
from devices.simulated.printer import SimulatedPrinter
from devices.simulated.replay import ReplayedDevice
from devices.slip import Cut, Slip, Text

SLIP = Slip((*(Text(f"line {number:03} {'x' * 20}") for number in range(80)), Cut()))


def test_keys_are_pressed_again_in_their_time(tmp_path: Path, until: Any) -> None:
    recording = Recording("keypad", (Piece(0.0, "in", b"1"), Piece(1.0, "in", b"\r")))

    async def scene() -> None:
        twin = ReplayedDevice(tmp_path / "keypad", recording, speed=10)
        keys: list[Key] = []
        keypad = Keypad(LineSettings(str(twin.path)), keys.append, lambda state: None)
        keypad.start()
        await until(lambda: keypad.state is LineState.PRESENT)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await twin.play()
        await until(lambda: len(keys) == 2)
        assert keys == [Key.D1, Key.CONFIRM]
        assert loop.time() - begun >= 0.1
        keypad.close()
        twin.close()

    asyncio.run(scene())


def test_a_printer_that_ran_out_of_paper_does_it_again(tmp_path: Path, until: Any) -> None:
    async def printed(port: Path, jobs: list[JobEnded], play: Any = None) -> Printer:
        printer = Printer(
            LineSettings(str(port), 115200), 32, lambda s: None, jobs.append, lambda s: None
        )
        printer.start()
        playing = asyncio.ensure_future(play()) if play is not None else None
        await until(lambda: printer.status is not None)
        printer.print(1, SLIP)
        await until(lambda: jobs)
        if playing is not None:
            playing.cancel()
        printer.close()
        return printer

    async def scene() -> None:
        twin = SimulatedPrinter(tmp_path / "printer")
        twin.paper_out_after(50)
        first: list[JobEnded] = []
        printer = await printed(twin.path, first)
        twin.close()
        recording = Recording.of_entries("printer", printer.recorder.entries())

        again = read_recording(recording.to_text())
        replayed = ReplayedDevice(tmp_path / "printer", again)
        second: list[JobEnded] = []
        await printed(replayed.path, second, replayed.play)
        replayed.close()
        assert first == second == [JobEnded(1, "failed", "paper_out")]
        assert replayed.waits_given_up == 0

    asyncio.run(scene())


def test_a_device_that_is_not_asked_what_it_was_goes_on_after_its_patience(
    tmp_path: Path, until: Any
) -> None:
    recording = Recording("printer", (Piece(0.0, "out", b"?"), Piece(0.0, "in", b"\x12")))

    async def scene() -> None:
        twin = ReplayedDevice(tmp_path / "printer", recording, patience=0.05)
        await twin.play()
        assert twin.waits_given_up > 0
        twin.close()

    asyncio.run(scene())
