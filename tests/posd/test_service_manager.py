"""What the service manager hears, over a real datagram socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.service_manager import HandedOver, ServiceManager


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        yield listening


def manager(address: str, **more: str) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": address, **more})


def test_ready_status_alive_and_stopping_are_said_in_systemds_words(
    listener: socket.socket,
) -> None:
    speaking = manager(listener.getsockname())
    speaking.ready("running")
    speaking.status("签到")
    speaking.alive()
    speaking.stopping()
    heard = [listener.recv(200).decode() for _ in range(4)]
    assert heard == ["READY=1\nSTATUS=running", "STATUS=签到", "WATCHDOG=1", "STOPPING=1"]
    speaking.close()


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0posd-test-{os.getpid()}")
        listening.settimeout(60)
        speaking = manager(f"@posd-test-{os.getpid()}")
        speaking.alive()
        assert listening.recv(100) == b"WATCHDOG=1"
        speaking.close()


def test_without_a_manager_nothing_happens() -> None:
    alone = ServiceManager({})
    alone.ready("running")
    alone.alive()
    assert alone.watchdog_seconds is None


def test_a_manager_that_went_away_is_no_trouble(tmp_path: Path) -> None:
    speaking = manager(str(tmp_path / "nobody"))
    speaking.ready("running")
    speaking.close()
    speaking.alive()


def test_a_manager_that_does_not_read_never_blocks_the_loop(listener: socket.socket) -> None:
    speaking = manager(listener.getsockname())
    for _ in range(10_000):
        speaking.alive()
    speaking.close()


def test_the_watchdog_is_fed_more_than_twice_as_often_as_systemd_asks(tmp_path: Path) -> None:
    speaking = manager(str(tmp_path / "x"), WATCHDOG_USEC="30000000", WATCHDOG_PID=str(os.getpid()))
    assert speaking.watchdog_seconds == 12
    speaking.close()


@pytest.mark.parametrize(
    "variables",
    [{"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"}, {}],
)
def test_a_watchdog_that_is_not_ours_is_not_fed(variables: dict[str, str]) -> None:
    assert ServiceManager(variables).watchdog_seconds is None


def test_no_child_can_speak_for_this_process() -> None:
    environment = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    ServiceManager(environment).close()
    assert environment == {"HOME": "/"}


HANDED_OVER = """
import os, socket, sys
listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listening.bind(sys.argv[1])
listening.listen()
if listening.fileno() != 3:
    os.dup2(listening.fileno(), 3)
from posd.diagnostics.socket_path import NAME
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": NAME}
from posd.service_manager import HandedOver
handed_over = HandedOver(os.environ)
first = handed_over.listening()
first.close()
second = handed_over.listening()
client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
client.connect(sys.argv[1])
second.accept()[0].close()
handed_over.end()
print("accepted", "LISTEN_FDS" in os.environ)
"""


def test_the_socket_that_was_handed_over_serves_every_life(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HANDED_OVER, str(tmp_path / "socket")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "accepted False\n", done.stderr


def test_without_a_service_manager_nothing_was_handed_over() -> None:
    handed_over = HandedOver({})
    assert handed_over.listening() is None
    handed_over.end()
