"""What stands on the shop's counter: the simulated devices and the acquirer at the other end.

All of it lives on one event loop; what comes out is queued for the thread that plays.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections import deque
from datetime import datetime
from typing import Final

from devices import keypad
from devices.simulated.card_reader import Garble, SimulatedCardReader
from devices.simulated.display import SimulatedDisplay
from devices.simulated.keypad import SimulatedKeypad
from devices.simulated.printer import SimulatedPrinter
from devices.simulated.pseudo_terminal import PseudoTerminal
from devices.slip import cut_row
from posd.acquirer.server import AcquirerServer
from posd.core.events import Key
from posd.settings import DeviceSettings
from posd.testing.installation import Installation
from posd.testing.stage import Screen, Slip, Witness
from posd.testing.steps import Disturbance, Part
from posd.testing.watched_acquirer import WatchedAcquirer

KEYS: Final = {
    **{key: keypad.Key.from_digit(key.value) for key in Key if key.value.isdecimal()},
    Key.CONFIRM: keypad.Key.CONFIRM,
    Key.CANCEL: keypad.Key.CANCEL,
    Key.CLEAR: keypad.Key.CLEAR,
    Key.UP: keypad.Key.UP,
    Key.DOWN: keypad.Key.DOWN,
    Key.FUNCTION: keypad.Key.FUNCTION,
}
GARBLED: Final[dict[str, Garble]] = {"garbled": "wrong_digit", "half": "cut_short"}


class Counter:
    """Make it, and call everything but `drain`, within its event loop."""

    def __init__(
        self,
        installation: Installation,
        witness: Witness,
        printer_bytes_per_second: float | None = None,
    ) -> None:
        directory = installation.device_directory
        self._witness = witness
        self._shown: deque[Screen] = deque()
        self._lines: deque[str | None] = deque()  # None: the paper ended
        self._slip: list[str] = []
        self.keypad = SimulatedKeypad(directory / "keypad")
        self.card_reader = SimulatedCardReader(directory / "card_reader")
        self.display = SimulatedDisplay(directory / "display", on_change=self._changed)
        self.printer = SimulatedPrinter(
            directory / "printer",
            on_line=self._printed,
            bytes_per_second=printer_bytes_per_second,
        )
        self.by_role: dict[str, PseudoTerminal] = {
            "keypad": self.keypad,
            "display": self.display,
            "printer": self.printer,
            "card_reader": self.card_reader,
        }
        self._held_off: set[PseudoTerminal] = set()
        self._cut = cut_row(self.printer.mechanism.columns)

    def size(self, devices: DeviceSettings) -> None:
        """Be as large as the terminal believes: a printer of 80 mm paper, a display of more rows."""
        if devices.printer is not None:
            self.printer.mechanism.columns = devices.printer.columns
            self._cut = cut_row(devices.printer.columns)
        if devices.display is not None:
            display = devices.display
            self.display.resize(display.columns, display.lines, display.encoding)

    def power_cut(self) -> None:
        """Display and printer lose what they hold, as the terminal does."""
        self.display.power_cycle()
        self.printer.power_cycle()
        self._lines.append(None)

    def plug(self, role: str, *, plugged: bool) -> None:
        """Pull out this device of the configuration, or put it back."""
        device = self.by_role[role]
        if plugged:
            device.replug()
            return
        device.unplug()
        if role == "display":
            self._shown.append(())
        elif role == "printer":
            self._lines.append(None)  # what has come out of the slip is all there is of it

    def disturb(self, role: str, how: Disturbance, amount: float) -> None:
        """Let the line of this device do what bad lines do."""
        device = self.by_role[role]
        match how:
            case "noise":
                device.noise()
            case "cut short":
                device.stop_after = int(amount)
            case "drip":
                device.drip_seconds = amount
            case "silent":
                device.stop_after = 0
                device.stall()
                if amount:
                    asyncio.get_running_loop().call_later(amount, self._heal, device)
            case "xoff":
                device.hold_off()
                self._held_off.add(device)
            case "xon":
                device.let_go()
                self._held_off.discard(device)
            case "heal":
                self._heal(device)

    def _heal(self, device: PseudoTerminal) -> None:
        device.stop_after = None
        device.drip_seconds = 0.0
        device.resume()
        if device in self._held_off:
            self._held_off.discard(device)
            device.let_go()

    def printer_part(self, part: Part, *, wrong: bool) -> None:
        """A part of the printer goes wrong, or is right again."""
        mechanism = self.printer.mechanism
        match part:
            case "cover":
                mechanism.cover_open = wrong
            case "cutter":
                mechanism.cutter_error = wrong
            case "head":
                mechanism.overheated = wrong
            case "paper":
                mechanism.near_end = wrong
        mechanism.work()

    def close(self) -> None:
        for device in self.by_role.values():
            device.close()

    def drain(self) -> None:
        """Tell the witness what has come out since the last time. For the thread that plays."""
        while self._shown:
            self._witness.show(self._shown.popleft())
        while self._lines:
            self._take_line(self._lines.popleft())

    def _changed(self) -> None:
        self._shown.append(tuple(self.display.rows()))

    def _printed(self, line: str) -> None:
        self._lines.append(line)
        if self.printer.mechanism.paper_out:
            self._lines.append(None)

    def _take_line(self, line: str | None) -> None:
        ended = line is None or line == self._cut
        if not ended:
            assert line is not None
            self._slip.append(line)
        if any(row.strip() for row in self._slip):
            begins = not self._witness.slips or self._witness.slips[-1].ended
            self._witness.print(Slip(tuple(self._slip), ended), begins=begins)
        if ended:
            self._slip = []


class Acquiring:
    """The acquirer on a port of this machine; make it and use it within one event loop."""

    def __init__(self, installation: Installation, witness: Witness) -> None:
        self.acquirer = WatchedAcquirer(
            installation,
            witness,
            seconds=time.monotonic,  # noqa: TID251 - a real daemon's host runs in real time
            clock=_now,
            random_bytes=secrets.token_bytes,
        )
        self._server = AcquirerServer(self.acquirer)
        # Its number is ours while nobody listens, too: connections are refused, and no other
        # program is given it meanwhile.
        self._port = socket.socket()
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        self._port.bind(("127.0.0.1", 0))

    async def open(self) -> int:
        """Listen; returns the port, which is always the same."""
        return await self._server.start(port=int(self._port.getsockname()[1]))

    async def shut(self) -> None:
        """Refuse connections and end those that there are. Raises what went wrong inside."""
        await self._server.close()

    async def close(self) -> None:
        try:
            await self.shut()
        finally:
            self._port.close()
            self.acquirer.ledger.close()


def _now() -> datetime:
    return datetime.now()  # noqa: TID251 - the acquirer of a real daemon runs on the machine's clock
