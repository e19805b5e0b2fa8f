"""The printer's test page: everything that a slip is made of, and nothing that looks like one."""

from __future__ import annotations

from typing import Final

from devices.slip import Feed, Pair, Rule, Slip, Text
from posd import VERSION
from posd.ledger.ledger import moment
from posd.receipts.parts import finished, who
from posd.settings import Configuration

TITLE: Final = Text("打印测试", "centre", large=True)


def test_page(configuration: Configuration, at: int) -> Slip:
    """at: business time in milliseconds."""
    return finished(
        [
            TITLE,
            Text("TEST PAGE", "centre"),
            *who(configuration),
            Pair("日期/时间", f"{moment(at):%Y-%m-%d %H:%M:%S}"),
            Pair("版本", VERSION),
            Rule(),
            Text("大字 LARGE 0123456789", large=True),
            Text("粗体 BOLD 0123456789", bold=True),
            Text("0123456789ABCDEFGHIJKLMNOPQRSTUV"),
            Text("请核对字迹清楚 左右完整", "centre"),
            Feed(1),
            Text("不是签购单 NOT A SLIP", "centre"),
        ],
        configuration,
    )
