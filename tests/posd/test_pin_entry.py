"""PINs and passwords: what the core hears of them, and what nobody hears."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
import traceback
import tty
from collections.abc import Callable

import pytest

from posd import passwords
from posd.core.events import (
    Event,
    Key,
    KeyPressed,
    PasswordChecked,
    PasswordChosen,
    PasswordRepeat,
    PinEntered,
    SecretTyped,
)
from posd.core.ports import PasswordVerifier
from posd.pin_entry import (
    SecretPrompt,
    check_inline,
    check_off_the_loop,
    settle_on_loop,
)
from protocol import Key as CipherKey
from protocol import Pan
from protocol.pin import read_pin_block

PAN = Pan("6225000000000014")
PIN_KEY = CipherKey(bytes(range(16)))
DEVICE_KEY = bytes(range(32))
COST = 2
SALT = b"0123456789abcdef"
STORED = PasswordVerifier(SALT, passwords.make_verifier(DEVICE_KEY, "123456", SALT, COST))


class Terminal:
    """A prompt with everything that it says, and whether the keypad is masked."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.masked: list[bool] = []
        self.prompt = SecretPrompt(
            self.events.append, check_inline(DEVICE_KEY, COST), self.masked.append
        )

    def press(self, *keys: str) -> list[Event]:
        """Press keys, each by its value; what was said of them."""
        before = len(self.events)
        for key in keys:
            self.prompt.press(Key(key))
        return self.events[before:]


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def ask_pin(terminal: Terminal, entry: int = 1, may_be_empty: bool = True) -> None:
    terminal.prompt.ask_pin(entry, PAN, PIN_KEY, may_be_empty)


def test_without_a_prompt_every_key_goes_to_the_core(terminal: Terminal) -> None:
    assert terminal.press(*Key) == [KeyPressed(key) for key in Key]


def test_a_pin_becomes_a_block_and_the_core_hears_only_how_many_digits(terminal: Terminal) -> None:
    ask_pin(terminal)
    events = terminal.press("1", "2", "3", "4", "confirm")
    assert events[:4] == [SecretTyped(1, length) for length in (1, 2, 3, 4)]
    (entered,) = events[4:]
    assert isinstance(entered, PinEntered)
    assert entered.pin_block is not None
    assert read_pin_block(entered.pin_block, PAN, PIN_KEY) == "1234"


def test_confirming_nothing_is_no_pin_where_that_is_allowed(terminal: Terminal) -> None:
    ask_pin(terminal)
    assert terminal.press("confirm") == [PinEntered(1, None)]


def test_confirming_nothing_says_so_where_a_pin_is_needed(terminal: Terminal) -> None:
    ask_pin(terminal, may_be_empty=False)
    assert terminal.press("confirm") == [SecretTyped(1, 0, too_few=True)]


@pytest.mark.parametrize("digits", ["1", "12", "123"])
def test_a_pin_that_is_too_short_is_not_taken(terminal: Terminal, digits: str) -> None:
    ask_pin(terminal)
    terminal.press(*digits)
    assert terminal.press("confirm") == [SecretTyped(1, len(digits), too_few=True)]
    assert isinstance(terminal.press("4", "5", "6", "confirm")[-1], PinEntered)


def test_a_pin_has_twelve_digits_at_the_most(terminal: Terminal) -> None:
    ask_pin(terminal)
    events = terminal.press(*"1234567890129", "confirm")
    assert events[12] == SecretTyped(1, 12)
    assert isinstance(events[-1], PinEntered)
    assert events[-1].pin_block is not None
    assert read_pin_block(events[-1].pin_block, PAN, PIN_KEY) == "123456789012"


def test_clear_takes_the_last_digit_back_and_on_an_empty_prompt_goes_to_the_core(
    terminal: Terminal,
) -> None:
    ask_pin(terminal)
    terminal.press("1", "9")
    assert terminal.press("clear", "clear", "clear") == [
        SecretTyped(1, 1),
        SecretTyped(1, 0),
        KeyPressed(Key.CLEAR),
    ]
    events = terminal.press("5", "6", "7", "8", "confirm")
    assert isinstance(events[-1], PinEntered)
    assert events[-1].pin_block is not None
    assert read_pin_block(events[-1].pin_block, PAN, PIN_KEY) == "5678"


@pytest.mark.parametrize("key", [Key.CANCEL, Key.UP, Key.DOWN, Key.FUNCTION])
def test_the_other_keys_reach_the_core_during_a_prompt(terminal: Terminal, key: Key) -> None:
    ask_pin(terminal)
    terminal.press("1", "2")
    assert terminal.press(key) == [KeyPressed(key)]
    assert terminal.press("3") == [SecretTyped(1, 3)]


def test_after_confirming_digits_go_nowhere_until_the_prompt_is_closed(terminal: Terminal) -> None:
    ask_pin(terminal)
    terminal.press("1", "2", "3", "4", "confirm")
    assert terminal.press("9", "clear", "confirm") == []
    assert terminal.press("cancel") == [KeyPressed(Key.CANCEL)]
    terminal.prompt.close(1)
    assert terminal.press("9") == [KeyPressed(Key.D9)]


def test_a_closed_prompt_has_forgotten_what_was_typed(terminal: Terminal) -> None:
    ask_pin(terminal)
    terminal.press("1", "2", "3", "4")
    terminal.prompt.close(1)
    ask_pin(terminal, entry=2)
    assert terminal.press("confirm") == [PinEntered(2, None)]


def test_closing_an_older_prompt_leaves_the_newer_one_open(terminal: Terminal) -> None:
    ask_pin(terminal, entry=1)
    ask_pin(terminal, entry=2)
    terminal.prompt.close(1)
    assert terminal.press("7") == [SecretTyped(2, 1)]


def test_a_card_number_that_gives_no_block_cancels_instead_of_claiming_no_pin(
    terminal: Terminal,
) -> None:
    terminal.prompt.ask_pin(1, Pan("123"), PIN_KEY, True)
    assert terminal.press("1", "2", "3", "4", "confirm")[4:] == [KeyPressed(Key.CANCEL)]


@pytest.mark.parametrize(("typed", "matches"), [("123456", True), ("123457", False), ("1", False)])
def test_a_password_is_compared_and_only_the_result_is_heard(
    terminal: Terminal, typed: str, matches: bool
) -> None:
    terminal.prompt.ask_password(3, STORED)
    events = terminal.press(*typed, "confirm")
    assert events[:-1] == [SecretTyped(3, length) for length in range(1, len(typed) + 1)]
    assert events[-1] == PasswordChecked(3, matches)


def test_an_empty_password_is_not_compared(terminal: Terminal) -> None:
    terminal.prompt.ask_password(3, STORED)
    assert terminal.press("confirm") == [SecretTyped(3, 0, too_few=True)]


def test_the_keypads_recorder_is_masked_exactly_while_a_prompt_is_open(terminal: Terminal) -> None:
    ask_pin(terminal)
    assert terminal.masked == [True]
    terminal.press("1", "2", "3", "4", "confirm")
    assert terminal.masked == [True]
    terminal.prompt.close(1)
    assert terminal.masked == [True, False]
    terminal.prompt.close(1)
    assert terminal.masked == [True, False]


def test_nothing_that_was_typed_is_in_the_representation_of_anything(terminal: Terminal) -> None:
    def everything(value: object, seen: set[int]) -> str:
        if id(value) in seen:
            return ""
        seen.add(id(value))
        inner = list(vars(value).values()) if hasattr(value, "__dict__") else []
        return repr(value) + "".join(
            everything(each, seen)
            for each in inner
            if type(each).__module__.startswith("posd") and not isinstance(each, Key)
        )

    ask_pin(terminal)
    terminal.press("7", "3", "8", "2", "9", "1")
    assert "738291" not in everything(terminal.prompt, set())
    assert "738291" not in repr(terminal.events)


def on_a_loop(main: Callable[[], object]) -> None:
    """Run a coroutine function with a time limit."""

    async def limited() -> None:
        async with asyncio.timeout(60):
            await main()  # type: ignore[misc]

    asyncio.run(limited())


async def until(events: list[Event], kind: type) -> Event:
    while not (events and isinstance(events[-1], kind)):
        await asyncio.sleep(0.001)
    return events[-1]


def ask_new_password(terminal: Terminal, shortest: int = 4) -> None:
    terminal.prompt.ask_new_password(5, shortest, SALT, frozenset({"0000"}))


def test_a_new_password_is_typed_twice_and_becomes_a_verifier(terminal: Terminal) -> None:
    ask_new_password(terminal)
    assert terminal.press(*"4711", "confirm")[-1] == PasswordRepeat(5)
    (*_, chosen) = terminal.press(*"4711", "confirm")
    assert isinstance(chosen, PasswordChosen)
    assert chosen.verifier is not None
    made = passwords.make_verifier(DEVICE_KEY, "4711", SALT, COST)
    assert chosen.verifier == PasswordVerifier(SALT, made)
    assert "4711" not in repr(terminal.events)


def test_a_new_password_that_differs_the_second_time_is_none(terminal: Terminal) -> None:
    ask_new_password(terminal)
    terminal.press(*"4711", "confirm")
    assert terminal.press(*"4712", "confirm")[-1] == PasswordChosen(5, None, "differs")


def test_a_new_password_that_everybody_knows_is_refused(terminal: Terminal) -> None:
    ask_new_password(terminal)
    assert terminal.press(*"0000", "confirm")[-1] == PasswordChosen(5, None, "factory")


def test_a_new_password_that_is_too_short_is_answered(terminal: Terminal) -> None:
    ask_new_password(terminal, shortest=6)
    assert terminal.press(*"47111", "confirm")[-1] == SecretTyped(5, 5, too_few=True)
    assert terminal.press("1", "confirm")[-1] == PasswordRepeat(5)


def test_clear_takes_back_digits_of_the_second_time_too(terminal: Terminal) -> None:
    ask_new_password(terminal)
    terminal.press(*"4711", "confirm")
    assert terminal.press("4", "clear", *"4711")[-1] == SecretTyped(5, 4)
    assert isinstance(terminal.press("confirm")[-1], PasswordChosen)


def test_a_new_password_is_forgotten_when_the_prompt_is_closed(terminal: Terminal) -> None:
    ask_new_password(terminal)
    terminal.press(*"4711", "confirm")
    prompt = terminal.prompt._prompt
    assert prompt is not None
    terminal.prompt.close(5)
    assert not prompt.first
    assert not prompt.length


def test_off_the_loop_a_verifier_is_made_without_blocking_and_an_error_gives_none() -> None:
    async def main(cost: int, works: bool) -> None:
        events: list[Event] = []
        prompt = SecretPrompt(
            events.append, check_off_the_loop(DEVICE_KEY, cost), lambda _: None, settle_on_loop
        )
        prompt.ask_new_password(1, 4, SALT, frozenset())
        await asyncio.sleep(0.01)
        for _ in range(2):
            for digit in "4711":
                prompt.press(Key(digit))
            prompt.press(Key.CONFIRM)
        chosen = await until(events, PasswordChosen)
        assert isinstance(chosen, PasswordChosen)
        assert (chosen.verifier is not None) is works
        assert chosen.problem == ("" if works else "failed")

    on_a_loop(lambda: main(2**14, True))
    on_a_loop(lambda: main(3, False))  # scrypt refuses a cost that is no power of two


def test_off_the_loop_the_comparison_leaves_the_loop_free() -> None:
    async def main() -> None:
        events: list[Event] = []
        cost = 2**14
        stored = PasswordVerifier(SALT, passwords.make_verifier(DEVICE_KEY, "123456", SALT, cost))
        prompt = SecretPrompt(
            events.append, check_off_the_loop(DEVICE_KEY, cost), lambda _: None, settle_on_loop
        )
        for typed, matches in (("123456", True), ("654321", False)):
            prompt.ask_password(1, stored)
            await asyncio.sleep(0.01)
            for digit in typed:
                prompt.press(Key(digit))
            prompt.press(Key.CONFIRM)
            assert isinstance(events[-1], SecretTyped), "the answer is not waited for"
            assert await until(events, PasswordChecked) == PasswordChecked(1, matches)
            prompt.close(1)

    on_a_loop(main)


def test_a_comparison_that_ends_after_the_prompt_was_closed_is_not_reported() -> None:
    async def main() -> None:
        events: list[Event] = []
        check = check_off_the_loop(DEVICE_KEY, COST)
        prompt = SecretPrompt(events.append, check, lambda _: None)
        prompt.ask_password(1, STORED)
        for digit in "123456":
            prompt.press(Key(digit))
        prompt.press(Key.CONFIRM)
        prompt.close(1)
        prompt.ask_password(2, STORED)
        await asyncio.sleep(0.1)
        assert all(isinstance(event, SecretTyped) for event in events)

    on_a_loop(main)


def test_a_comparison_that_fails_is_no_match() -> None:
    async def main() -> None:
        events: list[Event] = []
        prompt = SecretPrompt(
            events.append, check_off_the_loop(DEVICE_KEY, 3), lambda _: None
        )  # scrypt refuses a cost that is no power of two
        prompt.ask_password(1, STORED)
        prompt.press(Key.D1)
        prompt.press(Key.CONFIRM)
        assert await until(events, PasswordChecked) == PasswordChecked(1, False)

    on_a_loop(main)


def test_digits_that_the_kernel_held_when_the_prompt_opened_are_discarded() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        events: list[Event] = []
        prompt = SecretPrompt(
            events.append, check_inline(DEVICE_KEY, COST), lambda _: None, settle_on_loop
        )
        master, slave = os.openpty()

        def readable() -> None:
            with contextlib.suppress(BlockingIOError):
                while True:  # as one read does, mostly: all that is there
                    for byte in os.read(slave, 100):
                        prompt.press(Key(chr(byte)))
            if events == [KeyPressed(Key.D1), KeyPressed(Key.D2)] and not asked:
                asked.append(True)
                prompt.ask_pin(1, PAN, PIN_KEY, True)
                os.write(master, b"34")  # typed while the loop was busy opening the prompt
                while fcntl.ioctl(slave, termios.FIONREAD, bytes(4)) != struct.pack("i", 2):
                    pass  # on its way through the kernel

        asked: list[bool] = []
        os.set_blocking(slave, False)
        tty.setraw(slave)
        loop.add_reader(slave, readable)
        os.write(master, b"12")
        while not asked:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert events == [KeyPressed(Key.D1), KeyPressed(Key.D2)]
        os.write(master, b"5")
        assert await until(events, SecretTyped) == SecretTyped(1, 1)
        assert len(events) == 3
        loop.remove_reader(slave)
        os.close(master)
        os.close(slave)

    on_a_loop(main)


def test_a_traceback_out_of_a_prompt_shows_no_digits(terminal: Terminal) -> None:
    ask_pin(terminal)

    def broken(_event: Event) -> None:
        raise RuntimeError("the receiver failed")

    terminal.press("7", "3", "8", "2", "9")
    terminal.prompt._deliver = broken
    try:
        terminal.prompt.press(Key.D1)
    except RuntimeError as error:
        shown = "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
    assert "the receiver failed" in shown
    assert "738291" not in shown
