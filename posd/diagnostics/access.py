"""Who is at the other end of the socket, as the kernel says, and what that person may ask for."""

from __future__ import annotations

import errno
import grp
import os
import socket
import struct
from collections.abc import Collection
from typing import Final

from msgspec import Struct

from posd.diagnostics.messages import (
    BackupRequest,
    EchoRequest,
    LogLevelRequest,
    Request,
    TestRequest,
    TraceOffRequest,
    TraceRequest,
)

_SO_PEERGROUPS: Final = 59  # asm-generic/socket.h; the socket module has no name for it
_CREDENTIALS: Final = struct.Struct("iII")  # struct ucred: pid, uid, gid (unix(7))
_GROUPS: Final = 1024  # bytes: the longest answer that socket.getsockopt takes, 256 groups

ACTS: Final[frozenset[type[Request]]] = frozenset(
    {TestRequest, EchoRequest, TraceRequest, TraceOffRequest, LogLevelRequest, BackupRequest}
)
"""What changes something or costs somebody something: each is audited before it happens."""
TECHNICIANS_ACTS: Final[frozenset[type[Request]]] = ACTS - {LogLevelRequest, TraceOffRequest}
"""What a technician may do of these. The rest is what the machine's owner decides."""


class Peer(Struct, frozen=True):
    """A process at the other end: its user, and every group that it is in."""

    process: int
    user: int
    groups: frozenset[int]

    @classmethod
    def of(cls, connection: socket.socket) -> Peer:
        """As it was when it connected (SO_PEERCRED, SO_PEERGROUPS). Raises OSError."""
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        process, user, group = _CREDENTIALS.unpack(raw)
        # SO_PEERCRED has the primary group only; a technician is most often in the other ones.
        try:
            more = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS)
        except OSError as error:
            if error.errno != errno.ERANGE:
                raise
            more = b""  # in more groups than that: then by the primary one alone
        others = struct.unpack(f"{len(more) // 4}I", more)
        return cls(process, user, frozenset({group, *others}))

    def __str__(self) -> str:
        return f"uid:{self.user}"


class Access:
    """Root, and the user that the daemon runs as, may ask for all; a technician may look, and do a few
    things; nobody else may ask for anything.
    """

    def __init__(self, group: str, own_user: int | None = None) -> None:
        """group: the technicians' group by name; one that the machine does not have has no members."""
        self._group = group
        self._own_user = os.geteuid() if own_user is None else own_user

    def allows(self, peer: Peer) -> bool:
        """May this peer speak at all?"""
        return self._owns(peer) or self._is_technician(peer)

    def permits(self, peer: Peer, request: type[Request]) -> bool:
        """May it ask for this?"""
        if self._owns(peer):
            return True
        return self._is_technician(peer) and (request not in ACTS or request in TECHNICIANS_ACTS)

    def may(self, peer: Peer, requests: Collection[type[Request]]) -> tuple[str, ...]:
        """The names of what it may ask for."""
        return tuple(
            sorted(
                str(request.__struct_config__.tag)
                for request in requests
                if self.permits(peer, request)
            )
        )

    @property
    def advice(self) -> str:
        """What somebody who is refused can do about it."""
        return f"use sudo, or have yourself added to the group {self._group} and log in again"

    def _owns(self, peer: Peer) -> bool:
        return peer.user in (0, self._own_user)

    def _is_technician(self, peer: Peer) -> bool:
        number = group_number(self._group)
        return number is not None and number in peer.groups


def group_number(name: str) -> int | None:
    """The number of a group, None when this machine has none of that name."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None
