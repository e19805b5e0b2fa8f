"""Seeded choices. Every part of a simulation has a stream of its own, so that one more choice in one
part changes nothing in another."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

Choice = TypeVar("Choice")


class Chance:
    """A stream of choices; the same names give the same stream in every process."""

    def __init__(self, *names: object) -> None:
        # Not for secrets: every key of a simulated world is invented from its seed.
        self._random = Random("/".join(map(str, names)))  # noqa: S311

    def __call__(self, length: int) -> bytes:
        """So many bytes: a core's Randomness."""
        return self._random.randbytes(length)

    def happens(self, probability: float) -> bool:
        return self._random.random() < probability

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self._random.random()

    def whole(self, low: int, high: int) -> int:
        """low and high included."""
        return self._random.randrange(low, high + 1)

    def one(self, choices: Sequence[Choice]) -> Choice:
        return choices[self._random.randrange(len(choices))]

    def weighted(self, choices: Sequence[tuple[float, Choice]]) -> Choice:
        """One of the choices; its number says how likely it is beside the others."""
        left = self._random.random() * sum(weight for weight, _ in choices)
        for weight, choice in choices:
            left -= weight
            if left < 0:
                return choice
        return choices[-1][1]
