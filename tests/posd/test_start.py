"""What a start loads: pinned, because each module more is time and memory on a small board."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEST_TOOLS = {
    *{"rich", "pygments", "markdown_it", "mdurl", "colorama", "colorsys", "html", "fractions"},
    *{"typing_extensions", "difflib", "shlex", "zlib", "sitecustomize", "random", "bisect"},
}
"""What structlog and construct load where test tools are installed."""

LIBRARIES = "cbor2 construct cryptography msgspec serial six structlog transitions"

STANDARD = """
    abc argparse array ast asyncio atexit base64 bdb binascii builtins cmd code codecs codeop
    collections concurrent contextlib contextvars copy copyreg ctypes dataclasses datetime decimal
    dis encodings enum errno fcntl fnmatch functools gc genericpath gettext glob hashlib heapq hmac
    importlib inspect io ipaddress itertools json keyword linecache locale logging marshal math ntpath
    numbers opcode operator os pathlib pdb pickle platform posix posixpath pprint pwd re reprlib
    resource select selectors signal site socket sqlite3 ssl stat string struct subprocess sys
    termios textwrap threading time token tokenize tomllib traceback types typing unicodedata urllib
    uuid warnings weakref zipimport
"""
"""Read off an environment that holds the wheel and nothing else."""

NOT_AT_A_START = """
    devices.recording devices.simulated devices.slip_drawing posd.acquirer posd.diagnostics.actions
    posd.diagnostics.posctl posd.diagnostics.server posd.init posd.initial_settings posd.install
    posd.key_loading posd.key_store posd.ledger.export posd.ledger.restoring posd.ledger_tool
    posd.message_tool posd.recording_tool posd.testing
"""


def loaded() -> set[str]:
    """Every module of the daemon when it would begin to serve."""
    script = (
        "import sys, posd.cli; posd.cli._parser('run'); import posd.daemon; print(*sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    return set(answer.stdout.split())


def test_a_start_loads_what_is_listed_here_and_nothing_else() -> None:
    """Add a name here when it is worth what tests/bench/bench_daemon.py says that it costs."""
    tops = {name.partition(".")[0] for name in loaded()} - {
        "posd",
        "devices",
        "protocol",
        "__main__",
    }
    public = {name for name in tops if not name.startswith("_")} - TEST_TOOLS
    assert public - set(STANDARD.split()) - set(LIBRARIES.split()) == set()


def test_what_only_tools_need_is_not_loaded() -> None:
    found = loaded()
    for unwanted in NOT_AT_A_START.split():
        assert not [name for name in found if f"{name}.".startswith(f"{unwanted}.")]


def test_dear_ones_stay_away() -> None:
    """importlib.metadata takes 18 ms; shutil brings three compression libraries."""
    assert loaded().isdisjoint(
        {"importlib.metadata", "importlib.resources", "shutil", "email", "lzma", "bz2"}
    )
