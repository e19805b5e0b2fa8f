"""What systemd says of the terminal's service, in words: how it is, why it does not run, what to do."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

UNIT: Final = "posd.service"
_PROPERTIES: Final = (
    "LoadState", "ActiveState", "SubState", "UnitFileState", "NeedDaemonReload", "Result", "ExecMainStatus",
)  # fmt: skip
_SYSTEMD_RUNS: Final = Path("/run/systemd/system")  # as sd_booted(3) looks
_SECONDS: Final = 10
_JOURNAL: Final = "journalctl -u posd -n 20"
_AGAIN: Final = "then systemctl start posd"

_ENDED: Final = {
    "2": ("its configuration cannot work, a key is missing, or another posd has the ledger (exit code 2)",
          f"posctl doctor as root, or {_JOURNAL}, names it; {_AGAIN}"),
    "3": ("shut down at its keypad", "systemctl start posd"),
    "203": ("its program cannot be run (203/EXEC)",
            f"posd install, called as the posd that is to run; {_AGAIN}"),
    "217": ("there is no user posd (217/USER)", f"systemd-sysusers; {_AGAIN}"),
    "243": ("a key cannot be read or decrypted for it (243/CREDENTIALS)",
            f"posctl doctor as root says which; posd keys load; {_AGAIN}"),
}  # fmt: skip
"""Why it does not run, by its exit code: posd's own (2, 3) and those of systemd.exec(5)."""
_RESULTS: Final = {
    "watchdog": "its loop hung and the watchdog ended it",
    "oom-kill": "there was not enough memory and the kernel ended it",
    "timeout": "it did not become ready in time",
}


class Told(NamedTuple):
    """running: it is active. words: how it is. fix: what to do; "" when nothing is to be done."""

    running: bool
    words: str
    fix: str = ""


def service() -> Told | None:
    """What can be told of posd.service; None where no systemd runs or it does not answer."""
    tool = shutil.which("systemctl")
    if tool is None or not _SYSTEMD_RUNS.is_dir():
        return None
    try:
        done = subprocess.run(  # noqa: S603 - systemd's own tool
            [tool, "show", f"--property={','.join(_PROPERTIES)}", UNIT],
            capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    pairs = (line.partition("=") for line in done.stdout.splitlines())
    found = {name: value for name, _, value in pairs}
    return in_words(found) if found.get("LoadState") else None


def in_words(found: Mapping[str, str]) -> Told:
    """The service's properties, as `systemctl show` names them, as what a technician can use."""
    if found["LoadState"] == "not-found":
        return Told(False, "it is not installed", "posd install")
    active, again = found["ActiveState"], found["SubState"] == "auto-restart"
    enabled = found["UnitFileState"]
    if active in ("active", "reloading"):
        return _running(f"{active}, {enabled}", found)
    if found["NeedDaemonReload"] == "yes":
        fix = "systemctl daemon-reload; systemctl restart posd"
        return Told(False, f"{active}; its files changed and systemd has not read them", fix)
    if active == "activating" and not again:
        return Told(False, "it is starting", "ask again in a few seconds")
    words, fix = _ended(found)
    if again:
        words += ", and is started again each second"
    elif active == "inactive" and enabled != "enabled":
        words, fix = f"{words}, {enabled}", f"{fix}; at each boot: systemctl enable posd"
    return Told(False, words, fix)


def _running(words: str, found: Mapping[str, str]) -> Told:
    if found["NeedDaemonReload"] == "yes":
        fix = "systemctl daemon-reload; systemctl restart posd"
        return Told(True, f"{words}; its files changed since it was started", fix)
    if found["UnitFileState"] != "enabled":
        return Told(True, f"{words}: it does not start at boot", "systemctl enable posd")
    return Told(True, words)


def _ended(found: Mapping[str, str]) -> tuple[str, str]:
    code, result = found["ExecMainStatus"], found["Result"]
    if code in _ENDED and result in ("exit-code", "success"):
        return _ENDED[code]
    if result == "success":
        return "stopped", "systemctl start posd"
    if result in _RESULTS:
        return _RESULTS[result], f"{_JOURNAL}; {_AGAIN}"
    return f"it failed ({result}, {code})", f"{_JOURNAL}; {_AGAIN}"
