"""Every dialogue of tests/scripts, on both stages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from posd.testing.in_process import InProcessStage
from posd.testing.player import Player
from posd.testing.real import RealStage
from posd.testing.script import load
from posd.testing.stage import Stage

SCRIPTS = sorted((Path(__file__).parents[2] / "scripts").glob("*.clerk"))
STAGES: dict[str, Callable[[Path], Stage]] = {
    "in_process": InProcessStage,
    "real": RealStage,
}


@pytest.mark.parametrize(
    ("script", "stage"),
    [
        pytest.param(path, name, id=f"{path.stem}-{name}")
        for path in SCRIPTS
        for name in STAGES
        if load(path).stage in ("any", name)
    ],
)
def test_a_script_holds_and_both_ledgers_agree(script: Path, stage: str, tmp_path: Path) -> None:
    with closing(STAGES[stage](tmp_path)) as place:
        assert Player(load(script), place).play().agree
