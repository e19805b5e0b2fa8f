"""A simulated magnetic stripe reader: cards swiped by a person or a script."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from devices.magnetic_stripe import Framing
from devices.simulated.pseudo_terminal import PseudoTerminal
from devices.track import Number, lrc

Garble = Literal["cut_short", "wrong_digit", "too_long", "reader_error", "no_track_2"]


class SimulatedCardReader(PseudoTerminal):
    """The reader at `path`. Tracks are given without sentinels, as `Track.reveal` returns them."""

    def __init__(
        self,
        path: Path | str,
        *,
        framing: Framing = "sentinels",
        with_lrc: bool = False,
        bytes_per_second: float | None = None,
    ) -> None:
        self._framing = framing
        self._with_lrc = with_lrc
        super().__init__(path, _ignore, bytes_per_second=bytes_per_second)

    def swipe(
        self, track2: str | None, track1: str | None = None, track3: str | None = None
    ) -> None:
        """Swipes a card with these tracks; None: the card has no such track."""
        self.send(self._frame(track1, track2, track3))

    def swipe_garbled(
        self, track2: str, track1: str | None = None, *, how: Garble = "cut_short"
    ) -> None:
        """Swipes the card so that it cannot be read."""
        match how:
            case "cut_short":
                whole = self._frame(track1, track2, None)
                self.send(whole[: len(whole) * 2 // 3] + self._ending())
            case "wrong_digit":
                changed = str((int(track2[5]) + 1) % 10)
                self.swipe(track2[:5] + changed + track2[6:], track1)
            case "too_long":
                self.swipe(track2 + "0" * 40, track1)
            case "reader_error":
                self.swipe("E", "E")
            case "no_track_2":
                self.swipe(None, track1 or "B4000000000000002^TEST/CARD^99122010000")

    def _frame(self, track1: str | None, track2: str | None, track3: str | None) -> bytes:
        tracks: tuple[tuple[Number, str, str | None], ...] = (
            (1, "%", track1),
            (2, ";", track2),
            (3, "+", track3),
        )
        text = "".join(
            f"{sentinel}{content}?{lrc(number, content) if self._with_lrc else ''}"
            for number, sentinel, content in tracks
            if content is not None
        )
        data = text.encode("ascii")
        if self._framing == "sentinels":
            return data + b"\r\n"
        check = 0x03
        for byte in data:
            check ^= byte
        return b"\x02" + data + b"\x03" + bytes((check,))

    def _ending(self) -> bytes:
        return b"\r\n" if self._framing == "sentinels" else b""


def _ignore(data: bytes) -> None:
    """A reader does not listen."""
