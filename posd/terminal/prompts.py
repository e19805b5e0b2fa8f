"""The one open PIN or password prompt, as the dialogue knows it: a number and a length."""

from __future__ import annotations

from posd.core.events import (
    PasswordChecked,
    PasswordChosen,
    PasswordRepeat,
    PinEntered,
    SecretTyped,
)
from posd.core.ports import PasswordVerifier, SecretEntry
from protocol import Key as CipherKey
from protocol import Pan


class Prompts:
    """Opens and closes prompts; results of a prompt that is no longer open are stale and counted."""

    def __init__(self, port: SecretEntry) -> None:
        self._port = port
        self._last = 0
        self._open: int | None = None
        self.stale = 0

    def ask_pin(self, pan: Pan, pin_key: CipherKey, may_be_empty: bool) -> None:
        self._port.ask_pin(self._next(), pan, pin_key, may_be_empty)

    def ask_password(self, verifier: PasswordVerifier) -> None:
        self._port.ask_password(self._next(), verifier)

    def ask_new_password(self, shortest: int, salt: bytes, refused: frozenset[str]) -> None:
        self._port.ask_new_password(self._next(), shortest, salt, refused)

    def close(self) -> None:
        """Forget what was typed, if a prompt is open."""
        if self._open is not None:
            self._port.close(self._open)
            self._open = None

    def is_current(
        self, event: SecretTyped | PinEntered | PasswordChecked | PasswordRepeat | PasswordChosen
    ) -> bool:
        """Does it answer the open prompt? A result that does ends the prompt."""
        if event.entry != self._open:
            self.stale += 1
            return False
        if not isinstance(event, SecretTyped | PasswordRepeat):
            self.close()
        return True

    def _next(self) -> int:
        self.close()
        self._last += 1
        self._open = self._last
        return self._last
