"""The scripts that complete posctl's words: in a real bash; those of other shells name the same words."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from posd.diagnostics.posctl.command import COMMANDS
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
        ("posctl completion ", {"bash", "zsh", "fish"}, {"why"}),
        ("posctl bundle --t", {"--to"}, {"--json"}),
    ],
)
def test_a_shell_completes_what_may_follow(
    typed: str,
    wanted: set[str],
    unwanted: set[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    completion(argparse.Namespace(shell="bash"), Paper())
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


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_knows_every_command_option_and_choice(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    completion(argparse.Namespace(shell=shell), Paper())
    script = capsys.readouterr().out
    known = set(re.findall(r"[A-Za-z0-9_-]+", script))
    for command in COMMANDS:
        assert command.name in known
        for names, options in command.arguments:
            assert set(options.get("choices", ())) <= known
            if names[0].startswith("--"):
                assert (names[0].removeprefix("--") if shell == "fish" else names[0]) in known
    assert {"E101", "E901", "zh_CN"} <= known
    assert f"posctl completion {shell}" in script.splitlines()[0 if shell != "zsh" else 1]
