"""A real ledger on a real file."""

from __future__ import annotations

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
