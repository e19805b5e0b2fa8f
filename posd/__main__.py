"""`python -m posd` is `posd`."""

import sys

from posd.cli import main

sys.exit(main())
