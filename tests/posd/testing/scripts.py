"""Which scripts are played on which stage, and in which file of tests: files run beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from posd.testing.script import load

DIRECTORY: Final = Path(__file__).parents[2] / "scripts"


def scripts_of(stage: str, part: int = 0, parts: int = 1) -> list[object]:
    """Every script that may be played on it, as a parameter with the script's name; of so many parts, one."""
    scripts: list[object] = [
        pytest.param(path, id=path.stem)
        for path in sorted(DIRECTORY.glob("*.clerk"))
        if load(path).stage in ("any", stage)
    ]
    return scripts[part::parts]
