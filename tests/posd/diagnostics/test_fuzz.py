"""Some thousands of frames of the fuzz; a million are for `python -m tests.fuzz.diagnostic_socket`."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.diagnostic_socket import run


def test_a_daemon_under_random_and_mutated_frames_lives_and_answers(tmp_path: Path) -> None:
    figures = run(3000, seed=7, directory=tmp_path)
    assert figures.frames >= 3000
    assert figures.exit_code == 0
    assert figures.faults == []
    assert figures.answers
