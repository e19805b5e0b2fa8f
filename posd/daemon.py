"""The process: which edge is wired to which port, how it starts and ends. No rules of any kind."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import resource
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from devices.picture import Picture
from posd import log
from posd.core.core import Core
from posd.core.ending import Ending
from posd.core.events import DeviceChanged, Event
from posd.core.ports import Display, Host, Ports, Printer
from posd.diagnostics.wiring import Diagnostics
from posd.edges import Devices, LoopTimers, SystemClock, system_random
from posd.host.connection import HostConnection
from posd.keys import Keys
from posd.ledger.backup import Backups
from posd.ledger.errors import LedgerError, LedgerFailed
from posd.ledger.ledger import Ledger
from posd.ledger_care import LedgerCare
from posd.pin_entry import SecretPrompt, check_off_the_loop, settle_on_loop
from posd.preflight import StartError, check_ports, load_keys, tls_context
from posd.service_manager import HandedOver
from posd.settings import Configuration
from posd.state_lock import StateLock

if TYPE_CHECKING:
    import ssl

    from devices.recorder import Direction
    from posd.metrics import Textfile
    from posd.training import Training, TrainingLife

_log = structlog.get_logger()

ENDED: Final = 0
FAILED: Final = 1
SHUT_DOWN: Final = 3
"""Somebody shut the terminal down: it is not to be started again before somebody does."""

_DARK_SECONDS: Final = 2.0
_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h
_M_MMAP_THRESHOLD: Final = -3  # malloc.h
_M_ARENA_MAX: Final = -8
_LARGE_BLOCK: Final = 1024 * 1024  # bytes


class LineListener(Protocol):
    """Hears one device's line while the terminal runs (`posd record`)."""

    role: str

    def passed(self, at: float, direction: Direction, data: bytes) -> None:
        """These bytes went through the line, unmasked."""

    def secret(self, is_open: bool) -> None:
        """A prompt for a PIN or a password was opened, or closed."""


def run(configuration: Configuration, listener: LineListener | None = None) -> int:
    """Run the terminal until it is told to end; returns the exit code.

    Raises StartError when it cannot start as configured (exit code 2).
    """
    started = time.monotonic()  # noqa: TID251 - how long the start took, for the log
    leave_no_core_dump()
    give_memory_back()
    log.configure(configuration.log)
    signals = _Signals()
    check_ports(configuration)
    context = tls_context(configuration)
    keys = load_keys(configuration)
    lock = StateLock.take(configuration.terminal.state_directory)
    clock = SystemClock()
    try:
        return _lead(
            HandedOver(os.environ), configuration, keys, clock, context, listener, signals, started
        )
    finally:
        lock.release()
        signals.over()


def _lead(
    process: HandedOver,
    live: Configuration,
    live_keys: Keys,
    clock: SystemClock,
    context: ssl.SSLContext | None,
    listener: LineListener | None,
    signals: _Signals,
    started: float,
) -> int:
    """One life of the terminal after the other, live and in training; returns the exit code.

    Only one ledger is open at a time. Whatever ends the process, the next one begins live. Every line
    of the log that is written in training says so.
    """
    training: Training | None = None
    try:
        while True:
            if training is None:
                _forget_training(live)
            configuration = live if training is None else training.configuration
            keys = live_keys if training is None else training.keys
            marked = {} if training is None else {"training": True}
            with structlog.contextvars.bound_contextvars(**marked):
                ledger = _open_ledger(configuration, keys, clock)
                if ledger is None:
                    return FAILED
                try:
                    terminal = _Terminal(
                        configuration, ledger, keys, clock, context, listener, training, process
                    )
                    exit_code = asyncio.run(terminal.run(signals, started))
                except Exception as error:  # noqa: BLE001 - one line in the log, and the next start decides
                    _log.critical("terminal_failed", exc_info=error)
                    return FAILED
                finally:
                    ledger.close()
                    gc.unfreeze()  # what the life is made of can go
            match terminal.ending:
                case Ending.TRAINING:
                    training = _begin_training(live, clock, live_keys.password_cost)
                case Ending.LIVE:
                    assert training is not None
                    training.end()
                    training = None
                case Ending.POWER_CUT:
                    pass
                case _:
                    return exit_code
    finally:
        process.end()
        if training is not None:
            training.end()


def _begin_training(live: Configuration, clock: SystemClock, cost: int) -> Training | None:
    """None: there is no room for it, and the terminal goes on live."""
    from posd.training import Training  # with an acquirer that no live terminal needs

    try:
        return Training(live, clock, system_random, cost)
    except OSError as error:
        _log.error("training_impossible", reason=error.strerror)
        return None


def _forget_training(live: Configuration) -> None:
    """What a training left whose process did not come to its end."""
    if live.terminal.training_directory.exists():
        from posd.training import forget_training

        forget_training(live)


def leave_no_core_dump() -> None:
    """A crash writes no memory to disk, and no other process of the same user reads it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def give_memory_back() -> None:
    """What a password's comparison takes, 16 MiB, goes back to the system when it is done.

    glibc would raise its threshold with the first such block that is freed, and keep later ones in a
    heap of the thread that asked: as many times 16 MiB as there are threads (mallopt(3)).
    """
    ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
    # One heap for all threads: copies and passwords are made one at a time, and each heap keeps its peak.
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_heap_back() -> None:
    """Pages of the heap that a settlement or a copy of the ledger has left free (malloc_trim(3))."""
    ctypes.CDLL(None).malloc_trim(0)


def _open_ledger(configuration: Configuration, keys: Keys, clock: SystemClock) -> Ledger | None:
    path = configuration.terminal.state_directory / "ledger.db"
    try:
        return Ledger.open(path, keys, clock, system_random, backups=Backups.of(configuration))
    except LedgerError as error:
        _log.critical("ledger_unusable", reason=str(error), advice=error.advice)
        asyncio.run(_show_unusable(configuration))
        if isinstance(error, LedgerFailed) or configuration.is_training:
            return None  # starting again helps: after a training it is the live ledger's turn
        # Starting again would change nothing.
        raise StartError("terminal.state_directory", f"{error}; {error.advice}") from None


async def _show_unusable(configuration: Configuration) -> None:
    from posd.fault_screen import show_fault  # only a start that fails needs them
    from posd.texts.errors import ErrorCode

    await show_fault(configuration, ErrorCode.LEDGER)


class _Signals:
    """SIGTERM and SIGINT: at any moment, before, during and after the loop, they mean exit code 0.
    SIGUSR1: a backup, now.

    Not loop.add_signal_handler: it leaves the default action behind when the loop is closed, and a
    signal in the last milliseconds would be a death by signal.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls: dict[int, Callable[[], None]] = {}
        self._ordered = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, self._signalled)

    def tell(self, *, end: Callable[[], None], back_up: Callable[[], None]) -> None:
        """Call these on the running loop when they are ordered; the end also when it has been."""
        self._loop = asyncio.get_running_loop()
        self._calls = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGUSR1: back_up}
        if self._ordered:
            end()

    def over(self) -> None:
        """Nothing is left to end. While Python is finalized only an ignored signal is survived."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)

    def _signalled(self, number: int, _frame: object) -> None:
        self._ordered = self._ordered or number != signal.SIGUSR1
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the end has begun already
                self._loop.call_soon_threadsafe(self._calls[number])


class _Terminal:
    """One life of the terminal on the event loop."""

    def __init__(
        self,
        configuration: Configuration,
        ledger: Ledger,
        keys: Keys,
        clock: SystemClock,
        context: ssl.SSLContext | None,
        listener: LineListener | None = None,
        training: Training | None = None,
        process: HandedOver | None = None,
    ) -> None:
        self._configuration = configuration
        self._exit_code: int | None = None
        self._absent: set[str] = set()
        self._over = asyncio.Event()
        process = process or HandedOver(os.environ)
        self._manager = process.manager
        self._devices = Devices(
            configuration.devices, self._deliver, lambda key: self._prompt.press(key)
        )
        self._prompt = SecretPrompt(
            self._deliver,
            check_off_the_loop(keys.device, keys.password_cost),
            self._mask,
            settle_on_loop,
        )
        self._host: HostConnection | None = None
        self._training: TrainingLife | None = None
        self._listener = listener
        if listener is not None:
            self._devices.tap(listener.role, listener.passed)
        display: Display = self._devices
        printer: Printer = self._devices
        host: Host
        if training is None:
            self._host = HostConnection(
                configuration.host, configuration.dialect.frame_cap, self._deliver, context
            )
            host = self._host
        else:
            # No connection: nothing of a training leaves the terminal.
            self._training = training.life(printer, self._deliver, _later)
            printer, host = self._training, self._training.host
        self._diagnostics = Diagnostics(configuration, clock, process.listening())
        display, host = self._diagnostics.display(display), self._diagnostics.host(host)
        ports = Ports(
            display=display,
            printer=printer,
            host=host,
            timers=LoopTimers(self._deliver),
            clock=clock,
            random_bytes=system_random,
            secret_entry=self._prompt,
            drills=self._training,
        )
        self._core = Core(configuration, ledger, ports, keys)
        self._diagnostics.look_at(self._core, self._devices, keys)
        self._clock = clock
        self._metrics: Textfile | None = None
        self._care = LedgerCare(
            self._core,
            Backups.of(configuration),
            configuration.backup,
            clock,
            self._look_after_core,
            give_heap_back,
        )

    @property
    def ending(self) -> Ending | None:
        """Not None: this life was ended by a clerk, and what is to come after it."""
        return self._core.ending

    async def run(self, signals: _Signals, started: float) -> int:
        """Until the end is ordered, a clerk ends it, or the core gives up; returns the exit code."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_callback_failed)
        signals.tell(end=lambda: self._finish(ENDED), back_up=self._care.back_up_soon)
        self._devices.start()
        try:
            self._core.start()
            self._look_after_core()
            if self._exit_code is None:
                self._manager.ready(self._status())
                seconds = round(loop.time() - started, 3)
                _log.info("ready", seconds=seconds, tls=self._configuration.host.tls)
                self._feed_watchdog()
                self._diagnostics.open(self._care.back_up_soon, self._look_after_core)
                gc.collect()
                gc.enable()
                gc.freeze()  # what the start made stays: no collection walks it while a clerk waits
                if not self._configuration.is_training:  # whose ledger needs no copies
                    self._care.start()
                    self._write_metrics()
            await self._over.wait()
            if self.ending is Ending.POWER_CUT:
                await self._go_dark()
        finally:
            if self._metrics is not None:
                self._metrics.stop()
            if self._training is not None:
                self._training.host.forget()
            await asyncio.gather(
                *(part.stop() for part in (self._devices, self._care, self._diagnostics)),
                *([self._host.end()] if self._host is not None else []),
            )
        _log.info("ended", exit_code=self._exit_code, ending=self.ending or "")
        return FAILED if self._exit_code is None else self._exit_code

    def _write_metrics(self) -> None:
        """Every so often, where a file for them is configured."""
        if self._configuration.metrics.textfile is None:
            return
        from posd.metrics import Textfile, exposition  # most terminals need none of it

        def read() -> str:
            try:
                return exposition(self._core, self._devices, self._clock)
            except LedgerError as error:
                self._core.ledger_failed(error)
                self._look_after_core()
                return ""

        self._metrics = Textfile(self._configuration.metrics, read)
        self._metrics.start()

    def _deliver(self, event: Event) -> None:
        """Every event of every edge comes through here; none after the end."""
        if self._exit_code is not None:
            return
        if isinstance(event, DeviceChanged):
            self._note_device(event)
        if self._diagnostics.takes(event):
            return
        if self._training is not None:
            event = self._training.translated(event)
        try:
            self._core.handle(event)
        except Exception as error:  # noqa: BLE001 - the core catches its own: this is beyond repair
            _log.critical("core_failed", event_kind=type(event).__name__, exc_info=error)
            self._finish(FAILED)
        self._look_after_core()

    def _mask(self, masked: bool) -> None:
        self._devices.mask_keypad(masked)
        if self._listener is not None:
            self._listener.secret(masked)

    def _note_device(self, event: DeviceChanged) -> None:
        """A clerk reads on the screen what is missing; a technician, also without a screen, here."""
        before = set(self._absent)
        (self._absent.discard if event.present else self._absent.add)(event.role)
        if self._absent != before:
            self._manager.status(self._status())

    def _status(self) -> str:
        plain = ", plain TCP to the host" if self._configuration.host.plaintext else ""
        absent = f", absent: {', '.join(sorted(self._absent))}" if self._absent else ""
        doing = "training" if self._training is not None else "running"
        return f"{doing}{plain}{absent}"

    async def _go_dark(self) -> None:
        """What a clerk sees of a power cut."""
        settings = self._configuration.devices.display
        if settings is not None:
            self._devices.show(Picture((), settings.columns, settings.lines))
        await asyncio.sleep(_DARK_SECONDS)

    def _look_after_core(self) -> None:
        if self._core.halted is not None:
            self._finish(FAILED)
        elif self._core.ending is not None:
            self._finish(SHUT_DOWN if self._core.ending is Ending.SHUT_DOWN else ENDED)

    def _finish(self, exit_code: int) -> None:
        if self._exit_code is None:
            self._exit_code = exit_code
            self._over.set()

    def _feed_watchdog(self) -> None:
        """From the loop that does the work: when it hangs, the service manager ends the process."""
        seconds = self._manager.watchdog_seconds
        if seconds is not None and self._exit_code is None:
            self._manager.alive()
            asyncio.get_running_loop().call_later(seconds, self._feed_watchdog)


def _later(seconds: float, call: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(seconds, call)


def _callback_failed(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A callback of an edge raised. The context's own texts show arguments and are left out."""
    _log.error("callback_failed", exc_info=context.get("exception"))
