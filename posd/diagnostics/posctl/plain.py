"""Answers for programs: one JSON object a line, bytes in hex."""

from __future__ import annotations

import json
from typing import Any

from posd.diagnostics.posctl.layout import Paper


def show_json(paper: Paper, item: Any) -> int:
    """Write the item; returns exit code 0."""
    paper.line(json.dumps(item, ensure_ascii=False, default=_hex))
    return 0


def _hex(value: object) -> str:
    assert isinstance(value, bytes)
    return value.hex()
