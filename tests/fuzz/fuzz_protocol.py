"""Coverage-guided fuzzing of decode, matching, TLV and framing, with atheris.

Run it (Linux, Python 3.11 or newer; stop it with Ctrl-C, or give -max_total_time=60):

    pip install atheris && python tests/fuzz/fuzz_protocol.py tests/fuzz/corpus

What is fuzzed, and what must hold, is in targets.py. An input that libFuzzer finds belongs into
the corpus: the test suite runs every file of it.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["protocol"]):
    from targets import fuzz_one

if __name__ == "__main__":
    atheris.Setup(sys.argv, fuzz_one)
    atheris.Fuzz()
