"""What the doctor finds, and what one look hands on to the next."""

from __future__ import annotations

import pwd
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from posd.diagnostics import messages as m

if TYPE_CHECKING:
    from posd.settings import Configuration

State = Literal["good", "bad", "warning", "unknown"]
USER: Final = "posd"
AS_ROOT: Final = "run posctl doctor as root"


class Finding(Struct, frozen=True):
    """One line of the list: how it is, what was looked at, what was found, and how to mend it."""

    state: State
    what: str
    found: str
    fix: str = ""


@dataclass
class Patient:
    """What was found out on the way and is needed by later subjects."""

    file: Path
    socket: Path
    configuration: Configuration | None = None
    status: m.Status | None = None
    own_keys: bool = False  # the configuration names key files of its own
    answers: bool = False  # a terminal listens at the socket


Findings = Iterator[Finding]
Subject = Callable[[Patient], Findings]


def user_named(name: str) -> pwd.struct_passwd | None:
    """None where there is no such user."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def name_of(user: int) -> str:
    """Or the number, of a user that is gone."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
