from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.posd.terminal.rig import Clerk


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[Clerk]:
    """A terminal that has signed in."""
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        yield clerk
