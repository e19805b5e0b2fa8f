"""Codes in words: what an E-code or a response code means, and what to do."""

from __future__ import annotations

import os
from typing import Final

from posd.diagnostics import messages as m
from posd.diagnostics.posctl.labels import Labels
from posd.diagnostics.posctl.layout import Paper
from posd.texts.explanations import Explanation, explanations

_UNKNOWN: Final = "this posctl does not know the code"


def own_language() -> str:
    """zh_CN where the environment speaks Chinese, else en."""
    named = (
        os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    )
    return "zh_CN" if named.startswith("zh") else "en"


def explanation(code: str, language: str) -> Explanation:
    """Of an E-code; one that is newer than this program says so."""
    return explanations(language).get(code) or Explanation(code, Labels(language)(_UNKNOWN), "")


def tell_reason(paper: Paper, reason: m.Reason, language: str, kind: str, depth: int = 0) -> None:
    """The reason, what was found, what led to it; and at the root what to do."""
    indent = "  " * depth
    known = explanation(reason.code, language)
    because = paper.say("because ") if depth else ""
    paper.paragraph(
        known.cause, f"{indent}      ", f"{indent}{because}{paper.colour(reason.code, kind)}  "
    )
    if reason.detail:
        paper.paragraph(reason.detail, f"{indent}      ")
    for each in reason.because:
        tell_reason(paper, each, language, kind, depth + 1)
    if not reason.because and known.remedy:
        paper.paragraph(
            known.remedy, f"{indent}      ", f"{indent}   {paper.colour('->', 'strong')} "
        )


def first_cause(code: str, language: str) -> str:
    """What it means, in a sentence without its end."""
    cause = explanation(code, language).cause
    return cause.partition("。")[0] if language == "zh_CN" else cause.partition(". ")[0].rstrip(".")


def first_remedy(code: str, language: str) -> str:
    """What to do first, in a sentence."""
    remedy = explanation(code, language).remedy
    return (
        remedy.partition("。")[0] if language == "zh_CN" else remedy.partition(". ")[0].rstrip(".")
    )


def root_of(reason: m.Reason) -> m.Reason:
    """The first cause."""
    while reason.because:
        reason = reason.because[0]
    return reason


def in_short(reason: m.Reason, language: str) -> str:
    """One line: the code, its first words, what was found at the root."""
    root = root_of(reason)
    first = first_cause(root.code, language)
    detail = f" ({root.detail})" if root.detail else ""
    codes = reason.code if root is reason else f"{reason.code} <- {root.code}"
    return f"{codes} {first}{detail}"
