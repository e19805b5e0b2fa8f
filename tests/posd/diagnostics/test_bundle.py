"""posctl bundle: what it says of the terminal that was asked, and what it says is missing."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from tests.posd.diagnostics.rig import Said, posctl, shop


def parts_of(target: Path) -> dict[str, str]:
    with tarfile.open(target) as archive:
        return {
            member.name.removeprefix("b/"): (archive.extractfile(member) or [b""]).read().decode()  # type: ignore[union-attr]
            for member in archive.getmembers()
        }


def bundled(directory: Path, **environment: str) -> tuple[Said, dict[str, str]]:
    """Of no terminal."""
    target = directory / "b.tar.gz"
    said = posctl("--socket", str(directory / "none"), "bundle", "--to", str(target), **environment)
    assert said.code == 0, said.err
    return said, parts_of(target)


def test_doctor_is_about_the_terminal_that_was_asked(tmp_path: Path) -> None:
    target = tmp_path / "b.tar.gz"
    with shop(tmp_path) as opened:
        opened.open()
        assert opened.posctl("bundle", "--to", str(target)).code == 0
        told = opened.posctl("config").out
    file = str(tmp_path / "posd.toml")
    assert f"# file: {file}" in told
    parts = parts_of(target)
    assert json.loads(parts["configuration.json"].splitlines()[-1])["file"] == file
    assert parts["doctor.txt"].splitlines()[0] == file
    assert "/etc/posd/posd.toml" not in parts["doctor.txt"]
    assert f"{tmp_path}/dev/printer" in "".join(parts["doctor.txt"].split())  # it wraps


def test_without_a_terminal_doctor_looks_at_the_usual_place_and_says_so(tmp_path: Path) -> None:
    _, parts = bundled(tmp_path)
    first = parts["doctor.txt"].splitlines()[0]
    assert first == "/etc/posd/posd.toml: the usual place, no terminal named its own"


@pytest.mark.parametrize(
    ("journal", "wanted"),
    [
        (None, "log.jsonl: there is no journal on this machine"),
        ("echo '-- No entries --'", "log.jsonl: no log can be reached: the journal holds no line"),
        (
            "echo 'no permission' >&2; exit 1",
            "log.jsonl: the journal cannot be read: no permission",
        ),
    ],
)
def test_a_log_that_cannot_be_reached_is_named_as_missing(
    tmp_path: Path, journal: str | None, wanted: str
) -> None:
    # What journalctl says depends on the machine: here it is a script that says it.
    tools = tmp_path / "tools"
    tools.mkdir()
    if journal is not None:
        (tools / "journalctl").write_text(f"#!/bin/sh\n{journal}\n")
        (tools / "journalctl").chmod(0o755)
    said, parts = bundled(tmp_path, PATH=str(tools))
    assert wanted in parts["MISSING.txt"]
    assert f"without {wanted}" in said.out
    assert "log.jsonl" not in parts
