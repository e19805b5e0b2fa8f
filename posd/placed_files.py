"""Files that are there whole or not at all, with their mode and owner from the first moment."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Owner(NamedTuple):
    """By number: below another root names mean somebody else."""

    user: int
    group: int


def place(
    path: Path, content: bytes, mode: int, owner: Owner | None = None, *, replace: bool
) -> None:
    """Write beside the path, sync, and move there. owner None: whoever runs this.

    replace False: raises FileExistsError when something is there, also when it came in between. Raises
    OSError; then nothing has changed.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            new.replace(path)
        else:
            path.hardlink_to(new)  # fails when the name is taken, unlike a rename
    finally:
        with suppress(FileNotFoundError):
            new.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
