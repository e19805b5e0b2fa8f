"""`posctl explain`: what a code means. Needs no terminal."""

from __future__ import annotations

import argparse

from posd.diagnostics.posctl.connection import DONE, NOT_FOUND, USAGE, Trouble
from posd.diagnostics.posctl.layout import Paper
from posd.diagnostics.posctl.plain import show_json
from posd.texts.explanations import explanations

_CODE_LENGTH = 2  # element 39


def explain(options: argparse.Namespace, paper: Paper) -> int:
    """What an error code (E201) or a response code of the acquirer (51) means, and what to do."""
    if options.all and options.code:
        raise Trouble("a code or --all", "posctl explain --help", USAGE)
    if not options.code:
        return _all(options, paper)
    code = options.code.upper()
    known = explanations(options.language).get(code)
    if known is not None:
        found = {"code": known.code, "cause": known.cause, "remedy": known.remedy}
    elif len(code) == _CODE_LENGTH:
        found = _response(code, options.language)
    else:
        raise Trouble(
            f"there is no code {code}",
            "an error code is E and 3 digits (posctl explain lists them), an acquirer's response code "
            "two characters (posctl explain --all lists both)",
            NOT_FOUND,
        )
    if options.json:
        return show_json(paper, found)
    paper.paragraph(found["cause"], "     ", f"{paper.colour(found['code'], 'strong')} ")
    if found["remedy"]:
        paper.paragraph(found["remedy"], "     ", f"  {paper.colour('->', 'strong')} ")
    return DONE


def _response(code: str, language: str) -> dict[str, str]:
    from protocol.response_codes import CODES, look_up

    if code not in CODES:
        raise Trouble(
            f"no specification known here names response code {code}: it declines",
            "ask the acquirer what it means",
            NOT_FOUND,
        )
    row = look_up(code)
    words = row.zh if language == "zh_CN" else row.en
    cause = f"{words} ({row.kind.value})"
    return {"code": row.code, "cause": cause, "remedy": "" if row.action == "none" else row.action}


def _all(options: argparse.Namespace, paper: Paper) -> int:
    rows = [
        {"code": row.code, "cause": row.cause} for row in explanations(options.language).values()
    ]
    if options.all:
        from protocol.response_codes import CODES

        answers = [_response(code, options.language) for code in sorted(CODES)]
        rows += [{"code": row["code"], "cause": row["cause"]} for row in answers]
    if options.json:
        return show_json(paper, rows)
    for row in rows:
        paper.paragraph(row["cause"], "     ", f"{paper.colour(row['code'], 'strong')} ")
    if not options.all:
        paper.line(paper.colour("the acquirer's response codes too: posctl explain --all", "faint"))
    return DONE
