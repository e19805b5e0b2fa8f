"""posctl as it is typed: what each word says of a real terminal, and without one."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.diagnostics.posctl.command import COMMANDS
from posd.texts.errors import ErrorCode
from protocol.response_codes import CODES
from tests.posd.diagnostics.rig import (
    ROOT,
    Shop,
    follow,
    posctl,
    rest_of,
    said_until,
    shop,
)

CARD = "6225000000000014"


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Signed in, one sale made, idle."""
    with shop(tmp_path_factory.mktemp("shop")) as opened:
        opened.open()
        opened.sell()
        opened.do(
            "expect screen 交易成功", "expect paper 消费/SALE", "expect screen 请撕纸", "press 确认"
        )
        opened.do("expect paper 持卡人存根", "expect screen 请刷卡或输入金额")
        yield opened


def lines_until(process: subprocess.Popen[str], wanted: str) -> str:
    """What it writes up to this; then Ctrl-C."""
    said = said_until(process, wanted)
    process.send_signal(2)
    rest_of(process)
    assert process.returncode == 130
    return said


# --- looking --------------------------------------------------------------------------------------


def test_status_is_one_screen(terminal: Shop) -> None:
    said = terminal.posctl("status", LANG="C", COLUMNS="80")
    assert said.code == 0, said.err
    assert len(said.out.splitlines()) <= 24
    for wanted in (
        "T0000001 测试商户: sells",
        "yes, operator 01",
        "1 of 510",
        "on this machine, ok",
    ):
        assert wanted in said.out


def test_status_for_programs_is_one_json_object(terminal: Shop) -> None:
    found = terminal.posctl("--json", "status").json
    assert found["sells"] is True
    again = terminal.posctl("status", "--json").json
    assert {name for name in found if found[name] != again[name]} <= {"clock", "free_bytes"}


def test_the_screen_is_what_the_clerk_sees(terminal: Shop) -> None:
    said = terminal.posctl("screen")
    rows = [row for row in terminal.stage.witness.screen if row]
    assert len(rows) > 2
    assert all(row in said.out for row in rows)


def test_journal_and_show_tell_of_the_same_transaction_as_the_log(terminal: Shop) -> None:
    (entry,) = terminal.posctl("journal", "--json").json["entries"]
    assert (entry["amount"], entry["state"], entry["card"]) == (
        12345,
        "approved",
        "622500******0014",
    )
    shown = terminal.posctl("show", str(int(entry["voucher"])), LANG="C")
    assert shown.code == 0
    assert "Approved" in shown.out
    number = f"transaction={entry['transaction']}"
    assert number in shown.out
    assert f'"transaction": {entry["transaction"]}' in terminal.log()
    assert terminal.posctl("show", "999999").code == 7


def test_show_tells_a_story_once_with_amounts_for_people(terminal: Shop) -> None:
    (entry,) = terminal.posctl("journal", "--json").json["entries"]
    found = terminal.posctl("show", entry["voucher"], "--json").json
    assert "amount=12345" in found["steps"][0][2]
    shown = terminal.posctl("show", entry["voucher"], LANG="C").out
    assert [shown.count(word) for word in ("Sent to the acquirer", "Stored")] == [1, 1]
    assert f"stan={entry['voucher']} amount=123.45" in shown
    assert "12345" not in shown
    rows = shown.partition("details\n")[2].splitlines()
    assert [row.split()[:2] for row in rows] == [
        at.split("T") for at, _what, _more in found["steps"]
    ]
    chinese = terminal.posctl("show", entry["voucher"], LANG="zh_CN.UTF-8").out
    assert found["words"] != []
    assert not any(word in chinese for word in found["words"])


def test_an_order_number_finds_its_attempt(terminal: Shop) -> None:
    (entry,) = terminal.posctl("journal", "--json").json["entries"]
    order = int(entry["voucher"]) - 1
    assert terminal.posctl("show", str(order), "--json").json["entry"] == entry


def test_flight_shows_lines_masked(terminal: Shop) -> None:
    said = terminal.posctl("flight")
    assert said.code == 0
    for role in ("keypad", "display", "printer", "card_reader"):
        assert role in said.out
    assert CARD not in said.out
    assert CARD.encode().hex(" ") not in said.out


def test_metrics_are_the_exposition_text(terminal: Shop) -> None:
    said = terminal.posctl("metrics")
    assert re.search(r"^posd_up 1$", said.out, re.M)
    assert said.out.endswith("\n")


def test_the_configuration_shows_keys_as_check_values_only(terminal: Shop) -> None:
    said = terminal.posctl("config")
    assert "terminal_id" in said.out
    assert re.search(r"master key: [0-9A-F]{8}", said.out)
    for name in ("master", "device"):
        assert (terminal.directory / f"{name}.key").read_text() not in said.out


def test_the_configuration_is_toml_that_says_the_same_as_its_json(terminal: Shop) -> None:
    found = tomllib.loads(terminal.posctl("config").out)
    assert found["terminal"]["merchant_name"] == "测试商户"
    assert found["terminal"]["software_pin"] is True
    assert found["devices"]["printer"]["columns"] == 32
    items = [json.loads(line) for line in terminal.posctl("config", "--json").out.splitlines()]
    for item in items[:-1]:
        said = {name: value for name, value in item["settings"].items() if value}
        assert {name: str(value) for name, value in dotted(found[item["name"]])} == said


def dotted(section: dict[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Settings that say something, with their tables' names before theirs."""
    for name, value in section.items():
        if isinstance(value, dict):
            yield from dotted(value, f"{prefix}{name}.")
        elif value != "":
            yield f"{prefix}{name}", value


def test_events_begin_where_they_are_asked_for(terminal: Shop) -> None:
    everything = [json.loads(line) for line in terminal.posctl("events", "--json").out.splitlines()]
    names = [item.get("name") for item in everything]
    assert "transaction.approved" in names
    second = terminal.posctl(
        "events", "--json", "--from", str(everything[1]["number"])
    ).out.splitlines()
    assert json.loads(second[0]) | {"id": 0} == everything[1] | {"id": 0}
    told = terminal.posctl("events").out
    assert " amount=123.45 " in told
    assert "=12345" not in told
    assert {12345} <= {item.get("details", {}).get("amount") for item in everything}
    for line in told.splitlines():
        assert not any(word.endswith("=") for word in line.split()), line


# --- live -----------------------------------------------------------------------------------------


def test_watch_shows_what_happens(terminal: Shop) -> None:
    process = follow(terminal, "watch")
    terminal.do("press 7", "expect screen 0.07", "press 取消", "expect screen 请刷卡或输入金额")
    said = lines_until(process, "KeyPressed key=cancel")
    assert "KeyPressed key=7" in said


def test_a_trace_shows_messages_decoded_and_masked_and_can_be_ended_by_another(
    terminal: Shop,
) -> None:
    process = follow(terminal, "trace", "on")
    assert terminal.posctl("echo").code == 0
    said = said_until(process, "<- acquirer")
    assert "1 trace ended" in terminal.posctl("trace", "off").out
    said += rest_of(process)
    assert process.returncode == 0
    assert "-> acquirer" in said
    assert "<- acquirer" in said
    assert "0820" in said
    assert "0830" in said
    assert "ended by somebody else" in said


def test_a_trace_shows_messages_in_the_order_in_which_they_passed(tmp_path: Path) -> None:
    with shop(tmp_path, host__reversal_answer_seconds=1) as opened:
        opened.open()
        process = follow(opened, "trace", "on", "--json")
        opened.do("host does wrong-mac to next sale")
        opened.sell()
        opened.do("expect screen 已冲正 within 60 s")
        said = said_until(process, '["0410')
        process.send_signal(2)
        said += rest_of(process)
    messages = [json.loads(line) for line in said.splitlines()]
    passed = [(each["direction"], each["lines"][0][:4]) for each in messages]
    first = passed.index(("out", "0200"))
    assert passed[first + 1] == ("in", "0210")
    assert ("out", "0400") in passed[first + 2 :]
    assert [each["at"] for each in messages] == sorted(each["at"] for each in messages)


def test_events_are_followed(terminal: Shop) -> None:
    process = follow(terminal, "events", "--follow", "--from", "1")
    terminal.do(
        "press 100", "press 确认", "expect screen 请刷卡", "press 取消", "wait 0.3 s", "press 取消"
    )
    lines_until(process, "order.created")


@pytest.mark.parametrize("words", ["watch", "trace on", "events --follow", "watch --json"])
def test_what_goes_on_says_first_on_a_terminal_how_it_ends(terminal: Shop, words: str) -> None:
    reading, writing = pty.openpty()
    with os.fdopen(reading, "rb", buffering=0) as screen, subprocess.Popen(
        [sys.executable, "-m", "posd.diagnostics.posctl", "--socket", str(terminal.socket),
         *words.split()],
        stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, env={**os.environ, "NO_COLOR": "1"},
    ) as process:  # fmt: skip
        os.close(writing)
        shown = b""
        end = time.perf_counter() + 60
        while b"\n" not in shown and time.perf_counter() < end:
            if select.select([screen], [], [], 0.5)[0]:
                shown += screen.read(4096)
            else:
                terminal.do("press 取消")  # a program is told of events only
        process.send_signal(2)
        assert process.wait(60) == 130
    assert shown.startswith(b"{" if "--json" in words else b"Ctrl-C ends\r\n")


# --- trying ---------------------------------------------------------------------------------------


def idle(terminal: Shop) -> None:
    for _ in range(4):
        terminal.do("press 取消", "wait 0.1 s")


def test_a_test_slip_is_printed_and_no_sale_knows_of_it(terminal: Shop) -> None:
    idle(terminal)
    time.sleep(5.5)  # acts in a row are slowed down
    said = terminal.posctl("test", "printer")
    assert said.code == 0, said.err
    terminal.do("expect paper TEST PAGE")
    assert terminal.posctl("status", "--json").json["waiting_slips"] == 0


def test_the_display_shows_a_test_picture_and_then_what_it_should(terminal: Shop) -> None:
    said = terminal.posctl("test", "display")
    assert said.code == 0, said.err
    terminal.do("expect screen 显示屏测试", "expect screen 请刷卡或输入金额 within 60 s")


def test_the_keypad_and_the_reader_say_what_came(terminal: Shop) -> None:
    for part, line, wanted in (
        ("keypad", "press 取消", "the keypad sent cancel"),
        ("reader", "swipe good", "card 622500******0014"),
    ):
        time.sleep(2)
        process = follow(terminal, "test", part)
        terminal.do(line)
        said, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
        assert wanted in said
    idle(terminal)


def test_a_key_that_does_not_come_is_a_sentence(terminal: Shop) -> None:
    time.sleep(2)
    said = terminal.posctl("test", "keypad", "--seconds", "1")
    assert said.code == 1
    assert "nothing came within 1 s" in said.err


def test_a_backup_is_made_at_once(terminal: Shop) -> None:
    idle(terminal)
    time.sleep(2)
    said = terminal.posctl("backup")
    assert said.code == 0, said.err
    assert Path(said.out.split()[0]).is_file()


# --- one file for support -------------------------------------------------------------------------


def test_a_bundle_holds_what_helps_and_nothing_secret(terminal: Shop, tmp_path: Path) -> None:
    target = tmp_path / "b.tar.gz"
    said = terminal.posctl("bundle", "--to", str(target))
    assert said.code == 0, said.err
    assert target.stat().st_mode & 0o077 == 0
    with tarfile.open(target) as archive:
        parts = {
            member.name.removeprefix("b/"): (archive.extractfile(member) or [b""]).read()  # type: ignore[union-attr]
            for member in archive.getmembers()
        }
    wanted = {"status.json", "why.json", "configuration.json", "flight-printer.txt", "doctor.txt",
              "journal.json", "metrics.json", "events.json", "system.txt", "MISSING.txt"}  # fmt: skip
    assert wanted <= set(parts)
    everything = b"\n".join(parts.values())
    for secret in (
        CARD.encode(),
        CARD.encode().hex(" ").encode(),
        (terminal.directory / "master.key").read_bytes(),
        (terminal.directory / "device.key").read_bytes(),
    ):
        assert secret not in everything
    assert json.loads(parts["status.json"])["terminal"] == "T0000001"


def test_a_bundle_without_a_terminal_says_what_is_missing(tmp_path: Path) -> None:
    target = tmp_path / "b.tar.gz"
    said = posctl("--socket", str(tmp_path / "none"), "bundle", "--to", str(target))
    assert said.code == 0, said.err
    assert "without what the terminal says: no terminal answers" in said.out
    with tarfile.open(target) as archive:
        assert "b/doctor.txt" in archive.getnames()


# --- without a terminal ---------------------------------------------------------------------------


@pytest.mark.parametrize("code", ErrorCode)
def test_every_error_code_is_explained(code: ErrorCode, capsys: pytest.CaptureFixture[str]) -> None:
    from posd.diagnostics.posctl import main

    for language in ("zh_CN", "en"):
        assert main(["--language", language, "explain", code.lower()]) == 0
        cause, _, remedy = capsys.readouterr().out.partition("->")
        assert cause.startswith(f"{code} ")
        assert remedy.strip()


def test_response_codes_are_explained_and_unknown_ones_are_not_made_up() -> None:
    assert "余额不足" in posctl("explain", "51", LANG="zh_CN.UTF-8").out
    assert "Insufficient funds" in posctl("explain", "51", LANG="C").out
    assert posctl("explain", "ZZ").code == 7
    unknown = posctl("explain", "E999")
    assert unknown.code == 7
    assert "response code two characters (posctl explain --all lists both)" in unknown.err


def test_all_codes_are_listed_with_those_of_the_acquirer() -> None:
    errors = posctl("explain", LANG="C").out
    assert "E201 " in errors
    assert "Insufficient funds" not in errors
    assert "posctl explain --all" in errors
    both = posctl("explain", "--all", LANG="C").out
    assert "E201 " in both
    assert re.search(r"^51 Insufficient funds", both, re.M)
    listed = {row["code"] for row in posctl("explain", "--all", "--json").json}
    assert listed == {*ErrorCode, *CODES}
    assert posctl("explain", "--all", "51").code == 2


def test_colour_only_on_a_terminal_and_never_with_no_color(terminal: Shop) -> None:
    script = shutil.which("script")
    assert script is not None
    command = f"{sys.executable} -m posd.diagnostics.posctl --socket {terminal.socket} why"

    def typed(**more: str) -> str:
        environment = {**os.environ, "TERM": "vt100", **more}
        if not more:
            environment.pop("NO_COLOR", None)
        return subprocess.run(
            [script, "-qec", command, "/dev/null"], capture_output=True, text=True, cwd=ROOT,
            env=environment, check=True,
        ).stdout  # fmt: skip

    assert "\x1b[32m" in typed()
    assert "\x1b" not in typed(NO_COLOR="1")
    assert "\x1b" not in terminal.posctl("why").out


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_begins_with_an_example_that_is_one(
    command: object, capsys: pytest.CaptureFixture[str]
) -> None:
    from posd.diagnostics.posctl.command import Command, parser

    assert isinstance(command, Command)
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([command.name, "--help"])
    assert ended.value.code == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"example: {command.example}"
    words = command.example.removeprefix("sudo ").partition(" >")[0].split()
    assert words[0] == "posctl"
    assert parser().parse_args(words[1:]).chosen is command


def test_a_mistake_on_the_command_line_is_one_line_and_a_hint() -> None:
    for words in (
        ("nonsense",), ("journal", "--count", "x"), ("show",), (),
        ("show", "abc"), ("show", "1234567"), ("journal", "--count", "0"), ("journal", "--before=-1"),
        ("events", "--from=-1"), ("test", "keypad", "--seconds", "61"),
    ):  # fmt: skip
        said = posctl(*words)
        assert said.code == 2
        assert [line[:6] for line in said.err.splitlines()] == ["posctl", "   -> "]


def test_it_starts_without_the_daemon() -> None:
    listed = subprocess.run(
        [sys.executable, "-c", "import sys; from posd.diagnostics.posctl import main, connection, looks; "
         "import posd.diagnostics.posctl.connection, posd.diagnostics.posctl.looks; print(*sys.modules)"],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)},
    ).stdout.split()  # fmt: skip
    heavy = {
        "asyncio",
        "structlog",
        "cryptography",
        "construct",
        "transitions",
        "sqlite3",
        "serial",
        "posd.daemon",
    }
    assert heavy.isdisjoint(listed)
