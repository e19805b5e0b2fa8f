"""The checker about settlement: it agrees with what was done, and names the rule that any damage breaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from posd.acquirer import Fault
from posd.testing.checker import Captured, Report, check_files
from posd.testing.checks.wire import decode
from protocol import Message, encode
from protocol import decode as our_decode
from tests.posd.money.test_kinds import ask
from tests.posd.money.test_settlement import a_day, made, settled
from tests.posd.testing.test_checker import _change as change
from tests.posd.testing.test_checker import captured_counter


class Evening:
    """A day that was settled, and the first sale of the next batch.

    unresolved: the acquirer has a refund that the terminal does not count, and everything is uploaded.
    """

    def __init__(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, *, unresolved: bool
    ) -> None:
        self.captured: list[Captured] = []
        counter = captured_counter(directory, monkeypatch, self.captured)
        counter.sign_in()
        self.day = a_day(counter)
        if unresolved:
            original = made(counter, "sale", 6_000)
            counter.order_at_host("refund", Fault.NO_ANSWER, 3)
            ask(counter, "refund", 1_000, original)
            counter.let_pass(2_000)
        settled(counter)
        counter.approved_sale(7_700)
        counter.close()
        self.terminal, self.acquirer = counter.ledger_path, directory / "acquirer.db"

    def report(self) -> Report:
        return check_files(self.terminal, self.acquirer, self.captured)

    def rules(self) -> set[str]:
        return {violation.rule for violation in self.report().violations}

    def damage(self, *statements: str) -> None:
        change(self.terminal, *statements)

    def frames(self, mti: str) -> list[int]:
        """Where in the capture messages of this kind are."""
        return [
            place for place, one in enumerate(self.captured)
            if one.data and (decode(one.data) or ("",))[0] == mti
        ]  # fmt: skip

    def rewrite(self, place: int, change: Callable[[Message], Message]) -> None:
        one = self.captured[place]
        self.captured[place] = one._replace(data=encode(change(our_decode(one.data))))

    def replace_digits(self, place: int, number: int, at: int, digits: str) -> None:
        """Other digits within one element of a captured message."""

        def change(message: Message) -> Message:
            was = str(message.elements[number])
            return message.with_elements({number: was[:at] + digits + was[at + len(digits) :]})

        self.rewrite(place, change)

    def again(self, place: int, after: int) -> int:
        """The same bytes once more, on a connection of their own, behind another message; where."""
        one = self.captured[place]
        more = [Captured(one.time, "close"), Captured(one.time, "open"), one]
        self.captured[after + 1 : after + 1] = more
        return after + 3


@pytest.fixture
def evening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evening:
    return Evening(tmp_path, monkeypatch, unresolved=False)


@pytest.fixture
def uploaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evening:
    return Evening(tmp_path, monkeypatch, unresolved=True)


def test_a_day_that_was_settled_keeps_every_rule(evening: Evening) -> None:
    assert evening.report().violations == ()


def test_a_day_that_was_uploaded_keeps_every_rule(uploaded: Evening) -> None:
    report = uploaded.report()
    assert report.violations == ()
    assert len(report.unresolved) == 1
    assert len(uploaded.frames("0320")) >= 4, "items, two notices, the end"


def forget_the_end(e: Evening) -> None:
    del e.captured[e.frames("0330")[-1]]


def sell_meanwhile(e: Evening) -> None:
    e.again(e.frames("0200")[0], e.frames("0500")[0])


def change_a_repetition(e: Evening) -> None:
    asked = e.frames("0500")[0]
    e.replace_digits(e.again(asked, asked), 48, 0, "000000000001")


def keep_the_batch_number(e: Evening) -> None:
    e.replace_digits(e.frames("0200")[-1], 60, 2, "000001")


DAMAGES: dict[str, tuple[str, Callable[[Evening], None]]] = {
    "a sale has another amount than it was counted with": (
        "settlement",
        lambda e: e.damage(
            f"UPDATE transactions SET approved_amount = 1 WHERE id = {e.day['sale'].id}"
        ),
    ),
    "a foreign sale is counted as domestic": (
        "settlement",
        lambda e: e.damage(
            f"UPDATE transactions SET answer = x'a0' WHERE id = {e.day['foreign'].id}"
        ),
    ),
    "the acquirer settled another sum": (
        "net",
        lambda e: change(e.acquirer, "UPDATE transactions SET amount = 1 WHERE stan > '000001'"),
    ),
    "the acquirer has not closed it": (
        "settlement",
        lambda e: change(e.acquirer, "UPDATE settlements SET state = 'open'"),
    ),
    "the batch is closed and its settlement is not": (
        "settlement",
        lambda e: e.damage("UPDATE settlements SET state = 'answered'"),
    ),
    "the settlement is closed and its batch is not": (
        "settlement",
        lambda e: e.damage("UPDATE batches SET closed_at = NULL"),
    ),
    "an expiry date is kept": (
        "M10",
        lambda e: e.damage(f"UPDATE transactions SET expiry = x'00' WHERE id = {e.day['sale'].id}"),
    ),
    "its end was never answered": ("settlement", forget_the_end),
    "a sale was sent meanwhile": ("M11", sell_meanwhile),
    "totals were repeated with another sum": ("M13", change_a_repetition),
    "the next sale carries the old batch number": ("settlement", keep_the_batch_number),
    "the host says not balanced, and nothing is uploaded": (
        "settlement",
        lambda e: e.replace_digits(e.frames("0510")[0], 48, 30, "2"),
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_breaks_its_rule(evening: Evening, name: str) -> None:
    rule, damage = DAMAGES[name]
    damage(evening)
    assert rule in evening.rules()


def sign_in_again(e: Evening, batch: str, *, stored: bool) -> None:
    """After the end the host says another number; the process ends over it, or its sale follows."""
    place = e.frames("0200")[-1]
    moment = e.captured[place].time
    lines = [e.captured[e.frames(mti)[0]] for mti in ("0800", "0810")]
    opened = [Captured(moment, "open"), *(one._replace(time=moment) for one in lines)]
    before = max(at for at in range(place) if e.captured[at].word == "open")
    e.captured[before:before] = [*opened, Captured(moment, "close" if stored else "start")]
    e.replace_digits(e.frames("0810")[-1], 60, 2, batch)


def test_the_number_of_a_sign_in_after_the_end_must_be_taken(evening: Evening) -> None:
    sign_in_again(evening, "000777", stored=True)
    assert "batch 000002 after 000001" in str(evening.report())


def test_unless_the_process_ended_over_its_answer(evening: Evening) -> None:
    sign_in_again(evening, "000777", stored=False)
    assert "batch 000002 after 000001" not in str(evening.report())


UPLOAD_DAMAGES: dict[str, Callable[[Evening], None]] = {
    "an item has another amount": lambda e: e.replace_digits(
        e.frames("0320")[0], 48, 30, "000000000001"
    ),
    "a message is missing": lambda e: e.captured.__delitem__(e.frames("0320")[0]),
    "a notice has another amount": lambda e: e.replace_digits(
        e.frames("0320")[1], 4, 0, "000000000001"
    ),
    "the end says that all is balanced": lambda e: e.replace_digits(
        e.frames("0320")[-1], 60, 8, "207"
    ),
}


@pytest.mark.parametrize("name", UPLOAD_DAMAGES)
def test_damage_to_an_upload_is_found(uploaded: Evening, name: str) -> None:
    UPLOAD_DAMAGES[name](uploaded)
    assert "settlement" in uploaded.rules()


def test_a_settled_batch_that_was_not_told_is_found(evening: Evening) -> None:
    evening.damage("DELETE FROM outbox WHERE name = 'batch.settled'")
    assert evening.rules() == {"outbox"}
