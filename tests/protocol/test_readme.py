"""The element table in the package's README is the one in elements.py.

Run this file to write it: `python tests/protocol/test_readme.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol import decode
from protocol.elements import TABLE
from protocol.errors import BadDigit

README = Path(__file__).parents[2] / "protocol" / "README.md"
BEGIN = "<!-- elements: written by tests/protocol/test_readme.py -->\n"
END = "<!-- end of elements -->\n"


def element_table() -> str:
    lines = ["| # | name | format | shown | stored |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.number} | {row.name} | {row.format.summary} | {row.shown.value} | {row.storage.value} |"
        for row in TABLE.values()
    ]
    return "\n".join(lines) + "\n"


def current(text: str) -> str:
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + element_table() + END + after


def test_the_table_of_elements_is_current():
    text = README.read_text("utf-8")
    assert text == current(text), "run: python tests/protocol/test_readme.py"


def test_every_module_is_on_the_map():
    modules = {file.name for file in README.parent.glob("*.py")} - {"__init__.py"}
    assert [name for name in sorted(modules) if f"`{name}`" not in README.read_text("utf-8")] == []


def test_the_error_that_the_readme_shows_is_the_one_that_is_raised():
    call, _, shown = (
        README.read_text("utf-8").partition('decode(bytes.fromhex("')[2].partition('"))\n')
    )
    with pytest.raises(BadDigit) as caught:
        decode(bytes.fromhex(call))
    assert shown.startswith(f"protocol.errors.BadDigit: {caught.value}\n")


if __name__ == "__main__":
    README.write_text(current(README.read_text("utf-8")), "utf-8")
