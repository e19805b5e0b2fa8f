from __future__ import annotations

from pathlib import Path

import pytest

from posd.acquirer.outcomes import Fault, Outcome
from posd.testing import steps
from posd.testing.device_lines import PARTS, ROLES
from posd.testing.script import FORMS, ScriptError, fill_in, load, parse

SCRIPTS = Path(__file__).parents[2] / "scripts"


def only(line: str) -> steps.Step:
    """The step that one line after `start` means."""
    return parse(f"start\n{line}\n", "one.clerk").steps[1]


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("press 确认 1 ▲", steps.Press(2, ("confirm", "1", "up"))),
        ("press cancel 清除 功能 down", steps.Press(2, ("cancel", "clear", "function", "down"))),
        ("press 12345 ok enter", steps.Press(2, ("12345", "confirm", "confirm"))),
        ("press 12345 {voucher} 确认", steps.Press(2, ("12345", "{voucher}", "confirm"))),
        ("swipe poor", steps.Swipe(2, "poor")),
        ("swipe garbled", steps.Swipe(2, "good", "garbled")),
        ("expect screen 请刷卡", steps.ExpectScreen(2, ("请刷卡",))),
        (
            "expect screen 交易成功 | 123.45 within 2.5 s",
            steps.ExpectScreen(2, ("交易成功", "123.45"), 2.5),
        ),
        ("expect no screen 交易成功", steps.ExpectNoScreen(2, "交易成功")),
        ("expect no screen 交易成功 for 3 s", steps.ExpectNoScreen(2, "交易成功", 3.0)),
        ("expect paper 消费/SALE | RMB 1.00", steps.ExpectPaper(2, ("消费/SALE", "RMB 1.00"))),
        ("expect no paper for 1 s", steps.ExpectNoPaper(2, 1.0)),
        ("expect host 0800", steps.ExpectHost(2, "0800", {})),
        (
            "expect host 0400 39=98 52=absent within 90 s",
            steps.ExpectHost(2, "0400", {39: "98", 52: "absent"}, 90.0),
        ),
        ("expect host nothing for 2 s", steps.ExpectHostNothing(2, 2.0)),
        ("expect off", steps.ExpectOff(2)),
        ("expect off within 5 s", steps.ExpectOff(2, 5.0)),
        ("expect ledger last approved", steps.ExpectLedger(2, "last", "approved")),
        ("expect ledger 12 reversed within 5 s", steps.ExpectLedger(2, "000012", "reversed", 5.0)),
        ("expect order last cancelled", steps.ExpectOrder(2, "last", "cancelled")),
        (
            "remember first from paper 凭证号 *",
            steps.Remember(2, "first", "paper", "凭证号 *"),
        ),
        ("host does 51", steps.HostDoes(2, Outcome(code="51"), "any", 1)),
        (
            "host does no-answer to next 2 sale void",
            steps.HostDoes(2, Outcome(fault=Fault.NO_ANSWER), "sale_void", 2),
        ),
        ("host down", steps.HostLink(2, up=False)),
        ("host up", steps.HostLink(2, up=True)),
        ("printer paper out after 5 lines", steps.PaperOut(2, 5)),
        ("printer load paper", steps.LoadPaper(2)),
        ("printer unplug", steps.Plug(2, "printer", plugged=False)),
        ("keypad unplug", steps.Plug(2, "keypad", plugged=False)),
        ("display replug", steps.Plug(2, "display", plugged=True)),
        ("reader replug", steps.Plug(2, "card_reader", plugged=True)),
        ("reader noise", steps.Disturb(2, "card_reader", "noise")),
        ("reader cut short after 12 bytes", steps.Disturb(2, "card_reader", "cut short", 12)),
        ("keypad drip 0.5 s", steps.Disturb(2, "keypad", "drip", 0.5)),
        ("display silent", steps.Disturb(2, "display", "silent")),
        ("printer silent for 3 s", steps.Disturb(2, "printer", "silent", 3)),
        ("printer xoff", steps.Disturb(2, "printer", "xoff")),
        ("display xon", steps.Disturb(2, "display", "xon")),
        ("keypad heal", steps.Disturb(2, "keypad", "heal")),
        ("printer cover open", steps.PrinterPart(2, "cover", wrong=True)),
        ("printer cover closed", steps.PrinterPart(2, "cover", wrong=False)),
        ("printer cutter stuck", steps.PrinterPart(2, "cutter", wrong=True)),
        ("printer head cool", steps.PrinterPart(2, "head", wrong=False)),
        ("printer paper near end", steps.PrinterPart(2, "paper", wrong=True)),
        ("power cut", steps.PowerCut(2, while_waiting=False)),
        ("power cut while waiting", steps.PowerCut(2, while_waiting=True)),
        ("power on", steps.PowerOn(2)),
        ("ledger keep", steps.KeepLedger(2)),
        ("ledger put back", steps.PutBackLedger(2)),
        ("wait 1.5 s", steps.Wait(2, 1.5)),
        ("agree within 60 s", steps.Agree(2, 60.0)),
    ],
)
def test_a_line_means_one_step(line: str, step: steps.Step) -> None:
    assert only(line) == step


def test_every_form_has_a_line_above() -> None:
    table = test_a_line_means_one_step.pytestmark[0].args[1]  # type: ignore[attr-defined]
    matched = {
        next(form.usage for form in FORMS if form.pattern.fullmatch(line)) for line, _ in table
    }
    # a device's lines are the same for each device: one of them stands for all
    shapes = {usage.partition(" ")[2] if usage.split()[0] in ROLES else usage for usage in matched}
    expected = {form.usage for form in FORMS} - {"set SECTION.KEY = VALUE", "start"}
    assert shapes >= {
        usage.partition(" ")[2] if usage.split()[0] in ROLES else usage
        for usage in expected
        if usage.partition(" ")[2] not in PARTS
    }


@pytest.mark.parametrize(
    ("value", "found"),
    [("2.5", 2.5), ("true", True), ('"en"', "en"), ("3", 3)],
)
def test_a_setting_is_a_toml_value(value: str, found: object) -> None:
    script = parse(f"set host.answer_seconds = {value}\nstart\n", "x.clerk")
    assert script.steps[0] == steps.Set(1, ("host", "answer_seconds"), found)  # type: ignore[arg-type]


def test_blank_lines_and_comments_are_left_out_and_lines_are_counted() -> None:
    script = parse("# a day\n\nstart  # in the morning\n\n  press 1\n", "x.clerk")
    assert script.steps == (steps.Start(3), steps.Press(5, ("1",)))


def test_a_script_may_ask_for_the_real_stage() -> None:
    assert parse("# a line of bytes\n# stage: real\nstart\n", "x.clerk").stage == "real"
    assert parse("start\n", "x.clerk").stage == "any"


def test_remembered_values_are_put_in() -> None:
    assert fill_in("上笔凭证 {first}", {"first": "000012"}) == "上笔凭证 000012"


@pytest.mark.parametrize(
    ("lines", "where", "expected"),
    [
        ("start\ndance", 2, "expected one of set, start, press, swipe, expect"),
        ("start\npress 确定", 2, "expected a key (digits, confirm"),
        ("start\nswipe gold", 2, "expected a card (good, second"),
        ("start\nexpect screen", 2, "expected `expect no screen TEXT"),
        ("start\nexpect screen a | | b", 2, "expected a text on each side of |"),
        ("start\nexpect host 0200 3", 2, "expected ELEMENT=VALUE"),
        ("start\nexpect host 0200 99=1", 2, "expected ELEMENT=VALUE"),
        ("start\nexpect ledger last finished", 2, "expected a state (open, reversing"),
        ("start\nexpect ledger first approved", 2, "expected a voucher number, `last` or {name}"),
        ("start\nexpect order last approved", 2, "expected a state (unpaid, paid"),
        ("start\nremember x from paper 凭证号", 2, "expected one * in the pattern"),
        ("start\nhost does nothing", 2, "'nothing' is no outcome: expected a response code"),
        ("start\nhost does 51 to next party", 2, "expected a transaction (any, "),
        ("start\nreader xoff", 2, "expected `reader unplug|replug` or `reader noise` or"),
        ("start\nprinter drip slowly", 2, "expected `printer paper out after N lines` or"),
        (
            "start\ndisplay cover open",
            2,
            "expected `display unplug|replug` or `display xoff|xon` or",
        ),
        ("start\nkeypad cut short", 2, "expected `keypad unplug|replug` or"),
        ("# stage: moon\nstart", 1, "expected `# stage: real`, found 'moon'"),
        ("start\nwait for it", 2, "expected `wait N s`, found `wait for it`"),
        ("start\npower off", 2, "expected `power cut [while waiting]` or `power on`"),
        ("set terminal.language = en\nstart", 1, 'expected a TOML value (5, true, "text")'),
        ("press 1\nstart", 1, "expected `start` before this line"),
        ("start\n\nstart", 3, "expected one `start` only"),
        ("start\nset host.port = 1", 2, "expected `set` before `start`"),
        ("start\npress {first}", 2, "expected `remember first from ...` before this line"),
        ("host down", 1, "expected a `start` line"),
    ],
)
def test_an_error_names_file_line_and_what_was_expected(
    lines: str, where: int, expected: str
) -> None:
    with pytest.raises(ScriptError) as error:
        parse(lines, "day.clerk")
    assert str(error.value).startswith(f"day.clerk:{where}: {expected}")


def test_a_script_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"none\.clerk: cannot be read: No such file"):
        load(tmp_path / "none.clerk")


def test_a_script_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gbk.clerk"
    path.write_bytes("start\nexpect screen 请刷卡".encode("gb18030"))
    with pytest.raises(ScriptError, match=r"gbk\.clerk: expected a text in UTF-8"):
        load(path)
