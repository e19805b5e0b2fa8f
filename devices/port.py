"""Opening what a line runs on: a serial port, plain TCP to a serial device server, a Linux input device.

All end as a non-blocking file descriptor for `os.read` and `os.write`. pyserial opens and
configures serial ports; its own `write` spins or blocks, and is not used.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
import sys
import termios
from pathlib import Path
from typing import Final, Literal, Protocol, get_args
from urllib.parse import urlsplit

import serial
from msgspec import Struct

Parity = Literal["none", "even", "odd"]
FlowControl = Literal["none", "rts_cts", "xon_xoff"]

SPEEDS: Final = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400)
XON: Final = 0x11  # DC1, ISO/IEC 6429; with `xon_xoff` the kernel takes both out of the stream
XOFF: Final = 0x13  # DC3
_CONNECT_SECONDS: Final = 3.0
_TCP_SCHEME: Final = "socket://"
_INPUT_SCHEME: Final = "evdev:"
_PSEUDO_TERMINALS: Final = "/dev/pts/"
_LINK_LIMIT: Final = 40  # links that Linux follows (path_resolution(7)); open says ELOOP then
_LINK_SLACK_SECONDS: Final = 2.0  # the two times compared below come from one coarse clock
_EVIOCGRAB: Final = 0x40044590  # _IOW('E', 0x90, int), linux/input.h


class LineSettings(Struct, frozen=True):
    """One line, as configured.

    `port`: a device path (best a stable one: /dev/serial/by-id/..., /dev/posd/...), or
    `socket://HOST:PORT` for plain TCP, where speed, parity and flow control are the server's, or
    `evdev:PATH` for a Linux input device (/dev/input/by-path/...), which only reads.
    `write_seconds`: how long a device may refuse bytes until the line counts as absent.
    `flow_seconds`: how long it may then hold output back by XOFF until the line tries by itself.
    `queue_limit`: bytes that may wait to be written.
    Raises ValueError with the field, what was expected and what was found.
    """

    port: str
    speed: int = 9600
    parity: Parity = "none"
    flow_control: FlowControl = "none"
    data_bits: Literal[7, 8] = 8
    stop_bits: Literal[1, 2] = 1
    write_seconds: float = 5.0
    flow_seconds: float = 15.0
    queue_limit: int = 16 * 1024

    def __post_init__(self) -> None:
        for field, value, allowed in (
            ("speed", self.speed, SPEEDS),
            ("parity", self.parity, get_args(Parity)),
            ("flow_control", self.flow_control, get_args(FlowControl)),
            ("data_bits", self.data_bits, (7, 8)),
            ("stop_bits", self.stop_bits, (1, 2)),
        ):
            if value not in allowed:
                raise ValueError(f"{field}: expected one of {allowed}, found {value!r}")
        if not self.port:
            raise ValueError("port: expected a device path or socket://HOST:PORT, found nothing")
        if self.is_tcp:
            _tcp_address(self.port)
        if self.port == _INPUT_SCHEME:
            raise ValueError("port: expected evdev:PATH, found no path")
        if self.write_seconds <= 0 or self.flow_seconds <= 0 or self.queue_limit <= 0:
            raise ValueError("write_seconds, flow_seconds, queue_limit: expected more than 0")

    @property
    def is_tcp(self) -> bool:
        """Whether the port is a TCP connection instead of a device."""
        return self.port.startswith(_TCP_SCHEME)

    @property
    def is_input_device(self) -> bool:
        """Whether the port is a Linux input device, whose bytes are `struct input_event`."""
        return self.port.startswith(_INPUT_SCHEME)


def _tcp_address(port: str) -> tuple[str, int]:
    try:
        parts = urlsplit(port)
        host, number = parts.hostname, parts.port
    except ValueError:
        host, number = None, None
    if not host or not number:
        raise ValueError(f"port: expected socket://HOST:PORT, found {port!r}")
    return host, number


class OpenPort(Protocol):
    """An open port. `close` never blocks and never raises."""

    @property
    def descriptor(self) -> int: ...

    @property
    def unsent(self) -> int:
        """Bytes that the kernel has taken and the line has not carried yet, as far as it can tell."""

    def let_flow(self) -> None:
        """Lets output go on that an XOFF has stopped, as if an XON had come. Never raises."""

    def close(self) -> None: ...


class PortError(Exception):
    """The port cannot be opened now; the text says why."""


async def open_port(settings: LineSettings) -> OpenPort:
    """Opens and configures the port, for this process alone. Raises PortError."""
    if settings.is_tcp:
        return await _TcpPort.connect(settings.port)
    if settings.is_input_device:
        return _InputPort(settings.port.removeprefix(_INPUT_SCHEME))
    return _SerialPort(settings)


class _SerialPort:
    def __init__(self, settings: LineSettings) -> None:
        _refuse_stale_link(Path(settings.port))
        try:
            self._serial = serial.Serial(
                settings.port,
                settings.speed,
                bytesize=settings.data_bits,
                parity=settings.parity[0].upper(),
                stopbits=settings.stop_bits,
                timeout=0,
                xonxoff=settings.flow_control == "xon_xoff",
                rtscts=settings.flow_control == "rts_cts",
                exclusive=True,  # flock: keeps other programs that ask for it out
            )
        except (serial.SerialException, OSError, ValueError, termios.error) as error:
            raise PortError(_reason(error)) from None
        self.descriptor: int = self._serial.fileno()
        try:
            # keeps out everyone else too (except root, tty_ioctl(4))
            fcntl.ioctl(self.descriptor, termios.TIOCEXCL)
            # pyserial sets VMIN 0, where an empty read means both "nothing" and "hung up";
            # with VMIN 1 it means hung up only (termios(3))
            attributes = termios.tcgetattr(self.descriptor)
            attributes[6][termios.VMIN] = 1
            termios.tcsetattr(self.descriptor, termios.TCSANOW, attributes)
        except (OSError, termios.error) as error:
            self.close()
            raise PortError(_reason(error)) from None

    @property
    def unsent(self) -> int:
        try:
            answer = fcntl.ioctl(self.descriptor, termios.TIOCOUTQ, bytes(4))
        except OSError:
            return 0
        return int.from_bytes(answer, sys.byteorder)

    def let_flow(self) -> None:
        # TCOON undoes TCOOFF only (ioctl_tty(2)); the pair of them undoes an XOFF too
        with contextlib.suppress(OSError, termios.error):
            termios.tcflow(self.descriptor, termios.TCOOFF)
            termios.tcflow(self.descriptor, termios.TCOON)

    def close(self) -> None:
        """Throws away what is unwritten: close(2) would wait up to 30 s for a stopped device."""
        # A pseudo-terminal's output is its reader's input: flushing it takes away what has arrived.
        what = termios.TCIOFLUSH if self.unsent else termios.TCIFLUSH
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(self.descriptor, what)
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.descriptor, termios.TIOCNXCL)
        with contextlib.suppress(OSError, termios.error, serial.SerialException):
            self._serial.close()


def _refuse_stale_link(port: Path) -> None:
    """Raises PortError when a link names a pseudo-terminal that is younger than itself.

    Who made the link has died without taking it away, and its number is another program's by now:
    somebody's shell, or another simulated device.
    """
    try:
        for _ in range(_LINK_LIMIT):
            if not port.is_symlink():
                return
            target = port.parent / port.readlink()
            if str(target).startswith(_PSEUDO_TERMINALS):
                made, linked = target.stat().st_ctime, port.lstat().st_mtime
                if made > linked + _LINK_SLACK_SECONDS:
                    raise PortError("a link left by a simulator that died")
            port = target
    except OSError as error:
        raise PortError(_reason(error)) from None


class _TcpPort:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.descriptor = connection.fileno()

    @classmethod
    async def connect(cls, port: str) -> _TcpPort:
        host, number = _tcp_address(port)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                found = await loop.getaddrinfo(host, number, type=socket.SOCK_STREAM)
                family, kind, protocol, _, address = found[0]
                connection = socket.socket(family, kind, protocol)
                try:
                    connection.setblocking(False)
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    await loop.sock_connect(connection, address)
                except BaseException:
                    connection.close()
                    raise
        except TimeoutError:
            raise PortError(f"no connection in {_CONNECT_SECONDS:g} s") from None
        except OSError as error:
            raise PortError(_reason(error)) from None
        return cls(connection)

    unsent = 0  # close(2) sends the rest

    def let_flow(self) -> None:
        """Flow control is the server's."""

    def close(self) -> None:
        self._connection.close()


class _InputPort:
    """An input device for this process alone: grabbed, its keys never reach a console."""

    def __init__(self, path: str) -> None:
        try:
            self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise PortError(_reason(error)) from None
        try:
            fcntl.ioctl(self.descriptor, _EVIOCGRAB, 1)
        except OSError as error:
            os.close(self.descriptor)
            raise PortError(f"cannot be grabbed: {_reason(error)}") from None

    unsent = 0

    def let_flow(self) -> None:
        """Nothing is written to it."""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


def _reason(error: Exception) -> str:
    """What went wrong, in words; a lock that is held (EWOULDBLOCK of flock(2)) is named."""
    number = error.args[0] if error.args else None
    if number in (errno.EWOULDBLOCK, errno.EBUSY):
        return "in use by another program"
    if isinstance(number, int):
        return os.strerror(number)
    return str(error).strip() or type(error).__name__
