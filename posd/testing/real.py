"""The real stage: the daemon as its own process, on pseudo-terminals and a TCP connection.

A power cut is SIGKILL. The daemon's log goes to a file; its ledger is read in copies.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import posd
from posd.acquirer.cards import BY_NAME
from posd.acquirer.outcomes import Order, Outcome
from posd.core.events import Key
from posd.daemon import ENDED, SHUT_DOWN
from posd.testing.counter import GARBLED, KEYS, Acquiring, Counter
from posd.testing.installation import ROLES, Installation
from posd.testing.loop_thread import LoopThread
from posd.testing.snapshot import Snapshots
from posd.testing.stage import StageError, TerminalDiedError, Witness
from posd.testing.steps import Disturbance, Part, SettingValue

_POLL: Final = 0.005  # s
_BLIND: Final = 0.2  # s between the keys of a clerk who sees nothing
NOTICE: Final = 1.0  # s that a screen may take to answer a key of a script
_QUIET: Final = 0.015  # s without a change between the keys of one line
_REACTION: Final = 0.05  # s from a screen that was waited for to the next key: faster than anybody
_SECRET: Final = (
    0.2  # s there: who has shown a prompt for one may not have been given the time to open it
)
_SECRETS: Final = ("密码", "PIN", "assword")
_READY: Final = 60.0  # s that the first screen may take, on a machine that has no time for us
_STOP: Final = 60.0  # s that an ordered end may take there
_LAST_LINES: Final = 5
_LAUNCHER: Final = """\
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, linux/prctl.h
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Becomes the daemon, which ends with whoever plays, however that ends.

A daemon that outlived its simulated devices would look for them for ever, and would find whatever
is given their pseudo-terminals' numbers next.
"""


class RealStage:
    """One terminal's process below one directory, with everything it is connected to.

    printer_bytes_per_second: what its printer takes; None is as fast as the machine. command: of
    `posd`, with its options: `run`, or one that runs the terminal too. notice: s that a screen may
    take to answer a key; one that changes nothing takes as long.
    """

    patience = 3.0

    def __init__(
        self,
        directory: Path,
        printer_bytes_per_second: float | None = None,
        command: Sequence[str] = ("run",),
        notice: float = NOTICE,
    ) -> None:
        self._command = command
        self._notice = notice
        self.witness = Witness()
        self.installation = Installation(directory)
        self.log_file = directory / "posd.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._acquiring: Acquiring | None = None
        self._closed = False
        self._log_begins = 0
        self._has_looked = True  # somebody waited for a screen since the last key
        self._loop = LoopThread()
        self._counter = self._loop.call(
            lambda: Counter(self.installation, self.witness, printer_bytes_per_second)
        )
        ledger = self.installation.state_directory / "ledger.db"
        self._snapshots = Snapshots(ledger, directory / "copy.db")

    # --- the terminal -----------------------------------------------------------------------------

    def configure(self, path: Sequence[str], value: SettingValue) -> None:
        if self._acquiring is not None:
            raise StageError("settings come before anything else")
        devices = self.installation.configure(path, value).devices
        self._loop.call(lambda: self._counter.size(devices))

    @property
    def powered(self) -> bool:
        return self.process is not None

    def power_on(self) -> None:
        if self.process is not None:
            raise StageError("the terminal has power already")
        self._acquirer()
        self._let_unplugged_ports_be_missing()
        self._launch()
        # Keys that are pressed before the keypad is opened are lost, as on a real one.
        self.let_pass(_READY, self._has_begun)

    def _let_unplugged_ports_be_missing(self) -> None:
        """The devices' own ports are as stable as udev's names; a port that a script named is not."""
        devices = self.installation.load().devices
        for role in ROLES:
            line = getattr(devices, role)
            own = self.installation.device_directory / role
            if line.required is None and Path(line.port) == own:
                self.installation.configure(("devices", role, "required"), False)

    def _launch(self) -> None:
        # A checkout that is not installed is found where this module was found.
        root = str(Path(posd.__file__).parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        file = self.installation.configuration_file
        self._log_begins = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own program and file
                [
                    sys.executable,
                    "-c",
                    _LAUNCHER,
                    "-m",
                    "posd",
                    *self._command,
                    "--config",
                    str(file),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,  # ctrl-C is for whoever plays, not for the daemon
                env={**os.environ, "PYTHONPATH": path},
            )

    def power_cut(self) -> None:
        if self.process is None:
            raise StageError("the terminal has no power")
        self.process.kill()
        self.process.wait(_STOP)
        self.process = None
        self._loop.call(self._counter.power_cut)
        self._counter.drain()

    # --- the clerk --------------------------------------------------------------------------------

    def press(self, key: Key) -> None:
        self._do(lambda: self._counter.keypad.press(KEYS[key]))

    def swipe(self, card: str, fault: str) -> None:
        track = BY_NAME[card].track2.reveal()
        reader = self._counter.card_reader
        if fault:
            self._do(lambda: reader.swipe_garbled(track, how=GARBLED[fault]))
        else:
            self._do(lambda: reader.swipe(track))

    def paper_out(self, lines: int) -> None:
        self._loop.call(lambda: self._counter.printer.paper_out_after(lines))

    def load_paper(self) -> None:
        self._loop.call(self._counter.printer.load_paper)

    def plug(self, role: str, *, plugged: bool) -> None:
        self._loop.call(lambda: self._counter.plug(role, plugged=plugged))
        self._counter.drain()

    def disturb(self, role: str, how: Disturbance, amount: float) -> None:
        if how == "xoff":
            devices = self.installation.load().devices
            settings = getattr(devices, role)
            if settings.flow_control != "xon_xoff":
                raise StageError(
                    f'an XOFF means nothing without set devices.{role}.flow_control = "xon_xoff"'
                )
        self._loop.call(lambda: self._counter.disturb(role, how, amount))

    def printer_part(self, part: Part, *, wrong: bool) -> None:
        self._loop.call(lambda: self._counter.printer_part(part, wrong=wrong))

    # --- the host ---------------------------------------------------------------------------------

    def waiting_for_answer(self) -> bool:
        return self._acquirer().acquirer.owes_an_answer

    def order(self, outcome: Outcome, kind: str, times: int) -> None:
        acquirer = self._acquirer().acquirer
        self._loop.call(lambda: acquirer.order(Order(kind, outcome, times)))

    def link(self, *, up: bool) -> None:
        acquiring = self._acquirer()
        if up:
            self._loop.run(acquiring.open())
        else:
            self._loop.run(acquiring.shut())

    def _acquirer(self) -> Acquiring:
        """Opened when it is first needed: from then on the terminal's settings are fixed."""
        if self._acquiring is None:
            acquiring = self._loop.call(lambda: Acquiring(self.installation, self.witness))
            self._acquiring = acquiring
            port = self._loop.run(acquiring.open())
            self.installation.configure(("host", "port"), port)
        return self._acquiring

    # --- time and truth ---------------------------------------------------------------------------

    def let_pass(self, seconds: float, until: Callable[[], bool]) -> bool:
        self._has_looked = True
        return self._let_pass(seconds, until)

    def _let_pass(self, seconds: float, until: Callable[[], bool]) -> bool:
        end = time.monotonic() + seconds  # noqa: TID251 - a real daemon runs on real time
        while True:
            self._look()
            if until():
                return True
            if time.monotonic() >= end:  # noqa: TID251
                return False
            time.sleep(_POLL)

    def copy_ledgers(self) -> tuple[Path, Path]:
        try:
            return self._snapshots.take(), self.installation.acquirer_ledger
        except TimeoutError as error:
            raise StageError(str(error)) from None

    def keep_ledger(self) -> None:
        self._without_power()
        self._snapshots.keep()

    def put_back_ledger(self) -> None:
        self._without_power()
        try:
            self._snapshots.put_back()
        except FileNotFoundError:
            raise StageError("no ledger has been kept") from None

    def _without_power(self) -> None:
        if self.powered:
            raise StageError("a ledger in use is neither kept nor put back: cut the power first")

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._stop()
            self._loop.call(self._counter.close)
            if self._acquiring is not None:
                self._loop.run(self._acquiring.close())
        finally:
            self._loop.close()

    def _look(self) -> None:
        """Take notice of what came out, and of a daemon that ended by itself.

        One that was told to at its keypad is started again, or not, as the service manager would.
        """
        self._counter.drain()
        if self.process is not None and (code := self.process.poll()) is not None:
            self.process = None
            if code == ENDED:
                self._launch()
                return
            if code == SHUT_DOWN:
                return
            lines = self.log_file.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:]
            raise TerminalDiedError("\n".join([f"the daemon ended with exit code {code}:", *lines]))

    def _do(self, act: Callable[[], None]) -> None:
        """Do what a hurried clerk does: act, and look at the screen before the next key.

        A terminal drops digits that come before its prompt for a secret can be seen.
        """
        if self.process is None:
            raise StageError("the terminal has no power")
        self._settle(self._reaction() if self._has_looked else _QUIET)
        self._has_looked = False
        before = len(self.witness.screens)
        self._loop.call(act)
        notice = self._notice if self._counter.display.is_plugged else _BLIND
        self._let_pass(notice, lambda: len(self.witness.screens) > before)

    def _has_begun(self) -> bool:
        """Is there a screen? Without a display: has the daemon looked for every device?"""
        if self._counter.display.is_plugged:
            return any(self.witness.screen)
        with self.log_file.open("rb") as log:
            log.seek(self._log_begins)
            found = log.read()
        return all(f'"role": "{role}"'.encode() in found for role in self._counter.by_role)

    def _reaction(self) -> float:
        asked = any(word in row for row in self.witness.screen for word in _SECRETS)
        return _SECRET if asked else _REACTION

    def _settle(self, seconds: float) -> None:
        """Wait until the screen has not changed for so long."""
        count = -1
        while count != len(self.witness.screens):
            count = len(self.witness.screens)
            self._let_pass(seconds, lambda: False)

    def _stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(_STOP)
        self.process = None
