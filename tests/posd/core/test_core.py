"""One event at a time, one place that catches what escapes, and the end when the ledger is in doubt."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from posd.core.core import LEDGER_FAULT, SYSTEM_FAULT
from posd.core.events import Key, KeyPressed, TimerFired
from posd.ledger.errors import LedgerFailed
from posd.ledger.records import State
from posd.log import configure
from posd.settings import LogSettings
from posd.terminal.dialogue import Dialogue
from posd.testing.stage import TerminalDiedError
from tests.posd.terminal.rig import Clerk


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[Clerk]:
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        clerk.wait_for_state("idle.ready")
        yield clerk


def break_once(monkeypatch: pytest.MonkeyPatch, clerk: Clerk) -> None:
    """The next event that reaches the dialogue raises in the middle of it."""
    whole = Dialogue.handle

    def broken(dialogue: Dialogue, event: object) -> None:
        monkeypatch.setattr(Dialogue, "handle", whole)
        raise ZeroDivisionError("a mistake with 6225000000000014 in it")

    monkeypatch.setattr(Dialogue, "handle", broken)


def dies(clerk: Clerk) -> bool:
    """Does the terminal end itself over a sale?"""
    try:
        clerk.pay("12345")
        clerk.wait(5)
    except TerminalDiedError:
        return True
    return False


def test_a_mistake_of_ours_is_shown_with_its_code_and_the_dialogue_starts_over(
    clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_once(monkeypatch, clerk)
    clerk.terminal.report(KeyPressed(Key.D1))
    assert clerk.core.faults == 1
    assert SYSTEM_FAULT in clerk.screen
    clerk.core.faults = 0
    clerk.press("确认")
    assert clerk.state == "idle.ready"


def test_a_mistake_while_the_host_is_asked_reverses_the_sale_with_reason_96(
    clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.pay("12345")
    clerk.wait(2)
    break_once(monkeypatch, clerk)
    clerk.terminal.report(KeyPressed(Key.D1))
    clerk.core.faults = 0
    clerk.wait(30)
    (record,) = clerk.ledger.transactions.in_states(State.REVERSED)
    assert record.reversal_reason == "96"


def test_the_log_of_a_mistake_says_where_and_holds_no_value(
    clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    configure(LogSettings(format="json"), stream)
    try:
        break_once(monkeypatch, clerk)
        clerk.terminal.report(KeyPressed(Key.D1))
    finally:
        structlog.reset_defaults()
    clerk.core.faults = 0
    written = stream.getvalue()
    assert '"core.fault"' in written
    assert "ZeroDivisionError" in written
    assert "6225000000000014" not in written


def test_an_event_from_inside_a_port_waits_its_turn(clerk: Clerk) -> None:
    seen: list[tuple[str, str]] = []
    display = clerk.core.dialogue.ports.display
    shown = type(display).show

    def press_while_showing(self: object, picture: object) -> None:
        if not seen:
            seen.append(("inside", clerk.state))
            clerk.core.handle(KeyPressed(Key.D2))
            seen.append(("still inside", clerk.state))
        shown(self, picture)  # type: ignore[arg-type]

    type(display).show = press_while_showing  # type: ignore[method-assign]
    try:
        clerk.core.handle(KeyPressed(Key.D1))
    finally:
        type(display).show = shown  # type: ignore[method-assign]
    assert seen == [("inside", "sale.amount"), ("still inside", "sale.amount")]
    assert "0.12" in clerk.screen


def test_a_timer_that_was_stopped_is_dropped_and_counted(clerk: Clerk) -> None:
    before = clerk.core.timers.stale
    clerk.tell(TimerFired(10**9))
    assert clerk.core.timers.stale == before + 1


def test_when_a_commit_fails_nothing_more_is_sent_printed_or_shown_but_this(
    clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(point: str) -> None:
        if point == "before intent":
            raise LedgerFailed("commit intent: SQLITE_IOERR_FSYNC")

    clerk.ledger._database.observe = refuse
    core = clerk.core
    assert dies(clerk)
    assert core.halted == "commit intent: SQLITE_IOERR_FSYNC"
    received = len(clerk.stage.witness.received)
    core.handle(KeyPressed(Key.CONFIRM))
    assert len(clerk.stage.witness.received) == received
    assert core.dialogue.state == "fault.halted"


def test_after_a_failed_commit_the_next_start_decides(
    clerk: Clerk,
) -> None:
    def refuse(point: str) -> None:
        if point == "before outcome":
            raise LedgerFailed("commit outcome: SQLITE_FULL")

    clerk.ledger._database.observe = refuse
    assert dies(clerk)
    clerk.stage.power_on()
    clerk.wait(30)
    (record,) = clerk.ledger.transactions.in_states(State.REVERSED)
    assert record.amount == 12345
    assert LEDGER_FAULT not in clerk.screen
