"""LOG.md lists every event that the source can log, with its level, and no other."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path
from typing import Final

import posd
from posd.journal import MESSAGE_IDS
from posd.repeats import SUMMARY

ROOT: Final = Path(posd.__file__).parent
DOCUMENT: Final = (ROOT / "LOG.md").read_text("utf-8")
LOGGERS: Final = {"log", "_log", "structlog.get_logger()"}
LEVELS: Final = {"debug", "info", "warning", "error", "critical", "exception"}
NOT_THE_DAEMON: Final = {"testing", "acquirer"}
NAMED_ELSEWHERE: Final = {"what", "SUMMARY"}
"""Variables that hold the name: a technician's request, and the constant that is asked below."""


def logged() -> dict[str, set[str]]:
    """Every event that is logged by name, and its levels."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] in NOT_THE_DAEMON:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if ast.unparse(node.func.value) not in LOGGERS or node.func.attr not in {
                *LEVELS,
                "log",
            }:
                continue
            name = node.args[-1]  # log(level, name)
            if isinstance(name, ast.Constant):
                found[str(name.value)].add(node.func.attr)
            else:
                assert ast.unparse(name) in NAMED_ELSEWHERE, f"{path}:{node.lineno}: which event?"
    return found | {SUMMARY: {"warning"}, "library_message": {"any"}}


def listed() -> dict[str, str]:
    """The rows of the table."""
    return dict(re.findall(r"^\| `([a-z_.]+)` \| ([a-z/]+) \|", DOCUMENT, re.MULTILINE))


def test_every_event_is_listed_and_nothing_else_is() -> None:
    assert sorted(listed()) == sorted(logged())


def test_every_event_is_listed_with_its_levels() -> None:
    assert listed() == {name: "/".join(sorted(levels)) for name, levels in logged().items()}


def test_every_message_id_is_listed_and_is_one_of_an_event() -> None:
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| `([0-9a-f]{32})` \|", DOCUMENT, re.MULTILINE))
    assert rows == dict(MESSAGE_IDS)
    assert set(rows) <= set(logged())


def test_names_are_words_in_lower_case() -> None:
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)?", name) for name in logged())
