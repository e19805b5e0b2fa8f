"""The journal's native protocol: every value a field that `journalctl` finds, without a library.

systemd, "Native Journal Protocol" (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram to journald's socket holds
`NAME=value` lines; a value with a line break in it comes as name, line break, its length in 64 bits little
endian, value. systemd.exec(5), JOURNAL_STREAM: device and inode of the stream that leads to the journal.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
from collections.abc import Mapping
from typing import Any, Final, TextIO

SOCKET: Final = "/run/systemd/journal/socket"
IDENTIFIER: Final = "posd"
PREFIX: Final = "POSD_"
_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # syslog(3)
_UNFIT: Final = re.compile(r"[^A-Z0-9_]")
_LONGEST_NAME: Final = 64
_LONGEST_VALUE: Final = 16 * 1024

MESSAGE_IDS: Final[Mapping[str, str]] = {
    "alert.backup_failed": "c9ac9dfb81ea403980c35228f42754d5",
    "alert.backup_not_whole": "3369314eb7444003887cb82a4197e53a",
    "alert.disk_full": "9770786506d24235aae2c5143bed106c",
    "alert.duplicate_stan": "da0b72c7cbf942dfa9a46a058039538f",
    "alert.reversal_tries_spent": "30ff97d71aa1481ca1cf1efcb75afc1b",
    "alert.unresolved": "7abdc2c46ad049ac9bf5ca5f0ae54be6",
    "core.halted": "7a6e2d8badef4b51bbaa190d221ac8ff",
    "device_absent": "b840eb8004fe4da89999c671019b4668",
    "ledger_unusable": "574de145978f41d5b44ce0c262cfa5ec",
    "ready": "aab8ccbd6bb049cd929b8137fa87757b",
}
"""Of the events that a shop acts upon; they stay the same for ever (journalctl MESSAGE_ID=...)."""


def is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Does this stream lead to the journal, as JOURNAL_STREAM says?"""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(found.st_dev), str(found.st_ino))


def encode(fields: Mapping[str, str]) -> bytes:
    """The fields as one datagram."""
    parts: list[bytes] = []
    for name, value in fields.items():
        data = value.encode("utf-8", "replace")
        if b"\n" in data:
            parts.append(name.encode("ascii") + b"\n" + struct.pack("<Q", len(data)) + data)
        else:
            parts.append(name.encode("ascii") + b"=" + data)
    return b"\n".join(parts) + b"\n"


def fields_of(event: Mapping[str, Any]) -> dict[str, str]:
    """An event of the log as fields: MESSAGE for people, POSD_EVENT and POSD_<NAME> for programs."""
    name = str(event.get("event", ""))
    values = {
        key: _text(value)
        for key, value in event.items()
        if key not in ("event", "level", "timestamp")
    }
    shown = [f"{key}={value}" for key, value in values.items() if "\n" not in value and value]
    fields = {
        "MESSAGE": " ".join([name, *shown])[:_LONGEST_VALUE],
        "PRIORITY": str(_PRIORITIES.get(str(event.get("level")), 6)),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        f"{PREFIX}EVENT": name,
    }
    if name in MESSAGE_IDS:
        fields["MESSAGE_ID"] = MESSAGE_IDS[name]
    for key, value in values.items():
        field = PREFIX + _UNFIT.sub("_", key.upper())
        fields[field[:_LONGEST_NAME]] = value[:_LONGEST_VALUE]
    return fields


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "\n".join(value)
    return json.dumps(value, ensure_ascii=False)


class Journal:
    """journald's socket. Never waits: a journal that is slow or gone takes nothing, and is tried again."""

    def __init__(self, path: str = SOCKET) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def send(self, event: Mapping[str, Any]) -> bool:
        """Send it; False when the journal did not take it."""
        try:
            self._socket.sendto(encode(fields_of(event)), self._path)
        except OSError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()
