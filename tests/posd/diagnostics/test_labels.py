"""posctl in Chinese: every label has its words, and no more than there are labels."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.diagnostics import posctl
from posd.diagnostics.posctl.labels import CHINESE, Labels
from tests.posd.diagnostics.rig import posctl as typed
from tests.posd.diagnostics.rig import shop

SOURCES = [
    path for path in sorted(Path(posctl.__path__[0]).glob("*.py")) if path.name != "labels.py"
]


def trees() -> Iterator[ast.Module]:
    for path in SOURCES:
        yield ast.parse(path.read_text("utf-8"))


def said() -> set[str]:
    """Every label that is written where it is said."""
    found: set[str] = set()
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "say":
                for argument in node.args:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        found.add(argument.value)
    return found


def written() -> set[str]:
    """Every text that stands in the sources."""
    return {
        node.value
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_label_has_chinese_words() -> None:
    assert len(said()) > 30
    assert said() - CHINESE.keys() == set()


def test_no_words_are_left_of_labels_that_are_gone() -> None:
    assert CHINESE.keys() - written() == set()


@pytest.mark.parametrize("text", CHINESE)
def test_both_languages_have_the_same_placeholders(text: str) -> None:
    def placeholders(words: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(words) if name}

    assert placeholders(CHINESE[text]) == placeholders(text)


def test_another_language_is_english() -> None:
    assert Labels("en")("{count} of {limit}", count=1, limit=2) == "1 of 2"
    assert Labels("zh_CN")("{count} of {limit}", count=1, limit=2) == "1 笔,上限 2"
    assert Labels("zh_CN")("a {brace that is no label") == "a {brace that is no label"


def test_a_chinese_technician_reads_chinese(tmp_path: Path) -> None:
    with shop(tmp_path) as terminal:
        terminal.open()
        terminal.sell()
        terminal.do("expect screen 交易成功")
        status = terminal.posctl("status", LANG="zh_CN.UTF-8")
        assert status.code == 0, status
        assert "测试商户: 可以交易  测试" in status.out
        assert "已签到,操作员 01,批次 000001" in status.out
        assert "已应答 00" in status.out
        for word in ("signed in", "acquirer", "unsettled", "present"):
            assert word not in status.out
        assert terminal.posctl("why", "--language", "zh_CN").out == "可以交易。\n"
        assert "凭证号" in terminal.posctl("journal", LANG="zh_CN.UTF-8").out
        assert "signed in" in terminal.posctl("status", LANG="C").out
    gone = typed("--socket", str(tmp_path / "none"), "status", LANG="zh_CN.UTF-8")
    assert gone.code == 3
    assert "没有终端应答" in gone.err
