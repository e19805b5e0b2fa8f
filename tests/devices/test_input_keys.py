import asyncio
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.input_keys import InputKeyParser
from devices.keypad import Key, Keypad
from devices.line import LineSettings, LineState

# 1 and then Enter on a USB keypad, as a 64-bit little-endian kernel writes them, laid out by hand
# from linux/input.h: EV_MSC scan code, EV_KEY, EV_SYN; 1 is pressed, 1 is released, Enter is pressed.
TYPED = bytes.fromhex(
    "b7f4126500000000c2d30400000000000400040059000700"
    "b7f4126500000000c2d304000000000001004f0001000000"
    "b7f4126500000000c2d30400000000000000000000000000"
    "b7f4126500000000a15c0600000000000400040059000700"
    "b7f4126500000000a15c06000000000001004f0000000000"
    "b7f4126500000000a15c0600000000000000000000000000"
    "b8f412650000000016ab0100000000000400040058000700"
    "b8f412650000000016ab0100000000000100600001000000"
    "b8f412650000000016ab0100000000000000000000000000"
)


def event(kind: int, code: int, value: int) -> bytes:
    return struct.pack("@llHHi", 1_700_000_000, 0, kind, code, value)


def test_the_events_of_a_keypad_are_the_keys_that_were_pressed() -> None:
    assert InputKeyParser().feed(TYPED) == [Key.D1, Key.CONFIRM]


@given(st.integers(0, len(TYPED)))
def test_events_may_be_cut_anywhere(cut: int) -> None:
    parser = InputKeyParser()
    assert parser.feed(TYPED[:cut]) + parser.feed(TYPED[cut:]) == [Key.D1, Key.CONFIRM]


@pytest.mark.parametrize("codes", [range(2, 12), (79, 80, 81, 75, 76, 77, 71, 72, 73, 82)])
def test_both_rows_of_digits_count_from_one_to_nought(codes: Any) -> None:
    pressed = b"".join(event(1, code, 1) for code in codes)
    assert [key.digit for key in InputKeyParser().feed(pressed)] == list("1234567890")


def test_a_key_held_down_is_pressed_once() -> None:
    held = event(1, 28, 1) + event(1, 28, 2) * 10 + event(1, 28, 0)
    assert InputKeyParser().feed(held) == [Key.CONFIRM]


def test_other_keys_are_counted_and_left_alone() -> None:
    parser = InputKeyParser()
    assert parser.feed(event(1, 30, 1)) == []
    assert parser.dropped == 1


def test_what_is_left_of_events_that_the_kernel_dropped_is_no_key() -> None:
    torn = event(0, 3, 0) + event(1, 2, 1) + event(0, 0, 0)
    assert InputKeyParser().feed(torn + event(1, 3, 1)) == [Key.D2]


@given(st.binary(max_size=200))
def test_no_bytes_stop_the_parser(data: bytes) -> None:
    parser = InputKeyParser()
    parser.feed(data)
    parser.feed(bytes(-len(data) % 24))
    assert parser.feed(event(0, 0, 0) + event(1, 28, 1)) == [Key.CONFIRM]


def test_an_input_device_that_cannot_be_grabbed_is_absent(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        os.mkfifo(tmp_path / "event0")  # can be read, and is no input device
        states: list[LineState] = []
        keypad = Keypad(
            LineSettings(f"evdev:{tmp_path / 'event0'}"), lambda key: None, states.append
        )
        keypad.start()
        await until(lambda: states)
        assert states == [LineState.ABSENT]
        assert keypad.line.reason.startswith("cannot be grabbed")
        keypad.close()

    asyncio.run(scene())


def test_an_input_device_that_is_not_there_is_absent(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        states: list[LineState] = []
        keypad = Keypad(
            LineSettings(f"evdev:{tmp_path / 'event0'}"), lambda key: None, states.append
        )
        keypad.start()
        await until(lambda: states)
        assert keypad.line.reason == "No such file or directory"
        keypad.close()

    asyncio.run(scene())
