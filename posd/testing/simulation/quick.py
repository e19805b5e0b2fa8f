"""Makes a simulating process quicker without changing what it does: pure functions of the terminal that
are asked the same thing over and over remember their answers."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from devices import columns
from posd.terminal import dialogue

_ENTRIES: Final = 50_000


def remember_pure_functions() -> None:
    """For this process, until it ends. Calling it again changes nothing."""
    for module, names in ((dialogue, ("lay_out",)), (columns, ("width", "printable"))):
        for name in names:
            function = getattr(module, name)
            if not hasattr(function, "cache_info"):
                setattr(module, name, lru_cache(_ENTRIES)(function))
