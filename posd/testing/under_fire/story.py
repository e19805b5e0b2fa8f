"""What happened, when, and how often: the time line of a run and its counts."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from pathlib import Path
from typing import Final

_KEPT: Final = 400  # lines for a report; the file has all of them


def seconds() -> float:
    """A clock that never jumps."""
    return time.monotonic()  # noqa: TID251 - a real process lives in real time


class Story:
    """Counts and a time line in a file. Any thread may tell it something."""

    def __init__(self, file: Path) -> None:
        self.faults: Counter[str] = Counter()
        self.last: deque[str] = deque(maxlen=_KEPT)
        self._began = seconds()
        self._lock = threading.Lock()
        self._file = file.open("a", encoding="utf-8", buffering=1)

    def note(self, what: str) -> None:
        """A line of the time line."""
        line = f"{seconds() - self._began:10.3f} {what}"
        with self._lock:
            self.last.append(line)
            if not self._file.closed:
                self._file.write(f"{line}\n")

    def fault(self, kind: str, details: str = "") -> None:
        """A fault that came true: it counts."""
        with self._lock:
            self.faults[kind] += 1
        self.note(f"{kind} {details}".rstrip())

    def close(self) -> None:
        with self._lock:
            self._file.close()
