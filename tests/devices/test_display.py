"""pyte is the independent check of what a person sees."""

import asyncio
import codecs
import itertools
from pathlib import Path
from typing import Any

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import columns as grid
from devices.display import Display
from devices.line import LineSettings, LineState
from devices.picture import Encoding, Painter, Picture
from devices.simulated.display import SimulatedDisplay
from devices.simulated.vt100 import Screen

ALPHABET = "ab1 .中确认▲é："
rows = st.text(ALPHABET, max_size=16).map(lambda text: grid.fit(text, 16))
pictures = st.builds(
    Picture,
    st.lists(rows, max_size=4).map(tuple),
    reverse=st.none() | st.integers(0, 3),
    cursor=st.none() | st.tuples(st.integers(0, 3), st.integers(0, 15)),
)
encodings: st.SearchStrategy[Encoding] = st.sampled_from(["utf-8", "gb18030"])


class Judge:
    """pyte on a screen of so many columns and lines, fed with bytes of an encoding."""

    def __init__(self, encoding: str = "utf-8", columns: int = 16, lines: int = 4) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.Stream(self.screen)
        self._decoder = codecs.getincrementaldecoder(encoding)()

    def feed(self, data: bytes) -> None:
        self._stream.feed(self._decoder.decode(data))

    def rows(self) -> list[str]:
        return [row.rstrip() for row in self.screen.display]

    def reversed_rows(self) -> list[int]:
        return [
            row
            for row in range(self.screen.lines)
            if any(self.screen.buffer[row][column].reverse for column in range(16))
        ]


def seen(picture: Picture) -> list[str]:
    return [picture.row(index).rstrip() for index in range(picture.lines)]


@given(pictures)
def test_a_person_sees_the_picture(picture: Picture) -> None:
    judge = Judge()
    judge.feed(b"garbage\x1b[4;4Hmore" + Painter().repaint(picture))
    assert judge.rows() == seen(picture)
    assert judge.reversed_rows() == ([] if picture.reverse is None else [picture.reverse])
    assert judge.screen.cursor.hidden is (picture.cursor is None)
    if picture.cursor is not None:
        assert (judge.screen.cursor.y, judge.screen.cursor.x) == picture.cursor


@given(st.lists(pictures, min_size=2, max_size=6))
def test_a_person_sees_every_picture_that_follows_another(story: list[Picture]) -> None:
    painter, judge = Painter(), Judge()
    judge.feed(painter.repaint(story[0]))
    for before, after in itertools.pairwise(story):
        judge.feed(painter.update(before, after))
        assert judge.rows() == seen(after)
        assert judge.reversed_rows() == ([] if after.reverse is None else [after.reverse])
        assert judge.screen.cursor.hidden is (after.cursor is None)
        if after.cursor is not None:
            assert (judge.screen.cursor.y, judge.screen.cursor.x) == after.cursor


@given(st.lists(pictures, min_size=2, max_size=6), encodings)
def test_the_simulated_display_shows_the_same_in_every_encoding(
    story: list[Picture], encoding: Encoding
) -> None:
    painter, screen = Painter(encoding), Screen(16, 4, encoding)
    screen.feed(painter.repaint(story[0]))
    for before, after in itertools.pairwise(story):
        screen.feed(painter.update(before, after))
        assert [row.rstrip() for row in screen.rows()] == seen(after)


@given(pictures, encodings)
def test_drawing_again_changes_nothing_that_is_seen(picture: Picture, encoding: Encoding) -> None:
    painter, screen = Painter(encoding), Screen(16, 4, encoding)
    screen.feed(painter.repaint(picture))
    before = screen.rows(), screen.reversed_rows()
    screen.feed(painter.refresh(picture))
    assert (screen.rows(), screen.reversed_rows()) == before


@given(pictures, st.binary(max_size=12))
def test_drawing_again_mends_a_screen_that_noise_went_over(picture: Picture, noise: bytes) -> None:
    painter, screen = Painter(), Screen(16, 4)
    screen.feed(painter.repaint(picture) + noise)
    screen.feed(b"\xff" + painter.refresh(picture))
    assert [row.rstrip() for row in screen.rows()] == seen(picture)


@given(pictures)
def test_a_picture_that_has_not_changed_costs_nothing(picture: Picture) -> None:
    assert Painter().update(picture, picture) == b""


def test_only_what_changed_is_sent() -> None:
    before = Picture(("请输入金额", "", "RMB 12.3"))
    after = Picture(("请输入金额", "", "RMB 12.34"))
    assert Painter().update(before, after) == b"\x1b[3;9H4"


def test_what_is_left_of_a_longer_row_is_erased() -> None:
    update = Painter().update(Picture(("金额 12.34",)), Picture(("金额 1",)))
    assert update == b"\x1b[1;7H\x1b[K"


@pytest.mark.parametrize(("columns", "lines"), [(16, 4), (21, 8), (40, 12)])
def test_a_full_picture_never_scrolls(columns: int, lines: int) -> None:
    picture = Picture(tuple("x" * columns for _ in range(lines)), columns, lines)
    judge = Judge("utf-8", columns, lines)
    judge.feed(Painter().repaint(picture))
    assert judge.rows() == ["x" * columns] * lines


@pytest.mark.parametrize(
    ("picture", "complaint"),
    [
        (lambda: Picture(("九个字的中文一二三",)), "at most 16 columns, found 18"),
        (lambda: Picture(("",) * 5), "at most 4 rows"),
        (lambda: Picture(("\x1b[2J",)), "printable"),
        (lambda: Picture((), reverse=4), "reverse"),
        (lambda: Picture((), cursor=(0, 16)), "cursor"),
    ],
)
def test_a_picture_that_does_not_fit_is_refused(picture: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        picture()


def display_on(twin: SimulatedDisplay, **settings: Any) -> Display:
    return Display(LineSettings(str(twin.path)), lambda state: None, **settings)


def shows(twin: SimulatedDisplay, *expected: str) -> bool:
    return [row.rstrip() for row in twin.rows()] == list(expected)


def test_a_picture_given_before_the_display_is_there_is_shown_when_it_comes(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        display = Display(LineSettings(str(tmp_path / "display")), lambda state: None)
        display.start()
        display.show(Picture(("请先签到",)))
        twin = SimulatedDisplay(tmp_path / "display")
        await until(lambda: shows(twin, "请先签到", "", "", ""))
        display.close()
        twin.close()

    asyncio.run(scene())


def test_a_display_that_was_unplugged_shows_the_picture_of_now(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        twin = SimulatedDisplay(tmp_path / "display")
        states: list[LineState] = []
        display = Display(LineSettings(str(twin.path)), states.append)
        display.start()
        display.show(Picture(("请刷卡",)))
        await until(lambda: shows(twin, "请刷卡", "", "", ""))
        twin.unplug()
        await until(lambda: states[-1] is LineState.ABSENT)
        display.show(Picture(("", "正在处理")))
        twin.replug()
        await until(lambda: shows(twin, "", "正在处理", "", ""))
        assert states == [LineState.PRESENT, LineState.ABSENT, LineState.PRESENT]
        display.close()
        twin.close()

    asyncio.run(scene())


def test_a_display_that_lost_its_power_gets_its_picture_back(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        twin = SimulatedDisplay(tmp_path / "display")
        display = display_on(twin, refresh_seconds=0.05)
        display.start()
        display.show(Picture(("请刷卡",)))
        await until(lambda: shows(twin, "请刷卡", "", "", ""))
        twin.power_cycle()
        assert shows(twin, "", "", "", "")
        await until(lambda: shows(twin, "请刷卡", "", "", ""))
        display.close()
        twin.close()

    asyncio.run(scene())


def test_a_stopped_display_misses_pictures_and_then_shows_the_last(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        twin = SimulatedDisplay(tmp_path / "display")
        settings = LineSettings(str(twin.path), flow_control="xon_xoff")
        display = Display(settings, lambda state: None)
        display.start()
        display.show(Picture(("0",)))
        await until(
            lambda: shows(twin, "0", "", "", "") and twin.received == display.line.bytes_out
        )
        twin.hold_off()
        await until(lambda: not twin.takes_bytes)
        received = twin.received
        for number in range(500):
            display.show(Picture((str(number),)))
        await asyncio.sleep(0.05)
        assert twin.received == received
        twin.let_go()
        await until(lambda: shows(twin, "499", "", "", ""))
        assert twin.received - received < 60, "pictures of the past were sent"
        display.close()
        twin.close()

    asyncio.run(scene())


def test_a_slow_display_in_gb18030_comes_to_show_the_last_picture(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        twin = SimulatedDisplay(tmp_path / "display", encoding="gb18030", bytes_per_second=2000)
        display = display_on(twin, encoding="gb18030")
        display.start()
        for number in range(10):
            display.show(Picture((f"正在处理 {number}",)))
        await until(lambda: shows(twin, "正在处理 9", "", "", ""))
        display.close()
        twin.close()

    asyncio.run(scene())


def test_a_picture_larger_than_the_display_is_refused(tmp_path: Path) -> None:
    display = Display(LineSettings(str(tmp_path / "display")), lambda state: None)
    with pytest.raises(ValueError, match="at most 16 x 4"):
        display.show(Picture((), columns=21, lines=8))
