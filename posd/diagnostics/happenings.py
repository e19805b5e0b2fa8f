"""Events of the terminal as a technician may see them: names, numbers and words, nothing typed in secret."""

from __future__ import annotations

from typing import Final

from posd.core.events import (
    CardSwiped,
    Event,
    HostReceived,
    PinEntered,
    SecretTyped,
    TimerFired,
)

Detail = str | int | bool
_SILENT: Final = (TimerFired, SecretTyped, PinEntered)
"""Ticks; and how long a PIN or a password is."""


def happening(event: Event) -> tuple[str, dict[str, Detail]] | None:
    """The event's name and what may be told of it; None for one that is not told.

    Only plain numbers and words are told: cards, PIN blocks and frames are values of other types.
    """
    if isinstance(event, _SILENT):
        return None
    name = type(event).__name__
    if isinstance(event, CardSwiped):
        return name, {"card": event.track2.pan.masked}
    if isinstance(event, HostReceived):
        return name, {"exchange": event.exchange, "length": len(event.frame)}
    told: dict[str, Detail] = {}
    for field in event.__struct_fields__:
        value = getattr(event, field)
        if isinstance(value, bool | int):
            told[field] = value
        elif isinstance(value, str | float):
            told[field] = str(value)
    return name, told
