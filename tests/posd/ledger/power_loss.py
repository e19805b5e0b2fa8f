"""A disk that forgets: SQLite's own writes recorded, and what a power cut may leave of them.

Debian's python3-apsw is linked against the same libsqlite3 as the standard library's sqlite3, so that a
virtual file system registered by the one serves the other: the real ledger, unchanged, on recorded files.
"""

from __future__ import annotations

import importlib
import random
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final

SECTOR: Final = 512
NAME: Final = "forgetful"
# SQLite syncs the directory together with the first sync of a journal or log that it created.
_WITH_DIRECTORY: Final = ("-journal", "-wal")
_DEBIAN: Final = "/usr/lib/python3/dist-packages"


@dataclass(frozen=True, slots=True)
class Operation:
    """What happened to a file: create, write, truncate, sync, delete. Or `mark`: a moment of the test's."""

    what: str
    name: str
    offset: int = 0
    data: bytes = b""
    mark: object = None


class Disk:
    """The log of everything that was done to the files of one directory, in its order."""

    def __init__(self) -> None:
        self.log: list[Operation] = []

    def note(self, what: str, name: str, offset: int = 0, data: bytes = b"") -> None:
        self.log.append(Operation(what, Path(name).name, offset, data))

    def mark(self, value: object) -> None:
        """Something is promised from here on."""
        self.log.append(Operation("mark", "", mark=value))


@dataclass(slots=True)
class _File:
    """What is surely there, and what was written since the last sync, in order."""

    durable: bytes = b""
    pending: list[Operation] = field(default_factory=list)
    exists: bool = False  # its name is surely in the directory
    deleted: bool = False  # its name is perhaps no longer there

    def sync(self) -> None:
        data = bytearray(self.durable)
        for operation in self.pending:
            _apply(data, operation)
        self.durable, self.pending = bytes(data), []


Keeps = Callable[[], bool]


def images(
    log: Sequence[Operation], keeps: Keeps, before: Mapping[str, bytes] | None = None
) -> Iterator[tuple[dict[str, bytes], list[object]]]:
    """For every prefix of the log: the files as a power cut leaves them, and the marks made before it.

    keeps is asked for every sector, name and truncation that no sync has made sure of. before: files that
    were there when the log began.
    """
    files = {name: _File(data, exists=True) for name, data in (before or {}).items()}
    marks: list[object] = []
    yield _left(files, keeps), []
    for operation in log:
        if operation.what == "mark":
            marks.append(operation.mark)
        else:
            _happen(files, operation)
        yield _left(files, keeps), list(marks)


def _happen(files: dict[str, _File], operation: Operation) -> None:
    file = files.setdefault(operation.name, _File())
    match operation.what:
        case "create":
            if file.deleted:
                files[operation.name] = _File()
        case "sync":
            file.sync()
            if not file.exists and operation.name.endswith(_WITH_DIRECTORY):
                _sync_directory(files)
        case "delete":
            file.deleted = True
        case _:
            file.pending.append(operation)


def _sync_directory(files: dict[str, _File]) -> None:
    for name in [name for name, file in files.items() if file.deleted]:
        del files[name]
    for file in files.values():
        file.exists = True


def _left(files: dict[str, _File], keeps: Keeps) -> dict[str, bytes]:
    left = {}
    for name, file in files.items():
        if file.deleted and keeps():
            continue
        if not file.exists and not keeps():
            continue
        data = bytearray(file.durable)
        for operation in file.pending:
            if operation.what == "truncate":
                if keeps():
                    _apply(data, operation)
                continue
            for start in range(0, len(operation.data), SECTOR):
                # SQLite's writes need not begin at a sector: a part of one is as likely to be lost.
                if keeps():
                    piece = operation.data[start : start + SECTOR]
                    _apply(data, Operation("write", name, operation.offset + start, piece))
        left[name] = bytes(data)
    return left


def _apply(data: bytearray, operation: Operation) -> None:
    if operation.what == "truncate":
        del data[operation.offset :]
        return
    end = operation.offset + len(operation.data)
    if end > len(data):
        data.extend(bytes(end - len(data)))
    data[operation.offset : end] = operation.data


def keeps_all() -> bool:
    return True


def keeps_nothing() -> bool:
    return False


def keeps_half(seed: int) -> Keeps:
    chance = random.Random(seed)
    return lambda: chance.random() < 0.5


def apsw() -> ModuleType | None:
    """Debian's apsw, when it is there and shares its SQLite with this interpreter's sqlite3."""
    sys.path.append(_DEBIAN)
    try:
        module = importlib.import_module("apsw")
    except ImportError:
        return None
    finally:
        sys.path.remove(_DEBIAN)
    with recording(module, Disk()):
        try:
            with closing(sqlite3.connect(f"file:probe?mode=memory&vfs={NAME}", uri=True)):
                return module
        except sqlite3.OperationalError:
            return None


@contextmanager
def recording(module: Any, disk: Disk) -> Iterator[None]:
    """While this lasts, files opened with vfs=forgetful are real files whose story is told to the disk."""

    class File(module.VFSFile):  # type: ignore[misc,name-defined]
        def __init__(self, name: Any, flags: list[int]) -> None:
            self.name = name.filename() if hasattr(name, "filename") else str(name)
            fresh = not Path(self.name).exists()
            super().__init__("", name, flags)
            if fresh:
                disk.note("create", self.name)

        def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
            disk.note("write", self.name, offset, bytes(data))
            super().xWrite(data, offset)

        def xTruncate(self, size: int) -> None:  # noqa: N802
            disk.note("truncate", self.name, size)
            super().xTruncate(size)

        def xSync(self, flags: int) -> None:  # noqa: N802
            super().xSync(flags)
            disk.note("sync", self.name)

    class FileSystem(module.VFS):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__(NAME, "")

        def xOpen(self, name: Any, flags: list[int]) -> File:  # noqa: N802
            return File(name, flags)

        def xDelete(self, name: str, sync_directory: bool) -> None:  # noqa: N802
            super().xDelete(name, sync_directory)
            disk.note("delete", name)

    file_system = FileSystem()
    try:
        yield
    finally:
        file_system.unregister()
