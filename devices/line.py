"""One serial line on the event loop: opened, written to, read from, lost and found again.

A line never raises into the loop and never waits. What it has to say it says through two
callbacks: bytes that came, and whether the device is there. In between a device that is lost and
found again is *absent*: nothing is queued for it, and nothing of before is kept.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Final

from devices.port import FlowControl, LineSettings, OpenPort, Parity, PortError, open_port
from devices.recorder import Direction, FlightRecorder, Mask

__all__ = ["FlowControl", "Line", "LineSettings", "LineState", "Parity"]

FIRST_RETRY_SECONDS: Final = 0.2
LAST_RETRY_SECONDS: Final = 5.0
STEADY_SECONDS: Final = 5.0  # a line that was there so long starts its back-off anew
LAST_FLOW_SECONDS: Final = 300.0  # between two tries to let a line flow that XOFF has stopped
READ_SIZE: Final = 4096  # the kernel's own line buffer (N_TTY_BUF_SIZE)
Tap = Callable[[float, Direction, bytes], None]

_HELD_POLL_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 0.5  # what a clean stop waits for the last bytes


class LineState(Enum):
    """Whether the device can be reached now."""

    PRESENT = "present"
    ABSENT = "absent"


class Line:
    """One line.

    `on_bytes` gets what comes in, in pieces of any size; `on_state` every change of state, once,
    and the first state after `start` in any case. `on_drained`, if given, is called when the queue
    has been handed to the kernel (which may hide 20 KB more: a device that matters is asked).
    `mask_in` and `mask_out` are applied before bytes are kept in the flight recorder.

    Not guaranteed: that written bytes arrive. They are lost with the line.
    """

    def __init__(
        self,
        settings: LineSettings,
        on_bytes: Callable[[bytes], None],
        on_state: Callable[[LineState], None],
        *,
        on_drained: Callable[[], None] | None = None,
        mask_in: Mask | None = None,
        mask_out: Mask | None = None,
    ) -> None:
        self.settings = settings
        self.reason = "not started"
        """Why the line is absent, for a technician; empty when it is present."""
        self.connections = 0
        """How often the device was found: what was known of it belongs to one connection."""
        self.bytes_in = 0
        """Bytes that came in since the line was made."""
        self.bytes_out = 0
        """Bytes that the kernel took since then."""
        self._on_bytes = on_bytes
        self._on_state = on_state
        self._on_drained = on_drained
        self._mask_in = mask_in
        self._mask_out = mask_out
        self._port: OpenPort | None = None
        self._stalled = False
        self._reported: LineState | None = None
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._found_at = 0.0
        self._progress_at = 0.0
        self._stall_timer: asyncio.TimerHandle | None = None
        self._flow_timer: asyncio.TimerHandle | None = None
        self._held_timer: asyncio.TimerHandle | None = None
        self._flow_seconds = settings.flow_seconds
        self._let_flow_at = 0.0
        self._written = 0  # bytes that the kernel has taken on this connection
        self._carried = 0  # as many of them as had left it when that was last looked at
        self._search: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.recorder = FlightRecorder(self.now)
        self.tap: Tap | None = None
        """Gets every byte unmasked, for a recording of the line; who sets it answers for secrets."""

    @property
    def state(self) -> LineState:
        """The state at this moment; `on_state` may be about to report it."""
        usable = self._port is not None and not self._stalled
        return LineState.PRESENT if usable else LineState.ABSENT

    @property
    def stalled(self) -> bool:
        """Whether the port is open and the device is absent because it takes no bytes."""
        return self._stalled

    @property
    def queued(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return self._queued

    def now(self) -> float:
        """Seconds of the loop's monotonic clock; 0 when the line is not started."""
        return self._loop.time() if self._loop is not None else 0.0

    def start(self) -> None:
        """Begins to look for the port; within a running loop, once."""
        self._loop = asyncio.get_running_loop()
        self._search = self._loop.create_task(self._find())

    def write(self, data: bytes) -> bool:
        """Queues the bytes. False, and nothing of them is sent: absent, or the queue is full."""
        if self.state is LineState.ABSENT or self._queued + len(data) > self.settings.queue_limit:
            return False
        if data:
            self.recorder.record("out", data, self._mask_out)
            if self.tap is not None:
                self.tap(self.now(), "out", data)
            self._queue.append(data)
            self._queued += len(data)
            if len(self._queue) == 1:
                self._progress_at = self.now()
                self._write_queue()
        return True

    def discard(self) -> None:
        """Forgets what is queued; what the kernel has already taken still goes out."""
        if self._stalled:
            return  # nothing is queued, and the line waits to become writable
        self._queue.clear()
        self._queued = 0
        self._watch_writing(False)

    def close(self) -> None:
        """Lets the port go, at once and for good; nothing is reported any more."""
        if self._search is not None:
            self._search.cancel()
            self._search = None
        self._release("closed")
        self._loop = None

    async def stop(self) -> None:
        """Closes, after giving what is queued, here and in the kernel, half a second to go out."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _STOP_SECONDS
        while self._unsent and self.state is LineState.PRESENT and loop.time() < deadline:
            await asyncio.sleep(0.01)
        self.close()

    @property
    def _unsent(self) -> int:
        return self._queued + (self._port.unsent if self._port is not None else 0)

    # -- finding and losing ---------------------------------------------------------------------

    async def _find(self) -> None:
        while self._port is None:
            try:
                port = await open_port(self.settings)
            except PortError as error:
                if str(error) != self.reason:
                    self.recorder.note(f"absent: {error}")
                self.reason = str(error)
                self._report()
                await asyncio.sleep(self._retry_seconds)
                self._retry_seconds = min(2 * self._retry_seconds, LAST_RETRY_SECONDS)
            else:
                self._attach(port)

    def _attach(self, port: OpenPort) -> None:
        assert self._loop is not None
        self._port = port
        self._stalled = False
        self._written = self._carried = 0
        self._flow_seconds = self.settings.flow_seconds
        self._found_at = self.now()
        self._search = None
        self._became_present("opened")
        self._loop.add_reader(port.descriptor, self._readable)

    def _became_present(self, note: str) -> None:
        self.reason = ""
        self.connections += 1
        self.recorder.note(note)
        self._report()

    def _lose(self, reason: str) -> None:
        self._release(reason)
        if self.now() - self._found_at >= STEADY_SECONDS:
            self._retry_seconds = FIRST_RETRY_SECONDS
        self._report()
        assert self._loop is not None
        self._search = self._loop.create_task(self._find_later())

    async def _find_later(self) -> None:
        await asyncio.sleep(self._retry_seconds)
        self._retry_seconds = min(2 * self._retry_seconds, LAST_RETRY_SECONDS)
        await self._find()

    def _release(self, reason: str) -> None:
        self.discard()
        self._stop_flow_timers()
        self.reason = reason
        if self._port is None:
            return
        assert self._loop is not None
        self._loop.remove_reader(self._port.descriptor)
        self._loop.remove_writer(self._port.descriptor)
        self._port.close()
        self._port = None
        self._stalled = False
        self.recorder.note(f"absent: {reason}")

    def _report(self) -> None:
        """Reports the state from the loop, never from within a caller's `write`."""
        assert self._loop is not None
        self._loop.call_soon(self._report_now, self.state)

    def _report_now(self, state: LineState) -> None:
        if self._loop is not None and state is not self._reported:
            self._reported = state
            self._on_state(state)

    # -- bytes ----------------------------------------------------------------------------------

    def _readable(self) -> None:
        assert self._port is not None
        try:
            data = os.read(self._port.descriptor, READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error.strerror or "read failed")
            return
        if not data:
            self._lose("hung up")
            return
        self.bytes_in += len(data)
        self.recorder.record("in", data, self._mask_in)
        if self.tap is not None:
            self.tap(self.now(), "in", data)
        self._on_bytes(data)

    def _writable(self) -> None:
        if self._stalled:
            self._flows_again()
            return
        self._write_queue()

    def _write_queue(self) -> None:
        assert self._port is not None
        while self._queue:
            data = self._queue[0]
            try:
                count = os.write(self._port.descriptor, data)
            except (BlockingIOError, InterruptedError):
                self._watch_writing(True)
                return
            except OSError as error:
                self._lose(error.strerror or "write failed")
                return
            self._progress_at = self.now()
            self._written += count
            self.bytes_out += count
            self._queued -= count
            if count == len(data):
                self._queue.popleft()
            else:
                self._queue[0] = data[count:]
        self._watch_writing(False)
        self._watch_held()
        if self._on_drained is not None:
            assert self._loop is not None
            self._loop.call_soon(self._report_drained)

    def _report_drained(self) -> None:
        if self._on_drained is not None and self.state is LineState.PRESENT and not self._queued:
            self._on_drained()

    def _watch_writing(self, wanted: bool) -> None:
        if self._stall_timer is not None and not wanted:
            self._stall_timer.cancel()
            self._stall_timer = None
        if self._port is None or self._loop is None:
            return
        if not wanted:
            self._loop.remove_writer(self._port.descriptor)
        elif self._stall_timer is None:
            self._loop.add_writer(self._port.descriptor, self._writable)
            self._stall_timer = self._loop.call_later(
                self.settings.write_seconds, self._check_progress
            )

    def _check_progress(self) -> None:
        """The write time-out: a device that takes nothing is absent until it takes bytes again.

        The port stays open, so that a printer stopped by XOFF can still say why.
        """
        assert self._loop is not None
        assert self._port is not None
        self._stall_timer = None
        due = self._progress_at + self.settings.write_seconds
        if self.now() < due:
            self._stall_timer = self._loop.call_at(due, self._check_progress)
            return
        self.discard()
        self._loop.add_writer(self._port.descriptor, self._writable)
        self._stall()

    def _stall(self) -> None:
        assert self._loop is not None
        self._stalled = True
        seconds = f"{self.settings.write_seconds:g} s"
        self.reason = f"took no bytes for {seconds}"
        if self._obeys_xoff:
            self.reason = f"flow stopped: held back by XOFF for {seconds}, no XON came"
            if self._progress_at - self._let_flow_at >= STEADY_SECONDS:
                self._flow_seconds = self.settings.flow_seconds
            self._flow_timer = self._loop.call_later(self._flow_seconds, self._let_flow)
        self.recorder.note(f"absent: {self.reason}")
        self._report()

    def _flows_again(self) -> None:
        self._stalled = False
        self._watch_writing(False)
        self._stop_flow_timers()
        self._became_present("takes bytes again")

    # -- flow control ---------------------------------------------------------------------------

    @property
    def _obeys_xoff(self) -> bool:
        return self.settings.flow_control == "xon_xoff"

    def _let_flow(self) -> None:
        """The end of the patience with an XOFF: it may have been noise, and no XON will ever come.

        A device that is really full says XOFF again, and is given twice the time.
        """
        assert self._port is not None
        assert self._loop is not None
        self._let_flow_at = self.now()
        self.recorder.note("let flow without an XON")
        self._port.let_flow()
        self._flow_seconds = min(2 * self._flow_seconds, LAST_FLOW_SECONDS)
        self._flow_timer = self._loop.call_later(self._flow_seconds, self._let_flow)

    def _watch_held(self) -> None:
        """Watch that bytes leave a serial port's own buffer, which takes some KB although XOFF holds them."""
        assert self._port is not None
        assert self._loop is not None
        if not self._obeys_xoff or self._held_timer is not None:
            return
        if held := self._port.unsent:
            self._carried = self._written - held
            seconds = _HELD_POLL_SECONDS if self._stalled else self.settings.write_seconds
            self._held_timer = self._loop.call_later(seconds, self._check_held)

    def _check_held(self) -> None:
        assert self._port is not None
        self._held_timer = None
        moved = self._written - self._port.unsent > self._carried
        if self._stalled and moved:
            self._flows_again()
        elif not (self._stalled or moved or self._queue):
            self._stall()
        self._watch_held()

    def _stop_flow_timers(self) -> None:
        for timer in (self._flow_timer, self._held_timer):
            if timer is not None:
                timer.cancel()
        self._flow_timer = self._held_timer = None
