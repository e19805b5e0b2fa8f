"""What systemd's own tools say of the files that are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from posd.install import install, sources

EXPOSURE = 15  # tenths, as systemd-analyze counts: 1.5

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and os.environ.get("POSD_CI") != "1",
    reason="the package systemd is not installed",
)


def analyse(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *map(str, words)], capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    install(tmp_path, PurePosixPath("/bin/true"))  # verify looks for the program on this machine
    return tmp_path


def test_the_units_have_no_faults(root: Path) -> None:
    units = root / "usr/local/lib/systemd/system"
    found = analyse("verify", units / "posd.service", units / "posd-diag.socket")
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_verify_would_find_a_fault(root: Path) -> None:
    unit = root / "usr/local/lib/systemd/system/posd.service"
    unit.write_text(unit.read_text("utf-8").replace("WatchdogSec=30", "WatchdogSec=often"))
    assert "Failed to parse sec value" in analyse("verify", unit).stderr


def test_the_service_is_hardly_exposed() -> None:
    unit = sources() / "posd.service"
    found = analyse("security", "--offline=true", f"--threshold={EXPOSURE}", unit)
    assert found.returncode == 0, found.stdout[-200:]
    assert "Overall exposure level for posd.service: 1." in found.stdout


@pytest.mark.parametrize("tool", ["sysusers", "tmpfiles"])
def test_users_and_directories_are_found_where_they_are_installed(root: Path, tool: str) -> None:
    found = subprocess.run(
        [f"systemd-{tool}", f"--root={root}", "--cat-config"], capture_output=True, text=True
    )
    file = f"{tool}.d/posd.conf"
    assert (sources() / file).read_text("utf-8").strip() in found.stdout
    assert found.stderr == ""


def test_users_are_made_as_the_unit_names_them(root: Path) -> None:
    (root / "etc").mkdir(exist_ok=True)
    subprocess.run(["systemd-sysusers", f"--root={root}"], check=True, capture_output=True)
    users = (root / "etc/passwd").read_text()
    assert "posd:" in users
    assert "/var/lib/posd:/usr/sbin/nologin" in users
    assert "posd-tech:" in (root / "etc/group").read_text()


@pytest.mark.parametrize(
    "line",
    [
        "LoadCredential=device-key:/etc/posd/device.key",
        "LoadCredential=master-key:/etc/posd/master.key",
        "SetCredential=device-key:none",
        "SetCredential=master-key:none",
        "StateDirectory=posd",
        "RuntimeDirectoryPreserve=yes",
        "Wants=posd-diag.socket",
        "Restart=always",
        "RestartPreventExitStatus=2 3",
        "SuccessExitStatus=3",
        "StartLimitIntervalSec=0",
        "MemorySwapMax=0",
        "LimitCORE=0",
        "PrivateMounts=yes",
        *(f"DeviceAllow=char-{kind} rw" for kind in ("ttyS", "ttyUSB", "ttyACM", "ttyAMA")),
        *(f"DeviceAllow=char-{kind} rw" for kind in ("input", "tty")),
    ],
)
def test_what_the_terminal_cannot_do_without_is_in_the_unit(line: str) -> None:
    assert line in (sources() / "posd.service").read_text("utf-8").splitlines()


@pytest.mark.parametrize("option", ["PrivateUsers", "PrivateDevices", "SupplementaryGroups"])
def test_what_would_break_it_is_not(option: str) -> None:
    """Peer credentials, serial ports; and a group of all serial ports, where posd owns its own."""
    lines = (sources() / "posd.service").read_text("utf-8").splitlines()
    assert not [line for line in lines if line.startswith(f"{option}=")]
