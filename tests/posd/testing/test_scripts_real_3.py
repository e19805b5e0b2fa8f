"""Every third dialogue of tests/scripts, from the third, against the real daemon: real lines, real TCP."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from posd.testing.player import Player
from posd.testing.real import RealStage
from posd.testing.script import load
from tests.posd.testing.scripts import scripts_of


@pytest.mark.parametrize("script", scripts_of("real", 2, 3))
def test_a_script_holds_and_both_ledgers_agree(script: Path, tmp_path: Path) -> None:
    with closing(RealStage(tmp_path)) as place:
        assert Player(load(script), place).play().agree
