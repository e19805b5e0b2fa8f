"""A magnetic stripe reader on a serial line.

Knows when a read is over; knows nothing of what a card is for. No digit or letter of a card is
kept in the flight recorder.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from devices.device import Device
from devices.line import Line, LineSettings, LineState
from devices.magnetic_stripe import BadSwipe, Framing, MagneticStripeParser, Swipe
from devices.recorder import MASKED
from devices.track import Track

__all__ = ["BadSwipe", "CardReader", "Framing", "MagneticStripeParser", "Swipe", "Track"]

# A reader sends a whole read at once: at 1200 Bd two bytes are 8 ms apart.
SILENCE_SECONDS: Final = 0.3
_STRUCTURE: Final = b"%;+?=^\x02\x03\r\n"


def mask_card_data(data: bytes) -> bytes:
    """`*` for every byte that could be content of a track; sentinels and separators stay."""
    return b"".join(bytes((byte,)) if byte in _STRUCTURE else MASKED for byte in data)


class CardReader(Device):
    """A reader on a line; `on_swipe` gets every swipe, good or bad."""

    def __init__(
        self,
        settings: LineSettings,
        framing: Framing,
        on_swipe: Callable[[Swipe | BadSwipe], None],
        on_state: Callable[[LineState], None],
        *,
        with_lrc: bool = False,
        luhn: bool = True,
    ) -> None:
        self._framing = framing
        self._with_lrc = with_lrc
        self._luhn = luhn
        self._parser = self._new_parser()
        self._on_swipe = on_swipe
        self._on_state = on_state
        self._silence_timer: asyncio.TimerHandle | None = None
        self.line = Line(settings, self._on_bytes, self._state_changed, mask_in=mask_card_data)

    def _let_go(self) -> None:
        self._stop_timer()

    def _new_parser(self) -> MagneticStripeParser:
        return MagneticStripeParser(self._framing, with_lrc=self._with_lrc, luhn=self._luhn)

    def _on_bytes(self, data: bytes) -> None:
        self._stop_timer()
        for swipe in self._parser.feed(data):
            self._on_swipe(swipe)
        if self._parser.is_reading:
            loop = asyncio.get_running_loop()
            self._silence_timer = loop.call_later(SILENCE_SECONDS, self._silence)

    def _silence(self) -> None:
        self._silence_timer = None
        for swipe in self._parser.end_of_read():
            self._on_swipe(swipe)

    def _stop_timer(self) -> None:
        if self._silence_timer is not None:
            self._silence_timer.cancel()
            self._silence_timer = None

    def _state_changed(self, state: LineState) -> None:
        self._stop_timer()
        self._parser = self._new_parser()
        self._on_state(state)
