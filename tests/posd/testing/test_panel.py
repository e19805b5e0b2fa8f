"""The front panel as a person uses it: keys typed at a terminal of 80 x 24, which pyte draws."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

import posd
from posd.testing.panel import HELP

SECONDS = 60.0


class Window:
    """A terminal window with `posd demo` in it."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self.screen)
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "posd", "demo", *arguments],
            cwd=directory,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(posd.__file__).parents[1]),
                "TMPDIR": str(directory),
            },
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # where ctrl-C comes from
        )
        os.close(slave)

    def type(self, line: str) -> None:
        self.press(f"{line}\n")

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def shows(self, *texts: str) -> None:
        """Wait until all texts stand in the window, each in one row."""
        assert self._wait(lambda: all(self._holds(text) for text in texts)), self.picture

    def ends(self) -> int:
        assert self._wait(lambda: self.process.poll() is not None), self.picture
        assert self.process.returncode is not None
        return self.process.returncode

    @property
    def picture(self) -> str:
        return "\n".join(self.screen.display)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def _holds(self, text: str) -> bool:
        # pyte leaves an empty cell behind each wide character
        return any(text in row for row in self.screen.display)

    def _wait(self, condition: Callable[[], bool]) -> bool:
        end = time.monotonic() + SECONDS  # noqa: TID251
        while not condition():
            if time.monotonic() > end:  # noqa: TID251
                return False
            readable, _, _ = select.select([self._master], [], [], 0.05)
            if readable:
                try:
                    self._stream.feed(os.read(self._master, 65536))
                except OSError:  # the other side is closed
                    return condition() or self.process.wait(SECONDS) is not None
        return True


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Window]:
    window = Window(tmp_path)
    yield window
    window.close()


def test_a_person_sells_and_voids_and_both_ledgers_agree(window: Window) -> None:
    window.shows("请先签到", "power on   host up", "help says more")
    window.type("")
    window.shows("请刷卡或输入金额")
    window.type("12345 ok")
    window.shows("请刷卡")
    window.type("swipe good")
    window.shows("请持卡人输密码")
    window.type("123456 确认")
    window.shows("交易成功", "请撕纸", "商户存根 MERCHANT COPY", "RMB 123.45")
    window.type("ok")
    window.shows("持卡人存根 CARDHOLDER COPY", "请刷卡或输入金额")
    window.type("ok 1")
    window.shows("主管密码")
    window.type("123456 ok")
    window.shows("请输原凭证号")
    window.type("ok")
    window.shows("消费 000003")
    window.type("ok")
    window.shows("请刷卡")
    window.type("swipe good")
    window.shows("原凭证号 000003", "请撕纸")
    window.type("cancel")
    window.shows("请刷卡或输入金额")
    window.type("agree")
    window.shows("terminal and acquirer agree")
    window.type("quit")
    assert window.ends() == 0
    window.shows(
        "000003   sale             123.45  voided     voided",
        "000004   sale_void        123.45  approved   approved",
    )


def test_power_host_and_paper_are_in_the_persons_hands(window: Window) -> None:
    window.shows("请先签到")
    window.type("host down")
    window.shows("host down")
    window.type("ok")
    window.shows("连接不上收单机构")
    window.type("host up")
    window.type("ok")
    window.shows("host up", "请刷卡或输入金额")
    window.type("paper out")
    window.shows("缺纸")
    window.type("paper load")
    window.type("power cut")
    window.shows("power off", "no power; type: power on")
    window.type("5")
    window.shows("the terminal has no power")
    window.type("power on")
    window.shows("power on", "请刷卡或输入金额")
    window.type("quit")
    assert window.ends() == 0


def test_what_is_not_understood_is_answered(window: Window) -> None:
    window.shows("请先签到")
    window.type("dance")
    window.shows("dance: no key and no command; try help")
    window.type("swipe gold")
    window.shows("expected a card (good, second")
    window.type("expect screen 请先签到")
    window.shows("expect screen 请先签到: no key and no")


def test_help_cards_and_amounts_are_pages(window: Window) -> None:
    window.shows("请先签到")
    window.type("help")
    window.shows("A first walk: Enter signs in.", "posctl --socket /", "-- Enter --")
    assert re.search(r"posctl --socket \S+/diag\.sock why", "".join(window.screen.display))
    window.type("")
    window.shows("请先签到")
    window.type("cards")
    window.shows("6225000000000014", "no funds: 51")
    window.type("")
    window.type("amounts")
    window.shows("amount  what happens", "0.10    a sale is partially approved", "-- Enter --")


def test_pages_are_left_early_and_what_is_typed_there_is_not_lost(window: Window) -> None:
    window.shows("请先签到")
    window.type("amounts")
    window.shows("-- Enter --   q: back")
    window.type("q")
    window.shows("请先签到")
    window.type("amounts")
    window.shows("-- Enter --   q: back")
    window.type("ok")
    window.shows("请刷卡或输入金额")


def test_what_is_typed_ahead_leaves_the_frame_where_it_is(window: Window) -> None:
    window.shows("请先签到", "> ")
    window.process.send_signal(signal.SIGSTOP)  # as busy as can be: the terminal echoes alone
    window.press("取消\n" * 6 + "cards\n")
    window.shows("cards")
    assert "posd demo   power on" in window.screen.display[0], window.picture
    window.process.send_signal(signal.SIGCONT)
    window.shows("6225000000000014", "-- Enter --")
    window.type("q")
    window.shows("posd demo   power on", "请先签到")


def test_the_end_of_input_is_the_end(window: Window) -> None:
    window.shows("请先签到")
    window.press("\x04")
    assert window.ends() == 0


def test_ctrl_c_is_the_end_and_leaves_nothing_behind(window: Window, tmp_path: Path) -> None:
    window.shows("请先签到")
    window.press("\x03")
    assert window.ends() == 0
    assert list(tmp_path.iterdir()) == []


def test_help_fits_a_terminal_of_80_columns() -> None:
    assert max(map(len, HELP.splitlines())) <= 80
    assert len(HELP.splitlines()) + 3 <= 22  # the technicians' socket stands below it
