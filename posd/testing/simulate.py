"""The simulator: `python -m posd.testing.simulate --seeds A:B`. See posd/testing/simulation."""

from __future__ import annotations

import sys

from posd.testing.simulation.command import main

if __name__ == "__main__":
    sys.exit(main())
