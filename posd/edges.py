"""The devices, the clocks and randomness as the core's ports: its commands to them, what they say as events.

Only names are translated here. Which key does what, and what a slip holds, is the core's.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from devices import keypad
from devices.card_reader import BadSwipe, CardReader, Swipe
from devices.display import Display, Picture
from devices.keypad import Keypad
from devices.line import Line, LineSettings, LineState, Tap
from devices.printer import JobEnded, Printer
from devices.printer_status import PrinterStatus
from devices.slip import Slip
from posd.core.events import (
    CardSwiped,
    CardUnreadable,
    DeviceChanged,
    Event,
    Key,
    PrintEnded,
    PrinterChanged,
    TimerFired,
)
from posd.settings import DeviceSettings, SerialSettings
from protocol import Track

_log = structlog.get_logger()

Deliver = Callable[[Event], None]
KEYS: Final = {key: Key[key.name] for key in keypad.Key}
_ABSENT: Final = "absent"


class LoopTimers:
    """The `Timers` port on the event loop's monotonic clock."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._running: dict[int, asyncio.TimerHandle] = {}

    def start(self, serial: int, seconds: float) -> None:
        """Answered by TimerFired with this serial after so many seconds, unless stopped."""
        loop = asyncio.get_running_loop()
        self._running[serial] = loop.call_later(seconds, self._fire, serial)

    def stop(self, serial: int) -> None:
        """Forget it."""
        running = self._running.pop(serial, None)
        if running is not None:
            running.cancel()

    def _fire(self, serial: int) -> None:
        del self._running[serial]
        self._deliver(TimerFired(serial))


class SystemClock:
    """The `Clock` port: the machine's clocks, asked here and nowhere else."""

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()  # noqa: TID251 - this is the port that others ask

    def now(self) -> datetime:
        """Local date and time, naive."""
        return datetime.now()  # noqa: TID251 - this is the port that others ask


def system_random(length: int) -> bytes:
    """The `Randomness` port: the kernel's generator."""
    return os.urandom(length)  # noqa: TID251 - this is the port that others ask


class Devices:
    """Every device of the configuration; `display` and `printer` are the core's ports.

    on_key gets the keys. A printer or reader that is not configured is reported absent at the start
    and answers every job as a printer that is gone.
    """

    def __init__(self, settings: DeviceSettings, deliver: Deliver, on_key: Callable[[Key], None]):
        self._deliver = deliver
        self._keypad = self._display = self._printer = self._card_reader = None
        if settings.keypad is not None:
            self._keypad = Keypad(
                line_settings(settings.keypad),
                lambda key: on_key(KEYS[key]),
                lambda state: self._changed("keypad", state),
            )
        if settings.display is not None:
            self._display = Display(
                line_settings(settings.display),
                lambda state: self._changed("display", state),
                columns=settings.display.columns,
                lines=settings.display.lines,
                encoding=settings.display.encoding,
            )
        if settings.printer is not None:
            self._printer = Printer(
                line_settings(settings.printer),
                settings.printer.columns,
                self._printer_says,
                self._job_ended,
                lambda state: self._changed("printer", state),
            )
        if settings.card_reader is not None:
            self._card_reader = CardReader(
                line_settings(settings.card_reader),
                settings.card_reader.framing,
                self._swiped,
                lambda state: self._changed("card_reader", state),
                with_lrc=settings.card_reader.with_lrc,
            )

    def tap(self, role: str, tap: Tap) -> None:
        """Let this hear every byte of a configured device's line."""
        device = self._by_role()[role]
        assert device is not None
        device.line.tap = tap

    def line(self, role: str) -> Line | None:
        """The line of a device, for those who look at it; None when it is not configured."""
        device = self._by_role()[role]
        return None if device is None else device.line

    def start(self) -> None:
        """Look for every device; what is found or missing follows as events."""
        for role, device in self._by_role().items():
            if device is None:
                asyncio.get_running_loop().call_soon(self._changed, role, LineState.ABSENT)
            else:
                device.start()

    async def stop(self) -> None:
        """Let every line go when its last bytes are out, or half a second later."""
        running = [device for device in self._by_role().values() if device is not None]
        await asyncio.gather(*(device.stop() for device in running))

    def mask_keypad(self, masked: bool) -> None:
        """A prompt for a secret is open, or no longer."""
        if self._keypad is not None:
            self._keypad.masked = masked

    def show(self, picture: Picture) -> None:
        """The `Display` port."""
        if self._display is not None:
            self._display.show(picture)

    def print(self, job: int, slip: Slip) -> None:
        """The `Printer` port."""
        if self._printer is None:
            self._refuse(job, _ABSENT)
            return
        try:
            self._printer.print(job, slip)
        except Exception as error:  # noqa: BLE001 - a port never raises: this one slip is at fault
            # It stays with the ledger, and the clerk is told.
            _log.error("slip_refused", job=job, exc_info=error)
            self._refuse(job, "slip")

    def _by_role(self) -> dict[str, Keypad | Display | Printer | CardReader | None]:
        return {
            "keypad": self._keypad,
            "display": self._display,
            "printer": self._printer,
            "card_reader": self._card_reader,
        }

    def _refuse(self, job: int, reason: str) -> None:
        ended = PrintEnded(job, printed=False, reason=reason)
        asyncio.get_running_loop().call_soon(self._deliver, ended)

    def _changed(self, role: str, state: LineState) -> None:
        present = state is LineState.PRESENT
        if present:
            _log.info("device_found", role=role)
        else:
            device = self._by_role()[role]
            reason = "not configured" if device is None else device.line.reason
            _log.warning("device_absent", role=role, reason=reason)
        self._deliver(DeviceChanged(role, present))
        if role == "printer" and not present:
            self._deliver(PrinterChanged(_ABSENT))

    def _printer_says(self, status: PrinterStatus) -> None:
        _log.info("printer_status", trouble=status.fault or "", paper=status.paper)
        self._deliver(PrinterChanged(status.fault or "", paper_low=status.paper == "near_end"))

    def _job_ended(self, ended: JobEnded) -> None:
        self._deliver(
            PrintEnded(
                ended.job, ended.outcome == "printed", ended.reason or "", ended.perhaps_complete
            )
        )

    def _swiped(self, swipe: Swipe | BadSwipe) -> None:
        if isinstance(swipe, BadSwipe):
            self._deliver(CardUnreadable(swipe.reason))
            return
        track3 = None if swipe.track3 is None else Track(swipe.track3.reveal())
        self._deliver(CardSwiped(Track(swipe.track2.reveal()), track3))


def line_settings(settings: SerialSettings) -> LineSettings:
    """A configured line as the devices want it. Raises ValueError for a port that is no port."""
    return LineSettings(
        settings.port, settings.speed, settings.parity, flow_control=settings.flow_control
    )
