"""The devices as the core sees them, over real pseudo-terminals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import force_setattr

from devices import keypad
from devices.picture import Picture
from devices.simulated.card_reader import SimulatedCardReader
from devices.simulated.display import SimulatedDisplay
from devices.simulated.keypad import SimulatedKeypad
from devices.simulated.printer import SimulatedPrinter
from devices.slip import Cut, Slip, Text
from posd.core.events import (
    CardSwiped,
    CardUnreadable,
    DeviceChanged,
    Event,
    Key,
    PrintEnded,
    PrinterChanged,
    TimerFired,
)
from posd.edges import KEYS, Devices, LoopTimers, SystemClock, system_random
from posd.settings import (
    CardReaderSettings,
    DeviceSettings,
    DisplaySettings,
    KeypadSettings,
    PrinterSettings,
)

TRACK_2 = "6225000000000014=25121011234567890000"
SLIP = Slip((Text("签购单"), Cut()))
LINE_SPEED: Final = 115_200


@dataclass
class Counter:
    """Simulated devices on one side, the daemon's devices on the other."""

    keypad: SimulatedKeypad
    display: SimulatedDisplay
    printer: SimulatedPrinter
    card_reader: SimulatedCardReader
    devices: Devices
    events: list[Event]
    keys: list[Key]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not true():
                await asyncio.sleep(0.005)

    async def heard(self, event: Event) -> None:
        await self.until(lambda: event in self.events)


@asynccontextmanager
async def counter(directory: Path) -> AsyncIterator[Counter]:
    simulated = (
        SimulatedKeypad(directory / "keypad"),
        SimulatedDisplay(directory / "display"),
        SimulatedPrinter(directory / "printer"),
        SimulatedCardReader(directory / "card_reader"),
    )
    events: list[Event] = []
    keys: list[Key] = []
    settings = DeviceSettings(
        keypad=KeypadSettings(port=str(directory / "keypad")),
        display=DisplaySettings(port=str(directory / "display")),
        printer=PrinterSettings(port=str(directory / "printer"), speed=LINE_SPEED),
        card_reader=CardReaderSettings(port=str(directory / "card_reader")),
    )
    devices = Devices(settings, events.append, keys.append)
    devices.start()
    try:
        yield Counter(*simulated, devices, events, keys)
    finally:
        await devices.stop()
        for device in simulated:
            device.close()


def at_the_counter(directory: Path, play: Callable[[Counter], Awaitable[None]]) -> None:
    async def main() -> None:
        async with counter(directory) as standing:
            for role in ("keypad", "display", "printer", "card_reader"):
                await standing.heard(DeviceChanged(role, True))
            await play(standing)

    asyncio.run(main())


def test_every_key_of_the_keypad_has_its_name_in_the_core() -> None:
    assert [KEYS[key].name for key in keypad.Key] == [key.name for key in Key]
    assert all(KEYS[key].value == key.digit for key in keypad.Key if key.digit)


def test_keys_arrive_in_order(tmp_path: Path) -> None:
    async def play(counter: Counter) -> None:
        counter.keypad.press(*keypad.Key)
        await counter.until(lambda: len(counter.keys) == len(keypad.Key))
        assert counter.keys == list(Key)

    at_the_counter(tmp_path, play)


def test_a_swipe_is_an_event_with_its_track(tmp_path: Path) -> None:
    async def play(counter: Counter) -> None:
        counter.card_reader.swipe(TRACK_2)
        await counter.until(lambda: any(isinstance(each, CardSwiped) for each in counter.events))
        (swiped,) = (each for each in counter.events if isinstance(each, CardSwiped))
        assert swiped.track2.reveal() == TRACK_2
        assert swiped.track3 is None
        assert "0000000014" not in repr(swiped)

    at_the_counter(tmp_path, play)


def test_a_garbled_swipe_is_an_event_with_its_reason(tmp_path: Path) -> None:
    async def play(counter: Counter) -> None:
        counter.card_reader.swipe_garbled(TRACK_2, how="cut_short")
        await counter.heard(CardUnreadable("incomplete"))

    at_the_counter(tmp_path, play)


def test_a_picture_is_on_the_display(tmp_path: Path) -> None:
    async def play(counter: Counter) -> None:
        counter.devices.show(Picture(("测试商户", "请刷卡或输入金额")))
        await counter.until(lambda: "请刷卡或输入金额" in counter.display.rows()[1])

    at_the_counter(tmp_path, play)


def test_a_slip_is_printed_and_answered_once(tmp_path: Path) -> None:
    async def play(counter: Counter) -> None:
        counter.devices.print(7, SLIP)
        assert not any(isinstance(event, PrintEnded) for event in counter.events)
        await counter.heard(PrintEnded(7, True))
        assert "签购单" in "".join(counter.printer.paper)
        assert sum(isinstance(event, PrintEnded) for event in counter.events) == 1

    at_the_counter(tmp_path, play)


def test_paper_that_ends_and_is_loaded_again_is_told(tmp_path: Path) -> None:
    async def play(counter: Counter) -> None:
        counter.printer.paper_out_after(0)
        await counter.heard(PrinterChanged("paper_out"))
        counter.devices.print(8, SLIP)
        await counter.heard(PrintEnded(8, False, "paper_out"))
        known = counter.events.count(PrinterChanged(""))
        counter.printer.load_paper()
        await counter.until(lambda: counter.events.count(PrinterChanged("")) == known + 1)

    at_the_counter(tmp_path, play)


def test_paper_that_is_near_its_end_is_told(tmp_path: Path) -> None:
    async def play(counter: Counter) -> None:
        counter.printer.paper_near_end()
        await counter.heard(PrinterChanged("", paper_low=True))

    at_the_counter(tmp_path, play)


def test_a_printer_that_is_unplugged_is_absent_and_answers_its_jobs(tmp_path: Path) -> None:
    async def play(counter: Counter) -> None:
        counter.printer.unplug()
        await counter.heard(DeviceChanged("printer", False))
        await counter.heard(PrinterChanged("absent"))
        counter.devices.print(9, SLIP)
        await counter.heard(PrintEnded(9, False, "absent"))
        counter.printer.replug()
        await counter.until(lambda: counter.events.count(DeviceChanged("printer", True)) == 2)

    at_the_counter(tmp_path, play)


def test_a_slip_that_cannot_be_put_into_bytes_is_answered_as_not_printed(tmp_path: Path) -> None:
    async def play(counter: Counter) -> None:
        broken = Text("x")
        force_setattr(broken, "align", "sideways")  # around the check of what is made anew
        counter.devices.print(3, Slip((broken,)))
        await counter.heard(PrintEnded(3, False, "slip"))

    at_the_counter(tmp_path, play)


def test_what_is_not_configured_is_absent_and_answers_all_the_same() -> None:
    async def main() -> None:
        events: list[Event] = []
        devices = Devices(DeviceSettings(), events.append, lambda _key: None)
        devices.start()
        devices.show(Picture(("x",)))
        devices.mask_keypad(True)
        devices.print(1, SLIP)
        assert events == []
        await asyncio.sleep(0.01)
        assert DeviceChanged("printer", False) in events
        assert DeviceChanged("card_reader", False) in events
        assert PrinterChanged("absent") in events
        assert PrintEnded(1, False, "absent") in events
        await devices.stop()

    asyncio.run(main())


def test_while_a_prompt_is_open_the_keypads_recorder_keeps_no_key(tmp_path: Path) -> None:
    async def play(counter: Counter) -> None:
        real = counter.devices._keypad
        assert real is not None
        counter.devices.mask_keypad(True)
        counter.keypad.type("738291")
        await counter.until(lambda: len(counter.keys) == 6)
        assert "738291" not in real.recorder.dump()
        assert b"738291" not in b"".join(entry.data for entry in real.recorder.entries())

    at_the_counter(tmp_path, play)


def test_a_timer_fires_once_with_its_serial_and_a_stopped_one_never() -> None:
    async def main() -> None:
        events: list[Event] = []
        timers = LoopTimers(events.append)
        timers.start(1, 0.02)
        timers.start(2, 0.01)
        timers.start(3, 0.01)
        timers.stop(3)
        timers.stop(99)
        await asyncio.sleep(0.05)
        assert events == [TimerFired(2), TimerFired(1)]
        timers.stop(1)

    asyncio.run(main())


def test_the_clocks_are_the_machines() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()
    assert abs((clock.now() - datetime.now()).total_seconds()) < 60  # noqa: TID251
    assert clock.now().tzinfo is None


@pytest.mark.parametrize("length", [1, 12, 32])
def test_random_bytes_are_as_many_as_asked_and_never_the_same(length: int) -> None:
    drawn = {system_random(length) for _ in range(5)}
    assert {len(each) for each in drawn} == {length}
    assert len(drawn) > 1
