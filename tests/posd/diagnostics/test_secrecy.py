"""Nothing secret leaves through the socket, whatever is asked while a customer pays."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from msgspec import Struct

from posd.acquirer.cards import BY_NAME
from posd.core import events
from posd.core.events import (
    CardSwiped,
    Event,
    HostReceived,
    Key,
    KeyPressed,
    PinEntered,
    SecretTyped,
)
from posd.diagnostics.happenings import happening
from posd.diagnostics.traffic import Traffic
from tests.posd.diagnostics.rig import follow, rest_of, said_until, shop

GOOD = BY_NAME["good"]
CARD, TRACK, PIN = GOOD.pan.reveal(), GOOD.track2.reveal(), "123456"
HEX = "".join(f"{byte:02x}" for byte in CARD.encode())
LISTENED = {"watch": "HostReceived", "trace on": '["0210'}
"""Which of them says last what they are asked for."""
ASKED = ("status", "why", "journal", "flight", "config", "events", "metrics", "show 2")


def secrets_in(text: str) -> list[str]:
    """Which of them stand in it, also as hex with and without blanks, and as BCD."""
    packed = text.lower().replace(" ", "")
    wanted = (CARD, HEX, TRACK.lower(), TRACK.replace("=", "d").lower())
    return [secret for secret in wanted if secret in packed]


def test_neither_card_nor_track_nor_pin_are_told_while_and_after_somebody_pays(
    tmp_path: Path,
) -> None:
    with shop(tmp_path) as terminal:
        terminal.open()
        listening = {words: follow(terminal, "--json", *words.split()) for words in LISTENED}
        terminal.sell()
        terminal.do("expect screen 交易成功")
        told = {}
        for words, process in listening.items():
            told[words] = said_until(process, LISTENED[words])
            process.send_signal(2)
            told[words] += rest_of(process)
        for words in ASKED:
            said = terminal.posctl(*words.split())
            told[words] = said.out + said.err
        (master, device) = ((tmp_path / f"{name}.key").read_text() for name in ("master", "device"))
    assert "0200" in told["trace on"]
    assert "0210" in told["trace on"]
    assert "622500******0014" in told["watch"] + told["trace on"]
    for words, text in told.items():
        assert text, words
        assert secrets_in(text) == [], words
        assert master not in text
        assert device not in text
    keys = told["watch"].split("PasswordChecked")[0]
    assert PIN not in "".join(keys.split('"key": "')[1:]).replace('"', "")
    assert "SecretTyped" not in told["watch"]


def test_events_with_secrets_are_told_without_them() -> None:
    assert happening(CardSwiped(GOOD.track2, GOOD.track2)) == (
        "CardSwiped",
        {"card": GOOD.pan.masked},
    )
    assert happening(HostReceived(3, b"\x00\x01")) == ("HostReceived", {"exchange": 3, "length": 2})
    assert happening(SecretTyped(1, 6)) is None
    assert happening(PinEntered(1, None)) is None
    assert happening(KeyPressed(Key.D1)) == ("KeyPressed", {"key": "1"})


PLAIN = {
    "CardUnreadable.reason", "HostFailed.reason", "PrintEnded.reason", "PrinterChanged.trouble",
    "DeviceChanged.role", "RequestRefused.reason", "RequestRefused.code", "SignInEnded.reason",
    "SignInEnded.code", "SettlementEnded.reason", "SettlementEnded.code", "PasswordChosen.problem",
}  # fmt: skip
"""Texts in events: each is a word of the program's or of the system's, or a response code."""


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_every_text_of_an_event_is_known_to_hold_nothing_secret(kind: type[Struct]) -> None:
    """A new one is looked at by a person, and then stands above."""
    hints = get_type_hints(kind, vars(events))
    for field in kind.__struct_fields__:
        if str in (hints[field], *get_args(hints[field])):
            assert f"{kind.__name__}.{field}" in PLAIN


def test_nobody_listens_to_traffic_unless_somebody_traces() -> None:
    class Host:
        def __init__(self) -> None:
            self.sent: list[bytes] = []

        def connect(self, exchange: int) -> None: ...

        def send(self, exchange: int, frame: bytes) -> None:
            self.sent.append(frame)

        def close(self, exchange: int) -> None: ...

    host = Host()
    traffic = Traffic(host)
    traffic.send(1, b"one")
    heard: list[tuple[str, bytes]] = []
    traffic.listener = lambda direction, frame: heard.append((direction, frame))
    traffic.send(1, b"two")
    traffic.received(b"three")
    assert host.sent == [b"one", b"two"]
    assert heard == [("out", b"two"), ("in", b"three")]
