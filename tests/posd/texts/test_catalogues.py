"""The catalogues say the same things, and everything fits the smallest screen."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import posd
from devices import columns as grid
from posd.core.events import Key, Phase
from posd.ledger.records import State
from posd.money.kinds import KINDS
from posd.money.money import Refusal
from posd.terminal.drills import DRILLS
from posd.terminal.flows import FLOWS
from posd.terminal.flows.in_doubt import REASONS as GIVING_UP
from posd.terminal.flows.in_doubt import VERDICTS
from posd.terminal.flows.menu import MENUS
from posd.terminal.flows.unpaid_order import REASONS
from posd.terminal.story import REVERSAL_REASONS, STEPS
from posd.texts import LANGUAGES, ROOM, amount_text, catalogue
from posd.texts.errors import ErrorCode
from protocol.transactions import Doubt

COLUMNS = 16
NOTICE = Doubt.NOTICE
LONGEST = {
    "amount": "99999999.99",
    "limit": "9999999999.99",
    "voucher": "000012",
    "code": "123456",
    "version": "10.10.10",
    "operator": "01",
    "digit": "9",
    "card": "622500****0014",
    "count": "510",
    "terminal": "T0000001",
    "seconds": "86400",
    "time": "1440:00",
    "hotline": "9" * 40,
    "word": "send",
    "words": "机构确认已成功",
    "age": "99mo",
    "label": "13800138000",
    "key": "FUNCTION",
    "of": "65",
    "number": "65",
}
"""Each placeholder with the longest value that it is ever filled with."""

FEW_VALUES = {
    "kind": "(sale|void|refund|balance|pre_authorisation|completion|completion_notice)",
    "name": "(not_sent|reversed|unresolved|no_answer)",
    "menu": f"({'|'.join(MENUS)})",
    "role": "(supervisor|cashier)",
    "role_now(dialogue)": "(supervisor|cashier|administrator)",
    "each.role": "(supervisor|cashier|administrator)",
    "last": f"({'|'.join(Key)})",
    "fault": f"({'|'.join(DRILLS)})",
    "ending": "(restart|shut_down)",
    "which": "(new|again)",
    "event.problem": "(differs|factory|failed)",
    "what": "(operator_added|operator_password_reset)",
    "trouble": "(failed|paper_out|cover_open|cutter_error|overheated|offline|absent|timeout)",
    "digit": f"[{''.join(REASONS)}]",
    "reason": f"({'|'.join((*Refusal, 'no_printer'))})",
    "known": f"({'|'.join(REVERSAL_REASONS)})",
    "step.what": f"({'|'.join(STEPS)})",
    "wanted.named": "(number|reference|authorisation)",
    "unit": "(minute|hour|day|month)",
    "case.word": "(reversing|pending|unresolved|closed)",
    "record.kind": f"({'|'.join(KINDS)})",
}
"""Placeholders in names of texts that code puts together, with all their values."""

NAMES = sorted(catalogue("zh_CN").names)


def test_the_catalogues_have_the_same_names() -> None:
    assert catalogue("zh_CN").names == catalogue("en").names


@pytest.mark.parametrize("name", NAMES)
def test_a_text_has_the_same_placeholders_in_every_language(name: str) -> None:
    assert len({_placeholders(language, name) for language in LANGUAGES}) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_a_text_fits_its_room_with_the_longest_values(language: str, name: str) -> None:
    part = name.partition(".")[0]
    columns = COLUMNS - len("1 ") if part == "menu" else COLUMNS
    for text in catalogue(language).raw(name):
        rows = grid.wrap(text.format_map(LONGEST), columns)
        assert len(rows) <= ROOM[part], rows
        assert all(grid.printable(row) == row for row in rows)


def test_every_text_is_used_by_the_program() -> None:
    used = re.compile("|".join(_names_in_program()))
    assert [name for name in NAMES if not used.fullmatch(name)] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", State)
def test_every_state_of_a_transaction_can_be_told(language: str, state: State) -> None:
    texts = catalogue(language)
    assert texts.has(f"title.outcome_{state}")
    assert texts.has(f"line.last_{state}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_of_a_story_has_words(language: str) -> None:
    texts = catalogue(language)
    assert all(texts.has(f"story.step_{what}") for what in STEPS)
    assert all(texts.has(f"story.because_{reason}") for reason in REVERSAL_REASONS)
    assert all(texts.has(f"menu.verdict_{digit}") for digit in GIVING_UP)
    assert all(texts.has(f"say.case_closed_{digit}") for digit in VERDICTS)


def test_every_step_that_the_money_core_notes_has_words() -> None:
    noted = set()
    for path in (Path(posd.__file__).parent / "money").glob("*.py"):
        calls = re.findall(r"\.note\(\s*\w+(?:\.id)?,\s*\"(\w+)\"", path.read_text("utf-8"))
        noted.update(calls)
    assert len(noted) > 5
    assert noted <= STEPS


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.row.doubt is NOTICE])
def test_every_notice_says_not_to_do_it_again(kind: str) -> None:
    assert catalogue("zh_CN").has(f"result.in_progress_{kind}")


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_of_the_money_core_has_its_own_text(refusal: Refusal) -> None:
    assert catalogue("zh_CN").has(f"result.refused_{refusal}")


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_of_a_wait_has_a_text(phase: Phase) -> None:
    assert catalogue("zh_CN").has(f"line.phase_{phase}")


@pytest.mark.parametrize("code", ErrorCode)
def test_every_error_code_says_what_it_means_and_what_to_do(code: ErrorCode) -> None:
    assert re.fullmatch(r"E\d{3}", code)
    for language in LANGUAGES:
        assert catalogue(language).has(f"error.{code}.text")
        assert catalogue(language).has(f"error.{code}.action")


def test_every_error_text_belongs_to_a_code() -> None:
    codes = {name.split(".")[1] for name in NAMES if name.startswith("error.")}
    assert codes == {str(code) for code in ErrorCode}


def test_a_missing_text_is_an_error_and_not_an_empty_screen() -> None:
    with pytest.raises(KeyError):
        catalogue("zh_CN").text("say.nothing_of_the_kind")


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a language"):
        catalogue("fr")


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (5, "0.05"), (1234, "12.34"), (10_000_000, "100000.00")]
)
def test_an_amount_is_shown_in_yuan(fen: int, text: str) -> None:
    assert amount_text(fen) == text


def _placeholders(language: str, name: str) -> tuple[frozenset[str], ...]:
    """Of a text, or of all pages of a help text together."""
    raw = "".join(catalogue(language).raw(name))
    return (frozenset(field for _, field, _, _ in string.Formatter().parse(raw) if field),)


def _names_in_program() -> set[str]:
    """Names of texts as patterns: what stands in quotes in the dialogue's code, and help of steps."""
    root = Path(posd.__file__).parent
    files = (root / "terminal").rglob("*.py")
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    quoted = re.findall(rf'"((?:{"|".join(ROOM)})\.[^"]+)"', code)
    helped = {step.help for flow in FLOWS for step in flow.steps}
    return {
        *(re.sub(r"\\{(.+?)\\}", _values, re.escape(name)) for name in quoted),
        *(f"help\\.{name}" for name in helped),
        r"error\.E\d{3}\.(text|action)",
    }


def _values(placeholder: re.Match[str]) -> str:
    """What a name that is put together in code may be put together of."""
    return FEW_VALUES.get(placeholder[1], r"\w+")
