"""How far two clocks differ, and when that is worth a word. Used on both ends of the socket."""

from __future__ import annotations

from typing import Final

CLOCK_MAY_DIFFER: Final = 300
"""Seconds that the machine's clock and the acquirer's may differ before anybody is told."""


def clock_in_words(ahead: int) -> str:
    """How far a clock is ahead of the acquirer's (seconds), or behind when it is negative."""
    minutes = round(abs(ahead) / 60)
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min"]
    way = "ahead of" if ahead > 0 else "behind"
    return f"{' '.join(filter(None, parts))} {way} the acquirer's"
