"""`posctl bundle`: one file for support. What cannot be had is named in it; nothing secret is in it."""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, Final

from posd.diagnostics.posctl.connection import DONE, Connection, Trouble
from posd.diagnostics.posctl.layout import Paper
from posd.diagnostics.posctl.looks import flight_line
from posd.diagnostics.posctl.plain import show_json

_LOG_LINES: Final = 20_000
_LOG_SECONDS: Final = 60
_USUAL_CONFIGURATION: Final = "/etc/posd/posd.toml"
_ASKED: Final = ("status", "why", "devices", "screen", "journal", "configuration", "metrics")
_ROLES: Final = ("keypad", "display", "printer", "card_reader")


def bundle(options: argparse.Namespace, paper: Paper) -> int:
    """Write everything that helps from afar into one file."""
    from posd.edges import SystemClock

    now = SystemClock().now()
    parts: dict[str, str] = {}
    missing: list[str] = []
    name, config = _ask_terminal(options.socket, parts, missing)
    _take(parts, missing, "doctor.txt", lambda: _doctor(options, config))
    _take(parts, missing, "log.jsonl", _log)
    _take(parts, missing, "system.txt", _system)
    parts["MISSING.txt"] = "\n".join(missing) + "\n" if missing else "nothing\n"
    target = options.to or Path(f"posd-{name}-{now:%Y%m%dT%H%M%S}.tar.gz")
    try:
        _write(target, parts, round(now.timestamp()))
    except OSError as error:
        raise Trouble(
            f"{target}: {(error.strerror or 'cannot be written').lower()}",
            "posctl bundle --to FILE",
        ) from None
    if options.json:
        return show_json(paper, {"file": str(target), "parts": sorted(parts), "missing": missing})
    paper.line(f"{target}: {', '.join(sorted(parts))}")
    for each in missing:
        paper.line(f"  without {each}")
    return DONE


def _ask_terminal(socket: Path, parts: dict[str, str], missing: list[str]) -> tuple[str, str]:
    """Everything that the running terminal says of itself; its id, and its configuration's file."""
    name, config = "terminal", ""
    try:
        with Connection(socket) as terminal:
            for question in _ASKED:
                items = list(terminal.ask(question))
                if question == "status":
                    name = "".join(filter(str.isalnum, str(items[0].get("terminal", name))))
                if question == "configuration":
                    config = str(items[-1].get("file", ""))
                parts[f"{question}.json"] = _lines(items)
            for role in _ROLES:
                _flight(terminal, role, parts, missing)
            parts["events.json"] = _lines(list(terminal.ask("events")))
    except Trouble as trouble:
        missing.append(f"what the terminal says: {trouble.text}")
    return name, config


def _flight(terminal: Connection, role: str, parts: dict[str, str], missing: list[str]) -> None:
    from posd.diagnostics import messages as m
    from posd.diagnostics.posctl.connection import read

    try:
        lines = [
            flight_line(read(item, m.Passed))
            for item in terminal.ask("flight", role=role)
            if item["answer"] == "passed"
        ]
    except Trouble as trouble:
        missing.append(f"flight of {role}: {trouble.text}")
        return
    parts[f"flight-{role}.txt"] = "\n".join(lines) + "\n"


def _take(parts: dict[str, str], missing: list[str], name: str, make: Callable[[], str]) -> None:
    from posd.redaction import redact_text

    try:
        text = make()
    except Trouble as trouble:
        missing.append(f"{name}: {trouble.text}")
        return
    except (OSError, subprocess.SubprocessError) as error:
        missing.append(f"{name}: {type(error).__name__} {error}")
        return
    parts[name] = "\n".join(map(redact_text, text.split("\n")))


def _doctor(options: argparse.Namespace, file: str) -> str:
    """Of the terminal that was asked; of the usual place when it did not say where its configuration is."""
    from posd.diagnostics.posctl.doctor import doctor

    written = io.StringIO()
    config = Path(file or _USUAL_CONFIGURATION)
    written.write(f"{config}{'' if file else ': the usual place, no terminal named its own'}\n\n")
    asked = argparse.Namespace(**vars(options) | {"json": False, "config": config})
    with redirect_stderr(written):
        doctor(asked, Paper(written))
    return written.getvalue()


def _log() -> str:
    tool = shutil.which("journalctl")
    if tool is None:
        raise Trouble("there is no journal on this machine")
    done = subprocess.run(  # noqa: S603 - systemd's own tool
        [tool, "--unit=posd.service", f"--lines={_LOG_LINES}", "--no-pager", "--output=short-iso-precise"],
        capture_output=True, timeout=_LOG_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip()
        raise Trouble(f"the journal cannot be read: {words}")
    text = done.stdout.decode("utf-8", "replace")
    if all(line.startswith("-- ") for line in text.splitlines()):  # what journalctl remarks itself
        raise Trouble(
            "no log can be reached: the journal holds no line of posd.service, or you may not read it "
            "(sudo); a terminal that was started by hand logs to its standard output"
        )
    return text


def _system() -> str:
    names = os.uname()
    rows = [f"{names.sysname} {names.release} {names.machine}", f"Python {sys.version}"]
    for path in ("/etc/os-release", "/proc/uptime", "/proc/loadavg", "/proc/meminfo"):
        rows += ["", path, Path(path).read_text("utf-8", "replace") if Path(path).exists() else "-"]
    return "\n".join(rows)


def _lines(items: list[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(item, ensure_ascii=False, default=_hex)}\n" for item in items)


def _hex(value: Any) -> str:
    return str(value.hex())


def _write(target: Path, parts: dict[str, str], at: int) -> None:
    """For its owner alone: it tells much about a shop."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in sorted(parts.items()):
            data = text.encode("utf-8", "replace")
            entry = tarfile.TarInfo(f"{target.name.removesuffix('.tar.gz')}/{name}")
            entry.size, entry.mode, entry.mtime = len(data), 0o600, at
            archive.addfile(entry, io.BytesIO(data))
