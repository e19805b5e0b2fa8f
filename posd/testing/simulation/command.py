"""The command line of the simulator: many seeds on several processes, or one that is told step by step."""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from posd.testing.checker import OracleMissingError
from posd.testing.simulation.day import Day
from posd.testing.simulation.quick import collect_seldom, remember_pure_functions
from posd.testing.simulation.totals import Totals
from posd.testing.simulation.verdict import DayReport

HOLDS, BROKEN, WRONG_USE = 0, 1, 2
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a file system in memory, directories of our own in it
_TOLD_EVERY: Final = 60.0  # s between two lines of progress
_HISTORY: Final = 120  # lines of a broken day that are printed
_HOURS: Final = 10.0


class BrokenDay(Exception):
    """The simulation itself ended with an exception: seed and traceback."""


def simulate(seed: int, hours: float = _HOURS, *, trace: bool = False) -> DayReport:
    """One seed from its beginning to the checker's verdict. trace: everything is printed."""
    remember_pure_functions()
    where = _MEMORY if _MEMORY.is_dir() else None
    configured = structlog.get_config()
    if not trace:
        _silence()
    try:
        with tempfile.TemporaryDirectory(prefix="posd-simulation-", dir=where) as directory:
            began = time.process_time()
            day = Day(seed, Path(directory), hours, _print if trace else None).run()
            return replace(day, effort=time.process_time() - began)
    except OracleMissingError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, its seed must be known
        raise BrokenDay(f"seed {seed}\n{traceback.format_exc()}") from None
    finally:
        structlog.configure(**configured)


def _silence() -> None:
    """Nothing is logged: the terminal is told of thousands of faults a second."""

    def drop(_logger: object, _name: str, _event: object) -> str:
        raise structlog.DropEvent

    structlog.configure(
        processors=[drop],
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
    )


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the simulator."""
    parser.add_argument(
        "--seeds", type=_range, metavar="A:B", help="seeds from A up to, not with, B"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="one seed")
    parser.add_argument(
        "--hours", type=float, default=_HOURS, help="longest trade of a seed (default: %(default)s)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="the totals as JSON")
    parser.add_argument(
        "--trace", action="store_true", help="with --seed: everything as it happens"
    )
    parser.add_argument(
        "--keep-going", action="store_true", help="go on after a seed that broke a rule"
    )


def _range(text: str) -> range:
    first, _, last = text.partition(":")
    try:
        return range(int(first), int(last))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: A:B expected") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every rule held. 1: a seed broke one, and its history was printed. 2: wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m posd.testing.simulate",
        description="Days of trade with everything that can go wrong, judged by the checker.",
    )
    add_arguments(parser)
    options = parser.parse_args(arguments)
    if (options.seeds is None) == (options.seed is None):
        parser.error("one of --seeds A:B and --seed N")
    try:
        if options.seed is not None:
            return _one(options.seed, options.hours, trace=options.trace)
        return _many(options)
    except OracleMissingError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    except BrokenDay as error:
        sys.stderr.write(f"the simulation failed: {error}\n")
        return BROKEN


def _one(seed: int, hours: float, *, trace: bool) -> int:
    day = simulate(seed, hours, trace=trace)
    if day.violations:
        _tell(day)
    else:
        _print(str(day.checked))
    _print(f"digest {day.digest}")
    return BROKEN if day.violations else HOLDS


def _many(options: argparse.Namespace) -> int:
    totals, began = Totals(), time.perf_counter()
    told = began
    for day in _days(options.seeds, options.hours, options.jobs):
        totals.add(day)
        if day.violations:
            _tell(day, to_stderr=True)
            if not options.keep_going:
                break
        now = time.perf_counter()
        if now - told >= _TOLD_EVERY:
            told = now
            rate = totals.transactions / (now - began)
            sys.stderr.write(
                f"{totals.seeds} seeds, {totals.transactions} transactions, {rate:.0f} a second,"
                f" {len(totals.failed)} broken\n"
            )
    seconds = time.perf_counter() - began
    if options.json:
        _print(json.dumps(totals.plain(seconds, options.jobs), ensure_ascii=False, indent=1))
    else:
        _print(totals.text(seconds, options.jobs))
    return BROKEN if totals.failed else HOLDS


def _days(seeds: range, hours: float, jobs: int) -> Iterator[DayReport]:
    if jobs <= 1:
        yield from (simulate(seed, hours) for seed in seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, collect_seldom) as pool:
        yield from pool.imap_unordered(partial(simulate, hours=hours), seeds, chunksize=4)


def _tell(day: DayReport, *, to_stderr: bool = False) -> None:
    """Seed, history, and the first broken rule last, where the eye is."""
    lines = [
        f"seed {day.seed}, {len(day.history)} events, at most the last {_HISTORY} of them:",
        *day.history[-_HISTORY:],
        *(f"also: {violation}" for violation in day.violations[1:]),
        f"seed {day.seed} broke {day.violations[0]}",
        f"again: python -m posd.testing.simulate --seed {day.seed} --trace",
    ]
    (sys.stderr if to_stderr else sys.stdout).write("\n".join(lines) + "\n")
