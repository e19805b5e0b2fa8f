"""Plays a script on a stage, step by step, and says what was there when an expectation fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from posd.core.events import Key
from posd.testing import compare, steps
from posd.testing.boxes import boxed, torn
from posd.testing.compare import Comparison
from posd.testing.script import Script, ScriptError, fill_in
from posd.testing.stage import Received, Screen, SettingError, Slip, Stage, StageError
from posd.testing.steps import Step

PATIENCE: Final = 10.0  # s that an expectation may take to come true unless its line says otherwise
REST: Final = 30.0  # s that both ledgers may take to agree: reversals have back-offs


class ExpectationError(Exception):
    """A script that did not go as it says. Its text begins with file and line."""


class UnmetError(Exception):
    """What was expected and what was there instead; `Player.play` adds where."""


class Player:
    """Plays one script once. `announce` is told of each line before it is played."""

    def __init__(
        self, script: Script, stage: Stage, announce: Callable[[str], None] | None = None
    ) -> None:
        self._script = script
        self._stage = stage
        self._witness = stage.witness
        self._announce = announce
        self._values: dict[str, str] = {}
        # How far the expectations have come: what is before is taken and not looked at again.
        self._first_screen = 0
        self._first_slip = 0
        self._first_received = 0

    def play(self) -> Comparison:
        """Play every step, then compare both ledgers.

        Raises ExpectationError, and ScriptError at a setting that there is not.
        """
        last = steps.Agree(len(self._script.lines))
        for step in (*self._script.steps, last):
            if self._announce is not None and step is not last:
                self._announce(self._script.lines[step.line - 1].strip())
            try:
                self.play_step(step)
            except SettingError as problem:
                raise ScriptError(self._script.file, step.line, str(problem)) from None
            except (UnmetError, StageError) as problem:
                raise ExpectationError(f"{self._script.file}:{step.line}: {problem}") from None
        return self.comparison()

    def play_step(self, step: Step) -> None:
        """Play one step, for a person who types them. Raises UnmetError and StageError."""
        stage = self._stage
        match step:
            case steps.Set(path=path, value=value):
                stage.configure(path, value)
            case steps.Start() | steps.PowerOn():
                self._act(stage.power_on)
            case steps.PowerCut(while_waiting=while_waiting):
                self._cut_power(while_waiting=while_waiting)
            case steps.Press(keys=keys):
                for key in self._keys(keys):
                    self._act(lambda key=key: stage.press(key))  # type: ignore[misc]
            case steps.Swipe(card=card, fault=fault):
                self._act(lambda: stage.swipe(card, fault))
            case steps.HostDoes(outcome=outcome, kind=kind, times=times):
                stage.order(outcome, kind, times)
            case steps.HostLink(up=up):
                stage.link(up=up)
            case steps.PaperOut(lines=lines):
                stage.paper_out(lines)
            case steps.LoadPaper():
                self._act(stage.load_paper)
            case steps.Plug(role=role, plugged=plugged):
                self._act(lambda: stage.plug(role, plugged=plugged))
            case steps.Disturb(role=role, how=how, amount=amount):
                self._act(lambda: stage.disturb(role, how, amount))
            case steps.PrinterPart(part=part, wrong=wrong):
                self._act(lambda: stage.printer_part(part, wrong=wrong))
            case steps.KeepLedger():
                stage.keep_ledger()
            case steps.PutBackLedger():
                stage.put_back_ledger()
            case steps.Wait(seconds=seconds):
                stage.let_pass(seconds, lambda: False)
            case _:
                self._expect(step)

    def _expect(self, step: Step) -> None:
        match step:
            case steps.ExpectScreen():
                self._expect_screen(step)
            case steps.ExpectNoScreen():
                self._expect_no_screen(step)
            case steps.ExpectPaper():
                self._expect_paper(step)
            case steps.ExpectNoPaper():
                self._expect_no_paper(step)
            case steps.ExpectHost():
                self._expect_host(step)
            case steps.ExpectHostNothing():
                self._expect_host_nothing(step)
            case steps.ExpectOff(seconds=seconds):
                if not self._come_true(lambda: not self._stage.powered, seconds):
                    self._complain("expected a terminal that is off", self._screen_in_words())
            case steps.ExpectLedger(voucher=name, state=state, seconds=seconds):
                self._expect_state("transaction", compare.transaction_state, name, state, seconds)
            case steps.ExpectOrder(number=name, state=state, seconds=seconds):
                self._expect_state("order", compare.order_state, name, state, seconds)
            case steps.Remember():
                self._remember(step)
            case steps.Agree(seconds=seconds):
                self._agree(seconds)
            case _:
                raise AssertionError(f"a step that nobody plays: {type(step).__name__}")

    # --- what a clerk and the world do ------------------------------------------------------------

    def _act(self, act: Callable[[], None]) -> None:
        """Do something; what the screen shows from now on is what is expected next."""
        self._first_screen = len(self._witness.screens)
        act()

    def _keys(self, words: Iterable[str]) -> list[Key]:
        keys: list[Key] = []
        for word in words:
            text = self._filled(word)
            keys += [Key(text)] if text in list(Key) else [Key(digit) for digit in text]
        return keys

    def _cut_power(self, *, while_waiting: bool) -> None:
        stage = self._stage
        if while_waiting and not self._come_true(stage.waiting_for_answer, None):
            raise UnmetError(
                "expected a request that the host has not answered\n"
                f"{self._screen_in_words()}\n(order it: host does no-answer to next sale)"
            )
        self._act(stage.power_cut)

    # --- the screen -------------------------------------------------------------------------------

    def _expect_screen(self, step: steps.ExpectScreen) -> None:
        texts = [self._filled(text) for text in step.texts]
        screens = self._witness.screens

        def found() -> int | None:
            # The present screen counts even if it stood there before the last key.
            first = min(self._first_screen, len(screens) - 1)
            for index in range(first, len(screens)):
                if _stand_in(texts, screens[index]):
                    return index
            return None

        if not self._come_true(lambda: found() is not None, step.seconds):
            self._complain(f"expected on the screen: {' | '.join(texts)}", self._screen_in_words())
        index = found()
        assert index is not None
        self._first_screen = index

    def _expect_no_screen(self, step: steps.ExpectNoScreen) -> None:
        text = self._filled(step.text)
        if self._stage.let_pass(step.seconds, lambda: _stand_in([text], self._witness.screen)):
            self._complain(f"expected not on the screen: {text}", self._screen_in_words())

    def _screen_in_words(self) -> str:
        if not self._stage.powered:
            return "the terminal has no power; its last screen:\n" + _box(self._witness.screen)
        return "the screen:\n" + _box(self._witness.screen)

    # --- the paper --------------------------------------------------------------------------------

    def _untaken(self) -> Sequence[Slip]:
        return self._witness.slips[self._first_slip :]

    def _expect_paper(self, step: steps.ExpectPaper) -> None:
        texts = [self._filled(text) for text in step.texts]

        def found() -> int | None:
            slips = self._witness.slips
            for index in range(self._first_slip, len(slips)):
                if slips[index].ended and _stand_in(texts, slips[index].rows):
                    return index
            return None

        if not self._come_true(lambda: found() is not None, step.seconds):
            self._complain(f"expected on paper: {' | '.join(texts)}", self._paper_in_words())
        index = found()
        assert index is not None
        self._first_slip = index + 1

    def _expect_no_paper(self, step: steps.ExpectNoPaper) -> None:
        if self._stage.let_pass(step.seconds, lambda: bool(self._untaken())):
            self._complain("expected no paper", self._paper_in_words())

    def _paper_in_words(self) -> str:
        slips = self._untaken()
        if not slips:
            return f"no paper came out\n{self._screen_in_words()}"
        return "the paper:\n" + "\n".join(torn(slip.rows) for slip in slips)

    def _newest_slip(self) -> str:
        slips = self._witness.slips
        return f"the newest slip:\n{torn(slips[-1].rows)}" if slips else "no paper came out"

    # --- the host ---------------------------------------------------------------------------------

    def _expect_host(self, step: steps.ExpectHost) -> None:
        wanted = {number: self._filled(value) for number, value in step.elements.items()}

        def found() -> int | None:
            received = self._witness.received
            for index in range(self._first_received, len(received)):
                if _is_wanted(received[index], step.mti, wanted):
                    return index
            return None

        if not self._come_true(lambda: found() is not None, step.seconds):
            elements = " ".join(f"{number}={value}" for number, value in wanted.items())
            self._complain(
                f"expected at the host: {step.mti} {elements}".rstrip(),
                f"{self._received_in_words()}\n{self._screen_in_words()}",
            )
        index = found()
        assert index is not None
        self._first_received = index + 1

    def _expect_host_nothing(self, step: steps.ExpectHostNothing) -> None:
        if self._stage.let_pass(
            step.seconds, lambda: len(self._witness.received) > self._first_received
        ):
            self._complain("expected nothing at the host", self._received_in_words())

    def _received_in_words(self) -> str:
        received = self._witness.received[self._first_received :]
        if not received:
            return "the host received nothing"
        return "the host received:\n" + "\n".join(f"  {_in_words(message)}" for message in received)

    # --- both ledgers -----------------------------------------------------------------------------

    def _expect_state(
        self,
        what: str,
        state_of: Callable[..., str | None],
        name: str,
        state: str,
        seconds: float | None,
    ) -> None:
        name = self._filled(name)
        name = name if name == "last" else name.zfill(6)

        def found() -> str | None:
            return state_of(self._stage.copy_ledgers()[0], name)

        if not self._come_true(lambda: found() == state, seconds):
            self._complain(
                f"expected in the ledger: {what} {name} {state}, found {found() or 'none'}",
                self._screen_in_words(),
            )

    def _agree(self, seconds: float | None) -> None:
        if not self._come_true(lambda: self.comparison().agree, seconds, REST):
            self._complain("expected ledgers that agree", str(self.comparison()))

    def comparison(self) -> Comparison:
        """Both ledgers as they are now."""
        return compare.compare(*self._stage.copy_ledgers())

    # --- what is remembered -----------------------------------------------------------------------

    def _remember(self, step: steps.Remember) -> None:
        pattern = self._filled(step.pattern)
        expression = _expression(pattern)

        def found() -> str | None:
            if step.source == "screen":
                rows: Sequence[str] = self._witness.screen
            else:
                slips = [slip for slip in self._witness.slips if slip.ended]
                rows = slips[-1].rows if slips else ()
            for row in rows:
                if match := expression.search(_one_blank(row)):
                    return match[1]
            return None

        if not self._come_true(lambda: found() is not None, None):
            self._complain(
                f"expected {pattern} on the {step.source}",
                self._screen_in_words() if step.source == "screen" else self._newest_slip(),
            )
        self._values[step.name] = found() or ""

    def _filled(self, text: str) -> str:
        """Remembered values put in. {voucher} is the newest one in the terminal's ledger."""
        if "{voucher}" in text and "voucher" not in self._values:
            voucher = compare.last_voucher(self._stage.copy_ledgers()[0])
            if voucher is None:
                raise UnmetError("expected a transaction in the ledger, for {voucher}; found none")
            text = text.replace("{voucher}", voucher)
        return fill_in(text, self._values)

    # --- in common --------------------------------------------------------------------------------

    def _come_true(
        self, condition: Callable[[], bool], seconds: float | None, default: float = PATIENCE
    ) -> bool:
        longest = default if seconds is None else seconds
        return self._stage.let_pass(self._stage.patience * longest, condition)

    def _complain(self, expected: str, found: str) -> None:
        raise UnmetError(f"{expected}\n{found}")


def _stand_in(texts: Iterable[str], rows: Iterable[str]) -> bool:
    """Whether each text stands in one of the rows; blanks count as one."""
    plain = [_one_blank(row) for row in rows]
    return all(any(text in row for row in plain) for text in texts)


def _one_blank(row: str) -> str:
    return " ".join(row.split())


def _expression(pattern: str) -> re.Pattern[str]:
    """`*` stands for digits and letters; between a label and it may be a colon and blanks."""
    before, after = pattern.split("*")
    head = r"\s*".join(map(re.escape, before.split()))
    tail = r"\s*".join(map(re.escape, after.split()))
    return re.compile(rf"{head}[\s:\uff1a]*([0-9A-Za-z]+)\s*{tail}")


def _is_wanted(message: Received, mti: str, wanted: dict[int, str]) -> bool:
    def fits(number: int, value: str) -> bool:
        found = message.elements.get(number)
        if value in ("present", "absent"):
            return (found is not None) is (value == "present")
        return found is not None and found.strip() == value

    return message.mti == mti and all(fits(number, value) for number, value in wanted.items())


def _in_words(message: Received) -> str:
    elements = " ".join(f"{number}={value.strip()}" for number, value in message.elements.items())
    return f"{message.mti} {elements}"


def _box(screen: Screen) -> str:
    return boxed(screen)
