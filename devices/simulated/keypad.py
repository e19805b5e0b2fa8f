"""A simulated keypad: keys pressed by a person or a script."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from devices.keys import DEFAULT_KEY_BYTES, Key
from devices.simulated.pseudo_terminal import PseudoTerminal


class SimulatedKeypad(PseudoTerminal):
    """The keypad at `path`, with the bytes of its key table."""

    def __init__(
        self,
        path: Path | str,
        *,
        key_bytes: Mapping[int, Key] = DEFAULT_KEY_BYTES,
        bytes_per_second: float | None = None,
    ) -> None:
        self._bytes = {key: bytes((byte,)) for byte, key in key_bytes.items()}
        super().__init__(path, _ignore, bytes_per_second=bytes_per_second)

    def press(self, *keys: Key) -> None:
        """Presses the keys one after the other."""
        for key in keys:
            self.send(self._bytes[key])

    def type(self, digits: str) -> None:
        """Presses the digits. Raises ValueError when one is no digit."""
        self.press(*[Key.from_digit(digit) for digit in digits])


def _ignore(data: bytes) -> None:
    """A keypad does not listen."""
