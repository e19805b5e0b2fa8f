"""The configuration of a simulated terminal: the usual one, and now and then another."""

from __future__ import annotations

from pathlib import Path

from posd.settings import (
    CardReaderSettings,
    Configuration,
    DeviceSettings,
    DialectSettings,
    DisplaySettings,
    HostSettings,
    KeypadSettings,
    MoneySettings,
    OperatorsSettings,
    OrderSettings,
    PreAuthorisationSettings,
    PrinterSettings,
    RefundSettings,
    SettlementSettings,
    TerminalSettings,
    VoidSettings,
)
from posd.testing.simulation.chance import Chance
from posd.testing.simulation.host import MERCHANT_ID, TERMINAL_ID


def draw(chance: Chance, directory: Path) -> Configuration:
    """A configuration with its state below the directory."""
    answer = chance.one((60.0, 60.0, 20.0, 8.0))
    return Configuration(
        terminal=TerminalSettings(
            terminal_id=TERMINAL_ID,
            merchant_id=MERCHANT_ID,
            merchant_name="测试商户",
            hotline="95516",
            state_directory=directory,
            software_pin=True,
            test_host=True,
            language=chance.one(("zh_CN", "zh_CN", "en")),
        ),
        host=HostSettings(
            address="127.0.0.1", port=1, answer_seconds=answer, reversal_answer_seconds=answer
        ),
        dialect=DialectSettings(partial_approval=chance.one(("0", "1"))),
        money=MoneySettings(
            reversal_tries=chance.one((3, 3, 1)),
            free_space_bytes=0,
            batch_limit=chance.one((510, 510, 510, 6)),
        ),
        void=VoidSettings(
            ask_card=chance.happens(0.8),
            ask_pin=chance.happens(0.2),
            ask_reason=chance.happens(0.2),
        ),
        refund=RefundSettings(ask_goods=chance.happens(0.5)),
        pre_authorisation=PreAuthorisationSettings(completion_pin=chance.happens(0.2)),
        orders=OrderSettings(
            expire_minutes=chance.one((0, 0, 5, 60)), report_at_settlement=chance.happens(0.3)
        ),
        operators=OperatorsSettings(sign_on=chance.one(("never", "never", "password"))),
        settlement=SettlementSettings(
            at=chance.one((None, None, f"{chance.whole(0, 23):02d}:{chance.whole(0, 59):02d}")),
            sign_off=chance.happens(0.3),
            detail_list=chance.happens(0.3),
            tries=chance.one((3, 3, 1)),
        ),
        devices=DeviceSettings(
            keypad=KeypadSettings(port="/dev/null"),
            display=DisplaySettings(port="/dev/null"),
            printer=PrinterSettings(port="/dev/null"),
            card_reader=CardReaderSettings(port="/dev/null"),
        ),
    )
