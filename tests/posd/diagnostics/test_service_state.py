"""What systemd says of the service, as what a technician can use. The boot test asks a real systemd."""

from __future__ import annotations

from pathlib import Path

import pytest

from posd.diagnostics.posctl.service_state import in_words, service

RUNS = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "UnitFileState": "enabled",
    "NeedDaemonReload": "no",
    "Result": "success",
    "ExecMainStatus": "0",
}
FAILED = RUNS | {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code"}
AGAIN = FAILED | {"ActiveState": "activating", "SubState": "auto-restart"}
STOPPED = RUNS | {"ActiveState": "inactive", "SubState": "dead"}


def test_a_service_that_runs_needs_nothing() -> None:
    assert in_words(RUNS) == (True, "active, enabled", "")


def test_one_that_would_be_gone_after_the_next_boot_says_so() -> None:
    told = in_words(RUNS | {"UnitFileState": "disabled"})
    assert told.running
    assert "does not start at boot" in told.words
    assert told.fix == "systemctl enable posd"


@pytest.mark.parametrize(
    ("properties", "words", "fix"),
    [
        (FAILED | {"ExecMainStatus": "2"}, "a key is missing", "journalctl -u posd"),
        (AGAIN | {"ExecMainStatus": "243"}, "243/CREDENTIALS", "posd keys load"),
        (AGAIN | {"ExecMainStatus": "203"}, "203/EXEC", "posd install"),
        (AGAIN | {"ExecMainStatus": "217"}, "no user posd", "systemd-sysusers"),
        (AGAIN | {"ExecMainStatus": "1"}, "exit-code, 1", "journalctl -u posd"),
        (AGAIN | {"Result": "watchdog", "ExecMainStatus": "6"}, "hung", "journalctl -u posd"),
        (AGAIN | {"Result": "signal", "ExecMainStatus": "9"}, "signal, 9", "journalctl -u posd"),
        (STOPPED | {"ExecMainStatus": "3"}, "shut down at its keypad", "systemctl start posd"),
        (STOPPED, "stopped", "systemctl start posd"),
        (STOPPED | {"UnitFileState": "disabled"}, "disabled", "systemctl enable posd"),
        (STOPPED | {"LoadState": "not-found"}, "not installed", "posd install"),
        (FAILED | {"NeedDaemonReload": "yes"}, "not read them", "systemctl daemon-reload"),
        (RUNS | {"ActiveState": "activating", "SubState": "start"}, "starting", "a few seconds"),
    ],
)
def test_one_that_does_not_run_says_why_and_what_to_do(
    properties: dict[str, str], words: str, fix: str
) -> None:
    told = in_words(properties)
    assert not told.running
    assert words in told.words
    assert fix in told.fix


def test_only_one_that_is_tried_again_says_that_it_is() -> None:
    assert "started again" in in_words(AGAIN | {"ExecMainStatus": "243"}).words
    assert "started again" not in in_words(FAILED | {"ExecMainStatus": "2"}).words


def test_a_machine_without_systemd_has_nothing_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert service() is None
