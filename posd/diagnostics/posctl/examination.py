"""What `posctl doctor` looks at, one function a subject. Works with and without a running terminal.

Nothing is changed, nothing is sent but a connection to the acquirer, and no key is shown: only check values.
"""

from __future__ import annotations

import asyncio
import grp
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Final

from posd.diagnostics import messages as m
from posd.diagnostics.clocks import CLOCK_MAY_DIFFER, clock_in_words
from posd.diagnostics.posctl.connection import (
    NOT_PERMITTED,
    NOT_RUNNING,
    Connection,
    Trouble,
)
from posd.diagnostics.posctl.examined_ports import ports
from posd.diagnostics.posctl.findings import (
    AS_ROOT,
    USER,
    Finding,
    Findings,
    Patient,
    State,
    Subject,
    name_of,
    user_named,
)
from posd.diagnostics.posctl.service_state import UNIT, service

_SOCKET: Final = "posd-diag.socket"
_TOOL_SECONDS: Final = 10
_FIRST_YEAR: Final = 2025  # no terminal is older than its program
_NO_CONFIGURATION: Final = (
    "posd init writes it; one that lies elsewhere: posctl doctor --config FILE"
)
_NOT_RUNNING: Final = (
    "systemctl start posd, once what stands below is mended; another place: --socket PATH"
)
_NO_USERS: Final = "posd install, then systemd-sysusers"
_ENCRYPTED: Final = "encrypted for this machine"


def running(patient: Patient) -> Findings:
    """Does a terminal answer, and what does it say?"""
    try:
        with Connection(patient.socket) as terminal:
            patient.answers = True
            patient.status, _ = terminal.one(m.Status, "status")
    except Trouble as trouble:
        state: State = "unknown" if trouble.code == NOT_PERMITTED else "bad"
        patient.answers = trouble.code == NOT_PERMITTED
        # The hint of every other command is to ask the doctor.
        hint = _NOT_RUNNING if trouble.code == NOT_RUNNING else trouble.hint
        yield Finding(state, "terminal", trouble.text, hint)
        return
    found = patient.status
    sells = "it sells" if found.sells else "it does not sell"
    fix = "" if found.sells and not found.reasons else "posctl why"
    state = "good" if not found.reasons else "warning" if found.sells else "bad"
    codes = ", ".join(reason.code for reason in found.reasons)
    yield Finding(
        state,
        "terminal",
        f"posd {found.version} answers; {sells}{f' ({codes})' if codes else ''}",
        fix,
    )


def configuration(patient: Patient) -> Findings:
    """Can the terminal start with this file?"""
    from posd.config import ConfigurationError, load
    from posd.stand_in_keys import stand_in_keys

    try:
        with stand_in_keys() as stand_ins:
            patient.configuration = load(patient.file)
    except ConfigurationError as error:
        if isinstance(error.__context__, PermissionError) or "permission denied" in str(error):
            yield Finding("unknown", "configuration", str(error), AS_ROOT)
        else:
            fix = (
                f"mend that line of {patient.file}" if patient.file.exists() else _NO_CONFIGURATION
            )
            yield Finding("bad", "configuration", str(error), fix)
        return
    named = patient.configuration.keys.master_key_file
    patient.own_keys = named is not None and (
        stand_ins is None or not named.is_relative_to(stand_ins)
    )
    yield Finding("good", "configuration", str(patient.file))
    host = patient.configuration.host
    if host.plaintext and not host.loopback:
        yield Finding(
            "warning", "configuration", f"plain TCP to {host.address}: anybody on the way can read and forge",
            "ask the acquirer for TLS: [host] ca_file or certificate_pin",
        )  # fmt: skip


def keys(patient: Patient) -> Findings:
    """Are both keys there, and which are they?"""
    from posd.key_loading import check_value, device_check_value
    from posd.key_store import DEVICE, MASTER, KeyStore, KeyStoreError

    names = {
        DEVICE: ("device key", device_check_value, "posd init makes one"),
        MASTER: ("master key", check_value, "posd keys load"),
    }
    store = KeyStore()
    for name, (title, checked, fix) in names.items():
        try:
            path = _key_file(patient, name) if patient.own_keys else store.file_of(name)
        except KeyStoreError as error:
            yield Finding("unknown", title, str(error), AS_ROOT)
            continue
        if path is None:
            yield Finding("bad", title, "no key has been loaded", fix)
            continue
        if os.geteuid() != 0 and not os.access(path, os.R_OK):
            yield Finding("unknown", title, f"{path} is not yours to read", AS_ROOT)
            continue
        try:
            key = bytes.fromhex(path.read_text("ascii")) if patient.own_keys else store.read(name)
        except (KeyStoreError, OSError, ValueError) as error:
            words = str(error) if isinstance(error, KeyStoreError) else f"{path}: not to be read"
            yield Finding("bad", title, words, fix)
            continue
        sealed = not patient.own_keys and store.is_encrypted(name)
        where = f"{path}, {_ENCRYPTED}" if sealed else str(path)
        yield Finding("good", title, f"check value {checked(key)} ({where})")
        if not patient.own_keys and not store.tells_unit(name):
            found = f"{UNIT} is not told where it is"
            yield Finding("bad", title, found, "posd install, then systemctl restart posd")
        mode = path.stat().st_mode
        if not sealed and mode & (stat.S_IRWXO | stat.S_IWGRP):
            found = f"{path} has mode {stat.S_IMODE(mode):o}: others may read it"
            yield Finding("bad", title, found, f"chmod 600 {path}")


def state_directory(patient: Patient) -> Findings:
    """Where the ledger lies: whose it is, and is there room?"""
    if patient.configuration is None:
        if patient.status is not None:
            yield _room("free", patient.status.free_bytes, patient.status.needed_bytes)
        return
    directory = patient.configuration.terminal.state_directory
    try:
        found = directory.stat()
    except FileNotFoundError:
        fix = "posd init makes it, or the first start of the service"
        yield Finding("bad", "state directory", f"{directory} is not there", fix)
        return
    except OSError as error:
        yield Finding(
            "unknown",
            "state directory",
            f"{directory}: {error.strerror}",
            AS_ROOT,
        )
        return
    if found.st_mode & (stat.S_IRWXO | stat.S_IRWXG):
        words = f"{directory} has mode {stat.S_IMODE(found.st_mode):o}: others may look in"
        yield Finding("bad", "state directory", words, f"chmod 700 {directory}")
    user = user_named(USER)
    if user is not None and found.st_uid not in (user.pw_uid, os.geteuid()):
        yield Finding(
            "bad", "state directory", f"{directory} belongs to {name_of(found.st_uid)}",
            f"chown -R {USER}: {directory}",
        )  # fmt: skip
    needed = patient.configuration.money.free_space_bytes
    yield _room(f"free in {directory}", shutil.disk_usage(directory).free, needed)


def _room(where: str, free: int, needed: int) -> Finding:
    room = f"{free >> 20} MiB {where}"
    if free < needed:
        fix = "df -h; journalctl --vacuum-size=50M; then look for large files"
        return Finding("bad", "disk", f"{room}, {needed >> 20} MiB needed", fix)
    return Finding("good", "disk", room)


def people(patient: Patient) -> Findings:
    """Are the user and the technicians' group there?"""
    group = (
        "posd-tech" if patient.configuration is None else patient.configuration.diagnostics.group
    )
    if user_named(USER) is None:
        yield Finding("warning", "users", f"there is no user {USER}", _NO_USERS)
    try:
        members = grp.getgrnam(group).gr_mem
    except KeyError:
        yield Finding(
            "warning",
            "users",
            f"there is no group {group}",
            _NO_USERS,
        )
        return
    named = ", ".join(members) or "nobody"
    add = f"usermod --append --groups {group} NAME"
    yield Finding(
        "good" if members else "warning", "users", f"group {group}: {named}", "" if members else add
    )


def units(_patient: Patient) -> Findings:
    """What the service manager says."""
    tool = shutil.which("systemctl")
    if tool is None or not Path("/run/systemd/system").is_dir():
        yield Finding("unknown", "units", "no systemd runs here", "")
        return
    told = service()
    if told is None:
        yield Finding("unknown", "units", f"systemd does not say how {UNIT} is", "run it as root")
    else:
        state: State = "bad" if not told.running else "warning" if told.fix else "good"
        yield Finding(state, "units", f"{UNIT}: {told.words}", told.fix)
    active = _said(tool, "is-active", _SOCKET)
    words = f"{_SOCKET}: {active}"
    if active == "active":
        yield Finding("good", "units", words)
    elif told is not None and not told.running:
        yield Finding("unknown", "units", f"{words}; the next start of {UNIT} opens it")
    else:
        fix = f"systemctl status {_SOCKET}; systemctl restart {UNIT}"
        yield Finding("bad", "units", words, fix)


def clock(patient: Patient) -> Findings:
    """Is it likely to be right?"""
    from posd.edges import SystemClock

    now = SystemClock().now()
    text = now.isoformat(sep=" ", timespec="seconds")
    fix = "timedatectl set-ntp true, or set it by hand; then start posd again"
    ahead = None if patient.status is None else patient.status.clock.ahead
    if ahead is not None and abs(ahead) > CLOCK_MAY_DIFFER:
        yield Finding("bad", "clock", f"{text}, {clock_in_words(ahead)}", fix)
    elif now.year < _FIRST_YEAR:
        yield Finding("bad", "clock", f"{text}: long ago", fix)
    elif ahead is not None:
        yield Finding("good", "clock", f"{text}, as the acquirer's")
    else:
        tool = shutil.which("timedatectl")
        said = _said(tool, "show", "--property=NTPSynchronized", "--value") if tool else ""
        if said == "yes":
            yield Finding("good", "clock", f"{text}, set from the network")
        else:
            words = f"{text}; nobody has compared it: no sign-in since the start, no network time"
            yield Finding("warning", "clock", words, "look at it; timedatectl")


def acquirer(patient: Patient) -> Findings:
    """Can it be reached from here, and does it prove who it is?"""
    if patient.configuration is None:
        if patient.status is not None:
            yield _link(patient.status.link)
        return
    from posd.diagnostics.probe import ProbeFailed, probe

    host = patient.configuration.host
    steps: list[str] = []

    async def look() -> None:
        async for line in probe(host):
            steps.append(line)  # noqa: PERF401 - those before one that fails are told too

    try:
        asyncio.run(look())
    except ProbeFailed as error:
        yield Finding("bad", "acquirer", "; ".join([*steps, str(error)]), error.hint)
    else:
        yield Finding("good", "acquirer", "; ".join(steps))


def _link(link: m.Link) -> Finding:
    """What the terminal says of it, to somebody who may not read which it is."""
    where = f"{link.address}:{link.port}"
    if link.trouble:
        reason = link.last_reason.replace("_", " ")
        return Finding("bad", "acquirer", f"{where}: {reason}", "posctl test host")
    if not link.last_result:
        return Finding("unknown", "acquirer", f"{where}: not used yet", "posctl test host")
    return Finding("good", "acquirer", f"{where}: ok at {link.last_at.replace('T', ' ')}")


SUBJECTS: Final[tuple[Subject, ...]] = (
    running, units, configuration, keys, ports, state_directory, people, clock, acquirer,
)  # fmt: skip
"""In this order: a later one may need what an earlier one found."""


def _key_file(patient: Patient, name: str) -> Path | None:
    assert patient.configuration is not None
    named = patient.configuration.keys
    return named.device_key_file if name == "device-key" else named.master_key_file


def _said(*words: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - systemd's own tools, found by name
            words, capture_output=True, text=True, timeout=_TOOL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "no answer"
    return done.stdout.strip() or done.stderr.strip()
