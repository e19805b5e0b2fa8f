"""Between the keypad and the core: digits of PINs and passwords become a block or a comparison here.

While a prompt is open its digits, 清除 and 确认 stay in this module; the core hears how many there
are, and in the end a `PinBlock` or yes or no. Nothing here is logged or printed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from posd import passwords
from posd.core.events import (
    Event,
    Key,
    KeyPressed,
    PasswordChecked,
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

# What compares a password: the digits, what is stored, and whom to tell. It may answer at once.
Check = Callable[[str, PasswordVerifier, Callable[[bool], None]], None]
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
        check: Check,
        mask: Callable[[bool], None],
        settle: Settle = at_once,
    ) -> None:
        self._deliver = deliver
        self._check = check
        self._mask = mask
        self._settle = settle
        self._prompt: _PinPrompt | _PasswordPrompt | None = None

    def ask_pin(self, entry: int, pan: Pan, pin_key: CipherKey, may_be_empty: bool) -> None:
        """Open a PIN prompt: 4 to 12 digits, or none where that is allowed."""
        self._open(_PinPrompt(entry, pan, pin_key, may_be_empty))

    def ask_password(self, entry: int, verifier: PasswordVerifier) -> None:
        """Open a password prompt: 1 to 12 digits."""
        self._open(_PasswordPrompt(entry, verifier))

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

    def _open(self, prompt: _PinPrompt | _PasswordPrompt) -> None:
        if self._prompt is not None:
            self._prompt.forget()
        self._prompt = prompt
        self._mask(True)

        def listen() -> None:
            prompt.listening = True

        self._settle(listen)

    def _confirm(self, prompt: _PinPrompt | _PasswordPrompt) -> None:
        if isinstance(prompt, _PasswordPrompt):
            self._check(
                prompt.digits(), prompt.verifier, lambda matches: self._checked(prompt, matches)
            )
            prompt.forget()
            return
        try:
            block = prompt.block()
        except ProtocolError as error:
            # No block, and "no PIN" would be a lie: the flow ends as if the clerk had ended it.
            _log.error("pin_block_failed", exc_info=error)
            self._deliver(KeyPressed(Key.CANCEL))
        else:
            self._deliver(PinEntered(prompt.entry, block))
        prompt.forget()

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


def check_inline(device_key: bytes, cost: int) -> Check:
    """Compares on the spot: for the simulator, whose scrypt is cheap."""

    def check(password: str, stored: PasswordVerifier, done: Callable[[bool], None]) -> None:
        done(passwords.matches(device_key, password, stored.salt, stored.verifier, cost))

    return check


def check_off_the_loop(device_key: bytes, cost: int) -> Check:
    """Compares in a thread: scrypt takes some 50 ms, in which the loop goes on serving devices."""

    def check(password: str, stored: PasswordVerifier, done: Callable[[bool], None]) -> None:
        def ended(future: asyncio.Future[bool]) -> None:
            if not future.cancelled():
                # An error is no match: it must not open what a password protects.
                done(future.exception() is None and future.result())

        asyncio.get_running_loop().run_in_executor(
            None, passwords.matches, device_key, password, stored.salt, stored.verifier, cost
        ).add_done_callback(ended)

    return check


def settle_on_loop(call: Callable[[], None]) -> None:
    """The Settle of the daemon: keys that the kernel holds now are read before this calls.

    In one turn asyncio runs what is readable before timers that are due, so that digits typed while
    the loop was busy are discarded with those of the same read.
    """
    asyncio.get_running_loop().call_later(0, call)
