"""Recordings of lines: what `posd record` keeps and what it must not, and each played to the daemon.

A file in tests/recordings is a regression test. Its header says, beside role, device and settings, what
is expected in words, and in lines of a clerk script (with `;` between them): `configuration`, `before`
the device is plugged in, `meanwhile`, and `after` it has said everything.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import posd
from devices.magnetic_stripe import MagneticStripeParser, Swipe
from devices.recording import Recording, read_recording
from devices.simulated.card_reader import SimulatedCardReader
from devices.simulated.replay import ReplayedDevice
from devices.track import is_luhn_valid
from posd.acquirer.cards import BY_NAME, CARDS
from posd.recording_tool import LineRecorder, invent_cards
from posd.settings import KeypadSettings
from posd.testing.installation import Installation
from posd.testing.player import Player
from posd.testing.real import RealStage
from posd.testing.script import parse, parse_line

ROOT = Path(posd.__file__).parents[1]
FILES = sorted((ROOT / "tests" / "recordings").glob("*.recording"))
PATIENCE_SECONDS = 15.0  # an answer of a printer waits for its question
SETTINGS = KeypadSettings(port="/dev/posd/keypad")


# --- every file of tests/recordings ---------------------------------------------------------------


def lines(recording: Recording, name: str) -> Iterator[str]:
    for line in recording.notes.get(name, "").split(";"):
        if line.strip():
            yield line.strip()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recording_played_to_the_daemon_has_the_outcome_in_its_header(
    file: Path, tmp_path: Path
) -> None:
    recording = read_recording(file.read_text("utf-8"))
    assert recording.notes["device"]
    assert recording.notes["expected"]
    with closing(RealStage(tmp_path)) as stage:
        player = Player(parse("start\n", str(file)), stage)

        def play(name: str) -> None:
            for line in lines(recording, name):
                player.play_step(parse_line(line))

        play("configuration")
        twin = stage._loop.call(lambda: _replace(stage, recording))
        answers = any(piece.direction == "out" for piece in recording.pieces)
        if answers:
            playing = stage._loop.begin(twin.play())  # each answer waits for its question
        player.play_step(parse_line("start"))
        play("before")
        play("meanwhile")
        if not answers:
            playing = stage._loop.begin(twin.play())
        playing.result(4 * PATIENCE_SECONDS)
        play("after")
        stage._loop.call(twin.close)


def _replace(stage: RealStage, recording: Recording) -> ReplayedDevice:
    simulated = stage._counter.by_role[recording.role]
    simulated.unplug()
    return ReplayedDevice(simulated.path, recording, patience=PATIENCE_SECONDS)


def test_there_are_recordings_of_keypad_reader_and_printer() -> None:
    roles = {read_recording(file.read_text("utf-8")).role for file in FILES}
    assert {"keypad", "card_reader", "printer"} <= roles


def test_no_recording_holds_a_number_that_is_not_invented() -> None:
    known = {card.pan.reveal() for card in CARDS}
    for file in FILES:
        recording = read_recording(file.read_text("utf-8"))
        heard = b"".join(piece.data for piece in recording.pieces if piece.direction == "in")
        for found in re.findall(rb"([0-9]{8,19})=", heard):
            number = found.decode()
            invented = number.startswith("6225000") or set(number) == {"0"}
            assert number in known or invented, file


# --- the command ----------------------------------------------------------------------------------


def test_a_recorded_keypad_keeps_no_digit_of_a_pin_or_a_password(tmp_path: Path) -> None:
    out = tmp_path / "keypad.recording"
    with closing(RealStage(tmp_path, command=("record", "keypad", "--out", str(out)))) as stage:
        player = Player(parse("start\n", "here"), stage)
        for line in (
            "start",
            "expect screen 未签到",
            "press 确认",
            "expect screen 签到成功",
            "press 8765 确认",
            "expect screen 请刷卡",
            "swipe good",
            "expect screen 请持卡人输密码",
            "press 997799 确认",
            "expect screen 交易失败",
            "press 取消",
            "press 确认 1",
            "expect screen 主管密码",
            "press 886688 确认",
            "expect screen 密码错",
        ):
            player.play_step(parse_line(line))
    recording = read_recording(out.read_text("utf-8"))
    pressed = b"".join(piece.data for piece in recording.pieces)
    assert pressed.startswith(b"\r8765\r000000\r")
    assert pressed.endswith(b"000000\r")
    assert b"99" not in pressed
    assert b"88" not in pressed
    assert out.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("role", ["keypad", "card_reader"])
def test_what_carries_secrets_is_not_recorded_with_live_keys(tmp_path: Path, role: str) -> None:
    answer = recorded(tmp_path, role, ("terminal", "test_host"), False)
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert f"devices.{role}: expected terminal.test_host for a recording of it" in line
    assert not (tmp_path / "out").exists()


def test_a_recording_is_never_written_over_another_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("precious")
    answer = recorded(tmp_path, "printer", ("terminal", "test_host"), True)
    assert answer.returncode == 2
    assert "expected a file that can be made" in answer.stderr
    assert (tmp_path / "out").read_text() == "precious"


def test_an_input_device_has_no_line_to_record(tmp_path: Path) -> None:
    answer = recorded(tmp_path, "keypad", ("devices", "keypad", "port"), "evdev:/dev/input/event0")
    assert answer.returncode == 2
    assert "expected a serial line to record" in answer.stderr


def test_who_records_is_told_where_and_how_much_and_that_the_device_is_not_there(
    tmp_path: Path,
) -> None:
    installation = Installation(tmp_path)
    for role in ("keypad", "display", "printer", "card_reader"):
        installation.configure(("devices", role, "required"), False)
    out = tmp_path / "out"
    recording = subprocess.Popen(
        [
            *(sys.executable, "-m", "posd", "record", "printer", "--out", str(out)),
            *("--config", str(installation.configuration_file)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert recording.stdout is not None
        assert any("device_absent" in line for line in recording.stdout)  # ends with its output
    finally:
        recording.send_signal(signal.SIGINT)
        _, said = recording.communicate(timeout=60)
    absent, begin, end = said.splitlines()
    assert recording.returncode == 0
    assert absent.startswith("posd record: devices.printer.port: expected a serial device, found ")
    assert absent.endswith("and records it from the moment at which it is there")
    assert begin == f"posd record: recording printer: Ctrl-C ends the terminal and writes {out}"
    assert end == (
        f"posd record: wrote {out}: 0 pieces; nothing went through the line: was the device there?"
    )
    assert read_recording(out.read_text("utf-8")).pieces == ()


def test_a_terminal_that_cannot_start_leaves_no_file(tmp_path: Path) -> None:
    answer = recorded(tmp_path, "printer", ("terminal", "test_host"), True)
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert ": devices.keypad.port: expected a serial device, found " in line
    assert not (tmp_path / "out").exists()


def recorded(
    directory: Path, role: str, path: tuple[str, ...], value: bool | str
) -> subprocess.CompletedProcess[str]:
    installation = Installation(directory)
    installation.configure(path, value)
    file = str(installation.configuration_file)
    return subprocess.run(
        [
            *(sys.executable, "-m", "posd", "record", role),
            *("--config", file, "--out", str(directory / "out")),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


# --- what it keeps --------------------------------------------------------------------------------


def pressed(*moments: tuple[float, str] | bool) -> str:
    """Keys at moments, True and False for a prompt that opens and closes; what is kept of them."""
    recorder = LineRecorder("keypad")
    for moment in moments:
        if isinstance(moment, bool):
            recorder.secret(moment)
        else:
            recorder.passed(moment[0], "in", moment[1].encode("ascii"))
    return b"".join(piece.data for piece in recorder.recording(SETTINGS).pieces).decode("ascii")


def test_an_amount_stays_and_a_pin_does_not() -> None:
    assert pressed((0, "1234\r"), True, (9, "5678\r"), False, (20, "99")) == "1234\r0000\r99"


def test_digits_that_are_early_or_late_belong_to_the_pin() -> None:
    assert pressed((0, "12\r"), (1, "56"), True, (2, "78\r"), False, (3, "9")) == "12\r0000\r0"


def test_digits_of_long_ago_are_not_early() -> None:
    assert pressed((0, "12"), (9, ""), True) == "12"


@given(st.binary(max_size=400))
def test_whatever_a_reader_sends_as_many_bytes_are_kept(heard: bytes) -> None:
    assert len(invent_cards(heard)) == len(heard)


numbers = st.text("0123456789", min_size=8, max_size=19).filter(is_luhn_valid)


def swiped(heard: bytes, *, with_lrc: bool = False, framing: str = "sentinels") -> Swipe:
    parser = MagneticStripeParser(framing, with_lrc=with_lrc)  # type: ignore[arg-type]
    (swipe,) = parser.feed(heard)
    assert isinstance(swipe, Swipe)
    return swipe


@given(
    numbers, st.text("0123456789", max_size=8), st.booleans(), st.sampled_from(["sentinels", "stx"])
)
def test_a_card_of_somebody_becomes_an_invented_one_that_is_read_as_well(
    number: str, discretionary: str, with_lrc: bool, framing: str
) -> None:
    track2 = f"{number}=3010201{discretionary}"
    reader = SimulatedCardReader.__new__(SimulatedCardReader)
    reader._framing, reader._with_lrc = framing, with_lrc  # type: ignore[assignment]
    heard = reader._frame(None, track2, None)
    told = invent_cards(heard)
    swipe = swiped(told, with_lrc=with_lrc, framing=framing)
    content = swipe.track2.reveal()
    assert content.startswith("622500"[: len(number) - 1])
    assert content.index("=") == len(number)
    assert content.endswith("=3010201" + "0" * len(discretionary))
    assert is_luhn_valid(content[: len(number)])


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_test_card_stays_as_it_is(card: object) -> None:
    heard = f";{BY_NAME[card.name].track2.reveal()}?\r\n".encode()  # type: ignore[attr-defined]
    assert invent_cards(heard) == heard


def test_the_rest_of_a_track_is_not_believed_because_its_number_is_known() -> None:
    number = CARDS[0].pan.reveal()
    told = invent_cards(f";{number}=49121010000987654321?\r\n".encode())
    assert b"987654321" not in told


@pytest.mark.parametrize(
    "heard",
    [
        b";6228480012345678",  # cut short
        b"6228480012345678=3010?\r\n",  # its beginning is missing
        b"%B6228480012345678905^WANG/XIAOMING^30102011234?\r\n",
        b"+996228480012345678905=156156000000?",
        b"\xff6228480012345678\xff\r\n",
        b";62284800123456789051234567890123456789012345678901234567890=3010?\r\n",
    ],
)
def test_nothing_of_a_broken_or_another_track_stays(heard: bytes) -> None:
    told = invent_cards(heard)
    assert b"12345678" not in told
    assert b"WANG" not in told
    assert b"XIAO" not in told


def test_a_swipe_in_many_pieces_is_one_swipe() -> None:
    recorder = LineRecorder("card_reader")
    for index, byte in enumerate(b";6228480012345678=30102010000?\r\n"):
        recorder.passed(index / 1000, "in", bytes((byte,)))
    pieces = recorder.recording(SETTINGS).pieces
    assert all(len(piece.data) == 1 for piece in pieces)
    assert b"12345678" not in b"".join(piece.data for piece in pieces)
