"""Every dialogue of tests/scripts, on both stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    with closing(STAGES[request.param](tmp_path)) as stage:
        yield stage


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_holds_and_both_ledgers_agree(script: Path, stage: Stage) -> None:
    assert Player(load(script), stage).play().agree
