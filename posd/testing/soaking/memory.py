"""Is the memory of a process flat? Its resident size over time, and the trend of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

ALLOWED_SHARE: Final = 0.05  # by which the last quarter may lie above the second one
ALLOWED_KIB: Final = 1024  # and in any case: pages of the ledger's cache, fragments
FEW_SAMPLES: Final = 40  # below it nothing is said about a trend
_KIB: Final = "VmRSS:"


@dataclass(frozen=True, slots=True)
class Trend:
    """Medians of the second and of the last quarter, in KiB; flat is None when it was too short."""

    samples: int
    early: float
    late: float
    flat: bool | None


def resident(process: int) -> int:
    """KiB that the process has in memory now. Raises OSError when there is none."""
    status = Path(f"/proc/{process}/status").read_text("ascii", "replace")
    (line,) = (line for line in status.splitlines() if line.startswith(_KIB))
    return int(line.split()[1])


def trend(sizes: Sequence[int]) -> Trend:
    """The first quarter is left out: caches fill, and every flow is walked for the first time."""
    if len(sizes) < FEW_SAMPLES:
        return Trend(
            len(sizes), float(sizes[0]) if sizes else 0.0, float(max(sizes, default=0)), None
        )
    quarter = len(sizes) // 4
    early, late = median(sizes[quarter : 2 * quarter]), median(sizes[-quarter:])
    allowed = max(early * ALLOWED_SHARE, ALLOWED_KIB)
    return Trend(len(sizes), early, late, late - early <= allowed)
