"""Starts the daemon again and again, and kills it at moments that its own timer chose beforehand.

It runs in a thread of its own and never looks at what the daemon shows, sends or prints: a loop that
does is synchronised with it, and kills it only where it is idle.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from posd.testing.under_fire.capture import Capture
from posd.testing.under_fire.ledger_at_kill import DAMAGED, state_at_kill
from posd.testing.under_fire.process import DaemonProcess, Notifications
from posd.testing.under_fire.storage import Storage
from posd.testing.under_fire.story import Story, seconds

_FOREVER: Final = 3600.0
_RESTART_SECONDS: Final = 0.1  # RestartSec= of the service manager
_END_SECONDS: Final = 15.0  # that an ordered end may take
_FIRST_GUESS: Final = 0.6  # s from start to ready
_DURING_START: Final = 0.15  # of the kills
_MEAN_LIFE: Final = 3.0  # s after ready
_LONGEST_LIFE: Final = 15.0
_GIVEN_UP: Final = (
    1,
    2,
)  # exit codes of a daemon whose disk fails; 2: at a start, nothing to write on


@dataclass
class Kills:
    """What the supervisor counted."""

    starts: int = 0
    kills: int = 0
    before_ready: int = 0
    exits: Counter[str] = field(default_factory=Counter)
    ready_after: list[float] = field(default_factory=list)
    ledger_states: Counter[str] = field(default_factory=Counter)
    line_stages: Counter[str] = field(default_factory=Counter)


class Supervisor(threading.Thread):
    """Everything that is done to the process, in the one thread that is its parent.

    firing: kills happen. disk_trouble: the daemon may end by itself, and may not get ready.
    failure: what was wrong with the process itself; nothing goes on after that.
    """

    def __init__(
        self,
        directory: Path,
        configuration: Path,
        ledger: Path,
        storage: Storage,
        capture: Capture,
        story: Story,
        random: Random,
        *,
        power: bool,
        ready_seconds: float,
        power_cycled: Callable[[], None],
    ) -> None:
        super().__init__(name="supervisor", daemon=True)
        self.counted = Kills()
        self.failure = ""
        self.exit_code: int | None = None
        self.ready = False
        self._configuration = configuration
        self._log_file = directory / "posd.log"
        self._notifications = Notifications(directory / "notify")
        self._ledger = ledger
        self._storage = storage
        self._capture = capture
        self._story = story
        self._random = random
        self._power = power
        self._ready_seconds = ready_seconds
        self._power_cycled = power_cycled
        self._firing = False
        self._ending = False
        self._disk_trouble = False
        self._failed_disk = False
        self._between: deque[Callable[[], None]] = deque()
        self._wanted: deque[Callable[[DaemonProcess], None]] = deque()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    # --- for the others ---------------------------------------------------------------------------

    def fire(self, *, on: bool) -> None:
        """Kill it from time to time, or let it live."""
        self._firing = on
        self._wake()

    def end(self) -> None:
        """Tell the process to end, and wait for it; `exit_code` says how. The thread ends."""
        self._ending = True
        self._wake()
        self.join()
        self._notifications.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def between_lives(self, act: Callable[[], None]) -> None:
        """Kill the process that runs, and do this before the next one."""
        self._between.append(act)
        self._wake()

    def in_life(self, act: Callable[[DaemonProcess], None]) -> None:
        """Do this to the process that runs."""
        self._wanted.append(act)
        self._wake()

    def trouble_with_the_disk(self, *, on: bool) -> None:
        """While it lasts, and in the life in which it ends, the daemon may give up."""
        self._disk_trouble = on

    def _wake(self) -> None:
        os.write(self._wake_write, b"!")

    # --- the thread -------------------------------------------------------------------------------

    def run(self) -> None:
        try:
            while not self._ending and not self.failure:
                self._live()
        except Exception as error:  # noqa: BLE001 - a fault of ours ends the run, with its reason
            self._fail(f"the supervisor failed: {error!r}")

    def _live(self) -> None:
        """One life of the daemon."""
        while self._between:
            self._between.popleft()()
        self._capture.start()
        process = DaemonProcess(self._configuration, self._log_file, self._notifications)
        self.counted.starts += 1
        self._story.note(f"start {process.number}")
        try:
            self._storage.started(process.number)
            self._watch(process)
        finally:
            self.ready = False
            process.kill()
            process.close()
        if self._failed_disk:
            self._failed_disk = False
            self._storage.repair()

    def _watch(self, process: DaemonProcess) -> None:
        """Until it is killed, ends by itself, or hangs."""
        after_start, after_ready = self._life()
        dies_at = process.started_at + after_start
        trouble = self._disk_trouble
        while True:
            while self._wanted:
                self._wanted.popleft()(process)
            firing = self._firing
            trouble = trouble or self._disk_trouble
            patience = process.heard_at + self._ready_seconds
            until = min(dies_at, patience) if firing else patience
            code = process.wait(until, self._wake_read)
            self._drain()
            if process.ready_after is not None and not self.ready:
                self.ready = True
                self.counted.ready_after.append(process.ready_after)
                dies_at = min(dies_at, process.started_at + process.ready_after + after_ready)
                self._story.note(f"ready after {process.ready_after:.3f} s")
            if code is not None:
                self._ended(code, allowed=trouble or self._disk_trouble)
                return
            if self._ending:
                self._order_end(process)
                return
            if self._between or (firing and self._firing and seconds() >= dies_at):
                self._kill(process)
                return
            if seconds() >= process.heard_at + self._ready_seconds:
                self._hangs(process, allowed=trouble or self._disk_trouble)
                return

    def _life(self) -> tuple[float, float]:
        """Seconds from the start, and seconds from ready, after which it is killed: whichever is first.

        Both are chosen before the process exists; what it does after it is ready changes nothing.
        """
        if self._random.random() < _DURING_START:
            known = self.counted.ready_after[-20:] or [_FIRST_GUESS]
            return self._random.uniform(0.0, sum(known) / len(known)), 0.0
        return _FOREVER, min(self._random.expovariate(1 / _MEAN_LIFE), _LONGEST_LIFE)

    def _kill(self, process: DaemonProcess) -> None:
        stage = self._capture.stage
        if self._power:
            self._storage.fail(process.number)
        process.kill()
        if self._power or self._failed_disk:
            self._storage.repair()
            self._failed_disk = False
        if self._power:
            self._power_cycled()
        state = state_at_kill(self._ledger)
        if process.ready_after is None:
            self.counted.before_ready += 1
            stage = "before ready"
        self.counted.kills += 1
        self.counted.ledger_states[state] += 1
        self.counted.line_stages[stage] += 1
        word = "power cut" if self._power else "kill"
        self._story.note(f"{word} {process.number}: ledger {state}; line {stage}")
        if state.startswith(DAMAGED):
            self._fail(f"after a {word} the ledger is {state}")

    def _ended(self, code: int, *, allowed: bool) -> None:
        self.counted.exits[f"exit code {code}"] += 1
        self._story.note(f"it ended with exit code {code}")
        if not allowed or code not in _GIVEN_UP:
            lines = self._log_file.read_text("utf-8", "replace").splitlines()[-5:]
            self._fail("\n".join([f"the daemon ended with exit code {code}", *lines]))
        elif not self._ending:
            time.sleep(_RESTART_SECONDS)

    def _hangs(self, process: DaemonProcess, *, allowed: bool) -> None:
        what = "said nothing for" if process.ready_after is not None else "was not ready within"
        if allowed and process.ready_after is None:
            self.counted.exits["not ready, disk in trouble"] += 1
            self._story.note("not ready while the disk is in trouble: killed")
            return
        self._fail(f"the daemon {what} {self._ready_seconds:.0f} s")

    def _order_end(self, process: DaemonProcess) -> None:
        process.signal(signal.SIGTERM)
        end = seconds() + _END_SECONDS
        while seconds() < end:
            self.exit_code = process.wait(end, self._wake_read)
            if self.exit_code is not None:
                if self.exit_code != 0:
                    self._fail(f"told to end it ended with exit code {self.exit_code}")
                return
        self._fail(f"told to end it did not within {_END_SECONDS:.0f} s")

    def dead_disk(self, process: DaemonProcess) -> None:
        """For `in_life`: the disk answers with errors until the next start. Raises StorageError."""
        self._storage.fail(process.number)
        self._failed_disk = True
        process.signal(signal.SIGCONT)

    def _drain(self) -> None:
        try:
            while os.read(self._wake_read, 64):
                pass
        except BlockingIOError:
            return

    def _fail(self, what: str) -> None:
        if not self.failure:
            self.failure = what
            self._story.note(f"FAILURE {what}")
