"""Certificate authorities that live for one test run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.posd.host.authority import Authority


@pytest.fixture(scope="session")
def make_authority(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Authority]:
    return lambda name: Authority(tmp_path_factory.mktemp(name), name)


@pytest.fixture(scope="session")
def authority(make_authority: Callable[[str], Authority]) -> Authority:
    return make_authority("acquirer-ca")
