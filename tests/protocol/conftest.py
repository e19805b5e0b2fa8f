"""The vectors, and the keys they were made with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocol import Key, Message, decode

VECTORS = Path(__file__).parent.parent / "vectors"


@pytest.fixture(scope="session")
def worked() -> dict[str, Any]:
    """Messages made with invented keys and a test card number."""
    return json.loads((VECTORS / "worked.json").read_text("utf-8"))


@pytest.fixture(scope="session")
def captured() -> dict[str, Any]:
    """Messages that others published."""
    return json.loads((VECTORS / "captured.json").read_text("utf-8"))


@pytest.fixture(scope="session")
def peer() -> dict[str, Any]:
    """The dialect as a specification for pyiso8583."""
    return json.loads((VECTORS / "pyiso8583.json").read_text("utf-8"))


@pytest.fixture(scope="session")
def frames(worked) -> dict[str, bytes]:
    """Every worked frame by its name."""
    return {name: bytes.fromhex(row["hex"]) for name, row in worked["messages"].items()}


@pytest.fixture(scope="session")
def key(worked):
    """key("MAK8"): one of the invented keys."""
    return lambda name: Key(bytes.fromhex(worked["keys"][name]))


@pytest.fixture
def sale(frames) -> Message:
    return decode(frames["sale request, magstripe + PIN"])


@pytest.fixture
def approval(frames) -> Message:
    return decode(frames["sale response, approved"])
