"""The script that completes posctl's words, in a real bash."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path

import pytest

from posd.diagnostics.posctl.completion import completion
from posd.diagnostics.posctl.layout import Paper


@pytest.mark.parametrize(
    ("typed", "wanted", "unwanted"),
    [
        ("posctl s", {"status", "screen", "show"}, {"why"}),
        ("posctl test ", {"printer", "keypad", "--seconds"}, {"status"}),
        ("posctl explain E20", {"E201", "E205"}, {"E301"}),
        ("posctl --json loglevel ", {"debug", "error"}, {"status"}),
        ("posctl --socket /x why --l", {"--language"}, {"--socket"}),
        ("posctl --language ", {"zh_CN", "en"}, {"why"}),
    ],
)
def test_a_shell_completes_what_may_follow(
    typed: str,
    wanted: set[str],
    unwanted: set[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    completion(argparse.Namespace(), Paper())
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out)
    words = typed.split(" ")
    quoted = " ".join(f'"{word}"' for word in words)
    state = f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}"
    asked = f'source {script}; {state}; _posctl; echo "${{COMPREPLY[@]}}"'
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run([bash, "-c", asked], capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert wanted <= found
    assert unwanted.isdisjoint(found)
