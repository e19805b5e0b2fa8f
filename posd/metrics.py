"""What a fleet's monitoring reads: Prometheus text format 0.0.4, and a file of it for the node-exporter.

Counters count since this process started; nothing here reads a growing table or names a card, a clerk or an
amount. `posctl metrics` shows the same text.
"""

from __future__ import annotations

import contextlib
import os
from asyncio import TimerHandle, get_running_loop
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import structlog

from devices.line import Line, LineState
from posd import VERSION
from posd.core.core import Core
from posd.core.ports import Clock
from posd.ledger.ledger import milliseconds
from posd.ledger.records import IN_DOUBT, State
from posd.log import TALLY
from posd.settings import MetricsSettings
from posd.terminal.cases import is_closed

_log = structlog.get_logger()

ROLES: Final = ("keypad", "display", "printer", "card_reader")
OUTCOMES: Final = {
    "approved": ("outcome.approved", "info"),
    "declined": ("outcome.declined", "info"),
    "reversed": ("reversal.ended", "info"),
    "unresolved": ("alert.unresolved", "error"),
}
"""How a request ended, and the event of the log that says so, with its level."""

_READABLE: Final = 0o644  # the node-exporter is another user


class Lines(Protocol):
    """The devices, as far as they are counted."""

    def line(self, role: str) -> Line | None: ...


class Metric(NamedTuple):
    """One metric: its name without the prefix, what it is, and its samples by their labels."""

    name: str
    kind: str  # counter or gauge
    help: str
    samples: Mapping[tuple[tuple[str, str], ...], float]


def exposition(core: Core, devices: Lines, clock: Clock) -> str:
    """Everything as text. Raises LedgerError when the ledger cannot be read."""
    return "".join(_written(metric) for metric in _metrics(core, devices, clock))


def _metrics(core: Core, devices: Lines, clock: Clock) -> Iterator[Metric]:
    yield Metric("build_info", "gauge", "The version that runs.", {(("version", VERSION),): 1})
    yield _gauge("up", "Whether the terminal takes events.", core.halted is None)
    yield from _core(core)
    yield from _ledger(core, clock)
    yield from _devices(devices)
    yield from _host(core)
    yield Metric(
        "log_events_total",
        "counter",
        "Events of the log, by name and level, also those left out as repeats.",
        {
            (("event", event), ("level", level)): count
            for (event, level), count in sorted(TALLY.counts.items())
        },
    )


def _core(core: Core) -> Iterator[Metric]:
    yield _counter("faults_total", "Mistakes inside that the core caught.", core.faults)
    yield _counter("stale_timers_total", "Timers that fired after their end.", core.timers.stale)
    yield _gauge("sells", "Whether a sale may be begun now.", core.dialogue.refusal is None)
    yield _gauge("signed_in", "Whether the terminal is signed in.", core.money.signed_in)
    yield Metric(
        "outcomes_total",
        "counter",
        "How requests ended.",
        {(("outcome", name),): TALLY.count_of(*logged) for name, logged in OUTCOMES.items()},
    )


def _ledger(core: Core, clock: Clock) -> Iterator[Metric]:
    ledger = core.ledger
    doubtful = [
        record
        for record in ledger.transactions.in_states(*IN_DOUBT)
        if record.state is not State.UNRESOLVED or not is_closed(ledger, record)
    ]
    yield _counter("ledger_commits_total", "Commits, each one or two syncs.", ledger.commits)
    yield _gauge("ledger_free_bytes", "Room for new business.", ledger.free_space())
    yield _gauge(
        "batch_transactions", "Stored and not settled.", ledger.transactions.unsettled_count()
    )
    yield _gauge(
        "slips_waiting", "Slips that are kept unprinted.", ledger.print_jobs.waiting_count()
    )
    yield Metric(
        "transactions_in_doubt",
        "gauge",
        "Transactions that are neither done nor undone, by state; without cases that are closed.",
        {
            (("state", state),): sum(record.state is state for record in doubtful)
            for state in sorted(IN_DOUBT)
        },
    )
    oldest = min((record.created_at for record in doubtful), default=ledger.now())
    yield _gauge(
        "oldest_in_doubt_age_seconds",
        "Age of the oldest of them; 0 when there is none.",
        max(0, ledger.now() - oldest) / 1000,
    )
    yield _gauge(
        "clock_offset_seconds",
        "The host's clock less this machine's, as the last sign-in told it.",
        (ledger.now() - milliseconds(clock.now())) / 1000,
    )


def _devices(devices: Lines) -> Iterator[Metric]:
    lines = {role: line for role in ROLES if (line := devices.line(role)) is not None}

    def by_role(name: str, kind: str, text: str, value: Callable[[Line], float]) -> Metric:
        return Metric(name, kind, text, {(("role", role),): value(lines[role]) for role in lines})

    yield by_role("device_up", "gauge", "Whether the device can be reached.", _is_present)
    yield by_role(
        "device_connections_total",
        "counter",
        "How often it was found.",
        lambda line: line.connections,
    )
    yield by_role(
        "device_received_bytes_total", "counter", "Bytes from it.", lambda line: line.bytes_in
    )
    yield by_role(
        "device_sent_bytes_total",
        "counter",
        "Bytes to it that the kernel took.",
        lambda line: line.bytes_out,
    )


def _is_present(line: Line) -> float:
    return line.state is LineState.PRESENT


def _host(core: Core) -> Iterator[Metric]:
    money = core.money
    yield _gauge("host_up", "Whether the last connection could be made.", not money.link_trouble)
    yield _counter(
        "host_connections_total",
        "Connections that stood.",
        TALLY.count_of("host_connected", "info"),
    )
    yield _counter(
        "host_failures_total",
        "Connections that could not be made or ended early.",
        TALLY.count_of("host_failed", "warning"),
    )
    yield _counter(
        "host_exchanges_total", "Requests or reversals tried.", money.last_exchange.number
    )


def _gauge(name: str, text: str, value: float) -> Metric:
    return Metric(name, "gauge", text, {(): value})


def _counter(name: str, text: str, value: float) -> Metric:
    return Metric(name, "counter", text, {(): value})


def _written(metric: Metric) -> str:
    name = f"posd_{metric.name}"
    lines = [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}"]
    for labels, value in metric.samples.items():
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        number = repr(float(value)) if isinstance(value, float) else str(int(value))
        lines.append(f"{name}{{{inside}}} {number}" if inside else f"{name} {number}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


class Textfile:
    """Writes the exposition every so often where a node-exporter reads it; whole or not at all.

    read: the text; "" when there is none, and the file stays as it is.
    """

    def __init__(self, settings: MetricsSettings, read: Callable[[], str]) -> None:
        self._path = settings.textfile
        self._seconds = settings.textfile_seconds
        self._read = read
        self._timer: TimerHandle | None = None

    def start(self) -> None:
        """Begin, when a file is configured; within a running loop."""
        if self._path is not None:
            self._write_and_go_on(self._path)

    def stop(self) -> None:
        """No more; a file that says what is no longer so is taken away."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _write_and_go_on(self, path: Path) -> None:
        try:
            if text := self._read():
                write_whole(path, text)
        except OSError as error:
            _log.warning("metrics.not_written", reason=error.strerror or str(error))
        self._timer = get_running_loop().call_later(self._seconds, self._write_and_go_on, path)


def write_whole(path: Path, text: str) -> None:
    """Put the text into the file so that nobody ever reads half of it. Raises OSError."""
    new = path.with_name(f"{path.name}.new")  # the node-exporter reads *.prom only
    with new.open("w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), _READABLE)
        file.write(text)
    new.replace(path)
