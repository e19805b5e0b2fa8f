import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.keypad import DEFAULT_KEY_BYTES, Key, Keypad, KeypadParser
from devices.line import LineSettings, LineState
from devices.simulated.keypad import SimulatedKeypad


def test_the_default_table_is_ascii() -> None:
    assert KeypadParser().feed(b"0123456789\r\x1b\x08ABF") == [
        *[Key.from_digit(digit) for digit in "0123456789"],
        Key.CONFIRM,
        Key.CANCEL,
        Key.CLEAR,
        Key.UP,
        Key.DOWN,
        Key.FUNCTION,
    ]


def test_only_digit_keys_have_a_digit() -> None:
    assert Key.D7.digit == "7"
    assert [key.digit for key in Key if key.digit is not None] == list("0123456789")


@pytest.mark.parametrize("text", ["", "a", "12", "²", "１"])
def test_only_a_digit_is_a_digit(text: str) -> None:
    with pytest.raises(ValueError, match="digit"):
        Key.from_digit(text)


def test_flow_control_can_never_be_a_key() -> None:
    assert {0x11, 0x13}.isdisjoint(DEFAULT_KEY_BYTES)
    for byte in (0x11, 0x13):
        with pytest.raises(ValueError, match="flow control"):
            KeypadParser({byte: Key.UP})


def test_a_table_of_something_else_than_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a byte"):
        KeypadParser({256: Key.UP})


def test_another_keypad_is_another_table() -> None:
    assert KeypadParser({0x80: Key.CONFIRM}).feed(b"\x80\r") == [Key.CONFIRM]


@given(st.binary(max_size=40))
def test_noise_is_dropped_and_counted_and_keys_between_it_count(noise: bytes) -> None:
    parser = KeypadParser()
    keys = parser.feed(noise)
    assert len(keys) + parser.dropped == len(noise)
    assert keys == [DEFAULT_KEY_BYTES[byte] for byte in noise if byte in DEFAULT_KEY_BYTES]


def test_keys_pressed_arrive_in_order(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        twin = SimulatedKeypad(tmp_path / "keypad")
        keys: list[Key] = []
        keypad = Keypad(LineSettings(str(twin.path)), keys.append, lambda state: None)
        keypad.start()
        await until(lambda: keypad.state is LineState.PRESENT)
        twin.type("12345")
        twin.press(Key.CONFIRM)
        await until(lambda: len(keys) == 6)
        assert keys == [Key.D1, Key.D2, Key.D3, Key.D4, Key.D5, Key.CONFIRM]
        keypad.close()
        twin.close()

    asyncio.run(scene())


def test_the_flight_recorder_keeps_no_key_around_a_pin_prompt(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        twin = SimulatedKeypad(tmp_path / "keypad")
        keys: list[Key] = []
        keypad = Keypad(LineSettings(str(twin.path)), keys.append, lambda state: None)
        keypad.start()
        await until(lambda: keypad.state is LineState.PRESENT)
        twin.type("19")  # typed ahead of the prompt
        await until(lambda: len(keys) == 2)
        keypad.masked = True
        twin.type("2837")
        await until(lambda: len(keys) == 6)
        keypad.masked = False
        twin.type("46")  # still typing when the prompt has gone
        await until(lambda: len(keys) == 8)
        kept = b"".join(
            entry.data for entry in keypad.recorder.entries() if entry.direction == "in"
        )
        assert kept == b"********"
        keypad.close()
        twin.close()

    asyncio.run(scene())


def test_the_flight_recorder_keeps_ordinary_keys(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        twin = SimulatedKeypad(tmp_path / "keypad")
        keys: list[Key] = []
        keypad = Keypad(LineSettings(str(twin.path)), keys.append, lambda state: None)
        keypad.start()
        await until(lambda: keypad.state is LineState.PRESENT)
        twin.type("100")
        await until(lambda: len(keys) == 3)
        # A line may hand over its bytes in more than one piece.
        kept = b"".join(
            entry.data for entry in keypad.recorder.entries() if entry.direction == "in"
        )
        assert kept == b"100"
        keypad.close()
        twin.close()

    asyncio.run(scene())
