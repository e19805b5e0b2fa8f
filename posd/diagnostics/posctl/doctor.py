"""`posctl doctor`: the installation from ports to clock, and what to fix. Needs no running terminal."""

from __future__ import annotations

import argparse
from typing import Final

from msgspec.structs import asdict

from posd.diagnostics.posctl.connection import DONE, NOT_SELLING
from posd.diagnostics.posctl.examination import SUBJECTS
from posd.diagnostics.posctl.findings import Finding, Findings, Patient, Subject
from posd.diagnostics.posctl.layout import Paper
from posd.diagnostics.posctl.plain import show_json

_MARKS: Final = {"good": ("ok", "good"), "bad": ("FIX", "bad"), "warning": ("look", "warning"),
                 "unknown": ("?", "faint")}  # fmt: skip
_WHAT: Final = 16
_MARK: Final = 5
_NARROW: Final = 60


def doctor(options: argparse.Namespace, paper: Paper) -> int:
    """Check the installation and say what to fix."""
    patient = Patient(options.config.absolute(), options.socket)
    worst = DONE
    for subject in SUBJECTS:
        for finding in _look(subject, patient):
            if finding.state == "bad":
                worst = NOT_SELLING
            if options.json:
                show_json(paper, asdict(finding))
            else:
                _tell(paper, finding)
    return worst


def _look(subject: Subject, patient: Patient) -> Findings:
    """Whatever happens in one look, the others follow: the installation may be broken in any way."""
    try:
        yield from subject(patient)
    except Exception as error:  # noqa: BLE001
        name = subject.__name__.replace("_", " ")
        # Not its text: nobody knows what it holds.
        found = f"could not be looked at: {type(error).__name__}, a fault of this program"
        yield Finding("unknown", name, found, "posctl bundle, for support")


def _tell(paper: Paper, finding: Finding) -> None:
    mark, colour = _MARKS[finding.state]
    # On a narrow terminal what was found stands below what was looked at.
    indent = " " * (_MARK if paper.width < _NARROW else _MARK + _WHAT + 1)
    first = f"{paper.colour(mark.ljust(_MARK), colour)}{finding.what.ljust(_WHAT)} "
    paper.paragraph(finding.found, indent, first)
    if finding.fix:
        paper.paragraph(finding.fix, f"{indent}   ", f"{indent}{paper.colour('->', 'strong')} ")
