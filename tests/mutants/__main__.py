"""Puts each of the fifteen faults into a copy of the tree and shows which test catches it.

    python -m tests.mutants [NUMBER...]

A mutant is a patch, NN-name.patch, with two lines before it: `Fault N: what it does`, and `Tests:` with
the files that are run. Exit codes: 0 every mutant is caught, 1 one survives, does not apply, or the tests
fail without it.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATCHES = Path(__file__).parent
COPIED = ("posd", "protocol", "devices", "tests", "pyproject.toml")
_HEAD = re.compile(r"Fault (?P<number>\d+): (?P<what>.+)\nTests: (?P<tests>.+)\n")
_FAILED = re.compile(r"^(?:FAILED|ERROR) (?P<test>\S+)", re.MULTILINE)
_TESTS_FAILED = 1  # pytest's exit code; others mean that it could not run


@dataclass(frozen=True)
class Mutant:
    """One patch file. tests: what pytest is given."""

    number: int
    what: str
    tests: tuple[str, ...]
    patch: Path


def mutants() -> Iterator[Mutant]:
    """All of them, by their numbers. Raises ValueError for a file without its two lines."""
    for patch in sorted(PATCHES.glob("*.patch")):
        head = _HEAD.match(patch.read_text("utf-8"))
        if head is None or not patch.name.startswith(f"{int(head['number']):02d}-"):
            raise ValueError(f"{patch.name}: it must begin with 'Fault N: ...' and 'Tests: ...'")
        yield Mutant(int(head["number"]), head["what"], tuple(head["tests"].split()), patch)


def apply(mutant: Mutant, tree: Path, *, check: bool = False) -> str:
    """Put the fault into a tree, or only see whether it goes in: "" or what git says."""
    command = ["git", "apply", "-C1", *(["--check"] if check else []), str(mutant.patch)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip()


def copy_tree(to: Path) -> None:
    """What the tests need of this tree."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", ".*_cache")
            shutil.copytree(source, to / name, ignore=ignore)
        else:
            shutil.copyfile(source, to / name)


def run_tests(tree: Path, tests: Sequence[str]) -> tuple[int, str]:
    """pytest's exit code, and the first test that failed or what it said last."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *tests], cwd=tree, capture_output=True, text=True, check=False
    )  # fmt: skip
    failed = _FAILED.search(done.stdout)
    last = (done.stdout + done.stderr).strip().rpartition("\n")[2]
    return done.returncode, failed["test"] if failed else last


def judge(mutant: Mutant) -> tuple[bool, str]:
    """Is it caught, and by which test; or why not."""
    with tempfile.TemporaryDirectory(prefix="posd-mutant-") as directory:
        tree = Path(directory)
        copy_tree(tree)
        refused = apply(mutant, tree)
        if refused:
            return False, f"does not apply: {refused}"
        code, said = run_tests(tree, mutant.tests)
    if code == _TESTS_FAILED:
        return True, said
    return False, "SURVIVES" if code == 0 else f"the tests did not run: {said}"


def baseline(tests: Sequence[str]) -> str:
    """ "" when the tests pass in an untouched copy, else what fails."""
    with tempfile.TemporaryDirectory(prefix="posd-mutant-") as directory:
        copy_tree(Path(directory))
        code, said = run_tests(Path(directory), tests)
    return "" if code == 0 else said


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("number", nargs="*", type=int, help="only these faults")
    wanted = parser.parse_args(arguments).number
    chosen = [mutant for mutant in mutants() if not wanted or mutant.number in wanted]
    tests = sorted({test for mutant in chosen for test in mutant.tests})
    broken = baseline(tests)
    if broken:
        print(f"the tests fail without any fault: {broken}")
        return 1
    survived = 0
    for mutant in chosen:
        begun = time.perf_counter()
        caught, said = judge(mutant)
        survived += not caught
        seconds = time.perf_counter() - begun
        print(f"{mutant.number:2}  {mutant.what}\n      {said}  ({seconds:.0f} s)", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
