"""While a clerk is trained a technician sees that it is so, and nothing that could be taken for business."""

from __future__ import annotations

from pathlib import Path

from tests.posd.diagnostics.rig import follow, shop


def test_a_training_is_named_and_only_looked_at(tmp_path: Path) -> None:
    with shop(tmp_path) as terminal:
        terminal.open()
        watching = follow(terminal, "watch")
        terminal.do("press 确认 9 6 确认", "expect screen 主管密码", "press 123456 确认")
        terminal.do("expect screen 停止收款", "press 确认", "expect screen 任何卡")
        _, told = watching.communicate(timeout=60)
        assert watching.returncode == 3
        assert "the terminal goes into training" in " ".join(told.split())
        said = terminal.posctl("why", "--json")
        assert said.code == 6
        assert said.json["reasons"][0]["code"] == "E311"
        assert "TRAINING" in terminal.posctl("status", LANG="C").out
        assert terminal.posctl("screen").code == 0
        for words in (
            ("journal",),
            ("events",),
            ("trace", "on"),
            ("test", "printer"),
            ("backup",),
            ("metrics",),
        ):
            refused = terminal.posctl(*words)
            assert refused.code == 1
            assert "in training mode" in refused.err
        assert "diagnostics.backup" not in terminal.log()


def test_a_locked_terminal_is_named(tmp_path: Path) -> None:
    with shop(tmp_path) as terminal:
        terminal.open()
        terminal.do("press 确认 9 5", "expect screen 终端已锁定")
        found = terminal.posctl("why", "--json").json
        assert [reason["code"] for reason in found["reasons"]] == ["E312"]
