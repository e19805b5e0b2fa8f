"""posctl doctor: what is wrong with an installation, with and without a running terminal."""

from __future__ import annotations

import argparse
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.diagnostics.posctl import doctor
from posd.diagnostics.posctl.findings import Finding, Patient
from posd.diagnostics.posctl.layout import Paper
from tests.posd.diagnostics.rig import Shop, posctl, shop


def examined(opened: Shop, *words: str) -> dict[str, list[dict[str, str]]]:
    said = opened.posctl(
        "doctor", "--json", "--config", str(opened.directory / "posd.toml"), *words
    )
    found: dict[str, list[dict[str, str]]] = {}
    for line in said.out.splitlines():
        finding = json.loads(line)
        found.setdefault(finding["what"], []).append(finding)
    bad = any(each["state"] == "bad" for group in found.values() for each in group)
    assert said.code == (6 if bad else 0), said
    return found


def states(found: dict[str, list[dict[str, str]]], what: str) -> list[str]:
    return [each["state"] for each in found[what]]


def test_doctor_looks_at_a_running_terminal(tmp_path: Path) -> None:
    with shop(tmp_path) as opened:
        opened.open()
        found = examined(opened)
    for what in (
        "configuration",
        "device key",
        "master key",
        "keypad",
        "display",
        "printer",
        "acquirer",
        "clock",
    ):
        assert states(found, what) == ["good"], found[what]
    assert "it sells" in found["terminal"][0]["found"]
    (key,) = found["master key"]
    assert re.search(r"check value [0-9A-F]{8} ", key["found"])


def test_without_its_configuration_the_running_terminal_tells_of_its_devices(
    tmp_path: Path,
) -> None:
    with shop(tmp_path) as opened:
        opened.open()
        opened.do("printer unplug", "expect screen 打印机", "host down")
        opened.sell()
        opened.do("expect screen 连接不上")
        said = opened.posctl("doctor", "--json", "--config", str(tmp_path / "none.toml"))
    found = {each["what"]: each for each in map(json.loads, said.out.splitlines())}
    assert found["keypad"]["state"] == found["disk"]["state"] == "good"
    assert found["printer"]["state"] == found["acquirer"]["state"] == "bad"
    assert "connection refused" in found["acquirer"]["found"]
    assert "could not be looked at" not in said.out


def test_doctor_finds_what_is_wrong_with_a_terminal_that_does_not_run(tmp_path: Path) -> None:
    with shop(tmp_path) as opened:
        opened.stage.installation.load()
        (tmp_path / "master.key").write_text("00112233")
        found = examined(opened)
        assert states(found, "terminal") == ["bad"]
        assert found["configuration"][0]["state"] == "bad"
        assert "master_key_file" in found["configuration"][0]["found"]
        (tmp_path / "master.key").write_text("00" * 16)
        opened.stage._loop.call(lambda: opened.stage._counter.plug("printer", plugged=False))
        (tmp_path / "state").chmod(0o755)
        found = examined(opened)
        assert states(found, "configuration") == ["good"]
        assert states(found, "printer") == ["bad"]
        assert "is not there" in found["printer"][0]["found"]
        assert "bad" in states(found, "state directory")
        assert found["state directory"][0]["fix"].startswith("chmod 700 ")
        assert states(found, "acquirer") == ["bad"]
        assert "connection refused" in found["acquirer"][0]["found"]


def test_doctor_says_what_to_fix_in_words(tmp_path: Path) -> None:
    said = posctl(
        "--socket", str(tmp_path / "none"), "doctor", "--config", str(tmp_path / "posd.toml")
    )
    assert said.code == 6
    assert "FIX" in said.out
    assert "no terminal answers" in said.out
    assert "-> " in said.out
    assert "posctl doctor looks" not in said.out  # that is who is speaking
    assert "posd init writes it" in said.out
    assert "mend that line" not in said.out


def test_a_look_that_fails_does_not_end_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_patient: Patient) -> Iterator[Finding]:
        raise TypeError("4000000000000002")

    def whole(_patient: Patient) -> Iterator[Finding]:
        yield Finding("good", "disk", "there is room")

    monkeypatch.setattr(doctor, "SUBJECTS", (broken, whole))
    options = argparse.Namespace(config=tmp_path / "x", socket=tmp_path / "none", json=False)
    written = io.StringIO()
    assert doctor.doctor(options, Paper(written)) == 0
    assert "broken" in written.getvalue()
    assert "TypeError" in written.getvalue()
    assert "4000000000000002" not in written.getvalue()
    assert "there is room" in written.getvalue()
