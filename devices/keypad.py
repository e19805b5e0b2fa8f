"""A keypad on a serial line: one byte a key.

Knows which byte is which key; knows nothing of what a key does. Most keypad encoders let their
codes be chosen, so the table is configuration; the default is plain ASCII.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from devices.line import Line, LineSettings, LineState
from devices.port import XOFF, XON
from devices.recorder import FlightRecorder, mask_all

# Digits of a PIN that came just before the prompt opened, or that are still being typed when it
# closes, are as secret as those between.
_MASK_MARGIN_SECONDS: Final = 5.0


class Key(Enum):
    """A key of the terminal; the value is its symbol on the keypad."""

    D0 = "0"
    D1 = "1"
    D2 = "2"
    D3 = "3"
    D4 = "4"
    D5 = "5"
    D6 = "6"
    D7 = "7"
    D8 = "8"
    D9 = "9"
    CONFIRM = "确认"
    CANCEL = "取消"
    CLEAR = "清除"
    UP = "▲"
    DOWN = "▼"
    FUNCTION = "功能"

    @property
    def digit(self) -> str | None:
        """The digit on the key, "0" to "9"; None on every other key."""
        return self.value if self.value.isdecimal() else None

    @classmethod
    def from_digit(cls, digit: str) -> Key:
        """The key with this digit. Raises ValueError when it is not one of "0" to "9"."""
        if len(digit) != 1 or digit not in "0123456789":
            raise ValueError("expected one digit, 0 to 9")
        return cls(digit)


# ASCII (ISO/IEC 646): digits as themselves, CR, ESC and BS by their meaning; letters for the rest.
DEFAULT_KEY_BYTES: Final[Mapping[int, Key]] = MappingProxyType(
    {
        **{ord(str(digit)): Key.from_digit(str(digit)) for digit in range(10)},
        0x0D: Key.CONFIRM,
        0x1B: Key.CANCEL,
        0x08: Key.CLEAR,
        ord("A"): Key.UP,
        ord("B"): Key.DOWN,
        ord("F"): Key.FUNCTION,
    }
)


class KeypadParser:
    """Bytes to keys; a byte that is no key (noise) is counted and dropped.

    Raises ValueError for a table with XON (0x11) or XOFF (0x13), which flow control may eat, or
    with a value that is no byte.
    """

    def __init__(self, key_bytes: Mapping[int, Key] = DEFAULT_KEY_BYTES) -> None:
        for byte in key_bytes:
            if not 0 <= byte <= 0xFF:
                raise ValueError(f"key table: expected a byte, found {byte}")
            if byte in (XON, XOFF):
                raise ValueError(f"key table: 0x{byte:02x} belongs to flow control")
        self._keys = dict(key_bytes)
        self.dropped = 0
        """Bytes that were no key."""

    def feed(self, data: bytes) -> list[Key]:
        """The keys in these bytes, in order."""
        keys = [self._keys[byte] for byte in data if byte in self._keys]
        self.dropped += len(data) - len(keys)
        return keys


class Keypad:
    """A keypad on a line; `on_key` gets each key as it is pressed.

    While `masked` is True (a PIN or password prompt is open) the flight recorder keeps no key.
    """

    def __init__(
        self,
        settings: LineSettings,
        on_key: Callable[[Key], None],
        on_state: Callable[[LineState], None],
        *,
        key_bytes: Mapping[int, Key] = DEFAULT_KEY_BYTES,
    ) -> None:
        self.line = Line(settings, self._on_bytes, on_state, mask_in=self._mask)
        self._parser = KeypadParser(key_bytes)
        self._on_key = on_key
        self._masked = False
        self._unmasked_at = float("-inf")

    @property
    def state(self) -> LineState:
        """Whether the keypad's line is there. (A keypad that is silent cannot be told from one
        that nobody touches.)"""
        return self.line.state

    @property
    def recorder(self) -> FlightRecorder:
        """The flight recorder of the line."""
        return self.line.recorder

    @property
    def masked(self) -> bool:
        """Whether a prompt for a secret is open."""
        return self._masked

    @masked.setter
    def masked(self, masked: bool) -> None:
        if masked and not self._masked:
            self.recorder.mask_since("in", _MASK_MARGIN_SECONDS)
        elif self._masked and not masked:
            self._unmasked_at = self.line.now()
        self._masked = masked

    def start(self) -> None:
        """Begins to look for the keypad; within a running loop."""
        self.line.start()

    def close(self) -> None:
        """Lets the line go."""
        self.line.close()

    async def stop(self) -> None:
        """Lets the line go."""
        await self.line.stop()

    def _mask(self, data: bytes) -> bytes:
        lingering = self.line.now() - self._unmasked_at < _MASK_MARGIN_SECONDS
        return mask_all(data) if self._masked or lingering else data

    def _on_bytes(self, data: bytes) -> None:
        for key in self._parser.feed(data):
            self._on_key(key)
