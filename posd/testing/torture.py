"""The installed daemon under fire: killed, cut off, starved of disk, and never wrong about money.

    python -m posd.testing.torture --minutes N [--seed S] [--power] [--json]

Runs `python -m posd run` on pseudo-terminals and TCP, lets a clerk trade, and kills it with SIGKILL at
moments that an independent timer chose, while line, host, devices and disk fail at random. Now and then
everything is healed; then the independent checker must find both ledgers and the traffic in order.

--power: every kill is a power cut of an ext4 file system that is the state directory's own; needs root.
Exit codes: 0 no disagreement, 1 one was found (seed, time line and files are named), 2 not possible here.
A seed decides what is tried and in which order, not how it meets the daemon: that is up to the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from posd.testing.under_fire.round import Disagreement, Plan, Round
from posd.testing.under_fire.storage import (
    LoopFilesystem,
    PlainDirectory,
    Storage,
    StorageError,
    private_mounts,
)
from posd.testing.under_fire.story import seconds
from posd.testing.under_fire.tally import Tally

AGREED, DISAGREED, NOT_HERE = 0, 1, 2
_SHORTEST: Final = 5.0  # s of fire that are worth a rest


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m posd.testing.torture",
        description="The installed daemon, killed at random moments while everything around it fails.",
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="default: %(default)s")
    parser.add_argument("--seed", type=int, help="default: a new one")
    parser.add_argument("--power", action="store_true", help="power cuts instead of kills; root")
    parser.add_argument(
        "--plain", action="store_true", help="no file system of its own, although this is root"
    )
    parser.add_argument("--no-disk", action="store_true", help="no faults of the disk")
    parser.add_argument("--stretch", type=float, default=45.0, help="seconds between two rests")
    parser.add_argument("--rests", type=int, default=3, help="rests before a new terminal")
    parser.add_argument("--ready-seconds", type=float, default=30.0, help="that a start may take")
    parser.add_argument("--directory", type=Path, help="where the files go; default: a new one")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on stdout")
    options = parser.parse_args(arguments)
    own_file_system = os.geteuid() == 0 and not options.plain
    if options.power and not own_file_system:
        sys.stderr.write("--power needs root, for a file system that can lose its power\n")
        return NOT_HERE
    try:
        if own_file_system:
            private_mounts()
        return _run(options, own_file_system=own_file_system)
    except StorageError as error:
        sys.stderr.write(f"{error}\n")
        return NOT_HERE


def _run(options: argparse.Namespace, *, own_file_system: bool) -> int:
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    directory = options.directory or Path(tempfile.mkdtemp(prefix="posd-torture-"))
    directory.mkdir(exist_ok=True, parents=True)
    storage: Callable[[Path], Storage] = PlainDirectory
    if own_file_system:
        storage = _on_loop_device
    tally = Tally(seed, _name(storage), "power cut" if options.power else "kill")
    began = seconds()
    end = began + options.minutes * 60
    _tell(f"seed {seed}, files in {directory}")
    while (left := end - seconds()) > _SHORTEST or not tally.rounds:
        plan = Plan(
            seconds=min(options.stretch, max(left, _SHORTEST)),
            rests=max(1, min(options.rests, int(left // options.stretch))),
            power=options.power,
            disk=not options.no_disk,
            dead_disk=own_file_system,
            ready_seconds=options.ready_seconds,
        )
        place = directory / f"round-{tally.rounds + 1}"
        agreed = asyncio.run(_round(place, storage, plan, f"{seed}/{tally.rounds + 1}", tally))
        tally.minutes = (seconds() - began) / 60
        _tell(str(tally).partition("\n")[0])
        if not agreed:
            break
        shutil.rmtree(place)
    sys.stdout.write(f"{tally.as_json() if options.json else tally}\n")
    if tally.disagreement:
        _tell(f"seed {seed}, round {tally.rounds}: the files are in {place}\n{tally.disagreement}")
        return DISAGREED
    if options.directory is None:
        directory.rmdir()
    return AGREED


async def _round(
    directory: Path, storage: Callable[[Path], Storage], plan: Plan, seed: str, tally: Tally
) -> bool:
    """Whether both sides agreed all the time."""
    one = Round(directory, storage, plan, seed, _tell)
    try:
        await one.run()
    except Disagreement:
        _tell((directory / "timeline.txt").read_text("utf-8")[-8000:])
    tally.add(one.outcome)
    return not one.outcome.disagreement


def _on_loop_device(directory: Path) -> Storage:
    return LoopFilesystem(directory, directory.with_name("state.ext4"))


def _name(storage: Callable[[Path], Storage]) -> str:
    return LoopFilesystem.name if storage is _on_loop_device else PlainDirectory.name


def _tell(what: str) -> None:
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
