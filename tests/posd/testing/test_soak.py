"""The soak: a short one for real, and what it would find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import posd
from posd.testing.soaking.memory import resident, trend

ROOT = Path(posd.__file__).parents[1]


def test_a_short_soak_holds_and_says_what_happened(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "posd.testing.soak", "--minutes", "0.3", "--stretch", "9", "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
    )
    assert answer.returncode == 0, answer.stderr + answer.stdout
    figures = json.loads(answer.stdout)
    assert figures["failure"] == ""
    assert figures["rests"] >= 2
    assert figures["transactions"]["sale approved"] >= figures["rests"]
    assert sum(figures["troubles"].values()) > 0
    assert figures["slips"] > 0


def test_memory_that_grows_is_found() -> None:
    assert trend([80_000 + 100 * number for number in range(100)]).flat is False


def test_memory_that_filled_its_caches_at_first_is_flat() -> None:
    assert trend([40_000 + 400 * number for number in range(25)] + [50_100] * 75).flat is True


def test_a_short_time_has_no_trend() -> None:
    assert trend([1000, 2000]).flat is None
    assert trend([]).flat is None


def test_the_size_of_a_process_is_in_kib() -> None:
    assert 4_000 < resident(os.getpid()) < 10_000_000
    with pytest.raises(OSError, match="No such"):
        resident(2**22 + 1)


def test_what_passwords_take_goes_back_whichever_thread_compared_them() -> None:
    program = """
from concurrent.futures import ThreadPoolExecutor
import os
from posd import passwords
from posd.daemon import give_memory_back
from posd.testing.soaking.memory import resident

give_memory_back()
verify = lambda _: passwords.matches(b"k" * 32, "123456", b"s" * 16, b"v" * 32, 2**14)
with ThreadPoolExecutor(6) as threads:
    verify(0)
    before = resident(os.getpid())
    for _ in range(3):
        list(threads.map(verify, range(6)))
    print(resident(os.getpid()) - before)
"""
    answer = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert int(answer.stdout) < 16 * 1024, "six threads kept 16 MiB each"
