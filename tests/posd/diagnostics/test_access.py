"""The kernel says who asks; root may all, technicians a list, others nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from posd.diagnostics import messages as m
from posd.diagnostics.access import ACTS, TECHNICIANS_ACTS, Access, Peer

LOOKS = (m.StatusRequest, m.WhyRequest, m.FlightRequest, m.EventsRequest, m.WatchRequest)
GROUP = "games"  # every Debian has it, and nobody needs it
NUMBER = 60


def peer(user: int, *groups: int) -> Peer:
    return Peer(1, user, frozenset(groups))


@pytest.mark.parametrize("user", [0, 999])
def test_root_and_the_daemons_own_user_may_ask_for_everything(user: int) -> None:
    access = Access(GROUP, own_user=999)
    assert access.allows(peer(user))
    assert all(access.permits(peer(user), kind) for kind in (*ACTS, *LOOKS))


def test_a_technician_may_look_and_do_a_few_things() -> None:
    access = Access(GROUP, own_user=999)
    technician = peer(1000, 100, NUMBER)
    assert access.allows(technician)
    assert all(access.permits(technician, kind) for kind in LOOKS)
    assert {kind for kind in ACTS if access.permits(technician, kind)} == TECHNICIANS_ACTS
    assert m.LogLevelRequest not in TECHNICIANS_ACTS
    assert m.TraceOffRequest not in TECHNICIANS_ACTS


def test_anybody_else_may_nothing_also_where_the_group_does_not_exist() -> None:
    for group in (GROUP, "no-such-group-here"):
        access = Access(group, own_user=999)
        assert not access.allows(peer(1000, 100))
        assert not any(access.permits(peer(1000, 100), kind) for kind in (*ACTS, *LOOKS))


def test_what_a_peer_may_is_told_by_name() -> None:
    access = Access(GROUP, own_user=999)
    assert access.may(peer(1000, NUMBER), (m.WhyRequest, m.LogLevelRequest)) == ("why",)


def test_the_peer_of_a_connection_is_who_opened_it() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        found = Peer.of(ours)
    assert found.user == os.geteuid()
    assert found.process == os.getpid()
    assert {os.getegid(), *os.getgroups()} <= found.groups


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_supplementary_group_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "s"
    tmp_path.chmod(0o755)
    listening = socket.socket(socket.AF_UNIX)
    with listening:
        listening.bind(str(path))
        path.chmod(0o666)
        listening.listen(1)
        code = f"import os, socket; os.setgroups([{NUMBER}]); os.setgid(100); os.setuid(1000); " \
            "s = socket.socket(socket.AF_UNIX); s.connect('s'); s.recv(1)"  # fmt: skip
        with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) as process:
            connection, _ = listening.accept()
            with connection:
                found = Peer.of(connection)
            process.wait(60)
    assert (found.user, found.groups) == (1000, {100, NUMBER})
    assert Access(GROUP, own_user=999).allows(found)
