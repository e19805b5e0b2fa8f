"""A real ledger on a real file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.keys import Keys
from posd.ledger.ledger import Ledger
from protocol import Key
from tests.posd.ledger.rig import SeededBytes, TurnedClock


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def keys() -> Keys:
    master = Key(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
    return Keys(bytes(range(32)), master, password_cost=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path, keys: Keys, clock: TurnedClock) -> Iterator[Ledger]:
    ledger = Ledger.open(path, keys, clock, SeededBytes())
    yield ledger
    ledger.close()


@pytest.fixture
def fast_directory(tmp_path: Path) -> Iterator[Path]:
    """In memory where the machine has such a place: thousands of images are opened."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as name:
        yield Path(name)
