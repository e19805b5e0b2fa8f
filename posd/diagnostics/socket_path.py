"""The socket's place in the file system: opened for listening, or reached, however long its name is."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

DEFAULT: Final = Path("/run/posd/diag.sock")
NAME: Final = "diag"
"""FileDescriptorName= of the systemd socket."""

_FIRST_DESCRIPTOR: Final = 3  # SD_LISTEN_FDS_START, sd_listen_fds(3)
_LONGEST_NAME: Final = 107  # bytes: sun_path with its zero, unix(7)
_WAITING: Final = 8  # connections that the kernel keeps until they are looked at
_MODE: Final = 0o660


class SocketInUseError(OSError):
    """Somebody answers at this path: another daemon."""


def handed_over(environment: MutableMapping[str, str]) -> socket.socket | None:
    """The listening socket that systemd opened for us (sd_listen_fds(3)), or None.

    The variables are taken out of the environment. Other sockets, of other names, are closed.
    """
    process = environment.pop("LISTEN_PID", "")
    count = environment.pop("LISTEN_FDS", "")
    names = environment.pop("LISTEN_FDNAMES", "").split(":")
    if process != str(os.getpid()) or not count.isdecimal():
        return None
    found: socket.socket | None = None
    for index in range(int(count)):
        descriptor = _FIRST_DESCRIPTOR + index
        if found is None and index < len(names) and names[index] == NAME:
            os.set_inheritable(descriptor, False)
            found = socket.socket(fileno=descriptor)
            found.setblocking(False)
        else:
            with contextlib.suppress(OSError):
                os.close(descriptor)
    return found


def listen(path: Path, group: int | None) -> socket.socket:
    """Open a listening socket at this path, for its owner and this group.

    What a killed daemon left is removed. Raises OSError, of which SocketInUseError is one.
    """
    _remove_left_over(path)
    listening = socket.socket(
        socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    )
    try:
        with _short(path) as name:
            before = os.umask(0o777 & ~_MODE)  # no moment in which others could connect
            try:
                listening.bind(name)
            finally:
                os.umask(before)
        if group is not None:
            with contextlib.suppress(PermissionError):  # not a member: then for the owner alone
                os.chown(path, -1, group)
        listening.listen(_WAITING)
    except OSError:
        listening.close()
        raise
    return listening


def connect(path: Path, seconds: float) -> socket.socket:
    """A connection to the daemon at this path, blocking, with this time-out. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(seconds)
        with _short(path) as name:
            connection.connect(name)
    except OSError:
        connection.close()
        raise
    return connection


def remove(path: Path) -> None:
    """Nobody listens there any more."""
    with contextlib.suppress(OSError):
        path.unlink()


def _remove_left_over(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(
                f"{path}: expected a socket or nothing, found another kind of file"
            )
    except FileNotFoundError:
        return
    try:
        connect(path, 0.5).close()
    except (ConnectionRefusedError, FileNotFoundError):
        path.unlink(missing_ok=True)
    else:
        raise SocketInUseError(f"{path}: another daemon answers there")


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The path, or when it is too long for a socket's address, a way to it through its directory."""
    if len(os.fsencode(path)) <= _LONGEST_NAME:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
