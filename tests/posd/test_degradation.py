"""What the terminal does without one device, without two, and without any.

The dialogues are in tests/scripts (no-*.clerk, two-devices-gone, everything-unplugged, kept-slips-*)
and are played on both stages. Here is what they cannot say.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import posd
from posd.config import ConfigurationError, load
from posd.core.events import DeviceChanged, PrintEnded, PrinterChanged
from posd.preflight import StartError, check_ports
from posd.settings import KeypadSettings, PrinterSettings
from posd.testing.installation import ROLES, Installation
from posd.texts import LANGUAGES
from tests.posd.terminal.rig import Clerk

ROOT = Path(posd.__file__).parents[1]


# --- a start without a device ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "required", "may_be_unplugged"),
    [
        ("/dev/ttyS0", None, False),
        ("/dev/ttyUSB0", None, False),
        ("/dev/serial/by-id/usb-Some_Printer-if00", None, True),
        ("/dev/posd/printer", None, True),
        ("/dev/posd/printer", True, False),
        ("/dev/ttyUSB0", False, True),
    ],
)
def test_a_name_that_comes_with_the_plug_may_be_missing_at_the_start(
    port: str, required: bool | None, may_be_unplugged: bool
) -> None:
    assert PrinterSettings(port=port, required=required).may_be_unplugged is may_be_unplugged


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


DEVICES_THAT_TAKE_ANYTHING = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random")


def without_ports(installation: Installation, *roles: str) -> None:
    for role, device in zip(ROLES, DEVICES_THAT_TAKE_ANYTHING, strict=True):
        if role not in roles:
            (installation.device_directory / role).symlink_to(device)
    for role in roles:
        installation.configure(("devices", role, "required"), False)


def test_what_is_missing_and_need_not_be_there_is_told_in_a_line(
    installation: Installation,
) -> None:
    without_ports(installation, "printer")
    (line,) = check_ports(installation.load())
    assert line.startswith("devices.printer.port: expected a serial device, found ")
    assert line.endswith("no such file or directory; the terminal starts without it")


def test_what_must_be_there_still_ends_the_start(installation: Installation) -> None:
    without_ports(installation, "printer")
    (installation.device_directory / "keypad").unlink()
    with pytest.raises(StartError) as caught:
        check_ports(installation.load())
    assert caught.value.key == "devices.keypad.port"


def test_another_kind_of_file_is_wrong_whether_required_or_not(installation: Installation) -> None:
    without_ports(installation, "printer")
    (installation.device_directory / "printer").write_text("no device")
    with pytest.raises(StartError):
        check_ports(installation.load())


def test_an_input_device_is_looked_for_by_its_path(installation: Installation) -> None:
    without_ports(installation)
    installation.configure(("devices", "keypad", "port"), "evdev:dev/keypad")
    keypad = installation.load().devices.keypad
    assert isinstance(keypad, KeypadSettings)
    assert keypad.port == f"evdev:{installation.device_directory / 'keypad'}"
    assert check_ports(installation.load()) == []


@pytest.fixture
def status(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(60)
        yield listener


def test_the_daemon_starts_without_any_device_and_a_technician_sees_which(
    installation: Installation, status: socket.socket, tmp_path: Path
) -> None:
    without_ports(installation, *ROLES)
    installation.load()
    daemon = subprocess.Popen(
        [sys.executable, "-m", "posd", "run", "--config", str(installation.configuration_file)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NOTIFY_SOCKET": str(tmp_path / "notify")},
    )
    try:
        said = ""
        while "card_reader, display, keypad, printer" not in said:
            said = status.recv(4096).decode()  # raises when nothing more is said
        assert said.endswith("STATUS=running, absent: card_reader, display, keypad, printer")
        assert daemon.poll() is None
    finally:
        daemon.terminate()
        out, _ = daemon.communicate(timeout=60)
    assert daemon.returncode == 0
    absent = [json.loads(line) for line in out.splitlines() if b"device_absent" in line]
    assert {entry["role"] for entry in absent} == set(ROLES)
    assert all(entry["reason"] for entry in absent)


def test_check_config_says_it_too(installation: Installation) -> None:
    without_ports(installation, "card_reader")
    installation.load()
    answer = subprocess.run(
        [sys.executable, "-m", "posd", "check-config", str(installation.configuration_file)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    note, verdict = answer.stdout.splitlines()
    assert answer.returncode == 0
    assert "devices.card_reader.port" in note
    assert "can start" in verdict


# --- the printer's setting ------------------------------------------------------------------------


def test_who_has_no_printer_cannot_refuse_to_sell_without_one(installation: Installation) -> None:
    file = installation.configuration_file
    installation.configure(("printing", "without_printer"), "refuse")
    text = file.read_text("utf-8")
    lines = text.splitlines()
    start = lines.index("[devices.printer]")
    file.write_text("\n".join(lines[:start] + lines[start + 3 :]), "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    assert caught.value.key == "printing.without_printer"


@pytest.mark.parametrize("trouble", ["paper_out", "cover_open", "offline", "absent"])
def test_whatever_keeps_the_printer_from_printing_refuses_where_that_is_set(
    tmp_path: Path, trouble: str
) -> None:
    with Clerk(tmp_path, printing__without_printer="refuse") as clerk:
        clerk.sign_in()
        clerk.tell(PrinterChanged(trouble))
        assert "打印机不能用" in clerk.press("7")
        clerk.tell(PrinterChanged(""))
        assert "可以交易了" in clerk.wait(1.5)
        assert "消费 金额" in clerk.press("7")


@pytest.mark.parametrize("trouble", ["paper_out", "cover_open", "offline", "absent"])
def test_elsewhere_the_shop_trades_on(tmp_path: Path, trouble: str) -> None:
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        clerk.tell(PrinterChanged(trouble))
        assert "消费 金额" in clerk.press("7")


def test_a_slip_that_never_began_comes_later_as_an_original(tmp_path: Path) -> None:
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        clerk.stage.plug("printer", plugged=False)
        clerk.pay()
        clerk.wait_for("签购单已保存")
        clerk.press("取消")
        clerk.stage.plug("printer", plugged=True)
        clerk.wait_for("未打签购单")
        clerk.press("确认")
        clerk.take_slips()
        assert len(clerk.paper) == 2
        assert all("DUPLICATED" not in slip for slip in clerk.paper)
        assert clerk.ledger.print_jobs.waiting() == []


def test_a_slip_that_may_have_come_out_is_marked_when_it_comes_later(tmp_path: Path) -> None:
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        clerk.pay()
        clerk.wait_for_state("slip.printing")
        job = clerk.dialogue.form.jobs[0].id
        clerk.tell(PrintEnded(job, printed=False, reason="timeout", perhaps_complete=True))
        clerk.press("取消")
        clerk.wait(10)
        clerk.press("确认 6 7 确认")
        clerk.take_slips()
        merchant, cardholder = clerk.paper[-2:]
        assert "商户存根" in merchant
        assert "DUPLICATED" in merchant
        assert "DUPLICATED" not in cardholder, "it was never sent"


def test_the_offer_does_not_disturb_who_is_at_work(tmp_path: Path) -> None:
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        clerk.stage.plug("printer", plugged=False)
        clerk.pay()
        clerk.wait_for("签购单已保存")
        clerk.press("取消")
        clerk.press("7 0 0")
        clerk.stage.plug("printer", plugged=True)
        assert "消费 金额" in clerk.wait(1)


# --- the keypad and the reader --------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_a_keypad_every_screen_says_so_and_no_page_of_help_stays(
    tmp_path: Path, language: str
) -> None:
    with Clerk(tmp_path, terminal__language=language) as clerk:
        for keys in ("", "确认", "功能"):
            clerk.press(keys)
            assert "E101" in clerk.tell(DeviceChanged("keypad", present=False))
            assert "E101" not in clerk.tell(DeviceChanged("keypad", present=True))


def test_a_prompt_that_nobody_can_answer_is_left_by_its_time_out(tmp_path: Path) -> None:
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        clerk.press("700 确认")
        clerk.swipe("good")
        clerk.tell(DeviceChanged("keypad", present=False))
        clerk.wait(61)
        assert clerk.state == "idle.ready"


def test_a_reader_that_comes_back_is_asked_for_a_card_again(tmp_path: Path) -> None:
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        clerk.press("700 确认")
        assert "读卡器未连接" in clerk.tell(DeviceChanged("card_reader", present=False))
        assert "请刷卡" in clerk.tell(DeviceChanged("card_reader", present=True))
