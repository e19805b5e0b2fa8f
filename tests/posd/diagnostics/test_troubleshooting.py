"""The README's table of troubles: each is made to happen to a real daemon, and posctl must name its cause."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from posd.testing import counter
from tests.posd.diagnostics.rig import Shop, shop

FAST = {
    "host__answer_seconds": 2,
    "host__reversal_answer_seconds": 2,
    "money__backoff_first_seconds": 0.2,
    "money__backoff_longest_seconds": 0.5,
}


def why(terminal: Shop) -> dict[str, Any]:
    said = terminal.posctl("why", "--json")
    assert said.code == (0 if said.json["sells"] else 6), said
    found: dict[str, Any] = said.json
    return found


def chain(reason: dict[str, Any]) -> list[str]:
    """The codes from what is seen to its first cause."""
    codes = [reason["code"]]
    while reason["because"]:
        reason = reason["because"][0]
        codes.append(reason["code"])
    return codes


def root(reason: dict[str, Any]) -> str:
    while reason["because"]:
        reason = reason["because"][0]
    return str(reason["detail"])


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Ask again until it is so."""
    end = time.perf_counter() + seconds
    while not true():
        assert time.perf_counter() < end
        time.sleep(0.1)


def test_an_unplugged_printer_is_named_and_does_not_stop_sales(tmp_path: Path) -> None:
    with shop(tmp_path) as terminal:
        terminal.open()
        terminal.do("printer unplug", "expect screen 打印机")
        found = why(terminal)
        assert found["sells"]
        assert [chain(each) for each in found["warnings"]] == [["E103"]]
        text = terminal.posctl("why", LANG="C")
        assert "It sells." in text.out
        assert "E103" in text.out
        assert "Check its power, then its cable" in text.out
        status = terminal.posctl("status", LANG="C")
        assert "printer" in status.out
        assert "ABSENT" in status.out
        terminal.do("printer replug")
        until(lambda: not why(terminal)["warnings"])


def test_an_unplugged_printer_stops_a_shop_that_refuses_to_trade_without(tmp_path: Path) -> None:
    with shop(tmp_path, printing__without_printer="refuse") as terminal:
        terminal.open()
        terminal.do("printer unplug", "expect screen 打印机")
        found = why(terminal)
        assert not found["sells"]
        assert [chain(each) for each in found["reasons"]] == [["E103"]]


def test_an_unplugged_card_reader_is_named(tmp_path: Path) -> None:
    with shop(tmp_path) as terminal:
        terminal.open()
        terminal.do("reader unplug", "expect screen 读卡器")
        found = why(terminal)
        assert [chain(each) for each in found["reasons"]] == [["E104"]]
        (port,) = [
            each["port"]
            for each in terminal.posctl("devices", "--json").json["devices"]
            if each["role"] == "card_reader"
        ]
        assert found["reasons"][0]["detail"].startswith(f"{port}: ")


def test_an_unplugged_keypad_comes_before_what_it_would_be_needed_for_and_a_display_stops_nothing(
    tmp_path: Path,
) -> None:
    with shop(tmp_path) as terminal:
        terminal.do("start", "expect screen 未签到", "keypad unplug", "expect screen 键盘未连接")
        assert [chain(each) for each in why(terminal)["reasons"]] == [["E101"], ["E305"]]
        terminal.do("keypad replug")
        until(lambda: len(why(terminal)["reasons"]) == 1)  # keys are lost before it is found
        terminal.do("press 确认", "expect screen 请刷卡或输入金额")
        terminal.do("display unplug")
        until(lambda: bool(why(terminal)["warnings"]))
        found = why(terminal)
        assert found["sells"]
        assert [chain(each) for each in found["warnings"]] == [["E102"]]


def test_a_wrong_master_key_is_named(tmp_path: Path) -> None:
    with shop(tmp_path) as terminal:
        (tmp_path / "master.key").write_text("00112233445566778899AABBCCDDEEFF")
        terminal.do("start", "expect screen 未签到", "press 确认", "expect screen 密钥")
        found = why(terminal)
        assert [chain(each) for each in found["reasons"]] == [["E305", "E205"]]
        text = terminal.posctl("why", LANG="C")
        assert "the two sides hold different master keys" in " ".join(text.out.split())
        assert "E205" in terminal.posctl("status", LANG="C").out


def test_a_host_that_always_answers_77_to_sales_is_named(tmp_path: Path) -> None:
    with shop(tmp_path) as terminal:
        terminal.open()
        terminal.do("host does 77 to next 50 sale")
        for count in (1, 2):
            terminal.sell()
            terminal.do("expect screen 77", "press 取消", "expect screen 请刷卡或输入金额")
            found = why(terminal)
            codes = {each["code"]: each["detail"] for each in found["warnings"]}
            words = "once" if count == 1 else "2 times in a row"
            assert codes["E206"] == f"sales were answered so {words}"
        text = terminal.posctl("why", LANG="C").out
        assert text.startswith("A sale can be begun, but the last failed:")
        assert "It sells." not in text
        assert "does not stop a sale" not in text
        assert "lost this terminal's session" in " ".join(text.split())
        status = terminal.posctl("status", LANG="C")
        assert status.code == 0
        assert ": can begin a sale; the last one failed: E206" in status.out.splitlines()[0]
        assert terminal.posctl("status", "--json").json["sells"] is True


def test_an_acquirer_that_is_lost_after_the_sign_in_is_in_the_headline(tmp_path: Path) -> None:
    with shop(tmp_path) as terminal:
        terminal.open()
        terminal.do("host down")
        terminal.sell()
        terminal.do("expect screen 连接不上")
        found = why(terminal)
        assert found["sells"]
        assert [chain(each) for each in found["warnings"]] == [["E201"]]
        headline = terminal.posctl("status", LANG="C").out.splitlines()[0]
        assert headline.endswith(": can begin a sale; the last one failed: E201  TEST")


def test_a_host_that_always_answers_77_to_the_sign_in_is_named(tmp_path: Path) -> None:
    with shop(tmp_path) as terminal:
        terminal.do(
            "host does 77 to next 50 sign in", "start", "expect screen 未签到", "press 确认"
        )
        terminal.do("expect screen 77")
        found = why(terminal)
        assert [chain(each) for each in found["reasons"]] == [["E305", "E204"]]
        assert root(found["reasons"][0]) == "the acquirer answers 77 (Sign in again)"


def test_an_acquirer_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    with shop(tmp_path) as terminal:
        terminal.do("host down", "start", "expect screen 未签到", "press 确认")
        terminal.do("expect screen 连接")
        found = why(terminal)
        assert [chain(each) for each in found["reasons"]] == [["E305", "E201"]]
        assert root(found["reasons"][0]).endswith(": connection refused")
        tried = terminal.posctl("test", "host")
        assert tried.code == 1
        assert "connection refused" in tried.err
        terminal.do("host up")
        assert terminal.posctl("test", "host").code == 0


@pytest.mark.parametrize(
    ("behaviour", "cause", "words"),
    [
        ("96", "E208", "the acquirer answers 96"),
        ("no-answer", "E202", "answer timeout"),
    ],
)
def test_a_pending_reversal_that_keeps_failing_is_named_with_its_cause(
    tmp_path: Path, behaviour: str, cause: str, words: str
) -> None:
    with shop(tmp_path, **FAST) as terminal:
        terminal.open()
        terminal.do(
            "host does no-answer to next sale", f"host does {behaviour} to next 50 reversal"
        )
        terminal.sell()
        terminal.do("expect screen 请勿交货 within 20 s")
        until(lambda: why(terminal)["reasons"][0]["code"] == "E306")  # the tries are spent
        (reason,) = why(terminal)["reasons"]
        assert chain(reason) == ["E306", cause]
        assert words in root(reason).replace("_", " ")
        assert "123.45" in reason["detail"]
        status = terminal.posctl("status", LANG="C")
        assert status.code == 6
        assert "reversing" in status.out
        story = terminal.posctl("show", "2", LANG="C")
        assert "Undo, try 1" in story.out


def test_a_pending_reversal_behind_an_unreachable_acquirer_names_the_acquirer(
    tmp_path: Path,
) -> None:
    with shop(tmp_path, **FAST) as terminal:
        terminal.open()
        terminal.do("host does no-answer to next sale")
        terminal.sell()
        terminal.do("expect host 0200", "host down", "expect screen 请勿交货 within 20 s")
        (reason,) = why(terminal)["reasons"]
        assert chain(reason) == ["E301", "E201"]


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_is_wrong_by_a_day_is_named(
    tmp_path: Path, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shift, now = timedelta(days=days), counter._now
    monkeypatch.setattr(counter, "_now", lambda: now() - shift)
    with shop(tmp_path) as terminal:
        terminal.open()
        found = why(terminal)
        (clock,) = [each for each in found["warnings"] if each["code"] == "E401"]
        way = "ahead of" if days > 0 else "behind"
        assert clock["detail"] == f"the machine's clock is 1 d 0 min {way} the acquirer's"
        assert f"1 d 0 min {way}" in terminal.posctl("status", LANG="C").out


@contextmanager
def small_disk(directory: Path) -> Iterator[None]:
    """A file system of 24 MiB there, as root may make one."""
    directory.mkdir(exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(directory)],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_is_named_and_the_terminal_opens_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state"), shop(tmp_path) as terminal:
        terminal.open()
        assert why(terminal)["sells"]
        filler = tmp_path / "state" / "filler"
        filler.write_bytes(bytes(10 << 20))
        (reason,) = why(terminal)["reasons"]
        assert reason["code"] == "E303"
        assert reason["detail"].endswith(" free, 16.0 MiB needed")
        assert "16 MiB needed" in terminal.posctl("status", LANG="C").out
        filler.unlink()
        assert why(terminal)["sells"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_is_named_behind_a_sign_in_that_is_missing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state"), shop(tmp_path) as terminal:
        terminal.do("start", "expect screen 未签到")
        (tmp_path / "state" / "filler").write_bytes(bytes(10 << 20))
        assert [chain(each) for each in why(terminal)["reasons"]] == [["E305"], ["E303"]]


def test_a_terminal_that_has_not_signed_in_says_which_key_helps(tmp_path: Path) -> None:
    with shop(tmp_path) as terminal:
        terminal.do("start", "expect screen 未签到")
        assert [chain(each) for each in why(terminal)["reasons"]] == [["E305"]]
        assert "确认" in terminal.posctl("why", LANG="zh_CN.UTF-8").out


def test_an_unfinished_settlement_is_named_with_the_acquirers_last_word(tmp_path: Path) -> None:
    with shop(tmp_path) as terminal:
        terminal.open()
        terminal.do(
            "host does 96 to next settlement",
            "press 确认 7",
            "expect screen 借记 0 笔",
            "press 确认",
            "expect screen 结算未完成",
        )
        found = why(terminal)
        assert not found["sells"]
        (reason,) = found["reasons"]
        assert chain(reason) == ["E308"]
        assert "batch 000001, begun; the acquirer answers 96" in reason["detail"]


def test_a_sale_that_waits_for_its_answer_is_no_trouble(tmp_path: Path) -> None:
    with shop(tmp_path, host__answer_seconds=10) as terminal:
        terminal.open()
        terminal.do("host does slow to next sale")  # half of the time-out
        terminal.sell()
        terminal.do("expect screen 正在处理")
        with terminal.connection() as connection:  # sooner than any posctl
            (found,), (status,) = connection.ask("why"), connection.ask("status")
        assert found["reasons"] == []
        (case,) = status["cases"]
        assert case["state"] == "open"
        terminal.do("expect screen 交易成功")


def test_a_backup_says_at_once_that_it_waits_for_who_uses_the_terminal(tmp_path: Path) -> None:
    with shop(tmp_path) as terminal:
        terminal.open()
        terminal.do("press 1", "expect screen 0.01")
        with terminal.connection() as connection:
            items = connection.ask("backup")
            first = next(items)
            assert first["answer"] == "step"
            assert first["text"].startswith("somebody is using the terminal: ")
            terminal.do("press 取消", "expect screen 请刷卡或输入金额")
            assert [item["answer"] for item in items] == ["done"]


@pytest.mark.parametrize(
    ("part", "role", "words", "code"),
    [
        ("printer", "printer", "打印机", "E103"),
        ("reader", "card_reader", "读卡器", "E104"),
    ],
)
def test_a_test_of_a_device_that_is_not_there_says_why_and_where_the_remedy_stands(
    tmp_path: Path, part: str, role: str, words: str, code: str
) -> None:
    with shop(tmp_path) as terminal:
        terminal.open()
        terminal.do(f"{part} unplug", f"expect screen {words}")
        tried = terminal.posctl("test", part)
        assert tried.code == 1
        assert f"the {role.replace('_', ' ')} is absent: " in tried.err
        assert f"posctl explain {code}" in tried.err
