"""Rows that fit: words stay whole where there is room, and of numbers the end is shown."""

from __future__ import annotations

from posd.terminal.flows.idle import two_rows
from posd.terminal.screens import page, tail, wrap


def test_words_stay_whole_where_that_takes_no_more_rows() -> None:
    assert wrap("请勿交货 可以重新收款", 16) == ["请勿交货", "可以重新收款"]
    assert wrap("▲▼翻看 确认打印 明细也在纸上", 16) == ["▲▼翻看 确认打", "印 明细也在纸上"]


def test_a_page_of_help_breaks_between_words_as_long_as_it_has_rows() -> None:
    text = "▲▼翻看 确认打印 明细也在纸上"
    assert page(text, 16, 4).picture.rows == ("▲▼翻看", "确认打印", "明细也在纸上")
    assert page(text, 16, 2).picture.rows == ("▲▼翻看 确认打", "印 明细也在纸上")
    assert page(text, 16, 2).cut == ()


def test_the_end_of_a_long_number_is_shown_behind_a_star() -> None:
    assert tail("000012", 6) == "000012"
    assert tail("13912345678", 6) == "*45678"


def test_the_state_of_the_terminal_takes_two_rows_of_whole_words() -> None:
    words = ["已签到", "冲正中", "缺纸", "读卡器", "通讯", "测试", "未决2", "12笔"]
    assert two_rows(words, 16) == ("已签到 冲正中", "缺纸 读卡器 通讯")
    assert two_rows(words, 40) == ("已签到 冲正中 缺纸 读卡器 通讯 测试", "未决2 12笔")
    assert two_rows(words[:2], 16) == ("已签到 冲正中", "")
