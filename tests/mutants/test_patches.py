"""The patches: all there, and still about the code as it is. What catches them is no quick test."""

from __future__ import annotations

import pytest

from tests.mutants.__main__ import ROOT, Mutant, apply, mutants

EVERY = list(mutants())


def test_every_fault_has_its_patch() -> None:
    assert sorted(mutant.number for mutant in EVERY) == list(range(1, 16))


@pytest.mark.parametrize("mutant", EVERY, ids=lambda mutant: mutant.patch.stem)
def test_a_patch_still_applies(mutant: Mutant) -> None:
    assert apply(mutant, ROOT, check=True) == ""


@pytest.mark.parametrize("mutant", EVERY, ids=lambda mutant: mutant.patch.stem)
def test_the_tests_that_it_names_are_there(mutant: Mutant) -> None:
    assert all((ROOT / test).exists() for test in mutant.tests)
