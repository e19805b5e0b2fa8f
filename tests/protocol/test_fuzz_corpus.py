"""Every file of the fuzzing corpus keeps what the fuzzer holds the package to."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[1] / "fuzz"
CORPUS = sorted((FUZZ / "corpus").glob("*.bin"))


@pytest.fixture(scope="module")
def fuzz_one():
    spec = importlib.util.spec_from_file_location("fuzz_targets", FUZZ / "targets.py")
    targets = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(targets)
    return targets.fuzz_one


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_a_seed_and_its_neighbours_keep_the_rules(fuzz_one, file):
    seed = file.read_bytes()
    fuzz_one(seed)
    for position in range(len(seed)):
        fuzz_one(seed[:position])
        fuzz_one(seed[:position] + bytes([seed[position] ^ 0x10]) + seed[position + 1 :])


def test_the_corpus_has_a_seed_for_every_target():
    assert {file.read_bytes()[0] for file in CORPUS} == {0, 1, 2, 3}
