"""What is remembered of troubles: the newest ones, how often, whether they last. With the real core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.core.core import Core
from posd.core.events import DeviceChanged, Event, HostFailed, PrinterChanged, SignInEnded
from posd.diagnostics.observations import Observations, Seen, connection_code, sign_in_code
from posd.testing.in_process import InProcessStage
from posd.texts.errors import ErrorCode


class Watched:
    def __init__(self, directory: Path) -> None:
        self.stage = InProcessStage(directory)
        self.stage.power_on()
        assert self.stage.terminal is not None
        self.core: Core = self.stage.terminal.core
        self.observations = Observations(self.stage.world)
        self.observations.device_reason = lambda role: f"{role} unplugged"
        self.observations.look_at(self.core)

    def troubles(self) -> list[tuple[str, int, bool]]:
        return [(seen.code, seen.count, seen.over) for seen in self.observations.troubles]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    opened = Watched(tmp_path)
    yield opened
    opened.stage.close()


def test_a_device_that_goes_and_comes_is_one_trouble_that_is_over(watched: Watched) -> None:
    watched.core.handle(DeviceChanged("printer", present=False))
    assert watched.troubles() == [("E103", 1, False)]
    assert watched.observations.troubles[0].detail == "printer unplugged"
    watched.core.handle(DeviceChanged("printer", present=True))
    assert watched.troubles() == [("E103", 1, True)]
    watched.core.handle(DeviceChanged("printer", present=False))
    assert watched.troubles() == [("E103", 1, False)]


def test_the_same_trouble_again_is_counted(watched: Watched) -> None:
    for _ in range(3):
        watched.core.handle(DeviceChanged("display", present=False))
    assert watched.troubles() == [("E102", 3, False)]


def test_paper_and_cover_are_troubles_of_their_own(watched: Watched) -> None:
    watched.core.handle(PrinterChanged("paper_out"))
    watched.core.handle(PrinterChanged("cover_open"))
    assert sorted(watched.troubles()) == [("E105", 1, True), ("E106", 1, False)]
    watched.core.handle(PrinterChanged(""))
    assert sorted(watched.troubles()) == [("E105", 1, True), ("E106", 1, True)]


def test_only_so_many_are_kept(watched: Watched) -> None:
    names = iter(f"reason {number}" for number in range(100))
    watched.observations.device_reason = lambda _role: next(names)
    for _ in range(100):
        watched.core.handle(DeviceChanged("keypad", present=False))
    found = watched.observations.troubles
    assert len(found) == 20
    assert isinstance(found[0], Seen)
    assert {seen.detail for seen in found} == {f"reason {number}" for number in range(80, 100)}


def test_who_looks_on_never_disturbs_the_core(watched: Watched) -> None:
    def fail(_event: Event) -> None:
        raise RuntimeError("on purpose")

    watched.observations.on_event = fail
    watched.core.handle(PrinterChanged("paper_out"))
    assert watched.core.halted is None
    assert watched.core.faults == 0
    assert watched.core.dialogue.printer_trouble == "paper_out"


def test_every_event_is_seen_when_all_of_it_has_been_done(watched: Watched) -> None:
    seen: list[tuple[Event, str]] = []
    watched.observations.on_event = lambda event: seen.append(
        (event, watched.core.dialogue.printer_trouble)
    )
    event = PrinterChanged("paper_out")
    watched.core.handle(event)
    assert (event, "paper_out") in seen


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("connection refused", ErrorCode.NO_CONNECTION),
        ("no connection within 10 s", ErrorCode.NO_CONNECTION),
        ("certificate refused: certificate has expired", ErrorCode.CERTIFICATE),
        ("the host's certificate is not the pinned one", ErrorCode.CERTIFICATE),
        ("TLS: WRONG_VERSION_NUMBER", ErrorCode.CERTIFICATE),
    ],
)
def test_why_no_connection_could_be_made_has_a_code(reason: str, code: ErrorCode) -> None:
    assert connection_code(HostFailed(1, reason).reason) is code


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (SignInEnded(signed_in=True), None),
        (SignInEnded(signed_in=False, reason="signed_off"), None),
        (SignInEnded(signed_in=False, reason="refused", code="97"), ErrorCode.SIGN_IN_REFUSED),
        (SignInEnded(signed_in=False, reason="bad_keys"), ErrorCode.WRONG_KEYS),
        (SignInEnded(signed_in=False, reason="not_connected"), ErrorCode.NO_CONNECTION),
        (SignInEnded(signed_in=False, reason="no_answer"), ErrorCode.NO_ANSWER),
        (SignInEnded(signed_in=False, reason="unusable"), ErrorCode.UNUSABLE_ANSWER),
    ],
)
def test_how_a_sign_in_failed_has_a_code(event: SignInEnded, code: ErrorCode | None) -> None:
    assert sign_in_code(event) is code
