"""The diagrams of the README are those of the tables, and its sample of a flow is a flow."""

from __future__ import annotations

import inspect
import re

import pytest

from posd.terminal.diagram import README, diagrams, put_into
from posd.terminal.flows import FLOWS, pre_authorisation


def test_the_readme_holds_the_present_diagrams() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == put_into(text, diagrams()), "run python -m posd.terminal.diagram"


def test_every_step_of_every_flow_is_drawn() -> None:
    parts = re.split(r"^### ", diagrams(), flags=re.MULTILINE)
    drawn = {part.split("\n", 1)[0]: part for part in parts}
    for flow in FLOWS:
        for step in flow.steps:
            assert re.search(rf"\b{step.name}\b", drawn[flow.name]), f"{flow.name}.{step.name}"


def test_the_sample_of_a_flow_is_that_flow_with_its_imports() -> None:
    (sample,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    _docstring, *source = statements(inspect.getsource(pre_authorisation))
    assert statements(sample) == source


def statements(text: str) -> list[str]:
    """Without blank lines and comments."""
    lines = [re.sub(r"(^|\s+)#.*", "", line) for line in text.splitlines()]
    return [line for line in lines if line]


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the markers"):
        put_into("# nothing here", diagrams())
