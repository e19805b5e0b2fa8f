"""A Debian 12 as a directory, with the wheel of this checkout in it.

The Debian is made once and kept outside of the repository; the wheel and its libraries go into an overlay
that is gone afterwards.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUITE = "bookworm"
PYTHON = (3, 11)  # of that suite
PACKAGES = "systemd,systemd-sysv,dbus,libpam-systemd,udev,python3,python3-venv"
TOOLS = ("debootstrap", "systemd-nspawn", "nsenter", "setpriv", "mount")
PREFIX = "/opt/posd"
_EMPTY_PACKAGES = "var/cache/apt/archives"


def missing() -> str:
    """Why no machine can be booted here; "" when one can."""
    if os.geteuid() != 0:
        return "booting a machine needs root"
    if sys.version_info[:2] != PYTHON:
        return f"the wheels are built for this Python, and {SUITE} has {PYTHON[0]}.{PYTHON[1]}"
    tools = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"not installed: {', '.join(tools)}" if tools else ""


def debian() -> Path:
    """The kept Debian; made when it is not there yet, which takes half a minute and the mirror."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache") / "posd-boot-test"
    cache.mkdir(parents=True, exist_ok=True)
    kept = cache / hashlib.sha256(f"{SUITE} {PACKAGES}".encode()).hexdigest()[:12]
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.is_dir():
            for other in cache.iterdir():
                if other.is_dir():
                    shutil.rmtree(other)
            unfinished = cache / "unfinished"
            _run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, unfinished)
            shutil.rmtree(unfinished / _EMPTY_PACKAGES)
            (unfinished / _EMPTY_PACKAGES).mkdir()
            unfinished.rename(kept)
    return kept


@contextmanager
def machine_root(directory: Path) -> Iterator[Path]:
    """A root to boot, with posd installed as its README says: a virtual environment, `posd install`."""
    wheels, root = directory / "wheels", directory / "root"
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", wheels, ROOT)
    for each in ("upper", "work", "root"):
        (directory / each).mkdir()
    layers = f"lowerdir={debian()},upperdir={directory / 'upper'},workdir={directory / 'work'}"
    _run("mount", "-t", "overlay", "overlay", "-o", layers, root)
    try:
        shutil.copytree(wheels, root / "srv/wheels")
        inside("python3", "-m", "venv", PREFIX, root=root)
        pip = (f"{PREFIX}/bin/pip", "install", "--quiet", "--no-index", "--find-links=/srv/wheels")
        inside(*pip, "posd", root=root)
        inside(f"{PREFIX}/bin/posd", "install", root=root)
        for unit in ("console-getty.service", "apt-daily.timer", "apt-daily-upgrade.timer"):
            inside("systemctl", "mask", unit, root=root)
        yield root
    finally:
        _run("umount", "--lazy", root)


def udev_says(root: Path, rule: str, device: str) -> str:
    """What its udev would do with a device of this machine, were this rule the administrator's."""
    ports = root / "etc/udev/rules.d/69-posd-ports.rules"
    kept = ports.read_text("utf-8")
    _run("mount", "--bind", "/sys", root / "sys")
    try:
        ports.write_text(f"{kept}{rule}\n", "utf-8")
        words = ["chroot", str(root), "udevadm", "test", "--action=add", f"/sys/{device}"]
        done = subprocess.run(words, capture_output=True, text=True)
        return done.stdout + done.stderr
    finally:
        ports.write_text(kept, "utf-8")
        _run("umount", root / "sys")


def inside(*words: str, root: Path, stdin: str = "") -> str:
    """Run a command with this root, without booting it; what it wrote. Fails with its error."""
    return _run("chroot", root, *words, stdin=stdin)


def _run(*words: str | Path, stdin: str = "") -> str:
    environment = {
        **os.environ,
        "LC_ALL": "C.UTF-8",
        "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
    }
    done = subprocess.run(
        list(map(str, words)), input=stdin, capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise AssertionError(
            f"{words[0]} {words[1]}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done.stdout
