"""A training shares nothing with the live terminal but its devices, and nothing of it stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from devices.slip import Cut, Slip, Text
from posd.acquirer.cards import BY_NAME
from posd.core.events import CardSwiped, Event, KeyPressed, PrintEnded, TransactionEnded
from posd.core.events import Key as KeypadKey
from posd.daemon import _open_ledger
from posd.edges import SystemClock
from posd.ledger.ledger import Ledger
from posd.ledger.records import State
from posd.preflight import StartError
from posd.receipts import TEST_MARK, TRAINING_MARK, as_training
from posd.settings import Configuration
from posd.testing.in_process import InProcessStage
from posd.testing.installation import Installation
from posd.testing.world import World
from posd.training import Training, TrainingConfiguration, TrainingLife, training_configuration
from protocol import Track
from tests.posd.terminal.rig import Clerk

PERSONS_CARD = Track("6226000000000004=49121010000012340000")


@pytest.fixture
def live(tmp_path: Path) -> Configuration:
    return Installation(tmp_path).load()


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[Clerk]:
    with Clerk(tmp_path, training__answer_seconds=3) as clerk:
        clerk.sign_in()
        yield clerk


def go_in(clerk: Clerk) -> None:
    clerk.press("确认 9 6 确认 123456 确认 确认")
    clerk.wait_for_state("training.welcome")
    clerk.press("确认")
    clerk.sign_in()


def go_out(clerk: Clerk) -> None:
    clerk.press("确认 9 6 2")
    clerk.wait_for_state("training.over")
    clerk.press("确认")


def tables(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything in a ledger that no terminal has open."""
    with closing(sqlite3.connect(file)) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
            )
        ]
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}


# --- the configuration ----------------------------------------------------------------------------


def test_nothing_of_it_leads_to_anything_real(live: Configuration) -> None:
    training = training_configuration(live)
    assert training.is_training
    assert not live.is_training
    assert training.host.address == "127.0.0.1"
    assert training.terminal.terminal_id != live.terminal.terminal_id
    assert training.terminal.merchant_id != live.terminal.merchant_id
    assert training.terminal.state_directory == live.terminal.state_directory / "training"
    assert training.terminal.test_host, "the header says that it is a test"
    assert training.keys.device_key_file is None
    assert training.keys.master_key_file is None
    assert training.backup.directory is None, "its copies do not lie among the real ones"


def test_the_shops_habits_and_devices_stay(live: Configuration) -> None:
    training = training_configuration(live)
    for section in ("devices", "void", "timeouts", "operators", "printing"):
        assert getattr(training, section) == getattr(live, section)
    assert training.terminal.merchant_name == live.terminal.merchant_name


def test_nothing_begins_by_itself(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.configure(("settlement", "at"), "22:00")
    installation.configure(("orders", "report_time"), "21:30")
    training = training_configuration(installation.load())
    assert training.settlement.at is None
    assert training.orders.report_time == ""


def test_no_file_can_say_that_a_live_terminal_is_a_training(live: Configuration) -> None:
    assert type(live) is Configuration
    assert "is_training" not in live.__struct_fields__
    assert TrainingConfiguration.__struct_fields__ == Configuration.__struct_fields__


# --- keys, ledger, counters -----------------------------------------------------------------------


def test_keys_are_new_each_time_and_never_on_the_disk(live: Configuration) -> None:
    stage_random = iter(range(1, 1000))

    def random_bytes(length: int) -> bytes:
        return bytes((next(stage_random) * 37 + index) % 256 for index in range(length))

    seen = set()
    for _ in range(2):
        training = Training(live, World(), random_bytes, 2)
        seen.add(training.keys.device)
        assert [*training.directory.iterdir()] == []
        training.end()
        assert not training.directory.exists()
    assert len(seen) == 2


def test_the_live_ledger_is_closed_and_untouched_while_there_is_training(clerk: Clerk) -> None:
    clerk.sell("5000")
    live_file = clerk.stage.installation.state_directory / "ledger.db"
    live_keys = clerk.ledger.keys
    go_in(clerk)
    before = tables(live_file)  # nobody has it open: EXCLUSIVE locking would refuse this
    assert clerk.ledger.keys.device != live_keys.device
    assert clerk.ledger.keys.master != live_keys.master
    for amount in ("700", "800", "900"):
        clerk.sell(amount)
    clerk.press("确认 1 123456 确认 确认 确认")
    clerk.swipe()
    clerk.wait(30)
    assert tables(live_file) == before
    clerk.press("取消")
    go_out(clerk)
    clerk.stage.power_cut()
    after = tables(live_file)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"audit", "counters", "settings"}
    stans = [[row for row in each["counters"] if row[0] == "stan"] for each in (before, after)]
    assert stans[0] == stans[1], "no number of the live counter was used"
    assert not (clerk.stage.installation.state_directory / "training").exists()


def test_the_live_audit_says_who_went_in_and_that_it_is_over(clerk: Clerk) -> None:
    go_in(clerk)
    go_out(clerk)
    entries = [entry[1:3] for entry in clerk.ledger.audit.entries()]
    assert entries[-2:] == [("00", "training_entered"), ("01", "training_left")]


def test_nothing_of_it_reaches_the_real_host(clerk: Clerk) -> None:
    go_in(clerk)
    before = len(clerk.stage.witness.frames)
    clerk.sell("700")
    clerk.press("确认 9 7 5")
    clerk.wait_for("通讯正常")
    clerk.press("取消")
    assert len(clerk.stage.witness.frames) == before


def test_each_training_begins_from_nothing(clerk: Clerk) -> None:
    go_in(clerk)
    clerk.sell("700")
    go_out(clerk)
    go_in(clerk)
    assert clerk.ledger.transactions.last("sale") is None
    assert len(clerk.ledger.operators.all()) == 7


# --- what is seen ---------------------------------------------------------------------------------


def test_every_screen_of_a_sale_says_so(clerk: Clerk) -> None:
    go_in(clerk)
    seen = len(clerk.stage.witness.screens)
    clerk.sell("700")
    for screen in clerk.stage.witness.screens[seen:]:
        assert "培训" in "".join(screen), screen


def test_every_slip_says_so_at_top_and_bottom_and_nothing_of_a_test(clerk: Clerk) -> None:
    go_in(clerk)
    before = len(clerk.paper)
    clerk.sell("700")
    clerk.press("确认 9 7 1")
    clerk.wait_for("正常")
    slips = clerk.paper[before:]
    assert len(slips) == 3
    for text in slips:
        rows = [row for row in text.splitlines() if row.strip()]
        assert "培训 无效" in rows[0] + rows[1]
        assert "培训 无效" in rows[-1] + rows[-2]
        assert "测试 无效" not in text


def test_a_slip_that_somebody_forgot_to_mark_is_marked_by_the_printers_port() -> None:
    plain = Slip((Text("report"), Cut()))
    assert as_training(plain).rows == (TRAINING_MARK, Text("report"), TRAINING_MARK, Cut())
    assert as_training(as_training(plain)) == as_training(plain)
    tested = Slip((TEST_MARK, Text("report"), TEST_MARK))
    assert as_training(tested).rows == (TRAINING_MARK, Text("report"), TRAINING_MARK)


# --- cards ----------------------------------------------------------------------------------------


def test_a_persons_card_becomes_an_invented_one_before_anything_sees_it() -> None:
    translated = TrainingLife.translated(CardSwiped(PERSONS_CARD))
    assert isinstance(translated, CardSwiped)
    assert translated.track2 == BY_NAME["nopin"].track2
    assert translated.track3 is None


def test_the_acquirers_own_cards_and_every_other_event_stay_what_they_are() -> None:
    own = CardSwiped(BY_NAME["poor"].track2)
    other: tuple[Event, ...] = (own, KeyPressed(KeypadKey.D1), PrintEnded(1, printed=True))
    assert [TrainingLife.translated(event) for event in other] == [*other]


def test_a_persons_card_can_be_sold_with_and_is_nowhere_afterwards(clerk: Clerk) -> None:
    go_in(clerk)
    clerk.press("700 确认")
    clerk.tell(CardSwiped(PERSONS_CARD))
    clerk.press("确认")
    clerk.take_slips()
    record = clerk.ledger.transactions.last("sale")
    assert record is not None
    assert record.masked_card == BY_NAME["nopin"].pan.masked
    assert not any("6226" in text for text in clerk.paper)


# --- the way in and out ---------------------------------------------------------------------------


def test_nobody_goes_in_while_a_reversal_is_pending(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.host_does("no-answer", "reversal", 50)
    clerk.pay("5500")
    clerk.wait_for_state("sale.pending")
    clerk.press("取消 ▼ 9 6")
    assert clerk.state == "training.refused"


def test_what_begins_behind_the_last_question_keeps_the_door_shut(clerk: Clerk) -> None:
    clerk.press("确认 9 6 确认 123456 确认")
    assert clerk.state == "training.sure"
    clerk.core.money.echo(lambda _exchange: None)
    clerk.press("确认")
    assert clerk.state == "training.refused"
    assert not clerk.dialogue.configuration.is_training


def test_nobody_goes_in_from_a_restored_ledger(clerk: Clerk) -> None:
    with clerk.ledger.commit("test"):
        clerk.ledger.settings.put("restored", True)
    clerk.press("▼ 9 6")
    assert clerk.state == "training.refused"


def test_after_a_power_cut_in_training_the_terminal_is_live_and_says_so_once(clerk: Clerk) -> None:
    go_in(clerk)
    clerk.pay("700")
    clerk.restart()
    assert clerk.state == "training.over"
    assert not clerk.dialogue.configuration.is_training
    clerk.restart()
    assert clerk.state == "idle.ready"


def test_a_frame_on_its_way_when_a_training_ends_reaches_nobody(clerk: Clerk) -> None:
    go_in(clerk)
    clerk.core.money.echo(lambda _exchange: None)
    clerk.stage.let_pass(0.06, lambda: False)  # connected, and the request has just left
    clerk.restart()
    clerk.wait(5)
    assert clerk.state == "training.over"


def test_without_room_for_its_directory_the_terminal_goes_on_live(tmp_path: Path) -> None:
    """A file in the way stands for a disk that is full: even root cannot make the directory."""
    live = Installation(tmp_path).load()
    blocked = live.terminal.state_directory / "training"
    blocked.write_text("")
    with pytest.raises(OSError, match="training"):
        Training(live, None, None, 2)  # type: ignore[arg-type]


def test_a_training_whose_ledger_is_none_does_not_keep_the_shop_closed(tmp_path: Path) -> None:
    """Exit code 2 would: the service manager does not start again what cannot start."""
    live = Installation(tmp_path).load()
    training = Training(live, World(), Random(1).randbytes, 2)
    (training.directory / "ledger.db").write_bytes(b"no ledger" * 1000)
    assert _open_ledger(training.configuration, training.keys, SystemClock()) is None
    (live.terminal.state_directory / "ledger.db").write_bytes(b"no ledger" * 1000)
    with pytest.raises(StartError):
        _open_ledger(live, training.keys, SystemClock())
    training.end()


# --- the drills -----------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", ["1", "2", "3"])
def test_a_drill_ends_in_order_with_nothing_left_over(clerk: Clerk, digit: str) -> None:
    go_in(clerk)
    clerk.press(f"确认 9 6 1 {digit}")
    clerk.press("确认 1000 确认")
    clerk.swipe()
    clerk.press("确认")
    for _ in range(60):
        clerk.wait(1)
        if not clerk.stage.powered:
            continue  # the drill's power cut
        if clerk.state in ("drill.over", "sale.reversed"):
            break
        clerk.press("确认")
    for _ in range(12):
        if clerk.state == "sale.reversed":
            clerk.press("取消")
        elif clerk.state != "idle.ready":
            clerk.press("清除" if "演练完成" in clerk.screen else "确认")
    assert clerk.state == "idle.ready"
    assert clerk.dialogue.drill is None
    assert not clerk.ledger.transactions.in_states(State.OPEN, State.REVERSING)
    assert clerk.core.faults == 0
    clerk.sell("1100")


def test_a_drills_pages_come_back_at_idle_until_it_is_begun(clerk: Clerk) -> None:
    go_in(clerk)
    assert "演练开始" in clerk.press("确认 9 6 1 1")
    clerk.press("确认 1000 清除 清除 清除 清除")
    assert "演练开始" in clerk.press("取消")


def test_there_are_no_drills_in_a_live_terminal(clerk: Clerk) -> None:
    assert clerk.dialogue.ports.drills is None
    clerk.press("确认 9 6")
    assert clerk.state == "training.told"


def test_a_transaction_report_of_training_is_none_of_the_live_terminals(clerk: Clerk) -> None:
    """What was on its way when a training ended says nothing to the life after it."""
    go_in(clerk)
    old = clerk.terminal
    go_out(clerk)
    state = clerk.state
    old.report(TransactionEnded(1, None))  # type: ignore[arg-type]
    assert clerk.state == state


def test_the_live_ledger_opens_again_with_the_live_keys(tmp_path: Path) -> None:
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        sale = clerk.sell("5000")
        go_in(clerk)
        go_out(clerk)
        pan, _ = clerk.ledger.transactions.card(sale.id)
        assert pan == BY_NAME["nopin"].pan
        assert isinstance(clerk.ledger, Ledger)
        assert isinstance(clerk.stage, InProcessStage)
