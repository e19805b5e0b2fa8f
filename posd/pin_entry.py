"""Between the keypad and the core: digits of PINs and passwords become a block, a comparison or a
verifier here.

While a prompt is open its digits, 清除 and 确认 stay in this module; the core hears how many there
are, and in the end a `PinBlock`, yes or no, or what is stored of a new password. Nothing here is
logged or printed.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from typing import Final, Protocol

import structlog

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
from protocol import Key as CipherKey
from protocol import Pan, PinBlock, ProtocolError
from protocol.pin import PIN_LENGTHS, pin_block

_log = structlog.get_logger()

PASSWORD_LENGTHS: Final = range(1, 13)
_TAKEN: Final = frozenset({*(Key(str(digit)) for digit in range(10)), Key.CLEAR, Key.CONFIRM})


class PasswordWork(Protocol):
    """What takes long with a password; whom to tell is the last argument. It may answer at once."""

    def __call__(
        self, password: str, stored: PasswordVerifier, done: Callable[[bool], None]
    ) -> None:
        """Is it this password?"""

    def make(
        self, password: str, salt: bytes, done: Callable[[PasswordVerifier | None], None]
    ) -> None:
        """What is stored of it; None when that failed."""


# What calls back when every key that was pressed before now has been handed in.
Settle = Callable[[Callable[[], None]], None]


def at_once(call: Callable[[], None]) -> None:
    """The Settle of a stage that hands keys in one by one: none can have been pressed earlier."""
    call()


class SecretPrompt:
    """The `SecretEntry` port, and the way of every key: `press` is what the keypad calls.

    deliver takes the events. check compares passwords. mask is told True while a prompt is open,
    for the keypad's flight recorder. Only one prompt is open at a time: the newest.
    """

    def __init__(
        self,
        deliver: Callable[[Event], None],
        check: PasswordWork,
        mask: Callable[[bool], None],
        settle: Settle = at_once,
    ) -> None:
        self._deliver = deliver
        self._check = check
        self._mask = mask
        self._settle = settle
        self._prompt: _Prompt | None = None

    def ask_pin(self, entry: int, pan: Pan, pin_key: CipherKey, may_be_empty: bool) -> None:
        """Open a PIN prompt: 4 to 12 digits, or none where that is allowed."""
        self._open(_PinPrompt(entry, pan, pin_key, may_be_empty))

    def ask_password(self, entry: int, verifier: PasswordVerifier) -> None:
        """Open a password prompt: 1 to 12 digits."""
        self._open(_PasswordPrompt(entry, verifier))

    def ask_new_password(
        self, entry: int, shortest: int, salt: bytes, refused: frozenset[str]
    ) -> None:
        """Open a prompt for a new password, typed twice: shortest to 12 digits, none of refused."""
        self._open(_NewPasswordPrompt(entry, shortest, salt, refused))

    def close(self, entry: int) -> None:
        """Forget what was typed; keys go to the core again."""
        if self._prompt is not None and self._prompt.entry == entry:
            self._prompt.forget()
            self._prompt = None
            self._mask(False)

    def press(self, key: Key) -> None:
        """A key was pressed: to the open prompt, or to the core."""
        prompt = self._prompt
        if prompt is None or key not in _TAKEN:
            self._deliver(KeyPressed(key))
        elif not prompt.listening:
            return  # pressed before the prompt could be seen, or after its 确认
        elif key is Key.CLEAR and not prompt.length:
            self._deliver(KeyPressed(key))
        elif key is Key.CONFIRM and prompt.complete:
            prompt.listening = False
            self._confirm(prompt)
        else:
            prompt.take(key)
            too_few = key is Key.CONFIRM
            self._deliver(SecretTyped(prompt.entry, prompt.length, too_few))

    def _open(self, prompt: _Prompt) -> None:
        if self._prompt is not None:
            self._prompt.forget()
        self._prompt = prompt
        self._mask(True)

        def listen() -> None:
            prompt.listening = True

        self._settle(listen)

    def _confirm(self, prompt: _Prompt) -> None:
        match prompt:
            case _PasswordPrompt():
                self._check(
                    prompt.digits(), prompt.verifier, lambda matches: self._checked(prompt, matches)
                )
                prompt.forget()
            case _NewPasswordPrompt():
                self._choose(prompt)
            case _PinPrompt():
                self._enter(prompt)

    def _enter(self, prompt: _PinPrompt) -> None:
        try:
            block = prompt.block()
        except ProtocolError as error:
            # No block, and "no PIN" would be a lie: the flow ends as if the clerk had ended it.
            _log.error("pin_block_failed", exc_info=error)
            self._deliver(KeyPressed(Key.CANCEL))
        else:
            self._deliver(PinEntered(prompt.entry, block))
        prompt.forget()

    def _choose(self, prompt: _NewPasswordPrompt) -> None:
        if not prompt.first:
            problem = prompt.keep_first()
            if problem:
                self._deliver(PasswordChosen(prompt.entry, None, problem))
            else:
                prompt.listening = True
                self._deliver(PasswordRepeat(prompt.entry))
            return
        if prompt.is_repeated():
            self._check.make(prompt.digits(), prompt.salt, lambda made: self._made(prompt, made))
            prompt.forget()
        else:
            prompt.forget()
            self._deliver(PasswordChosen(prompt.entry, None, "differs"))

    def _made(self, prompt: _NewPasswordPrompt, verifier: PasswordVerifier | None) -> None:
        if prompt is self._prompt:
            problem = "failed" if verifier is None else ""
            self._deliver(PasswordChosen(prompt.entry, verifier, problem))

    def _checked(self, prompt: _PasswordPrompt, matches: bool) -> None:
        if prompt is self._prompt:  # else it was closed while the comparison was running
            self._deliver(PasswordChecked(prompt.entry, matches))


class _Prompt:
    """Digits that do not print themselves and can be overwritten."""

    lengths: range
    may_be_empty: bool

    def __init__(self, entry: int) -> None:
        self.entry = entry
        self.listening = False
        self._digits = bytearray()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(entry={self.entry})"

    @property
    def length(self) -> int:
        return len(self._digits)

    @property
    def complete(self) -> bool:
        return self.length in self.lengths or (self.may_be_empty and not self.length)

    def take(self, key: Key) -> None:
        """Add a digit while there is room, remove the last at 清除; other keys change nothing."""
        if key is Key.CLEAR:
            self._digits[-1:] = b""
        elif key is not Key.CONFIRM and self.length < self.lengths[-1]:
            self._digits += key.value.encode("ascii")

    def digits(self) -> str:
        return self._digits.decode("ascii")

    def forget(self) -> None:
        self.listening = False
        self._digits[:] = bytes(len(self._digits))
        self._digits.clear()


class _PinPrompt(_Prompt):
    lengths = PIN_LENGTHS

    def __init__(self, entry: int, pan: Pan, pin_key: CipherKey, may_be_empty: bool) -> None:
        super().__init__(entry)
        self.may_be_empty = may_be_empty
        self._pan = pan
        self._pin_key = pin_key

    def block(self) -> PinBlock | None:
        """The block; None when nothing was typed. Raises ProtocolError."""
        return pin_block(self.digits(), self._pan, self._pin_key) if self.length else None


class _PasswordPrompt(_Prompt):
    lengths = PASSWORD_LENGTHS
    may_be_empty = False

    def __init__(self, entry: int, verifier: PasswordVerifier) -> None:
        super().__init__(entry)
        self.verifier = verifier


class _NewPasswordPrompt(_Prompt):
    """first: what was typed the first time, while it is typed the second time."""

    may_be_empty = False

    def __init__(self, entry: int, shortest: int, salt: bytes, refused: frozenset[str]) -> None:
        super().__init__(entry)
        self.lengths = range(shortest, PASSWORD_LENGTHS.stop)
        self.salt = salt
        self.first = bytearray()
        self._refused = refused

    def keep_first(self) -> str:
        """Begin the second time; or why this password is none, with everything forgotten."""
        if self.digits() in self._refused:
            self.forget()
            return "factory"
        self.first[:] = self._digits
        self._digits[:] = bytes(len(self._digits))
        self._digits.clear()
        return ""

    def is_repeated(self) -> bool:
        return hmac.compare_digest(self.first, self._digits)

    def forget(self) -> None:
        super().forget()
        self.first[:] = bytes(len(self.first))
        self.first.clear()


class WorkInline:
    """Works on the spot: for the simulator, whose scrypt is cheap."""

    def __init__(self, device_key: bytes, cost: int) -> None:
        self._device_key = device_key
        self._cost = cost

    def __call__(
        self, password: str, stored: PasswordVerifier, done: Callable[[bool], None]
    ) -> None:
        """Compare, then tell."""
        done(self._matches(password, stored))

    def make(
        self, password: str, salt: bytes, done: Callable[[PasswordVerifier | None], None]
    ) -> None:
        """Make the verifier, then tell."""
        done(self._make(password, salt))

    def _matches(self, password: str, stored: PasswordVerifier) -> bool:
        return passwords.matches(
            self._device_key, password, stored.salt, stored.verifier, self._cost
        )

    def _make(self, password: str, salt: bytes) -> PasswordVerifier:
        made = passwords.make_verifier(self._device_key, password, salt, self._cost)
        return PasswordVerifier(salt, made)


class WorkOffTheLoop(WorkInline):
    """Works in a thread: scrypt takes some 50 ms, in which the loop goes on serving devices."""

    def __call__(
        self, password: str, stored: PasswordVerifier, done: Callable[[bool], None]
    ) -> None:
        """Tells later. An error is no match: it must not open what a password protects."""

        def ended(future: asyncio.Future[bool]) -> None:
            if not future.cancelled():
                done(future.exception() is None and future.result())

        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, self._matches, password, stored).add_done_callback(ended)

    def make(
        self, password: str, salt: bytes, done: Callable[[PasswordVerifier | None], None]
    ) -> None:
        """Tells later; None when an error kept it from being made."""

        def ended(future: asyncio.Future[PasswordVerifier]) -> None:
            if not future.cancelled():
                done(None if future.exception() is not None else future.result())

        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, self._make, password, salt).add_done_callback(ended)


def check_inline(device_key: bytes, cost: int) -> PasswordWork:
    """See WorkInline."""
    return WorkInline(device_key, cost)


def check_off_the_loop(device_key: bytes, cost: int) -> PasswordWork:
    """See WorkOffTheLoop."""
    return WorkOffTheLoop(device_key, cost)


def settle_on_loop(call: Callable[[], None]) -> None:
    """The Settle of the daemon: keys that the kernel holds now are read before this calls.

    In one turn asyncio runs what is readable before timers that are due, so that digits typed while
    the loop was busy are discarded with those of the same read.
    """
    asyncio.get_running_loop().call_later(0, call)
