"""What must be there before the terminal starts, beyond a file that reads well.

`posd check-config` and `posd run` look here. A device that goes away later is only absent; one that
was never there is most often a wrong name in the configuration, and says so at once. A name that
udev gives comes and goes with the plug: there the terminal starts without the device, because a
reversal that waits in the ledger must go out whatever is unplugged.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from posd.settings import Configuration, SerialSettings

if TYPE_CHECKING:
    import ssl

    from posd.keys import Keys

_TCP = "socket://"
_INPUT_DEVICE = "evdev:"


class StartError(Exception):
    """The terminal cannot start: `problem` with the configuration's `key`, in one line."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


def check(configuration: Configuration) -> list[str]:
    """Ports, certificates and keys; raises StartError for the first that cannot be used.

    Returns what a technician should know of all the same, a line each.
    """
    notes = check_ports(configuration)
    tls_context(configuration)
    load_keys(configuration)
    host = configuration.host
    if host.plaintext and not host.loopback:
        notes.append(
            f"host.plaintext: plain TCP to {host.address}: whoever is on the way can read and forge"
        )
    return notes


def check_ports(configuration: Configuration) -> list[str]:
    """Every configured device has a port that can be opened. Raises StartError.

    Returns a line for each port that is not there and need not be (`required`).
    """
    unplugged = []
    for role in configuration.devices.__struct_fields__:
        device: SerialSettings | None = getattr(configuration.devices, role)
        if device is None:
            continue
        key = f"devices.{role}.port"
        try:
            _check_port(key, device.port.removeprefix(_INPUT_DEVICE))
        except FileNotFoundError as error:
            problem = f"expected a serial device, found {device.port}: {_words(error)}"
            if not device.may_be_unplugged:
                raise StartError(key, problem) from None
            unplugged.append(f"{key}: {problem}; the terminal starts without it")
    return unplugged


def tls_context(configuration: Configuration) -> ssl.SSLContext | None:
    """The context for the host line, None for plain TCP. Raises StartError."""
    if not configuration.host.tls:
        return None
    from posd.host.tls import make_context  # not needed on a plain line

    try:
        return make_context(configuration.host)
    except (OSError, ValueError) as error:
        said = getattr(error, "reason", None) or getattr(error, "strerror", None) or "not usable"
        raise StartError(
            "host", f"expected certificate files that OpenSSL can load, found: {said}"
        ) from None


def load_keys(configuration: Configuration) -> Keys:
    """Device key and master key. Raises StartError."""
    from posd.keys import Keys  # brings the cipher library, which check of ports does without

    files = configuration.keys
    if files.device_key_file is None or files.master_key_file is None:
        raise StartError("keys", "expected device_key_file and master_key_file, found none")
    try:
        return Keys.load(files.device_key_file, files.master_key_file)
    except OSError as error:
        raise StartError(
            "keys", f"expected readable key files, found {error.filename}: {_words(error)}"
        ) from None
    except ValueError as error:
        raise StartError("keys", str(error)) from None


def _check_port(key: str, port: str) -> None:
    """Raises StartError, and FileNotFoundError when nothing is there."""
    if port.startswith(_TCP):
        return  # a serial server may start later than the terminal
    try:
        mode = Path(port).stat().st_mode
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StartError(key, f"expected a serial device, found {port}: {_words(error)}") from None
    if not stat.S_ISCHR(mode):
        raise StartError(key, f"expected a serial device, found {port}: another kind of file")
    if not os.access(port, os.R_OK | os.W_OK):
        raise StartError(key, f"expected a serial device, found {port}: permission denied")


def _words(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
