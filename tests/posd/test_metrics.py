"""Metrics: a text that Prometheus' own checker accepts, with what a terminal has really done in it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from devices.line import Line, LineSettings, LineState
from devices.simulated.pseudo_terminal import PseudoTerminal
from posd import log
from posd.acquirer.cards import CARDS
from posd.ledger.records import State
from posd.log import TALLY
from posd.metrics import Textfile, exposition, write_whole
from posd.settings import LogSettings, MetricsSettings
from posd.testing.in_process import InProcessStage
from posd.testing.player import Player
from posd.testing.real import RealStage
from posd.testing.script import parse
from tests.posd.ledger.rig import intent

SALE = """\
start
expect screen 未签到
press 确认
expect screen 请刷卡或输入金额
press 700 确认
expect screen 请刷卡
swipe nopin
expect screen 请持卡人输密码
press 确认
expect screen 请撕纸
press 确认
expect screen 请刷卡或输入金额
"""


class NoDevices:
    def line(self, role: str) -> Line | None:
        return None


@pytest.fixture(autouse=True)
def _the_log_is_configured() -> Iterator[None]:
    """Events are counted where the log passes, as in the daemon."""
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers, root.level
    log.configure(LogSettings(format="json"), io.StringIO())
    yield
    root.handlers, sys.excepthook = handlers, hook
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[InProcessStage]:
    with closing(InProcessStage(tmp_path)) as stage:
        yield stage


def samples(text: str) -> dict[str, float]:
    """Every sample by its name and labels."""
    rows = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in rows}


def read(stage: InProcessStage, devices: NoDevices | None = None) -> str:
    assert stage.terminal is not None
    return exposition(stage.terminal.core, devices or NoDevices(), stage.world)


def test_a_sale_is_counted(stage: InProcessStage) -> None:
    before = TALLY.count_of("outcome.approved", "info")
    Player(parse(SALE, "sale.clerk"), stage).play()
    found = samples(read(stage))
    assert found['posd_outcomes_total{outcome="approved"}'] == before + 1
    assert found["posd_batch_transactions"] == 1
    assert found["posd_signed_in"] == found["posd_sells"] == found["posd_up"] == 1
    assert found["posd_ledger_commits_total"] > 3
    assert found["posd_host_exchanges_total"] >= 2
    assert found["posd_faults_total"] == 0


def test_a_reversal_that_waits_is_shown_with_its_age(stage: InProcessStage) -> None:
    script = SALE.partition("press 700")[0] + (
        "host does no-answer to next sale\nhost does no-answer to next 9 reversal\n"
        "press 700 确认\nexpect screen 请刷卡\nswipe nopin\nexpect screen 请持卡人输密码\n"
        "press 确认\nexpect screen 正在冲正 within 90 s\nwait 100 s\n"
    )
    player = Player(parse(script, "wait.clerk"), stage)
    for step in player._script.steps:
        player.play_step(step)
    found = samples(read(stage))
    assert found['posd_transactions_in_doubt{state="reversing"}'] == 1
    assert found["posd_oldest_in_doubt_age_seconds"] > 100
    assert found["posd_sells"] == 0


def test_a_case_that_is_closed_is_no_doubt_any_more(stage: InProcessStage) -> None:
    stage.power_on()
    assert stage.terminal is not None
    core = stage.terminal.core
    ledger = core.ledger
    with ledger.commit("case"):
        identity = ledger.transactions.add(intent(ledger.counters.next_stan()))
        ledger.transactions.move(identity, [State.OPEN], State.UNRESOLVED)
    name = 'posd_transactions_in_doubt{state="unresolved"}'
    assert samples(read(stage))[name] == 1
    assert core.money.close_case(identity, "00", "debited")
    assert samples(read(stage))[name] == 0


def test_nothing_in_it_names_a_card(stage: InProcessStage) -> None:
    Player(parse(SALE, "sale.clerk"), stage).play()
    text = read(stage)
    for card in CARDS:
        assert card.pan.reveal() not in text
        assert card.pan.masked not in text


def test_names_have_units_and_counters_end_in_total(stage: InProcessStage) -> None:
    stage.power_on()
    text = read(stage)
    kinds = dict(re.findall(r"^# TYPE (posd_[a-z_]+) (counter|gauge)$", text, re.MULTILINE))
    helps = set(re.findall(r"^# HELP (posd_[a-z_]+) \S", text, re.MULTILINE))
    assert helps == set(kinds)
    assert all(name.endswith("_total") is (kind == "counter") for name, kind in kinds.items())
    assert {name.partition("{")[0] for name in samples(text)} <= set(kinds)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_wrong_with_it(stage: InProcessStage, tmp_path: Path) -> None:
    Player(parse(SALE, "sale.clerk"), stage).play()

    async def with_a_line() -> str:
        twin = PseudoTerminal(tmp_path / "line", lambda data: None)
        line = Line(LineSettings(str(twin.path)), lambda data: None, lambda state: None)
        line.start()
        while line.state is not LineState.PRESENT:
            await asyncio.sleep(0.01)
        line.write(b"hello")

        class One:
            def line(self, role: str) -> Line | None:
                return line if role == "printer" else None

        assert stage.terminal is not None
        text = exposition(stage.terminal.core, One(), stage.world)
        line.close()
        twin.close()
        return text

    text = asyncio.run(with_a_line())
    assert samples(text)['posd_device_up{role="printer"}'] == 1
    assert samples(text)['posd_device_sent_bytes_total{role="printer"}'] == 5
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_a_reader_never_meets_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "posd.prom"
    for number in range(200):
        write_whole(path, f"posd_up {number}\n" * 1000)
        assert len(set(path.read_text().splitlines())) == 1
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_written_again_and_again_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "posd.prom"
    texts = iter(["one\n", "two\n", "", *["four\n"] * 1000])

    async def scene() -> None:
        # shorter than a file may ask for
        textfile = Textfile(
            MetricsSettings(textfile=path, textfile_seconds=0.02), lambda: next(texts)
        )
        textfile.start()
        assert path.read_text() == "one\n"
        while path.read_text() != "four\n":
            await asyncio.sleep(0.005)
        textfile.stop()
        assert not path.exists()

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_a_folder_that_is_not_there_costs_a_line_in_the_log_only(tmp_path: Path) -> None:
    before = TALLY.count_of("metrics.not_written", "warning")

    async def scene() -> None:
        textfile = Textfile(MetricsSettings(textfile=tmp_path / "no" / "posd.prom"), lambda: "x\n")
        textfile.start()
        textfile.stop()

    asyncio.run(scene())
    assert TALLY.count_of("metrics.not_written", "warning") == before + 1


def test_the_daemon_writes_its_file_and_takes_it_away(tmp_path: Path) -> None:
    with closing(RealStage(tmp_path)) as stage:
        stage.configure(("metrics", "textfile"), "posd.prom")
        stage.power_on()
        path = tmp_path / "posd.prom"
        assert stage.let_pass(60, path.exists)
        assert samples(path.read_text())["posd_up"] == 1
        assert stage.process is not None
        os.kill(stage.process.pid, signal.SIGTERM)
        assert stage.process.wait(60) == 0
        stage.process = None
        assert not path.exists()
        last = json.loads(stage.log_file.read_text().splitlines()[-1])
        assert last["event"] == "ended"
