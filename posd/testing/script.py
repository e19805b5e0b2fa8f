"""The `.clerk` format: plain lines, parsed into steps, with errors that name file and line.

One line is one step. Blank lines and what follows a `#` (at the beginning of a line or after a
blank) are left out. README.md lists every line there is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

from posd.acquirer.cards import BY_NAME
from posd.acquirer.outcomes import named
from posd.core.events import Key
from posd.ledger.records import OrderState, State
from posd.testing import steps
from posd.testing.device_lines import DEVICE_FORMS
from posd.testing.forms import MAYBE_FOR, MAYBE_WITHIN, SECONDS, Form, LineError, form
from posd.testing.steps import Step
from protocol.transactions import BY_NAME as BY_KIND

KEYS: Final[dict[str, Key]] = {
    **{key.value: key for key in Key},
    "确认": Key.CONFIRM,
    "取消": Key.CANCEL,
    "清除": Key.CLEAR,
    "功能": Key.FUNCTION,
    "▲": Key.UP,
    "▼": Key.DOWN,
    "ok": Key.CONFIRM,
    "enter": Key.CONFIRM,
}
"""Every name and symbol of a key."""

SWIPE_FAULTS: Final = ("garbled", "half")

_WITHIN: Final = re.compile(r"\s+within\s+(\d+(?:\.\d+)?)\s*s$")
_FOR: Final = re.compile(r"\s+for\s+(\d+(?:\.\d+)?)\s*s$")
_STAGE: Final = re.compile(r"#\s*stage:\s*(.*?)\s*")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*$")
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


class ScriptError(Exception):
    """A script that cannot be read. Printed as `file:line: what was expected`."""

    def __init__(self, file: str, line: int, problem: str) -> None:
        super().__init__(f"{file}:{line}: {problem}" if line else f"{file}: {problem}")


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script: `file` as it was named, `lines` as they stand in it, and its steps.

    stage: `real` when it says `# stage: real`, because virtual time has nothing that it could mean.
    """

    file: str
    lines: tuple[str, ...]
    steps: tuple[Step, ...]
    stage: Literal["any", "real"] = "any"


def load(path: Path) -> Script:
    """Read a script from a file. Raises ScriptError, also when there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScriptError(str(path), 0, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ScriptError(str(path), 0, "expected a text in UTF-8") from None
    return parse(text, str(path))


def parse(text: str, file: str) -> Script:
    """Parse a script; `file` is how its errors call it. Raises ScriptError."""
    lines = tuple(text.splitlines())
    found: list[Step] = []
    stage: Literal["any", "real"] = "any"
    for number, line in enumerate(lines, start=1):
        if named := _STAGE.fullmatch(line):
            if named[1] != "real":
                raise ScriptError(file, number, f"expected `# stage: real`, found {named[1]!r}")
            stage = "real"
        content = _COMMENT.sub("", line).strip()
        if not content:
            continue
        try:
            found.append(_parse_line(number, content))
        except LineError as wrong:
            raise ScriptError(file, number, str(wrong)) from None
    try:
        _check_order(found)
    except _PlaceError as misplaced:
        raise ScriptError(file, misplaced.line, str(misplaced)) from None
    return Script(file, lines, tuple(found), stage)


def parse_line(content: str) -> Step:
    """The step that a person typed. Raises ValueError that says what was expected."""
    return _parse_line(1, content)


def _parse_line(number: int, content: str) -> Step:
    verb = content.split(maxsplit=1)[0]
    candidates = [each for each in FORMS if each.usage.split(maxsplit=1)[0] == verb]
    if not candidates:
        verbs = dict.fromkeys(each.usage.split(maxsplit=1)[0] for each in FORMS)
        raise LineError(f"expected one of {', '.join(verbs)}, found {verb!r}")
    for each in candidates:
        if match := each.pattern.fullmatch(content):
            return each.build(number, match)
    usages = " or ".join(f"`{each.usage}`" for each in candidates)
    raise LineError(f"expected {usages}, found `{content}`")


class _PlaceError(LineError):
    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


def _check_order(found: Iterable[Step]) -> None:
    """Settings come before the one `start`, everything a clerk does after it; names are known."""
    started = False
    known: set[str] = {"voucher"}
    last = 0
    for step in found:
        last = step.line
        if isinstance(step, steps.Start):
            if started:
                raise _PlaceError(step.line, "expected one `start` only, found a second")
            started = True
        elif isinstance(step, steps.Set):
            if started:
                raise _PlaceError(step.line, "expected `set` before `start`")
        elif not started and not isinstance(step, _BEFORE_START):
            raise _PlaceError(step.line, "expected `start` before this line")
        for name in _names_used(step):
            if name not in known:
                raise _PlaceError(
                    step.line, f"expected `remember {name} from ...` before this line"
                )
        if isinstance(step, steps.Remember):
            known.add(step.name)
    if not started:
        raise _PlaceError(last, "expected a `start` line")


_BEFORE_START: Final = (
    steps.HostDoes,
    steps.HostLink,
    steps.PaperOut,
    steps.LoadPaper,
    steps.PrinterPart,
    steps.Plug,
    steps.Disturb,
)


def _names_used(step: Step) -> list[str]:
    match step:
        case steps.Press(keys=parts):
            texts: Iterable[str] = parts
        case steps.ExpectScreen(texts=parts) | steps.ExpectPaper(texts=parts):
            texts = parts
        case steps.ExpectNoScreen(text=text) | steps.Remember(pattern=text):
            texts = [text]
        case steps.ExpectLedger(voucher=text) | steps.ExpectOrder(number=text):
            texts = [text]
        case steps.ExpectHost(elements=elements):
            texts = elements.values()
        case _:
            texts = ()
    return [name for text in texts for name in _PLACEHOLDER.findall(text)]


def fill_in(text: str, values: dict[str, str]) -> str:
    """Put remembered values in the place of `{name}`; unknown names stay."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


# --- what each form means -------------------------------------------------------------------------


def _set(line: int, match: re.Match[str]) -> Step:
    try:
        value = tomllib.loads(f"value = {match[2]}")["value"]
    except tomllib.TOMLDecodeError:
        raise LineError(f'expected a TOML value (5, true, "text"), found {match[2]}') from None
    return steps.Set(line, tuple(match[1].split(".")), value)


def _press(line: int, match: re.Match[str]) -> Step:
    keys: list[str] = []
    for word in match[1].split():
        if word in KEYS:
            keys.append(KEYS[word].value)
        elif _PLACEHOLDER.fullmatch(word) or (word.isascii() and word.isdecimal()):
            keys.append(word)
        else:
            raise LineError(
                f"expected a key (digits, {', '.join(list(KEYS)[10:])}), found {word!r}"
            )
    return steps.Press(line, tuple(keys))


def _swipe(line: int, match: re.Match[str]) -> Step:
    word = match[1]
    if word in SWIPE_FAULTS:
        return steps.Swipe(line, "good", word)
    if word not in BY_NAME:
        expected = ", ".join((*BY_NAME, *SWIPE_FAULTS))
        raise LineError(f"expected a card ({expected}), found {word!r}")
    return steps.Swipe(line, word)


def _split_seconds(text: str, suffix: re.Pattern[str] = _WITHIN) -> tuple[str, float | None]:
    if match := suffix.search(text):
        return text[: match.start()], float(match[1])
    return text, None


def _texts(text: str) -> tuple[str, ...]:
    texts = tuple(" ".join(part.split()) for part in text.split("|"))
    if not all(texts):
        raise LineError("expected a text on each side of |")
    return texts


def _expect_screen(line: int, match: re.Match[str]) -> Step:
    text, seconds = _split_seconds(match[1])
    return steps.ExpectScreen(line, _texts(text), seconds)


def _expect_no_screen(line: int, match: re.Match[str]) -> Step:
    text, seconds = _split_seconds(match[1], _FOR)
    return steps.ExpectNoScreen(line, " ".join(text.split()), seconds or 0.0)


def _expect_paper(line: int, match: re.Match[str]) -> Step:
    text, seconds = _split_seconds(match[1])
    return steps.ExpectPaper(line, _texts(text), seconds)


def _expect_no_paper(line: int, match: re.Match[str]) -> Step:
    return steps.ExpectNoPaper(line, _split_seconds(match[0], _FOR)[1] or 0.0)


def _expect_host(line: int, match: re.Match[str]) -> Step:
    rest, seconds = _split_seconds(match[2])
    elements: dict[int, str] = {}
    for word in rest.split():
        number, equals, value = word.partition("=")
        if not (equals and value and number.isdecimal() and 2 <= int(number) <= 64):
            raise LineError(f"expected ELEMENT=VALUE (3=000000, 52=absent), found {word!r}")
        elements[int(number)] = value
    return steps.ExpectHost(line, match[1], elements, seconds)


def _expect_host_nothing(line: int, match: re.Match[str]) -> Step:
    return steps.ExpectHostNothing(line, _split_seconds(match[0], _FOR)[1] or 0.0)


def _expect_ledger(line: int, match: re.Match[str]) -> Step:
    _one_of(match[2], [state.value for state in State], "a state")
    return steps.ExpectLedger(line, _voucher(match[1]), match[2], _split_seconds(match[0])[1])


def _expect_order(line: int, match: re.Match[str]) -> Step:
    _one_of(match[2], [state.value for state in OrderState], "a state")
    return steps.ExpectOrder(line, _voucher(match[1]), match[2], _split_seconds(match[0])[1])


def _voucher(word: str) -> str:
    if word == "last" or _PLACEHOLDER.fullmatch(word):
        return word
    if word.isdecimal() and len(word) <= 6:
        return word.zfill(6)
    raise LineError(f"expected a voucher number, `last` or {{name}}, found {word!r}")


def _one_of(word: str, words: Iterable[str], what: str) -> None:
    words = tuple(words)
    if word not in words:
        raise LineError(f"expected {what} ({', '.join(words)}), found {word!r}")


def _remember(line: int, match: re.Match[str]) -> Step:
    if match[3].count("*") != 1:
        raise LineError("expected one * in the pattern, where the value stands")
    source = cast(Literal["screen", "paper"], match[2])
    return steps.Remember(line, match[1], source, " ".join(match[3].split()))


def _host_does(line: int, match: re.Match[str]) -> Step:
    try:
        outcome = named(match[1])
    except ValueError as error:
        raise LineError(str(error)) from None
    kind = "_".join((match[3] or "any").split())
    _one_of(kind, ("any", *sorted(BY_KIND)), "a transaction")
    return steps.HostDoes(line, outcome, kind, int(match[2] or 1))


def _agree(line: int, match: re.Match[str]) -> Step:
    return steps.Agree(line, _split_seconds(match[0])[1])


FORMS: Final[tuple[Form, ...]] = (
    form("set SECTION.KEY = VALUE", r"set (\w+(?:\.\w+)+)\s*=\s*(.+)", _set),
    form("start", r"start", lambda line, _: steps.Start(line)),
    form("press KEY...", r"press (.+)", _press),
    form("swipe CARD", r"swipe (\S+)", _swipe),
    form("expect no screen TEXT [for N s]", r"expect no screen (.+)", _expect_no_screen),
    form("expect screen TEXT [| TEXT...] [within N s]", r"expect screen (.+)", _expect_screen),
    form("expect no paper [for N s]", rf"expect no paper{MAYBE_FOR}", _expect_no_paper),
    form("expect paper TEXT [| TEXT...] [within N s]", r"expect paper (.+)", _expect_paper),
    form("expect host nothing [for N s]", rf"expect host nothing{MAYBE_FOR}", _expect_host_nothing),
    form(
        "expect host MTI [n=value...] [within N s]", r"expect host (\d{4})((?:\s.+)?)", _expect_host
    ),
    form(
        "expect off [within N s]",
        rf"expect off{MAYBE_WITHIN}",
        lambda line, match: steps.ExpectOff(line, _split_seconds(match[0])[1]),
    ),
    form(
        "expect ledger VOUCHER|last STATE [within N s]",
        rf"expect ledger (\S+) (\w+){MAYBE_WITHIN}",
        _expect_ledger,
    ),
    form(
        "expect order NUMBER|last STATE [within N s]",
        rf"expect order (\S+) (\w+){MAYBE_WITHIN}",
        _expect_order,
    ),
    form(
        "remember NAME from screen|paper PATTERN",
        r"remember ([A-Za-z]\w*) from (screen|paper) (.+)",
        _remember,
    ),
    form(
        "host does BEHAVIOUR [to next [N] TRANSACTION]",
        r"host does (\S+)(?: to next(?: (\d+))? ([a-z][a-z_ ]*))?",
        _host_does,
    ),
    form("host up", r"host up", lambda line, _: steps.HostLink(line, up=True)),
    form("host down", r"host down", lambda line, _: steps.HostLink(line, up=False)),
    *DEVICE_FORMS,
    form(
        "power cut [while waiting]",
        r"power cut( while waiting)?",
        lambda line, match: steps.PowerCut(line, while_waiting=match[1] is not None),
    ),
    form("power on", r"power on", lambda line, _: steps.PowerOn(line)),
    form("ledger keep", r"ledger keep", lambda line, _: steps.KeepLedger(line)),
    form("ledger put back", r"ledger put back", lambda line, _: steps.PutBackLedger(line)),
    form("wait N s", rf"wait {SECONDS}", lambda line, match: steps.Wait(line, float(match[1]))),
    form("agree [within N s]", rf"agree{MAYBE_WITHIN}", _agree),
)
"""Every line there is. The first form that matches counts."""
