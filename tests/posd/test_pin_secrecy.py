"""After a PIN and a password were typed, nothing of the terminal holds a digit of either.

Looked through are every object that the process can reach (the machine, the form, the core's queue,
the flight recorders, exceptions with their frames), the terminal's files byte by byte, and the log.
What is looked for is never written down forwards, or the search would find itself.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import types
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from enum import Enum
from pathlib import Path
from random import Random
from typing import Any

import pytest
import structlog

import posd.pin_entry
from devices import keypad
from devices.recorder import Entry
from devices.simulated.keypad import SimulatedKeypad
from posd import log
from posd.acquirer.cards import BY_NAME
from posd.core.events import Key, KeyPressed
from posd.daemon import _Signals, _Terminal
from posd.edges import SystemClock, system_random
from posd.keys import Keys
from posd.ledger.ledger import Ledger
from posd.testing.counter import Acquiring, Counter
from posd.testing.in_process import InProcessStage
from posd.testing.installation import Installation
from posd.testing.real import RealStage
from posd.testing.stage import Stage, Witness
from protocol import ProtocolError

LENGTH = 12  # of the PIN and of the password
WINDOW = 9  # so many digits in a row are no coincidence, among random keys and times of day
PIN, PASSWORD = 20_130_001, 20_130_002
"""What the digits are made from."""


def typed(seed: int) -> Iterator[str]:
    """The digits, one by one; no object holds two of them."""
    chance = Random(seed)
    for _ in range(LENGTH):
        yield str(chance.randrange(10))


def backwards(seed: int) -> str:
    """The digits the wrong way round."""
    text = ""
    for digit in typed(seed):
        text = digit + text
    return text


WHOLE = (backwards(PIN), backwards(PASSWORD))
WINDOWS = tuple(
    text[start : start + WINDOW] for text in WHOLE for start in range(LENGTH - WINDOW + 1)
)


def found_in(text: str) -> bool:
    turned = text[::-1]
    return any(window in turned for window in WINDOWS)


def digit_of(thing: object) -> str:
    """The digit that an element of some sequence stands for; a blank when it is none."""
    if isinstance(thing, KeyPressed):
        thing = thing.key
    if isinstance(thing, Entry):
        thing = thing.data
    if isinstance(thing, Enum) and thing.name[:1] == "D" and thing.name[1:].isdecimal():
        return thing.name[1:]
    if isinstance(thing, bytes):
        thing = thing.decode("latin-1")
    if isinstance(thing, int) and not isinstance(thing, bool) and 48 <= thing <= 57:
        return chr(thing)
    text = str(thing) if isinstance(thing, (str, int)) and not isinstance(thing, bool) else ""
    return text if len(text) == 1 and text.isdecimal() else " "


def holds(thing: object) -> bool:
    """Is the secret written in this one object?"""
    match thing:
        case str():
            return found_in(thing)
        case bytes() | bytearray():
            return found_in(thing.decode("latin-1")) or found_in(thing.hex())
        case bool():
            return False
        case int():
            return thing.bit_length() >= WINDOW and thing < 1 << 64 and found_in(str(thing))
        case list() | tuple() | deque():
            return len(thing) >= WINDOW and found_in("".join(map(digit_of, thing)))
        case _:
            return False


def reachable() -> Iterator[object]:
    """Every object that the collector knows, and what those refer to."""
    gc.unfreeze()  # the daemon freezes what its start made
    gc.collect()
    seen: set[int] = set()
    waiting: list[object] = list(gc.get_objects())
    own = {id(seen), id(waiting)}
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or id(thing) in own:
            continue
        seen.add(id(thing))
        yield thing
        if not isinstance(thing, types.ModuleType):
            waiting.extend(gc.get_referents(thing))


def holders() -> list[str]:
    """The kinds of the objects that hold the secret; never the objects, a failure is printed."""
    return sorted({type(thing).__name__ for thing in reachable() if holds(thing)})


def files_that_hold(directory: Path) -> list[str]:
    return [
        path.name
        for path in sorted(directory.rglob("*"))
        if path.is_file() and holds(path.read_bytes())
    ]


def test_the_search_finds_what_is_there() -> None:
    assert holders() == []
    for kept in (
        "a" + "".join(typed(PIN)),
        "".join(typed(PIN)).encode(),
        bytearray("".join(typed(PASSWORD)).encode()),
        bytes.fromhex("".join(typed(PIN))),
        int("".join(typed(PASSWORD))),
        [KeyPressed(Key(digit)) for digit in typed(PIN)],
        deque(keypad.Key.from_digit(digit) for digit in typed(PIN)),
        tuple(Entry(0.0, "in", digit.encode()) for digit in typed(PASSWORD)),
    ):
        assert holds(kept)
        assert holders() != []
        del kept
    assert holders() == []


# --- the daemon's own parts, wired as in the daemon, in this process ------------------------------


class Counterpart:
    """A terminal and everything around it on one event loop."""

    def __init__(self, directory: Path) -> None:
        self.installation = Installation(directory)
        self.witness = Witness()
        self.counter = Counter(self.installation, self.witness)

    @property
    def keypad(self) -> SimulatedKeypad:
        return self.counter.keypad

    @asynccontextmanager
    async def running(self) -> AsyncIterator[_Terminal]:
        acquiring = Acquiring(self.installation, self.witness)
        self.installation.configure(("host", "port"), await acquiring.open())
        configuration = self.installation.load()
        log.configure(configuration.log)  # the log as the daemon writes it
        keys = Keys.load(
            *(self.installation.directory / f"{name}.key" for name in ("device", "master"))
        )
        clock = SystemClock()
        ledger = Ledger.open(
            self.installation.state_directory / "ledger.db", keys, clock, system_random
        )
        signals = _Signals()
        terminal = _Terminal(configuration, ledger, keys, clock, None)
        life = asyncio.create_task(terminal.run(signals, 0.0))
        try:
            yield terminal
        finally:
            terminal._finish(0)
            await life
            ledger.close()
            signals.over()
            self.counter.close()
            await acquiring.close()
            structlog.reset_defaults()

    async def shows(self, text: str, seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while True:
                self.counter.drain()
                if any(text in row for row in self.witness.screen):
                    break
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # the prompt listens from the next turn on

    async def type(self, seed: int) -> None:
        for count, digit in enumerate(typed(seed), 1):
            self.keypad.press(keypad.Key.from_digit(digit))
            await self.shows("*" * count)
        self.keypad.press(keypad.Key.CONFIRM)

    async def sign_in(self) -> None:
        await self.shows("未签到")
        self.keypad.press(keypad.Key.CONFIRM)
        await self.shows("签到成功")

    async def sell_with_pin(self) -> None:
        for key in ("7", "0", "0"):
            self.keypad.press(keypad.Key.from_digit(key))
        self.keypad.press(keypad.Key.CONFIRM)
        await self.shows("请刷卡")
        self.counter.card_reader.swipe(BY_NAME["good"].track2.reveal())
        await self.shows("请持卡人输密码")
        await self.type(PIN)

    async def void_with_password(self) -> None:
        self.keypad.press(keypad.Key.CANCEL)
        await self.shows("请刷卡或输入金额")
        self.keypad.press(keypad.Key.CONFIRM)
        await self.shows("撤销")
        self.keypad.press(keypad.Key.D1)
        await self.shows("主管密码")
        await self.type(PASSWORD)
        await self.shows("密码错")

    async def choose_password(self) -> None:
        self.keypad.press(keypad.Key.CANCEL)
        await self.shows("请刷卡或输入金额")
        self.keypad.press(keypad.Key.CONFIRM)
        await self.shows("菜单")
        self.keypad.press(keypad.Key.D9)
        await self.shows("管理")
        self.keypad.press(keypad.Key.D4)
        await self.shows("操作员 01")
        self.keypad.press(keypad.Key.CONFIRM)
        await self.shows("原密码")
        for _ in range(4):
            self.keypad.press(keypad.Key.D0)
        self.keypad.press(keypad.Key.CONFIRM)
        await self.shows("新密码 01")
        await self.type(PASSWORD)
        await self.shows("请再输一次")
        await self.type(PASSWORD)
        await self.shows("密码已修改")


@pytest.fixture(autouse=True)
def signals_of_the_tests() -> Iterator[None]:
    """A daemon takes the signals of its process, which here is not its own."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def play(directory: Path, then: Callable[[Counterpart, _Terminal], Any]) -> None:
    async def whole() -> None:
        around = Counterpart(directory)
        async with around.running() as terminal:
            await around.sign_in()
            await around.sell_with_pin()
            await then(around, terminal)

    asyncio.run(whole())


def test_no_object_holds_a_digit_after_a_pin_and_a_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def go_on(around: Counterpart, terminal: _Terminal) -> None:
        await around.shows("交易失败")  # the acquirer knows another PIN of this card
        assert holders() == []
        await around.void_with_password()
        assert holders() == []
        await around.choose_password()
        assert holders() == []
        keypad_line = terminal._devices._keypad
        assert keypad_line is not None
        kept = [entry for entry in keypad_line.recorder.entries() if entry.direction == "in"]
        assert b"".join(entry.data for entry in kept).count(b"*") >= 2 * LENGTH
        assert not found_in(keypad_line.recorder.dump())

    play(tmp_path, go_on)
    said = capsys.readouterr()
    assert "outcome.declined" in said.out
    assert not found_in(said.out + said.err)
    assert files_that_hold(tmp_path) == []


@pytest.mark.parametrize(
    "error", [ProtocolError("52", "broken"), RuntimeError("broken")], ids=["refused", "escaped"]
)
def test_no_exception_on_the_way_to_the_block_holds_a_digit(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    tried = asyncio.Event()

    def broken(*_arguments: object) -> None:
        tried.set()
        raise error

    monkeypatch.setattr(posd.pin_entry, "pin_block", broken)

    async def go_on(around: Counterpart, _terminal: _Terminal) -> None:
        async with asyncio.timeout(60):
            await tried.wait()
        await asyncio.sleep(0.3)
        error.__traceback__ = None  # this test's own reference keeps the frames alive
        around.keypad.press(keypad.Key.CANCEL)
        for _ in range(20):  # until the key has come
            await asyncio.sleep(0.3)
            if holders() == []:
                break
        assert holders() == []

    play(tmp_path, go_on)
    said = capsys.readouterr()
    assert type(error).__name__ in said.out
    assert not found_in(said.out + said.err)
    assert files_that_hold(tmp_path) == []


# --- a whole sale on both stages: the disk, the log, what the host got ----------------------------


@pytest.mark.parametrize("kind", [InProcessStage, RealStage])
def test_neither_disk_nor_log_holds_a_digit(
    tmp_path: Path, kind: Callable[[Path], Stage], capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(kind(tmp_path)) as stage:
        stage.power_on()
        stage.press(Key.CONFIRM)
        expect(stage, "签到成功")
        for key in (Key.D7, Key.D0, Key.D0, Key.CONFIRM):
            stage.press(key)
        expect(stage, "请刷卡")
        stage.swipe("good", "")
        expect(stage, "请持卡人输密码")
        enter(stage, PIN)
        expect(stage, "交易失败")
        stage.press(Key.CANCEL)
        stage.press(Key.CONFIRM)
        stage.press(Key.D1)
        expect(stage, "主管密码")
        enter(stage, PASSWORD)
        expect(stage, "密码错")
        for key in (Key.CANCEL, Key.CONFIRM, Key.D9, Key.D4, Key.CONFIRM):
            stage.press(key)
        expect(stage, "原密码")
        for key in (*[Key.D0] * 4, Key.CONFIRM):
            stage.press(key)
        expect(stage, "新密码 01")
        enter(stage, PASSWORD)
        expect(stage, "请再输一次")
        enter(stage, PASSWORD)
        expect(stage, "密码已修改")
        assert any("52" in map(str, message.elements) for message in stage.witness.received)
        assert not any(found_in(frame.hex()) for frame in stage.witness.frames)
        assert files_that_hold(tmp_path) == []
        stage.power_cut()
    assert files_that_hold(tmp_path) == []
    said = capsys.readouterr()
    assert not found_in(said.out + said.err)


def enter(stage: Stage, seed: int) -> None:
    for count, digit in enumerate(typed(seed), 1):
        stage.press(Key(digit))
        expect(stage, "*" * count)
    stage.press(Key.CONFIRM)


def expect(stage: Stage, text: str) -> None:
    came = stage.let_pass(60.0, lambda: any(text in row for row in stage.witness.screen))
    assert came, stage.witness.screen


def test_a_file_that_holds_it_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(b"\x01\x02\x03" + bytes.fromhex("".join(typed(PIN))))
    (tmp_path / "plain").write_text("pin=" + "".join(typed(PASSWORD)))
    assert files_that_hold(tmp_path) == ["packed", "plain"]
