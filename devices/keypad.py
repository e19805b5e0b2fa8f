"""A keypad on a serial line, or a built-in one that Linux knows as an input device.

Knows when a key was pressed; knows nothing of what a key does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from devices.device import Device
from devices.input_keys import InputKeyParser
from devices.keys import DEFAULT_KEY_BYTES, Key, KeypadParser
from devices.line import Line, LineSettings, LineState
from devices.recorder import mask_all

__all__ = ["DEFAULT_KEY_BYTES", "Key", "Keypad", "KeypadParser"]

# Digits of a PIN that came just before the prompt opened, or that are still being typed when it
# closes, are as secret as those between.
_MASK_MARGIN_SECONDS: Final = 5.0


class Keypad(Device):
    """A keypad on a line; `on_key` gets each key as it is pressed.

    With a port `evdev:PATH` it is an input device, and `key_bytes` is not used.
    A keypad that is silent cannot be told from one that nobody touches.
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
        self.line = Line(settings, self._on_bytes, self._state_changed, mask_in=self._mask)
        self._key_bytes = key_bytes
        self._parser = self._new_parser()
        self._on_state = on_state
        self._on_key = on_key
        self._masked = False
        self._unmasked_at = float("-inf")

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

    def _new_parser(self) -> KeypadParser | InputKeyParser:
        is_input_device = self.line.settings.is_input_device
        return InputKeyParser() if is_input_device else KeypadParser(self._key_bytes)

    def _state_changed(self, state: LineState) -> None:
        self._parser = self._new_parser()  # half an event of before is no part of one now
        self._on_state(state)

    def _mask(self, data: bytes) -> bytes:
        lingering = self.line.now() - self._unmasked_at < _MASK_MARGIN_SECONDS
        return mask_all(data) if self._masked or lingering else data

    def _on_bytes(self, data: bytes) -> None:
        for key in self._parser.feed(data):
            self._on_key(key)
