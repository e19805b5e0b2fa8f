"""`python -m posd.diagnostics.posctl`."""

from __future__ import annotations

import sys

from posd.diagnostics.posctl import main

sys.exit(main())
