"""The simulator: `python -m posd.testing.simulate --seeds A:B`. See posd/testing/simulation."""

from __future__ import annotations

import sys

from posd.testing.simulation.command import main
from posd.testing.simulation.quick import collect_seldom

if __name__ == "__main__":
    collect_seldom()
    sys.exit(main())
