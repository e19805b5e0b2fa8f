"""`posctl`: a placeholder until the daemon has a diagnostic socket."""

from __future__ import annotations

import sys


def main() -> int:
    """Say so, and end with exit code 2."""
    sys.stderr.write("posctl: the diagnostic socket is not in this version of posd\n")
    return 2
