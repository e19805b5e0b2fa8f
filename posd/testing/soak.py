"""Hours at a real counter: devices pulled out, stalled and noisy while a clerk trades on the daemon.

    python -m posd.testing.soak --minutes N [--seed S] [--json]

One daemon runs for the whole time on pseudo-terminals and TCP. After each stretch of troubles everything
is healed, and then: nothing is stuck (a plain sale goes through), no outcome is wrong (the independent
checker on both ledgers), no slip is lost (every merchant copy that the ledger calls printed lies on
paper, and none waits), and the daemon never ended, hung or caught a fault of its own. At the end its
memory must be flat.

Exit codes: 0 all of it holds, 1 not (what, the seed and the files are named).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from posd.testing.soaking.shop import Shop, SoakFailure
from posd.testing.under_fire.story import seconds

HOLDS, BROKEN = 0, 1
STRETCH: Final = 90.0  # s of troubles between two rests


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m posd.testing.soak",
        description="A clerk trades while every line fails at random; nothing may be lost or stuck.",
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="default: %(default)s")
    parser.add_argument("--stretch", type=float, default=STRETCH, help="seconds between two rests")
    parser.add_argument("--seed", help="default: a new one")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on stdout")
    options = parser.parse_args(arguments)
    seed = options.seed or str(secrets.randbelow(1_000_000))
    directory = Path(tempfile.mkdtemp(prefix="posd-soak-"))

    def tell(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    tell(f"seed {seed}, files in {directory}")
    began = seconds()
    figures: dict[str, Any] = {"seed": seed, "minutes_wanted": options.minutes, "failure": ""}

    async def soak() -> None:
        shop = Shop(directory, options.minutes, seed, tell)
        try:
            await shop.run(options.stretch)
        finally:
            figures.update(shop.report())

    try:
        asyncio.run(soak())
    except SoakFailure as failure:
        figures["failure"] = str(failure)
        tell(f"FAILED: {failure}\nseed {seed}, files in {directory}")
    figures["minutes"] = round((seconds() - began) / 60, 2)
    if options.json:
        sys.stdout.write(f"{json.dumps(figures, ensure_ascii=False, indent=2)}\n")
    else:
        sys.stdout.write("".join(f"{name}: {value}\n" for name, value in figures.items()))
    return BROKEN if figures["failure"] else HOLDS


if __name__ == "__main__":
    sys.exit(main())
