"""The matrix of crash points and network faults, as a table.

    python -m posd.testing.crash_points [--all] [--part NAME]... [--json]

Stops a real terminal core at every commit, every hand-over and every port call, over every fault of
the network, starts it again from what was on its disk, and lets the independent checker compare its
ledger with the acquirer's. Exit codes: 0 no rule is broken, 1 one is.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from posd.testing.matrix.campaign import Campaign, Figures
from posd.testing.matrix.parts import PARTS, run

HOLDS, BROKEN = 0, 1
_ROW = "{:24}{:>8}{:>14}{:>8}{:>12}{:>9}"


@contextmanager
def silence() -> Iterator[None]:
    """The terminal's own log says nothing: thousands of lives would drown what is found."""
    before = structlog.get_config()

    def drop(*_arguments: object) -> structlog.typing.EventDict:
        raise structlog.DropEvent

    structlog.configure(
        processors=[drop], wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def table(figures: Sequence[tuple[Figures, float]]) -> str:
    """A line a part, with what each violation was below."""
    heading = ("part", "points", "combinations", "lives", "violations", "seconds")
    lines = [_ROW.format(*heading)]
    lines += [
        _ROW.format(f.name, f.points or "", f.combinations, f.lives, len(f.found), f"{seconds:.1f}")
        for f, seconds in figures
    ]
    lines.append(
        _ROW.format(
            "together",
            sum(f.points for f, _ in figures),
            sum(f.combinations for f, _ in figures),
            sum(f.lives for f, _ in figures),
            sum(len(f.found) for f, _ in figures),
            f"{sum(seconds for _, seconds in figures):.1f}",
        )
    )
    lines += [str(found) for f, _ in figures for found in f.found]
    return "\n".join(lines)


def as_json(figures: Sequence[tuple[Figures, float]]) -> str:
    rows = [
        {
            "part": f.name,
            "points": f.points,
            "combinations": f.combinations,
            "lives": f.lives,
            "violations": [str(found) for found in f.found],
            "seconds": round(seconds, 1),
        }
        for f, seconds in figures
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m posd.testing.crash_points",
        description="Crash points, network faults, and both: does any rule of money break?",
    )
    parser.add_argument("--all", action="store_true", help="everything: many minutes")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    figures: list[tuple[Figures, float]] = []
    with silence(), Campaign() as campaign:
        for name in options.part or PARTS:
            begun = time.perf_counter()
            part = run(campaign, name, everything=options.all)
            figures.append((part, time.perf_counter() - begun))
    sys.stdout.write((as_json if options.json else table)(figures) + "\n")
    return BROKEN if any(part.found for part, _ in figures) else HOLDS


if __name__ == "__main__":
    sys.exit(main())
