"""What a bad line does to keys and cards in virtual time, where no line is.

A keypad sends a byte a key, so that a key is what is lost, late or cut off; a reader sends bytes,
which meet the parser of the real driver with its patience.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

from devices import card_reader
from posd.core.events import CardSwiped, CardUnreadable, Event
from posd.testing.world import Appointment, World
from protocol import Track

NOISE: Final = b"\xff\x00\xfe\x80"
"""What a bad contact says; the same as the simulated devices do."""

T = TypeVar("T")


class VirtualLine(Generic[T]):
    """Carries what a device says, a piece at a time, as well as the faults in force allow."""

    def __init__(self, world: World, deliver: Callable[[T], None]) -> None:
        self._world = world
        self._deliver = deliver
        self._drip_seconds = 0.0
        self._left: int | None = None  # pieces that still arrive; None: all of them
        self._free_at = 0.0

    def cut_short(self, pieces: int) -> None:
        """Only so many pieces still arrive."""
        self._left = pieces

    def drip(self, seconds: float) -> None:
        """A piece arrives in so many seconds."""
        self._drip_seconds = seconds

    def heal(self) -> None:
        self._drip_seconds = 0.0
        self._left = None

    @property
    def is_sound(self) -> bool:
        return self._left is None and not self._drip_seconds

    def send(self, pieces: Iterable[T]) -> None:
        """These pieces, one after the other; at once when nothing is wrong."""
        for piece in pieces:
            if self._left is not None:
                if not self._left:
                    return
                self._left -= 1
            now = self._world.monotonic()
            if not self._drip_seconds:
                self._deliver(piece)
                continue
            self._free_at = max(self._free_at, now) + self._drip_seconds
            self._world.after(self._free_at - now, lambda piece=piece: self._deliver(piece))  # type: ignore[misc]


class VirtualReader:
    """The real parser, and when it has waited long enough for the rest of a read."""

    def __init__(self, world: World, report: Callable[[Event], None]) -> None:
        self._world = world
        self._report = report
        self._parser = card_reader.MagneticStripeParser()
        self._silence: Appointment | None = None

    def feed(self, data: bytes) -> None:
        """Bytes from the line."""
        if self._silence is not None:
            self._silence.forget()
            self._silence = None
        self._tell(self._parser.feed(data))
        if self._parser.is_reading:
            self._silence = self._world.after(card_reader.SILENCE_SECONDS, self.end_of_read)

    def end_of_read(self) -> None:
        """Nothing more comes of this read."""
        if self._silence is not None:
            self._silence.forget()
            self._silence = None
        self._tell(self._parser.end_of_read())

    def _tell(self, swipes: Iterable[card_reader.Swipe | card_reader.BadSwipe]) -> None:
        for swipe in swipes:
            match swipe:
                case card_reader.Swipe(track2=track2):
                    self._report(CardSwiped(Track(track2.reveal())))
                case card_reader.BadSwipe(reason=reason):
                    self._report(CardUnreadable(reason))
