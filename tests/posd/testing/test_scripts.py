"""Every dialogue of tests/scripts that virtual time can play, in process."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from posd.testing.in_process import InProcessStage
from posd.testing.player import Player
from posd.testing.script import load
from tests.posd.testing.scripts import scripts_of


@pytest.mark.parametrize("script", scripts_of("in_process"))
def test_a_script_holds_and_both_ledgers_agree(script: Path, tmp_path: Path) -> None:
    with closing(InProcessStage(tmp_path)) as place:
        assert Player(load(script), place).play().agree
