"""What README.md says of the format is so."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import posd
from posd.testing.device_lines import ROLES
from posd.testing.in_process import InProcessStage
from posd.testing.player import Player
from posd.testing.script import FORMS, SWIPE_FAULTS, parse

README = (Path(posd.__file__).parent / "testing" / "README.md").read_text("utf-8")


def test_the_example_is_a_script_that_holds(tmp_path: Path) -> None:
    (example,) = re.findall(r"```\n(start\n.*?)```", README, re.DOTALL)
    with closing(InProcessStage(tmp_path)) as stage:
        assert Player(parse(example, "README.md"), stage).play().agree


def test_every_form_of_a_line_is_in_the_table() -> None:
    table = README.replace("\\|", "|")
    for form in FORMS:
        device, _, words = form.usage.partition(" ")
        of_any_device = f"`ROLE {words}`"
        assert f"`{form.usage}`" in table or (device in ROLES and of_any_device in table), (
            form.usage
        )


def test_every_fault_of_a_swipe_is_in_the_table() -> None:
    for fault in SWIPE_FAULTS:
        assert f"`{fault}`" in README
