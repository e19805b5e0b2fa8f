"""The command line: what it answers, and that a user's mistake is one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from posd import VERSION
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


@pytest.mark.parametrize("word", ["version", "--version"])
def test_the_version_is_shown(word: str) -> None:
    answer = posd(word)
    assert answer.returncode == 0
    assert answer.stdout == f"posd {VERSION}\n"


def configuration_without_keys(directory: Path) -> Path:
    """As posd init writes it: the keys are systemd's."""
    devices = ("keypad", "display", "printer", "card_reader")
    ports = "".join(
        f"[devices.{role}]\nport = 'socket://127.0.0.1:{number}'\n"
        for number, role in enumerate(devices, 9)
    )
    file = directory / "posd.toml"
    file.write_text(
        "[terminal]\nterminal_id = 'T0000001'\nmerchant_id = 'M00000000000001'\n"
        f"merchant_name = 'shop'\nstate_directory = '{directory}'\n"
        f"[host]\naddress = '127.0.0.1'\nport = 9\n{ports}"
    )
    return file


def test_a_configuration_whose_keys_only_the_service_gets_can_be_checked_from_a_shell(
    tmp_path: Path,
) -> None:
    file = configuration_without_keys(tmp_path)
    answer = posd("check-config", str(file))
    assert answer.returncode == 0, answer.stderr
    about_keys, last = answer.stdout.splitlines()
    assert "systemd hands them to the service" in about_keys
    assert last == f"{file}: the terminal can start with this configuration"


@pytest.mark.parametrize(("port", "code"), [("/nowhere/keypad", 2), ("/dev/serial/by-id/none", 0)])
def test_a_port_that_is_not_there_is_told_with_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: str, code: int
) -> None:
    file = configuration_without_keys(tmp_path)
    text = file.read_text().replace("socket://127.0.0.1:9'", f"{port}'")
    file.write_text(text)
    line = text[: text.index(port)].count("\n") + 1
    monkeypatch.chdir(tmp_path)
    answer = posd("check-config", file.name)
    assert answer.returncode == code
    said = (answer.stderr or answer.stdout).splitlines()[0]
    assert said.startswith(f"{file}:{line}: devices.keypad.port: expected a serial device, found ")


def test_where_systemd_has_handed_out_keys_they_are_checked(tmp_path: Path) -> None:
    file = configuration_without_keys(tmp_path)
    answer = posd("check-config", str(file), CREDENTIALS_DIRECTORY=str(tmp_path))
    assert answer.returncode == 2
    assert "expected a readable key file" in answer.stderr


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
    said = " ".join(capsys.readouterr().err.split())  # a long path has a line of its own
    assert said.startswith(f"posctl: no terminal answers at {tmp_path / 'none.sock'}")
    assert " -> systemctl status posd" in said
