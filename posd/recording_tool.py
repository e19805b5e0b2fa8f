"""`posd record ROLE --config FILE --out FILE`: a real line, byte by byte with times, to be replayed.

The terminal runs as with `posd run`; when it is told to end, what the line of one device carried is
written as `devices.recording` has it. Keypad and reader are recorded on test systems only, and even
there no PIN, no password and no card number of a person leaves this process.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from devices.keys import DEFAULT_KEY_BYTES
from devices.recording import Piece, Recording
from devices.track import MAXIMUM_LENGTHS, Number, is_luhn_valid, lrc

if TYPE_CHECKING:
    from devices.recorder import Direction
    from posd.settings import Configuration, SerialSettings

ROLES: Final = ("keypad", "display", "printer", "card_reader")
SECRET_ROLES: Final = frozenset({"keypad", "card_reader"})
SIZE_LIMIT: Final = 1024 * 1024  # bytes: a file of 4 MiB; what comes later is left out

# A digit that is typed before its prompt opens, or just after it closed, belongs to the secret.
_MARGIN_SECONDS: Final = 5.0
_REPLACEMENT: Final = ord("0")
_DIGITS: Final = frozenset(byte for byte, key in DEFAULT_KEY_BYTES.items() if key.digit is not None)
_INVENTED_ISSUER: Final = "622500"
_EXPIRY_AND_SERVICE: Final = 7  # YYMM and the service code: no secret, and the dialogue needs them
# Between its sentinels, or from a sentinel to whatever ended a swipe that was cut short.
_TRACK: Final = re.compile(rb"(?P<start>[%;+])(?P<content>[^?%;+\r\n\x03]*)(?P<end>\?)?")
_NUMBERS: Final[dict[bytes, Number]] = {b"%": 1, b";": 2, b"+": 3}
_CARD: Final = re.compile(r"(?P<pan>[0-9]{8,19})(?P<rest>.*)", re.DOTALL)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `posd record`."""
    parser.description = __doc__
    parser.add_argument("role", choices=ROLES, metavar="ROLE", help=", ".join(ROLES))
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="posd.toml")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file")


def record(options: argparse.Namespace) -> int:
    """Run the terminal and write the recording when it has ended; its exit code.

    Raises ConfigurationError, and StartError for what cannot or may not be recorded.
    """
    from posd import daemon
    from posd.config import load
    from posd.preflight import StartError, check_ports

    configuration = load(options.config)
    settings = _line_to_record(configuration, options.role)
    try:
        # Before anything runs, and never over a file that is there; for its owner alone.
        out = os.open(options.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise StartError(
            "--out", f"expected a file that can be made, found {options.out}: {error.strerror}"
        ) from None
    with os.fdopen(out, "w", encoding="utf-8") as file:
        listener = LineRecorder(options.role)
        started = True
        try:
            for note in check_ports(configuration):
                if note.startswith(f"devices.{options.role}."):
                    _say(f"{note}, and records it from the moment at which it is there")
            _say(f"recording {options.role}: Ctrl-C ends the terminal and writes {options.out}")
            return daemon.run(configuration, listener)
        except StartError:
            started = bool(listener.recording(settings).pieces)
            if not started:  # the next try may make it
                options.out.unlink(missing_ok=True)
            raise
        finally:
            if started:
                _write(file, listener.recording(settings), options.out)


def _write(file: TextIO, recording: Recording, path: Path) -> None:
    file.write(recording.to_text())
    file.flush()  # a full disk is told before it is called written
    count = len(recording.pieces)
    hint = "" if count else "; nothing went through the line: was the device there?"
    _say(f"wrote {path}: {count} piece{'' if count == 1 else 's'}{hint}")


def _say(line: str) -> None:
    """Standard output is the daemon's log."""
    sys.stderr.write(f"posd record: {line}\n")
    sys.stderr.flush()


def _line_to_record(configuration: Configuration, role: str) -> SerialSettings:
    from posd.preflight import StartError

    settings: SerialSettings | None = getattr(configuration.devices, role)
    key = f"devices.{role}"
    if settings is None:
        raise StartError(key, "expected a configured device to record, found none")
    if role in SECRET_ROLES and not configuration.terminal.test_host:
        raise StartError(
            key, "expected terminal.test_host for a recording of it, found live keys: never there"
        )
    if settings.port.startswith("evdev:"):
        raise StartError(f"{key}.port", "expected a serial line to record, found an input device")
    return settings


class LineRecorder:
    """Keeps what a line carries, without secrets, from the moment at which they are known as such."""

    def __init__(self, role: str) -> None:
        self.role = role
        self._pieces: list[tuple[float, Direction, bytearray]] = []
        self._size = 0
        self._secret = False
        self._closed_at = float("-inf")
        self._now = 0.0

    def passed(self, at: float, direction: Direction, data: bytes) -> None:
        """Keep these bytes, unless there are too many already."""
        self._now = at
        if self._size + len(data) > SIZE_LIMIT:
            return
        self._size += len(data)
        kept = bytearray(data)
        if self.role == "keypad" and direction == "in" and self._is_secret(at):
            self._replace_keys(kept)
        self._pieces.append((at, direction, kept))

    def secret(self, is_open: bool) -> None:
        """A prompt for a PIN or a password was opened, or closed."""
        if self._secret and not is_open:
            self._closed_at = self._now
        self._secret = is_open
        if is_open and self.role == "keypad":
            self._replace_typed_ahead()

    def recording(self, settings: SerialSettings) -> Recording:
        """What was kept; the notes that a person writes are there, and empty."""
        words = f"speed={settings.speed} parity={settings.parity} flow={settings.flow_control}"
        pieces = self._without_cards() if self.role == "card_reader" else self._pieces
        begin = pieces[0][0] if pieces else 0.0
        return Recording(
            self.role,
            tuple(
                Piece(round(at - begin, 6), "in" if direction == "in" else "out", bytes(data))
                for at, direction, data in pieces
            ),
            {"device": "", "settings": words, "expected": ""},
        )

    # -- keys -----------------------------------------------------------------------------------

    def _is_secret(self, at: float) -> bool:
        return self._secret or at - self._closed_at < _MARGIN_SECONDS

    def _replace_typed_ahead(self) -> None:
        """Digits behind the last other key: typed before their prompt could be seen."""
        for at, direction, data in reversed(self._pieces):
            if direction != "in":
                continue
            if self._now - at > _MARGIN_SECONDS:
                return
            for index in reversed(range(len(data))):
                if data[index] in DEFAULT_KEY_BYTES and data[index] not in _DIGITS:
                    return
                if data[index] in _DIGITS:
                    data[index] = _REPLACEMENT

    @staticmethod
    def _replace_keys(data: bytearray) -> None:
        for index, byte in enumerate(data):
            if byte in _DIGITS:
                data[index] = _REPLACEMENT

    # -- cards ----------------------------------------------------------------------------------

    def _without_cards(self) -> list[tuple[float, Direction, bytearray]]:
        """A swipe may come in any pieces: invented over all of them, and cut again where they were."""
        heard = b"".join(data for _, direction, data in self._pieces if direction == "in")
        told = invent_cards(heard)
        pieces: list[tuple[float, Direction, bytearray]] = []
        for at, direction, data in self._pieces:
            if direction == "in":
                data, told = bytearray(told[: len(data)]), told[len(data) :]
            pieces.append((at, direction, data))
        return pieces


def invent_cards(heard: bytes) -> bytes:
    """The same bytes with an invented card in every swipe that is not of a test card.

    As many bytes as before; numbers keep their length and are valid or not as before; LRC and the check
    byte of a framing are made anew. Outside of sentinels no digit and no letter stays.
    """
    told = bytearray()
    place = 0
    while match := _TRACK.search(heard, place):
        told += _without_text(heard[place : match.start()])
        number = _NUMBERS[match["start"]]
        before = match["content"].decode("ascii", "replace").replace("\ufffd", "0")
        after = before if _is_test_card(before) else _another_card(before, number)
        told += match["start"] + after.encode("ascii") + (match["end"] or b"")
        place = match.end()
        if match["end"] and heard[place : place + 1] == _check_character(number, before):
            told += _check_character(number, after)
            place += 1
    told += _without_text(heard[place:])
    return _with_check_bytes(bytes(told), heard)


def _check_character(number: Number, content: str) -> bytes:
    """The LRC character; it may look like a sentinel. Noise in a track has none."""
    try:
        return lrc(number, content).encode("ascii")
    except ValueError:
        return b"none"


def _is_test_card(content: str) -> bool:
    """Is the whole track one of a test card? Its number alone does not make the rest invented."""
    from posd.acquirer.cards import CARDS  # a tool for test systems: not loaded by the daemon

    return any(content == card.track2.reveal() for card in CARDS)


def _another_card(content: str, number: Number) -> str:
    """As long as before: an invented number, expiry and service code of before, the rest zeros."""
    head = content[: 1 if number == 1 else 2 if number == 3 else 0]
    found = _CARD.fullmatch(content[len(head) :])
    if found is None or len(content) > MAXIMUM_LENGTHS[number]:
        return _without_text(content.encode("ascii", "replace")).decode("ascii")
    rest = found["rest"]
    kept = 1 + _EXPIRY_AND_SERVICE if number == 2 else 0
    return head + _invented_number(found["pan"]) + rest[:kept] + _zeros(rest[kept:])


def _invented_number(found: str) -> str:
    """As long, and right or wrong as the one that was found: a fault is what is recorded."""
    body = _INVENTED_ISSUER.ljust(len(found) - 1, "0")[: len(found) - 1]
    numbers = (f"{body}{digit}" for digit in range(10))
    return next(number for number in numbers if is_luhn_valid(number) is is_luhn_valid(found))


def _zeros(text: str) -> str:
    return re.sub("[0-9A-Za-z]", "0", text)


def _without_text(data: bytes) -> bytes:
    return re.sub(rb"[0-9A-Za-z]", b"0", data)


def _with_check_bytes(told: bytes, heard: bytes) -> bytes:
    """STX ... ETX and the exclusive or of what follows STX: right where it was right before."""
    fixed = bytearray(told)
    for frame in re.finditer(rb"\x02([^\x02\x03]*\x03)(.)", heard, re.DOTALL):
        start, end = frame.span(1)
        if _exclusive_or(heard[start:end]) == frame[2][0]:
            fixed[end] = _exclusive_or(bytes(fixed[start:end]))
    return bytes(fixed)


def _exclusive_or(data: bytes) -> int:
    check = 0
    for byte in data:
        check ^= byte
    return check
