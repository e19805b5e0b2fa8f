from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.posd.money.rig import Counter


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    """A terminal that has signed in."""
    counter = Counter(tmp_path)
    assert counter.sign_in().signed_in
    yield counter
    counter.close()
