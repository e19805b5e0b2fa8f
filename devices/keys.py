"""The keys of a terminal, and which byte of a serial keypad is which key.

Most keypad encoders let their codes be chosen, so the table is configuration; the default is plain
ASCII.

Pure: no input, no output.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

_FLOW_CONTROL: Final = (0x11, 0x13)  # XON and XOFF, ISO/IEC 6429 DC1 and DC3


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
            if byte in _FLOW_CONTROL:
                raise ValueError(f"key table: 0x{byte:02x} belongs to flow control")
        self._keys = dict(key_bytes)
        self.dropped = 0
        """Bytes that were no key."""

    def feed(self, data: bytes) -> list[Key]:
        """The keys in these bytes, in order."""
        keys = [self._keys[byte] for byte in data if byte in self._keys]
        self.dropped += len(data) - len(keys)
        return keys
