"""How a life of the terminal ends when somebody at it says so."""

from __future__ import annotations

from enum import StrEnum


class Ending(StrEnum):
    """What the dialogue asks of whoever runs the core. Everything that must survive is committed."""

    RESTART = "restart"  # the process ends, and is started again
    SHUT_DOWN = "shut_down"  # the process ends, and stays so until somebody starts it
    TRAINING = "training"  # the next life is one of training
    LIVE = "live"  # the next life is the real one again
    POWER_CUT = "power_cut"  # of a drill: the same training again, as after a power cut
