"""A simulated serial device: the master side of a pseudo-terminal, under a stable name.

What a pseudo-terminal can show: exclusive opening by flock, XON/XOFF (the kernel's own), full
buffers, unplugging and plugging in again, bytes that drip, stop or are noise. What it cannot:
speed, parity, RTS/CTS, break and framing errors are accepted and have no effect; the speed is
imitated here when `bytes_per_second` is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import sys
import termios
import tty
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from devices.port import XOFF, XON

_READ_SIZE: Final = 4096
_METER_SECONDS: Final = 0.01  # a metered line moves this often what has become due
_FORGET_SECONDS: Final = 0.25


class PseudoTerminal:
    """One end of a line, at `path` (a symbolic link; its folder is made).

    Runs on the loop it is made in. `on_bytes` gets what the other side writes.
    `bytes_per_second`: both directions take as long as on a line of that rate (speed / 10).
    """

    def __init__(
        self,
        path: Path | str,
        on_bytes: Callable[[bytes], None],
        *,
        bytes_per_second: float | None = None,
    ) -> None:
        self.path = Path(path)
        self.drip_seconds = 0.0
        """When not 0, what is sent goes out one byte in so many seconds."""
        self.delay_seconds = 0.0
        """What is sent goes out so much later."""
        self.lose_every: int | None = None
        """When set, every so many-th byte is lost, in both directions."""
        self.stop_after: int | None = None
        """When set, only so many bytes are still sent; what follows is swallowed (half a frame)."""
        self._on_bytes = on_bytes
        self._bytes_per_second = bytes_per_second
        self._loop = asyncio.get_running_loop()
        self._master = -1
        self._slave = -1
        self._passed = 0
        self._read_due = 0.0
        self._read_at = 0.0
        self._outgoing: deque[int] = deque()
        self._send_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._forget_timer: asyncio.TimerHandle | None = None
        self._stalled = False
        self._plug()

    @property
    def is_plugged(self) -> bool:
        """Whether there is a device at `path`."""
        return self._master >= 0

    @property
    def takes_bytes(self) -> bool:
        """Whether the other side's kernel takes bytes for us now: no XOFF holds them, there is room."""
        return bool(self.is_plugged and select.select([], [self._slave], [], 0)[1])

    @property
    def unread(self) -> int:
        """Bytes that have arrived at the other side and that nobody has read there yet."""
        if not self.is_plugged:
            return 0
        answer = fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4))
        return int.from_bytes(answer, sys.byteorder)

    # -- what a person can do to a device -------------------------------------------------------

    def unplug(self) -> None:
        """Pulls the device out: the other side sees a hang-up."""
        if not self.is_plugged:
            return
        # the name first: once the master is closed its number may become another program's
        with contextlib.suppress(OSError):
            self.path.unlink()
        self._stop_timers()
        self._outgoing.clear()
        self._loop.remove_reader(self._master)
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1

    def replug(self) -> None:
        """Plugs the device in again, under the same name."""
        if not self.is_plugged:
            self._plug()

    def stall(self) -> None:
        """Takes nothing more, without a word: the kernel's buffer fills, then writes block."""
        if self.is_plugged and not self._stalled:
            self._stalled = True
            self._stop_reading()

    def resume(self) -> None:
        """Takes bytes again."""
        if self.is_plugged and self._stalled:
            self._stalled = False
            self._start_reading()

    def hold_off(self) -> None:
        """Sends XOFF: with `xon_xoff` the other side's kernel stops sending."""
        self._put(bytes((XOFF,)))

    def let_go(self) -> None:
        """Sends XON."""
        self._put(bytes((XON,)))

    def noise(self, data: bytes = b"\xff\x00\xfe\x80") -> None:
        """Sends bytes that mean nothing, as a bad contact does."""
        self.send(data)

    def send(self, data: bytes) -> None:
        """Sends the bytes as the faults in force allow; what finds no room is lost."""
        if self.stop_after is not None:
            data = data[: self.stop_after]
            self.stop_after -= len(data)
        if self.delay_seconds:
            self._loop.call_later(self.delay_seconds, self._send, self._thin(data))
        else:
            self._send(self._thin(data))

    def close(self) -> None:
        """Takes the device away for good."""
        self.unplug()

    # -- inside ---------------------------------------------------------------------------------

    def _thin(self, data: bytes) -> bytes:
        if self.lose_every is None:
            return data
        first = self._passed + 1
        self._passed += len(data)
        return bytes(byte for number, byte in enumerate(data, first) if number % self.lose_every)

    def _send(self, data: bytes) -> None:
        if not self.is_plugged:
            return
        if not (self.drip_seconds or self._bytes_per_second or self._outgoing):
            self._put(data)
            return
        self._outgoing.extend(data)
        if self._send_timer is None and self._outgoing:
            self._send_later()

    def _send_later(self) -> None:
        seconds = self.drip_seconds or _METER_SECONDS
        self._send_timer = self._loop.call_later(seconds, self._send_some)

    def _send_some(self) -> None:
        self._send_timer = None
        count = 1
        if not self.drip_seconds:
            rate = self._bytes_per_second
            count = len(self._outgoing) if rate is None else max(1, round(rate * _METER_SECONDS))
        count = min(count, len(self._outgoing))
        self._put(bytes(self._outgoing.popleft() for _ in range(count)))
        if self._outgoing:
            self._send_later()

    def _plug(self) -> None:
        self._master, self._slave = os.openpty()
        os.set_blocking(self._master, False)
        # raw, or the kernel would echo and turn CR into LF. The slave stays open here: without
        # one the master reads EIO whenever nobody has the device open.
        tty.setraw(self._slave)
        self._stalled = False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(self.path.name + ".new")
        new.unlink(missing_ok=True)
        new.symlink_to(os.ttyname(self._slave))
        new.replace(self.path)
        self._start_reading()
        self._forget_exclusive()

    def _forget_exclusive(self) -> None:
        """A port forgets TIOCEXCL when the last user closes it, however that user died.

        Here the last user is never the last, so the flag is taken back; flock still excludes.
        """
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._slave, termios.TIOCNXCL)
        self._forget_timer = self._loop.call_later(_FORGET_SECONDS, self._forget_exclusive)

    def _start_reading(self) -> None:
        if self._bytes_per_second is None:
            self._loop.add_reader(self._master, self._readable)
        else:
            self._read_at = self._loop.time()
            self._read_timer = self._loop.call_later(_METER_SECONDS, self._read_metered)

    def _stop_reading(self) -> None:
        self._loop.remove_reader(self._master)
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _readable(self) -> None:
        self._read(_READ_SIZE)

    def _read_metered(self) -> None:
        """Reads what the line could have carried since the last time, however late that was."""
        assert self._bytes_per_second is not None
        self._read_timer = self._loop.call_later(_METER_SECONDS, self._read_metered)
        now = self._loop.time()
        self._read_due += (now - self._read_at) * self._bytes_per_second
        self._read_at = now
        count = int(self._read_due)
        self._read_due -= count
        if count:
            self._read(count)

    def _read(self, size: int) -> None:
        try:
            data = os.read(self._master, size)
        except OSError:
            return
        if data:
            self._on_bytes(self._thin(data))

    def _put(self, data: bytes) -> None:
        if self.is_plugged:
            with contextlib.suppress(BlockingIOError):
                os.write(self._master, data)

    def _stop_timers(self) -> None:
        for timer in (self._send_timer, self._read_timer, self._forget_timer):
            if timer is not None:
                timer.cancel()
        self._send_timer = self._read_timer = self._forget_timer = None
