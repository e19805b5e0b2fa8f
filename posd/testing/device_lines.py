"""The lines of a script about devices: pulled out, out of paper, and everything a bad line does."""

from __future__ import annotations

import re
from typing import Final, cast, get_args

from posd.testing import steps
from posd.testing.forms import MAYBE_FOR, SECONDS, Form, form
from posd.testing.steps import Disturbance, Part, Step

ROLES: Final = {
    "keypad": "keypad",
    "display": "display",
    "printer": "printer",
    "reader": "card_reader",
}
"""What scripts call the devices of the configuration."""

HEARERS: Final = ("display", "printer")
"""The devices to which the terminal sends anything: only its sending can be held off."""

PARTS: Final[dict[str, tuple[Part, bool]]] = {
    "cover open": ("cover", True),
    "cover closed": ("cover", False),
    "cutter stuck": ("cutter", True),
    "cutter free": ("cutter", False),
    "head hot": ("head", True),
    "head cool": ("head", False),
    "paper near end": ("paper", True),
}
"""What a script says of the printer itself: which part, and whether something is wrong with it."""


def _plug(line: int, match: re.Match[str]) -> Step:
    return steps.Plug(line, ROLES[match[1]], plugged=match[2] == "replug")


def _disturb(line: int, match: re.Match[str]) -> Step:
    how = cast(Disturbance, match[2])
    assert how in get_args(Disturbance)
    return steps.Disturb(line, ROLES[match[1]], how)


def _cut_short(line: int, match: re.Match[str]) -> Step:
    return steps.Disturb(line, ROLES[match[1]], "cut short", float(match[2]))


def _drip(line: int, match: re.Match[str]) -> Step:
    return steps.Disturb(line, ROLES[match[1]], "drip", float(match[2]))


def _silent(line: int, match: re.Match[str]) -> Step:
    return steps.Disturb(line, ROLES[match[1]], "silent", float(match[2] or 0))


def _part(line: int, match: re.Match[str]) -> Step:
    part, wrong = PARTS[" ".join(match[1].split())]
    return steps.PrinterPart(line, part, wrong)


DEVICE_FORMS: Final[tuple[Form, ...]] = (
    form(
        "printer paper out after N lines",
        r"printer paper out after (\d+) lines?",
        lambda line, match: steps.PaperOut(line, int(match[1])),
    ),
    form("printer load paper", r"printer load paper", lambda line, _: steps.LoadPaper(line)),
    *(form(f"printer {words}", f"printer ({words})", _part) for words in PARTS),
    *(form(f"{device} unplug|replug", rf"({device}) (unplug|replug)", _plug) for device in ROLES),
    *(form(f"{device} xoff|xon", rf"({device}) (xoff|xon)", _disturb) for device in HEARERS),
    *(
        each
        for device in ROLES
        for each in (
            form(f"{device} noise", rf"({device}) (noise)", _disturb),
            form(
                f"{device} cut short after N bytes",
                rf"({device}) cut short after (\d+) bytes?",
                _cut_short,
            ),
            form(f"{device} drip N s", rf"({device}) drip {SECONDS}", _drip),
            form(f"{device} silent [for N s]", rf"({device}) silent{MAYBE_FOR}", _silent),
            form(f"{device} heal", rf"({device}) (heal)", _disturb),
        )
    ),
)
"""Every line about a device."""
