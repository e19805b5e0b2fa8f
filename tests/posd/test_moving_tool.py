"""`posd export`, `posd import`, `posd close`: as a technician uses them, and what clerks see afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devices.simulated.printer import SimulatedPrinter
from posd.cli import main
from posd.core.events import Key
from posd.ledger.inspection import reading
from posd.ledger.retirement import retired_mark, retirement_of
from posd.state_lock import StateLock
from posd.testing.in_process import InProcessStage
from posd.testing.loop_thread import LoopThread
from posd.testing.player import Player
from posd.testing.script import parse
from tests.posd.test_moving import Killer, survives

ROOT = Path(__file__).parents[2]
PASSPHRASE = "correct horse battery"
SIGNED_IN = "start\nexpect screen 未签到\npress 确认\nexpect screen 请刷卡或输入金额\n"
SALE = """\
press 700 确认
expect screen 请刷卡
swipe nopin
expect screen 请持卡人输密码
press 确认
expect screen 请撕纸
press 确认
expect screen 请刷卡或输入金额
"""
ANOTHER_SALE = SALE.replace("700", "800")
Output = pytest.CaptureFixture[str]


class Shop:
    """A terminal in virtual time, and the tools when it has no power."""

    def __init__(self, directory: Path, seed: int) -> None:
        directory.mkdir()
        self.directory = directory
        self.stage = InProcessStage(directory, seed)
        self.ledger = self.stage.installation.state_directory / "ledger.db"
        self.passphrase = directory / "passphrase"
        self.passphrase.write_text(f"{PASSPHRASE}\n")

    def play(self, text: str) -> None:
        """Lines of a script, without the comparison of both ledgers at the end."""
        script = parse(
            text if text.startswith(("start", "set")) else f"start\n{text}", "moving.clerk"
        )
        player = Player(script, self.stage)
        for step in script.steps[0 if text.startswith(("start", "set")) else 1 :]:
            player.play_step(step)

    def screen(self) -> str:
        return " ".join(self.stage.witness.screen)

    def press(self, *keys: str) -> str:
        for key in keys:
            self.stage.press(Key(key))
        return self.screen()

    def off(self) -> None:
        if self.stage.powered:
            self.stage.power_cut()

    def tool(self, command: str, *words: object) -> int:
        self.off()
        self.stage.installation.load()
        config = str(self.stage.installation.configuration_file)
        return main([command, "--config", config, *map(str, words)])

    def export(self, archive: Path, *words: object) -> int:
        return self.tool(
            "export", "--output", archive, "--passphrase-from", self.passphrase, *words
        )

    def arrive(self, archive: Path) -> int:
        return self.tool("import", "--passphrase-from", self.passphrase, archive)


@pytest.fixture
def old(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path / "old", 1)
    shop.play(SIGNED_IN + SALE)
    return shop


def test_a_batch_that_is_open_does_not_leave(old: Shop, tmp_path: Path, capsys: Output) -> None:
    assert old.export(tmp_path / "archive") == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert "is open with 1 transactions" in error
    assert "--force" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "archive").exists()
    old.stage.power_on()
    old.play(ANOTHER_SALE)  # it trades on


def test_the_old_terminal_shows_and_reprints_only(
    old: Shop, tmp_path: Path, capsys: Output
) -> None:
    assert old.export(tmp_path / "archive", "--force") == 0
    assert "archive " in capsys.readouterr().out
    sent = len(old.stage.witness.received)
    old.stage.power_on()
    old.stage.let_pass(600, lambda: False)
    assert "已迁移" in old.screen()
    assert "已迁移到新终端" in old.press("7")
    assert "已迁移" in old.press("confirm")
    old.stage.swipe("good", "")
    assert "已迁移到新终端" in old.screen()
    old.press("confirm")
    assert "撤销" in old.press("confirm"), "the menu, not a sign-in"
    assert "已迁移" in old.press("9", "1")
    old.stage.let_pass(600, lambda: False)
    assert len(old.stage.witness.received) == sent, "nothing is sent any more"


def test_a_reversal_that_was_pending_is_never_sent_from_the_old_terminal(
    tmp_path: Path,
) -> None:
    old = Shop(tmp_path / "old", 1)
    old.play(
        SIGNED_IN
        + "host does no-answer to next sale\n"
        + "host does no-answer to next 9 reversal\n"
        "press 700 确认\nexpect screen 请刷卡\nswipe nopin\nexpect screen 请持卡人输密码\npress 确认\n"
        "expect host 0400 within 90 s\n"
    )
    assert old.export(tmp_path / "archive", "--force") == 0
    sent = len(old.stage.witness.received)
    old.stage.power_on()
    old.stage.let_pass(3600, lambda: False)
    assert len(old.stage.witness.received) == sent


def test_the_new_terminal_is_closed_until_a_supervisor_confirms_and_then_trades(
    old: Shop, tmp_path: Path, capsys: Output
) -> None:
    assert old.export(tmp_path / "archive", "--force") == 0
    new = Shop(tmp_path / "new", 2)
    new.stage.power_on()  # its ledger has the passwords that its clerks know
    assert new.arrive(tmp_path / "archive") == 0
    assert "1 transactions, 0 unresolved" in capsys.readouterr().out
    new.stage.power_on()
    new.stage.let_pass(5, lambda: False)
    assert "账本已恢复" in new.screen()
    new.play(
        "press 确认 确认\nexpect screen 密码\npress 123456 确认\nexpect screen 请刷卡或输入金额\n"
        + ANOTHER_SALE
    )
    new.off()
    with reading(new.ledger) as connection:
        (count,) = connection.execute("SELECT count(*) FROM transactions").fetchone()
    assert count == 2


def test_an_archive_arrives_once_and_not_on_a_terminal_in_use(
    old: Shop, tmp_path: Path, capsys: Output
) -> None:
    old.export(tmp_path / "archive", "--force")
    new = Shop(tmp_path / "new", 2)
    assert new.arrive(tmp_path / "archive") == 2
    assert "posd init" in capsys.readouterr().err
    new.stage.power_on()
    assert new.arrive(tmp_path / "archive") == 0
    assert new.arrive(tmp_path / "archive") == 2
    assert "has arrived here before" in capsys.readouterr().err
    other = Shop(tmp_path / "other", 3)
    other.play(SIGNED_IN + SALE)
    assert other.arrive(tmp_path / "archive") == 2
    assert "of its own" in capsys.readouterr().err


def test_a_wrong_passphrase_and_a_damaged_archive_are_one_line_each(
    old: Shop, tmp_path: Path, capsys: Output
) -> None:
    old.export(tmp_path / "archive", "--force")
    new = Shop(tmp_path / "new", 2)
    new.stage.power_on()
    new.passphrase.write_text("another long passphrase\n")
    assert new.arrive(tmp_path / "archive") == 1
    assert "another passphrase" in capsys.readouterr().err
    new.passphrase.write_text("short\n")
    assert new.arrive(tmp_path / "archive") == 2
    assert "at least 12" in capsys.readouterr().err
    assert new.arrive(tmp_path / "nothing") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_passphrase_is_never_an_argument_and_is_asked_for_on_a_terminal_only(
    old: Shop, tmp_path: Path
) -> None:
    old.off()
    old.stage.installation.load()
    asked = subprocess.run(
        [sys.executable, "-m", "posd", "export", "--config",
         str(old.stage.installation.configuration_file), "--output", str(tmp_path / "a"), "--force"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert asked.returncode == 2
    assert "--passphrase-from" in asked.stderr
    helped = subprocess.run(
        [sys.executable, "-m", "posd", "export", "--help"],
        capture_output=True, text=True, timeout=60, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "--passphrase-from FILE" in helped.stdout
    assert "--passphrase " not in helped.stdout


@pytest.mark.parametrize("command", ["export", "import", "close"])
def test_while_the_daemon_runs_nothing_is_done(
    old: Shop, tmp_path: Path, capsys: Output, command: str
) -> None:
    old.off()
    lock = StateLock.take(old.ledger.parent)
    words: dict[str, tuple[object, ...]] = {
        "export": ("--output", tmp_path / "archive"),
        "import": (tmp_path / "archive",),
        "close": ("--report", tmp_path / "report"),
    }
    assert old.tool(command, *words[command]) == 2
    lock.release()
    assert f"found process {os.getpid()}" in capsys.readouterr().err


def test_a_copy_of_before_is_not_put_back_on_a_terminal_that_moved(
    old: Shop, tmp_path: Path, capsys: Output
) -> None:
    old.off()
    config = str(old.stage.installation.configuration_file)
    assert main(["ledger", "backup", "--config", config]) == 0
    (copy,) = (old.ledger.parent / "backups").iterdir()
    old.export(tmp_path / "archive", "--force")
    assert main(["ledger", "restore", "--config", config, str(copy)]) == 2
    assert "not put back" in capsys.readouterr().err
    old.stage.power_on()
    assert "已迁移" in old.screen()


# --- the end --------------------------------------------------------------------------------------


def key_files(shop: Shop) -> list[Path]:
    return [shop.directory / "device.key", shop.directory / "master.key"]


def test_a_terminal_that_is_not_settled_is_not_closed(
    old: Shop, tmp_path: Path, capsys: Output
) -> None:
    assert old.tool("close", "--report", tmp_path / "report") == 2
    assert "settle first" in capsys.readouterr().err
    assert all(file.exists() for file in key_files(old))
    assert not (tmp_path / "report").exists()
    old.stage.power_on()
    old.play(ANOTHER_SALE)


@pytest.fixture
def indebted(tmp_path: Path) -> Shop:
    """Settled, with an order that nobody has paid."""
    shop = Shop(tmp_path / "settled", 1)
    declined = SALE.partition("expect screen 请撕纸")[0] + "expect ledger last declined\n"
    shop.play(SIGNED_IN + "host does 51 to next sale\n" + declined)
    return shop


@pytest.fixture
def settled(indebted: Shop) -> Shop:
    indebted.press("cancel", "confirm", "1", *"123456", "confirm", *"2", "confirm", "confirm", "1")
    assert "订单000002 已取消" in indebted.screen()
    indebted.off()
    return indebted


def test_orders_that_nobody_has_paid_keep_a_terminal_from_being_closed(
    indebted: Shop, tmp_path: Path, capsys: Output
) -> None:
    assert indebted.tool("close", "--report", tmp_path / "report") == 2
    error = capsys.readouterr().err
    assert "1 orders are not paid, 7.00 in all (order 000002)" in error
    assert "--unpaid-orders" in error
    assert all(file.exists() for file in key_files(indebted))
    assert not (tmp_path / "report").exists()


def test_a_terminal_that_is_closed_with_unpaid_orders_lists_them_in_its_report(
    indebted: Shop, tmp_path: Path
) -> None:
    assert indebted.tool("close", "--report", tmp_path / "report", "--unpaid-orders") == 0
    report = (tmp_path / "report").read_text()
    assert "未付订单 / UNPAID ORDERS 1" in report
    assert "000002        7.00" in report
    assert not any(file.exists() for file in key_files(indebted))


def test_closing_wipes_the_keys_and_leaves_a_report(
    settled: Shop, tmp_path: Path, capsys: Output
) -> None:
    secrets = [file.read_text() for file in key_files(settled)]
    assert settled.tool("close", "--report", tmp_path / "report") == 0
    assert not any(file.exists() for file in key_files(settled))
    report = (tmp_path / "report").read_text()
    assert "终端编号 T0000001" in report
    assert "declined" in report
    out = capsys.readouterr().out
    assert all(secret not in report + out for secret in secrets)
    with reading(settled.ledger) as connection:
        row = connection.execute(
            "SELECT count(*) FROM transactions WHERE account_number IS NOT NULL"
        ).fetchone()
    assert row[0] == 0
    config = str(settled.stage.installation.configuration_file)
    assert main(["close", "--config", config, "--report", str(tmp_path / "again")]) == 2
    assert "device.key: no such file" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_the_report_is_printed_where_there_is_a_printer(
    settled: Shop, tmp_path: Path, capsys: Output
) -> None:
    loop = LoopThread()
    path = settled.stage.installation.device_directory / "printer"
    printer = loop.call(lambda: SimulatedPrinter(path))
    try:
        assert settled.tool("close", "--report", tmp_path / "report", "--print") == 0
        paper = "\n".join(loop.call(lambda: list(printer.paper)))
    finally:
        loop.call(printer.close)
        loop.close()
    assert "终端停用报告" in paper
    assert "\nprinted\n" in capsys.readouterr().out


def test_a_terminal_that_moved_is_closed_when_the_other_one_trades(
    old: Shop, tmp_path: Path
) -> None:
    old.press(*"900", "confirm", "cancel", "cancel")  # an order that is paid there
    assert old.export(tmp_path / "archive", "--force") == 0
    assert old.tool("close", "--report", tmp_path / "report") == 0
    assert "UNPAID" not in (tmp_path / "report").read_text()
    assert not any(file.exists() for file in key_files(old))


def test_closing_that_was_interrupted_is_ended_by_closing_again(
    settled: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_files: list[Path]) -> None:
        raise OSError(5, "Input/output error", "device.key")

    with monkeypatch.context() as broken:
        broken.setattr("posd.moving_tool.wipe", fails)
        assert settled.tool("close", "--report", tmp_path / "first") == 2
    settled.stage.power_on()
    assert "已停用" in settled.press("cancel")
    assert "终端已停用" in settled.press("7")
    terminal = settled.stage.terminal
    assert terminal is not None
    retirement = retirement_of(terminal.ledger)
    assert retirement is not None
    assert retirement.why == "closed"
    assert settled.tool("close", "--report", tmp_path / "second") == 0
    assert not any(file.exists() for file in key_files(settled))


def test_killed_anywhere_while_it_is_closed_no_key_goes_before_the_ledger_says_closed(
    settled: Shop, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    shutil.copytree(settled.directory, kept)
    keys = [file.read_text() for file in key_files(settled)]
    config = str(settled.stage.installation.configuration_file)
    point = 0
    while True:
        shutil.rmtree(settled.directory)
        shutil.copytree(kept, settled.directory)

        def close(_killer: Killer, report: Path = tmp_path / f"report-{point}") -> None:
            assert main(["close", "--config", config, "--report", str(report)]) == 0

        killed = survives(close, point)
        left = [file.read_text() if file.exists() else "" for file in key_files(settled)]
        mark = retired_mark(settled.ledger).exists()
        assert mark or left == keys, f"step {point}: a key is gone, and the terminal is not closed"
        if keys[0] == left[0]:
            again = main(
                ["close", "--config", config, "--report", str(tmp_path / f"again-{point}")]
            )
            assert again == 0
            left = [file.read_text() if file.exists() else "" for file in key_files(settled)]
        assert not set(left) & set(keys), "nothing is left of either key"
        if not killed:
            break
        point += 1
    assert point > 8
