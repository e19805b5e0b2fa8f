"""Points: the places in a terminal's life where its world can be stopped."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Stopped(BaseException):
    """The world has stopped here. No handler of the terminal's own may see it as an error."""


class AcquirerStopped(Exception):
    """The acquirer has stopped between its commit and its answer."""


class How(StrEnum):
    """What stops.

    KILLED: the terminal's process; what it handed to the network and to the printer goes on.
    POWER: the terminal and what hangs on it; bytes that have not left it are lost. At a point of the
    acquirer both sides stop. COMMIT_ERROR: a commit reports an error, without or with its effect, and
    whatever the terminal then does goes on until it has ended itself. ACQUIRER: the acquirer alone.
    """

    KILLED = "killed"
    POWER = "power lost"
    COMMIT_ERROR = "commit error"
    ACQUIRER = "acquirer stopped"


@dataclass(frozen=True, slots=True)
class Stop:
    """At the point with this number, counted from 0 in one life of the terminal."""

    number: int
    how: How


class Points:
    """The points of one life in their order; stops the world at one of them.

    on_stop is called at the moment of the stop, while everything on disk is as the stop leaves it.
    """

    def __init__(self, stop: Stop | None, on_stop: Callable[[How], None]) -> None:
        self.names: list[str] = []
        self.disturbed: int | None = None  # so many belong to what is disturbed; None: all
        self.commit_failed = False
        self._stop = stop
        self._on_stop = on_stop

    def reached(self, name: str) -> None:
        """Note this point. Raises Stopped, AcquirerStopped or sqlite3.Error when it is the one."""
        number = len(self.names)
        self.names.append(name)
        if self._stop is None or self._stop.number != number:
            return
        match self._stop.how:
            case How.COMMIT_ERROR:
                self.commit_failed = True
                raise sqlite3.OperationalError("disk I/O error")
            case How.ACQUIRER:
                raise AcquirerStopped
            case how:
                self._on_stop(how)
                raise Stopped

    @property
    def enumerated(self) -> list[str]:
        """The names up to the end of what is disturbed: the numbers of these can be stopped at."""
        return self.names[: self.disturbed]


def is_commit(name: str) -> bool:
    """Is it a point beside a commit of the terminal's ledger?"""
    return name.startswith("commit ")


def is_acquirer(name: str) -> bool:
    """Is it a point between the acquirer's commit and its answer?"""
    return name.startswith("acquirer ")


def is_hand_over(name: str) -> bool:
    """Does something leave the terminal here: bytes to the connection, a slip to the printer?"""
    return name.startswith(("send ", "print "))


def ways(name: str) -> tuple[How, ...]:
    """How the world can stop at a point with this name, as far as it makes a difference."""
    if is_commit(name):
        return (How.KILLED, How.POWER, How.COMMIT_ERROR)
    if is_acquirer(name):
        return (How.KILLED, How.POWER, How.ACQUIRER)
    if is_hand_over(name):
        return (How.KILLED, How.POWER)
    return (How.KILLED,)
