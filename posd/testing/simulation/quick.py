"""Makes a simulating process quicker without changing what it does: pure functions of the terminal that
are asked the same thing over and over remember their answers, and garbage is looked for less often."""

from __future__ import annotations

import gc
from functools import lru_cache
from typing import Final

from devices import columns, slip
from posd.terminal import dialogue, screens

_ENTRIES: Final = 50_000
_PURE: Final = (
    (dialogue, ("lay_out",)),
    (screens, ("wrap",)),
    (columns, ("width", "printable", "fit")),
    (slip, ("_set_row",)),
)
_COLLECTED_AFTER: Final = 50_000  # new objects; a day makes few cycles, and they are small


def remember_pure_functions() -> None:
    """For this process, until it ends. Calling it again changes nothing."""
    for module, names in _PURE:
        for name in names:
            function = getattr(module, name)
            if not hasattr(function, "cache_info"):
                setattr(module, name, lru_cache(_ENTRIES)(function))


def collect_seldom() -> None:
    """For a process that does nothing but simulate, until it ends."""
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER)
