"""`posctl`: what a technician types. Talks to the daemon through its socket and imports none of it."""

from __future__ import annotations

from posd.diagnostics.posctl.command import main

__all__ = ["main"]
