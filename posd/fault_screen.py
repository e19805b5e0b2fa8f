"""What the clerk sees when the terminal cannot even start: without core, without ledger."""

from __future__ import annotations

import asyncio
from typing import Final

from devices.display import Display
from devices.line import LineState
from posd.edges import line_settings
from posd.settings import Configuration
from posd.terminal.screens import Screen, lay_out
from posd.texts import Catalogue
from posd.texts.errors import ErrorCode

_SECONDS_TO_FIND_DISPLAY: Final = 2.0
_POLL_SECONDS: Final = 0.01


async def show_fault(configuration: Configuration, code: ErrorCode) -> None:
    """Show this code with its text and what to do, if there is a display; it stays when we are gone."""
    settings = configuration.devices.display
    if settings is None:
        return
    catalogue = Catalogue(configuration.terminal.language)
    screen = Screen(
        catalogue.text("title.fault", code=code),
        (catalogue.text(f"error.{code}.text"), catalogue.text(f"error.{code}.action")),
    )
    display = Display(
        line_settings(settings),
        lambda _state: None,
        columns=settings.columns,
        lines=settings.lines,
        encoding=settings.encoding,
    )
    display.show(lay_out(screen, "", 0, settings.columns, settings.lines).picture)
    display.start()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _SECONDS_TO_FIND_DISPLAY
    while display.state is not LineState.PRESENT and loop.time() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
    await display.stop()
