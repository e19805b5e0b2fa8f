"""posctl orders: what customers owed and paid, as CSV, of a terminal that goes on trading."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from io import StringIO

import pytest

from tests.posd.diagnostics.rig import Said, Shop, shop

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Two orders: one held under a telephone number, one left unpaid."""
    with shop(tmp_path_factory.mktemp("orders")) as opened:
        opened.open()
        opened.do("press 确认 5 2", "expect screen 挂单 金额", "press 6600 确认")
        opened.do("expect screen 挂单 标签", "press 13800138000 确认", "expect screen 已挂单")
        opened.do(
            "press 550 确认", "expect screen 请刷卡", "press 取消", "expect screen 操作员密码"
        )
        opened.do("press 取消", "expect screen 未支付")
        yield opened


def rows(said: Said) -> list[dict[str, str]]:
    assert said.code == 0, said.err
    return list(csv.DictReader(StringIO(said.out)))


def test_orders_of_some_days_are_csv_with_one_heading(terminal: Shop) -> None:
    clock = terminal.posctl("status", "--json").json["clock"]["business"]
    today = date.fromisoformat(clock.partition("T")[0])
    days = ("--from", str(today - 6 * DAY), "--until", str(today + DAY))
    found = rows(terminal.posctl("orders", *days))
    assert [(row["number"], row["state"], row["amount"], row["label"]) for row in found] == [
        ("000002", "held", "6600", "13800138000"),
        ("000003", "unpaid", "550", ""),
    ]
    made = date.fromisoformat(found[0]["created_at"].partition("T")[0])
    assert rows(terminal.posctl("orders", "--until", str(made - DAY))) == []
    assert found[0] in rows(terminal.posctl("orders", "--until", str(made)))
    assert found[0] in rows(terminal.posctl("orders", "--from", str(made)))
    assert rows(terminal.posctl("orders", "--from", str(made + DAY), "--until", str(made))) == []


def test_for_programs_each_line_is_an_object(terminal: Shop) -> None:
    said = terminal.posctl("orders", "--json")
    assert said.out.splitlines()[0].startswith('{"answer": "line"')
    assert "number,state,amount" in said.out


@pytest.mark.parametrize("day", ["2026-02-30", "20260201", "today", "0000-01-01"])
def test_a_day_that_is_none_is_refused_at_the_command_line(terminal: Shop, day: str) -> None:
    said = terminal.posctl("orders", "--from", day)
    assert said.code == 2
    assert "expected a day, YYYY-MM-DD" in said.err


def test_more_than_a_year_at_once_is_refused_by_the_terminal(terminal: Shop) -> None:
    said = terminal.posctl("orders", "--from", "1970-01-01")
    assert said.code == 1
    assert "at most 366 days" in said.err
    with terminal.connection() as connection, pytest.raises(Exception, match="no such day"):
        list(connection.ask("orders", since="2026-02-30"))
