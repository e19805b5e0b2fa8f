"""Every screen of every flow as a person sees it: through the display's driver, judged by pyte.

Both languages, the sizes and the encodings of real displays. One driver draws one picture after the
other, so that what is seen is also what minimal updates make of it.
"""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest
from msgspec import structs

from devices import columns as grid
from devices.display import Display
from devices.line import LineSettings
from devices.picture import Encoding, Picture
from devices.simulated.pseudo_terminal import PseudoTerminal
from posd.core.events import DeviceChanged, Phase
from posd.ledger.records import State, TransactionRecord
from posd.money.money import Refusal
from posd.terminal.flows.idle import screen as idle_screen
from posd.terminal.machine import IDLE
from posd.terminal.screens import LaidOut, Screen, lay_out, page
from posd.texts import LANGUAGES
from protocol.response_codes import CODES
from tests.posd.terminal.rig import Clerk
from tests.posd.terminal.test_every_step import STEPS, full_form
from tests.posd.texts.test_catalogues import LONGEST

SIZES = ((16, 4), (21, 8), (40, 12))
ENCODINGS: tuple[Encoding, ...] = ("utf-8", "gb18030")
SECONDS = 60.0


class Person:
    """Looks at a terminal of its own kind: pyte behind a pseudo-terminal."""

    def __init__(self, path: Path, encoding: Encoding, columns: int, lines: int) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.Stream(self.screen)
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self.line = PseudoTerminal(path, self._feed)

    def _feed(self, data: bytes) -> None:
        self._stream.feed(self._decoder.decode(data))

    def sees(self) -> tuple[list[str], list[int]]:
        """The rows, and which of them are in reverse."""
        try:
            rows = [row.rstrip() for row in self.screen.display]
        except IndexError:  # pyte's, of half a wide character: the rest of the picture is to come
            return [], []
        cells = range(self.screen.columns)
        reverse = [
            row
            for row in range(self.screen.lines)
            if any(self.screen.buffer[row][cell].reverse for cell in cells)
        ]
        return rows, reverse


def width_on_a_chinese_terminal(character: str) -> int:
    """Where the encoding is GB 18030, arrows and other signs of its table are as wide as Chinese."""
    return grid.width(character)


def meant(picture: Picture) -> tuple[list[str], list[int]]:
    rows = [picture.row(index) for index in range(picture.lines)]
    return rows, [] if picture.reverse is None else [picture.reverse]


@pytest.fixture(
    scope="module", params=[(language, size) for language in LANGUAGES for size in SIZES]
)
def clerk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clerk]:
    """A terminal with an approved sale, with each display and language."""
    language, (columns, lines) = request.param
    with Clerk(
        tmp_path_factory.mktemp("screens"),
        terminal__language=language,
        terminal__hotline="95516",
        devices__display__columns=columns,
        devices__display__lines=lines,
    ) as clerk:
        clerk.press("确认")
        clerk.wait_for_state(IDLE)
        clerk.sell("9999999")
        yield clerk


def pictures(clerk: Clerk, columns: int, lines: int) -> Iterator[tuple[str, LaidOut]]:
    """Every screen that there is, with everything at its longest, and what it is."""
    dialogue = clerk.dialogue

    def laid_out(screen: Screen, notice: str = "", offset: int = 0) -> LaidOut:
        return lay_out(screen, notice, offset, columns, lines)

    for state, step in STEPS.items():
        dialogue.form = full_form(clerk)
        first = laid_out(step.screen(dialogue))
        yield state, first
        for offset in range(1, first.last_offset + 1):
            yield f"{state} scrolled {offset}", laid_out(step.screen(dialogue), "", offset)
        if dialogue.catalogue.has(f"help.{step.help}"):
            for number, text in enumerate(dialogue.catalogue.pages(f"help.{step.help}")):
                yield f"help of {state}, page {number}", page(text, columns, lines)
        if step.ticks and state.endswith((".waiting", ".leaving")):
            for phase in Phase:
                dialogue.form.phase = phase
                yield f"{state} while {phase}", laid_out(step.screen(dialogue))
    for refusal in (*Refusal, "no_printer"):
        for state in ("blocked.shown", "sale.refused", "void.refused"):
            dialogue.form = full_form(clerk)
            dialogue.form.refusal = refusal
            yield f"{state} because {refusal}", laid_out(STEPS[state].screen(dialogue))
    for name in sorted(dialogue.catalogue.names):
        if name.startswith("say."):
            text = dialogue.catalogue.raw(name)[0]
            yield name, laid_out(idle_screen(dialogue), text.format_map(LONGEST))


def outcomes(
    clerk: Clerk, columns: int, lines: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, LaidOut]]:
    """The screens that tell of a transaction, in each of its states and for each answer."""
    record = clerk.ledger.transactions.last("sale")
    assert record is not None
    shown: TransactionRecord = record
    monkeypatch.setattr(clerk.ledger.transactions, "get", lambda _identity: shown)
    dialogue = clerk.dialogue
    dialogue.form = full_form(clerk)
    for state in State:
        shown = structs.replace(record, state=state)
        for step in ("last.shown", "slip.tear", "slip.printing", "slip.trouble"):
            screen = STEPS[step].screen(dialogue)
            yield f"{step} when {state}", lay_out(screen, "", 0, columns, lines)
    for code in CODES:
        shown = structs.replace(record, state=State.DECLINED, response_code=code)
        for step in ("sale.declined", "void.declined"):
            screen = STEPS[step].screen(dialogue)
            yield f"{step} {code}", lay_out(screen, "", 0, columns, lines)


def without_devices(clerk: Clerk) -> Iterator[tuple[str, LaidOut]]:
    """Idle with each device missing, and with all of them."""
    roles = ("printer", "card_reader", "keypad")
    for gone in (*((role,) for role in roles), roles):
        for role in gone:
            clerk.tell(DeviceChanged(role, present=False))
        yield f"without {', '.join(gone)}", clerk.dialogue._lay_out()
        for role in gone:
            clerk.tell(DeviceChanged(role, present=True))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_person_sees_every_screen_whole(
    clerk: Clerk, encoding: Encoding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = clerk.dialogue.configuration.devices.display
    assert settings is not None
    columns, lines = settings.columns, settings.lines
    if encoding == "gb18030":
        monkeypatch.setattr(pyte.screens, "wcwidth", width_on_a_chinese_terminal)

    async def look() -> int:
        person = Person(tmp_path / "display", encoding, columns, lines)
        display = Display(
            LineSettings(str(person.line.path)),
            lambda _state: None,
            columns=columns,
            lines=lines,
            encoding=encoding,
        )
        display.start()
        seen = 0
        try:
            for what, laid_out in (
                *pictures(clerk, columns, lines),
                *without_devices(clerk),
                *outcomes(clerk, columns, lines, monkeypatch),
            ):
                assert laid_out.cut == (), what
                display.show(laid_out.picture)
                wanted = meant(laid_out.picture)
                deadline = display.line.now() + SECONDS
                while person.sees() != wanted and display.line.now() < deadline:
                    await asyncio.sleep(0.001)
                assert person.sees() == wanted, what
                seen += 1
        finally:
            display.close()
            person.line.close()
        return seen

    assert asyncio.run(look()) > len(STEPS)
