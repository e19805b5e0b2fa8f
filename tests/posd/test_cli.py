"""The command line: what it answers, and that a user's mistake is one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from posd.diagnostics import posctl

ROOT = Path(__file__).parents[2]
COMMANDS = (
    "run",
    "check-config",
    "demo",
    "decode",
    "encode",
    "ledger",
    "install",
    "init",
    "keys",
    "version",
)


def posd(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "posd", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"} | environment,
    )


def test_help_names_every_command() -> None:
    answer = posd("--help")
    assert answer.returncode == 0
    for command in COMMANDS:
        assert command in answer.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_of_its_own(command: str) -> None:
    answer = posd(command, "--help")
    assert answer.returncode == 0
    assert f"usage: posd {command}" in answer.stdout


@pytest.mark.parametrize("words", [(), ("sell",), ("run",), ("check-config",), ("run", "--x")])
def test_a_wrong_command_line_shows_the_usage(words: tuple[str, ...]) -> None:
    answer = posd(*words)
    assert answer.returncode == 2
    assert "usage: posd" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("words", [("run", "--config"), ("check-config",)])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file or directory"),
        ("[terminal", "expected TOML"),
        ("[terminal]\nx = 1", "terminal.x: expected one of"),
        ("[host]\naddress = 'x'\nport = 1", "terminal: expected a table"),
    ],
)
def test_a_wrong_configuration_is_one_line_and_exit_code_2(
    tmp_path: Path, words: tuple[str, ...], content: str | None, said: str
) -> None:
    file = tmp_path / "posd.toml"
    if content is not None:
        file.write_text(content)
    answer = posd(*words, str(file))
    assert answer.returncode == 2
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith(str(file))
    assert said in line


def test_the_version_is_shown() -> None:
    answer = posd("version")
    assert answer.returncode == 0
    assert answer.stdout.startswith("posd")


def test_the_command_line_itself_imports_next_to_nothing() -> None:
    listed = subprocess.run(
        [sys.executable, "-c", "import sys, posd.cli; print(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    ).stdout.split()
    heavy = {"asyncio", "structlog", "rich", "cryptography", "construct", "transitions", "msgspec"}
    assert heavy.isdisjoint(listed)


def test_posctl_without_a_terminal_says_so_in_a_sentence_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert posctl.main(["--socket", str(tmp_path / "none.sock"), "status"]) == 3
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"posctl: no terminal answers at {tmp_path / 'none.sock'}"
    assert said[1].startswith("   -> systemctl status posd")
