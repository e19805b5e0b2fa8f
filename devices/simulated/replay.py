"""A device that says again what a real one said."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from devices.recording import Recording
from devices.simulated.pseudo_terminal import PseudoTerminal

PATIENCE_SECONDS: Final = 2.0


class ReplayedDevice(PseudoTerminal):
    """The device of a recording, at `path`.

    `play` sends what the device sent, with the pauses of the recording divided by `speed`. Before
    each piece it waits until it has been sent as many bytes as the real device had been by then,
    so that answers follow their questions; after `patience` seconds it goes on without.
    """

    def __init__(
        self,
        path: Path | str,
        recording: Recording,
        *,
        speed: float = 1.0,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.received = bytearray()
        """What the other side has sent."""
        self.waits_given_up = 0
        """Pieces sent although the other side had not sent what came before them."""
        self._recording = recording
        self._speed = speed
        self._patience = patience
        self._heard = asyncio.Event()
        super().__init__(path, self._hear)

    async def play(self) -> None:
        """Plays the recording once, from its beginning."""
        due = 0
        last = 0.0
        start = len(self.received)
        for piece in self._recording.pieces:
            if piece.direction == "out":
                due += len(piece.data)
                last = piece.at
                continue
            await self._wait_for(start + due)
            await asyncio.sleep((piece.at - last) / self._speed)
            last = piece.at
            self.send(piece.data)
        await self._wait_for(start + due)

    def _hear(self, data: bytes) -> None:
        self.received += data
        self._heard.set()

    async def _wait_for(self, count: int) -> None:
        try:
            async with asyncio.timeout(self._patience):
                while len(self.received) < count:
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            self.waits_given_up += 1
