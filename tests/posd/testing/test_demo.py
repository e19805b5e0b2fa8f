"""`posd demo` as a command: exit codes, and what stands on standard output."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import posd
from posd.testing.demo import DEFAULT_SCRIPTS

ROOT = Path(posd.__file__).parents[1]


def demo(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command without a terminal, in a directory that is not the checkout."""
    return subprocess.run(
        [sys.executable, "-m", "posd", "demo", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(directory)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def test_without_a_terminal_it_sells_and_voids_and_prints_all_of_it(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for seen in (
        "│请刷卡或输入金额│",
        "│    交易成功    │",
        "消费/SALE",
        "消费撤销/VOID",
        "商户存根 MERCHANT COPY",
        "持卡人存根 CARDHOLDER COPY",
        "000003   sale             123.45  voided     voided",
        "terminal and acquirer agree: 2 transactions,",
    ):
        assert seen in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
    for picture in pictures((Path(__file__).parents[3] / "README.md").read_text("utf-8")):
        assert picture in done.stdout


def pictures(readme: str) -> list[str]:
    """The screens that the README says one sees, side by side there, each as it is printed."""
    rows = [re.findall("[┌│└][^┌│└┐┘]*[┐│┘]", line) for line in readme.splitlines()]
    columns = list(zip(*(row for row in rows if row), strict=True))
    assert [len(column) for column in columns] == [6, 6, 6]
    return ["\n".join(column) for column in columns]


def test_in_english_the_screens_are_english(tmp_path: Path) -> None:
    done = demo(tmp_path, "--language", "en")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "│Swipe or amount │" in done.stdout


def test_a_wrong_expectation_ends_with_1_and_the_screen_that_was_there(tmp_path: Path) -> None:
    script = tmp_path / "wrong.clerk"
    script.write_text("start\nexpect screen 交易成功 within 0.5 s\n", "utf-8")
    done = demo(tmp_path, "--script", "wrong.clerk")
    assert done.returncode == 1
    report = done.stdout.rpartition("\n\n")[2].splitlines()
    assert report[:2] == ["wrong.clerk:2: expected on the screen: 交易成功", "the screen:"]
    assert report[4] == "│请先签到 按确认 │"


def test_ledgers_that_disagree_end_with_1(tmp_path: Path) -> None:
    script = tmp_path / "open.clerk"
    script.write_text(
        "start\nexpect screen 未签到\npress 确认\nexpect screen 请刷卡或输入金额\n"
        "host does no-answer to next sale\npress 7 确认\nexpect screen 请刷卡\nswipe nopin\n"
        "expect screen 请持卡人输密码\npress 确认\nexpect host 0200\nagree within 1 s\n",
        "utf-8",
    )
    done = demo(tmp_path, "--script", "open.clerk")
    assert done.returncode == 1
    assert "open.clerk:12: expected ledgers that agree" in done.stdout
    assert "terminal and acquirer DO NOT AGREE" in done.stdout


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("start\ndance\n", "bad.clerk:2: expected one of set, start"),
        ("", "bad.clerk: expected a `start` line"),
    ],
)
def test_a_script_that_cannot_be_read_ends_with_2_and_one_line(
    tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "bad.clerk").write_text(text, "utf-8")
    done = demo(tmp_path, "--script", "bad.clerk")
    assert done.returncode == 2
    assert done.stderr.startswith(problem)
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_setting_that_there_is_not_ends_with_2_and_the_scripts_own_line(tmp_path: Path) -> None:
    (tmp_path / "bad.clerk").write_text("# a slip\nset terminal.amout = 3\nstart\n", "utf-8")
    done = demo(tmp_path, "--script", "bad.clerk")
    assert done.returncode == 2
    assert done.stderr.startswith("bad.clerk:2: terminal.amout: expected one of amount_limit,")
    assert len(done.stderr.splitlines()) == 1
    assert "posd.toml" not in done.stdout + done.stderr


def test_a_script_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    done = demo(tmp_path, "--script", "none.clerk")
    assert (done.returncode, done.stderr) == (
        2,
        "none.clerk: cannot be read: No such file or directory\n",
    )


def test_a_daemon_that_does_not_start_is_reported_with_its_own_words(tmp_path: Path) -> None:
    script = tmp_path / "odd.clerk"
    script.write_text(
        'set devices.printer.port = "nowhere"\nstart\nexpect screen 请先签到\n', "utf-8"
    )
    done = demo(tmp_path, "--script", "odd.clerk")
    assert done.returncode == 1
    assert "odd.clerk:2: the daemon ended with exit code 2:" in done.stdout
    assert "devices.printer.port" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_window_that_is_closed_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "posd", "demo"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=tmp_path.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    with process.stdout as output:
        while b"posctl" not in output.readline():
            assert process.poll() is None
        process.send_signal(number)
        output.read()
    assert process.wait(60) == 128 + number
    assert list(tmp_path.iterdir()) == []


def test_the_default_scripts_are_data_of_the_package() -> None:
    for script in DEFAULT_SCRIPTS.values():
        assert script.parent == Path(posd.__file__).parent / "testing"
        assert script.is_file()
        assert not script.is_symlink()
