"""The keys of a Linux input device: `struct input_event` to keys.

Layout from linux/input.h, types and codes from linux/input-event-codes.h.

Pure: no input, no output.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from devices.keys import Key

_EVENT: Final = struct.Struct("@llHHi")  # struct timeval, type, code, value; the kernel's own sizes
_EV_SYN: Final = 0x00
_EV_KEY: Final = 0x01
_SYN_REPORT: Final = 0
_SYN_DROPPED: Final = 3  # the kernel's buffer ran over: events up to the next report are not whole
_PRESSED: Final = 1  # 0 is released, 2 repeated by itself while held down

_ROW: Final = range(2, 12)  # KEY_1 ... KEY_9, KEY_0
_NUMERIC_0: Final = 0x200  # KEY_NUMERIC_0 ... KEY_NUMERIC_9, keypads of telephones and terminals
_KEYPAD: Final = (82, 79, 80, 81, 75, 76, 77, 71, 72, 73)  # KEY_KP0 ... KEY_KP9

KEY_CODES: Final[Mapping[int, Key]] = MappingProxyType(
    {
        **{code: Key.from_digit(str((code - 1) % 10)) for code in _ROW},
        **{code: Key.from_digit(str(digit)) for digit, code in enumerate(_KEYPAD)},
        **{_NUMERIC_0 + digit: Key.from_digit(str(digit)) for digit in range(10)},
        28: Key.CONFIRM,  # KEY_ENTER
        96: Key.CONFIRM,  # KEY_KPENTER
        0x160: Key.CONFIRM,  # KEY_OK
        1: Key.CANCEL,  # KEY_ESC
        223: Key.CANCEL,  # KEY_CANCEL
        14: Key.CLEAR,  # KEY_BACKSPACE
        111: Key.CLEAR,  # KEY_DELETE
        0x163: Key.CLEAR,  # KEY_CLEAR
        103: Key.UP,  # KEY_UP
        108: Key.DOWN,  # KEY_DOWN
        59: Key.FUNCTION,  # KEY_F1
        138: Key.FUNCTION,  # KEY_HELP
    }
)


class InputKeyParser:
    """Events of an input device to keys pressed; everything else is left alone."""

    def __init__(self) -> None:
        self._rest = b""
        self._in_dropped = False
        self.dropped = 0
        """Key presses that were no key of the terminal."""

    def feed(self, data: bytes) -> list[Key]:
        """The keys pressed in these bytes, in order."""
        data = self._rest + data
        whole = len(data) - len(data) % _EVENT.size
        self._rest = data[whole:]
        keys: list[Key] = []
        for _, _, kind, code, value in _EVENT.iter_unpack(data[:whole]):
            if kind == _EV_SYN:
                self._in_dropped = code == _SYN_DROPPED or (
                    self._in_dropped and code != _SYN_REPORT
                )
            elif kind == _EV_KEY and value == _PRESSED and not self._in_dropped:
                key = KEY_CODES.get(code)
                if key is None:
                    self.dropped += 1
                else:
                    keys.append(key)
        return keys
