"""What the doctor looks at of the devices: their ports, and what the terminal says of them."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from posd.diagnostics import messages as m
from posd.diagnostics.posctl.findings import (
    AS_ROOT,
    USER,
    Finding,
    Findings,
    Patient,
    name_of,
    user_named,
)

if TYPE_CHECKING:
    from posd.settings import SerialSettings


def ports(patient: Patient) -> Findings:
    """Is every configured device there, and may the terminal open it?"""
    states = () if patient.status is None else patient.status.devices
    if patient.configuration is None:
        yield from map(_told, states)
        return
    known: dict[str, m.DeviceState] = {each.role: each for each in states}
    for role in patient.configuration.devices.__struct_fields__:
        settings: SerialSettings | None = getattr(patient.configuration.devices, role)
        title = role.replace("_", " ")
        if settings is None:
            yield Finding("warning", title, "not configured", f"[devices.{role}] in {patient.file}")
        elif role in known and known[role].present:
            state = known[role].state
            yield Finding(
                "warning" if state else "good",
                title,
                f"{settings.port}{f': {state}' if state else ''}",
            )
        elif settings.port.startswith("socket://"):
            found = (
                known[role].reason
                if role in known
                else "a serial server: asked by the terminal only"
            )
            yield Finding(
                "unknown" if role not in known else "bad", title, f"{settings.port}: {found}"
            )
        else:
            yield _port(title, settings.port.removeprefix("evdev:"), known.get(role))


def _told(device: m.DeviceState) -> Finding:
    """What the terminal says of it, to somebody who may not read where its port is configured."""
    title = device.role.replace("_", " ")
    if not device.configured:
        return Finding("warning", title, "not configured")
    if device.present:
        words = f"{device.port}{f': {device.state}' if device.state else ''}"
        return Finding("warning" if device.state else "good", title, words)
    return Finding("bad", title, f"{device.port}: {device.reason}", f"plug it in; {AS_ROOT}")


def _port(title: str, port: str, known: m.DeviceState | None) -> Finding:
    why = f": {known.reason}" if known is not None and known.reason else ""
    try:
        found = Path(port).stat()
    except FileNotFoundError:
        fix = "plug it in; ls -l /dev/posd; the rule is /etc/udev/rules.d/69-posd-ports.rules"
        return Finding("bad", title, f"{port} is not there{why}", fix)
    except OSError as error:
        return Finding("unknown", title, f"{port}: {error.strerror}{why}", AS_ROOT)
    if not stat.S_ISCHR(found.st_mode):
        return Finding(
            "bad", title, f"{port} is no device{why}", "the name in the configuration is wrong"
        )
    user = user_named(USER)
    if user is not None and found.st_uid != user.pw_uid and not found.st_mode & stat.S_IRWXO:
        owner = name_of(found.st_uid)
        fix = "give it a role in /etc/udev/rules.d/69-posd-ports.rules, then udevadm trigger"
        return Finding("bad", title, f"{port} belongs to {owner}, not to {USER}{why}", fix)
    if known is not None:
        return Finding("bad", title, f"{port}{why}", "posctl flight shows what its line carried")
    return Finding("good", title, port)
