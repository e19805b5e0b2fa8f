"""The log: what is written, in which shape, and what is never written."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from posd.log import configure, explain, redact_text
from posd.settings import LogSettings
from protocol.card import Pan, PinBlock, Track

PAN = "6225000000000014"
TRACK = f"{PAN}=25121011234567890000"

RAISER = """
import sys

if sys.argv[2] == "without":
    class NoRich:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] == "rich":
                raise ModuleNotFoundError(name)
            return None

    sys.meta_path.insert(0, NoRich())

import structlog
from posd.log import configure
from posd.settings import LogSettings

configure(LogSettings(format=sys.argv[1]))
log = structlog.get_logger()


def authorise(pan, pin, key):
    track = pan + "=2512"
    held = {"pan": pan, "pin": pin, "key": key}
    try:
        int(pin + "x")
    except ValueError:
        raise KeyError(pin, key, held, track)


def read(name):
    return sys.stdin.readline().strip()


secrets = read("pan"), read("pin"), read("key")
try:
    authorise(*secrets)
except KeyError as error:
    log.error("event_failed", exc_info=True)
    log.exception("event_failed_again", error=error, text="card " + secrets[0])
print("rich" in sys.modules)
authorise(*secrets)
"""


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers, root.level
    yield
    root.handlers, sys.excepthook = handlers, hook
    root.setLevel(level)
    structlog.reset_defaults()


def logged(shape: str = "json", level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    configure(LogSettings(format=shape, level=level), stream)  # type: ignore[arg-type]
    return stream


@pytest.mark.parametrize("shape", ["json", "console"])
@pytest.mark.parametrize("rich", ["with", "without"])
def test_a_frame_that_holds_a_pan_a_pin_and_a_key_leaves_none_of_them_in_the_log(
    tmp_path: Path, shape: str, rich: str
) -> None:
    pin, key = "738291", "0123456789ABCDEFFEDCBA9876543210"
    script = tmp_path / "raiser.py"
    script.write_text(RAISER)
    ended = subprocess.run(
        [sys.executable, str(script), shape, rich],
        input=f"{PAN}\n{pin}\n{key}\n",
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
    )
    written = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert written.count("raiser.py:") >= 6, "the places are in the log"
    assert written.count("KeyError") == 4
    assert "uncaught_exception" in written
    assert ("True" if rich == "with" else "False") in ended.stdout.splitlines()
    for secret in (PAN, pin, key, PAN[6:], key[:8]):
        assert secret not in written


def test_json_is_one_object_a_line_with_time_level_and_event() -> None:
    stream = logged()
    structlog.get_logger().info("host_connected", exchange=7, name="测试")
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert list(entry)[:3] == ["timestamp", "level", "event"]
    assert entry["timestamp"].endswith("Z")
    assert entry["event"] == "host_connected"
    assert entry["exchange"] == 7
    assert "测试" in line


def test_console_lines_are_for_people() -> None:
    stream = logged("console")
    structlog.get_logger().warning("printer_lost", role="printer")
    assert "printer_lost" in stream.getvalue()
    assert "role=printer" in stream.getvalue()


def test_auto_is_json_where_nobody_looks() -> None:
    stream = logged("auto")
    structlog.get_logger().info("started")
    assert json.loads(stream.getvalue())["event"] == "started"


def test_lines_below_the_level_are_not_written() -> None:
    stream = logged(level="warning")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_what_is_bound_in_the_context_is_in_every_line() -> None:
    stream = logged()
    with structlog.contextvars.bound_contextvars(transaction=12):
        structlog.get_logger().info("sent")
    assert json.loads(stream.getvalue())["transaction"] == 12


def test_values_of_the_protocol_are_written_masked() -> None:
    stream = logged()
    structlog.get_logger().info(
        "swiped",
        pan=Pan(PAN),
        track=Track(TRACK),
        block=PinBlock(b"\x12" * 8),
        frame=b"\x00" * 40,
        nested={"cards": [Pan(PAN), (Track(TRACK),)], PAN: 1},
    )
    written = stream.getvalue()
    entry = json.loads(written)
    assert entry["pan"] == "622500******0014"
    assert entry["frame"] == "<40 bytes>"
    assert entry["block"] == "<8 bytes>"
    assert "622500******0014" in entry["nested"]
    assert PAN not in written
    assert "25121011234567890000" not in written


@pytest.mark.parametrize(
    "text",
    [
        PAN,
        f"card {PAN} declined",
        f"a{PAN}b",
        "6225 0000 0000 0014",
        "6225-0000-0000-0014",
        f"amount 100 {PAN}",
        f"{PAN} 2512",
        f"7 {PAN}-9",
        f"0200{PAN}000000000000012345",
        PAN.translate({ord("0") + digit: chr(0xFF10 + digit) for digit in range(10)}),
    ],
)
def test_a_card_number_in_a_text_is_masked(text: str) -> None:
    masked = redact_text(text)
    digits = "".join(str(int(each)) for each in masked if each.isdigit())
    assert PAN not in digits
    assert "*" in masked


@pytest.mark.parametrize(
    "text",
    [
        "6225000000000015",
        "000123",
        "123456789012",
        "2024-11-21T20:53:12.123456Z",
        "20130001 123456789012345",
    ],
)
def test_other_numbers_stay_readable(text: str) -> None:
    assert redact_text(text) == text


def test_a_card_number_given_as_an_integer_is_masked() -> None:
    stream = logged()
    structlog.get_logger().info("counted", card=int(PAN), amount=12345)
    entry = json.loads(stream.getvalue())
    assert entry["card"] == "622500******0014"
    assert entry["amount"] == 12345


def test_text_from_outside_cannot_forge_a_line_or_steer_the_terminal() -> None:
    for shape in ("json", "console"):
        stream = logged(shape)
        structlog.get_logger().info("answered", text="a\nb\x1b[2Jc\u202ed\udc81e")
        assert stream.getvalue().count("\n") == 1
        assert "\x1b" not in stream.getvalue()
        stream.getvalue().encode("utf-8")


def test_an_exception_of_ours_keeps_its_text_and_others_lose_it() -> None:
    try:
        try:
            int("7382x")
        except ValueError as error:
            raise FileNotFoundError(2, "No such file", "/dev/posd/printer") from error
    except OSError as error:
        lines = explain(error)
    assert lines[0] == "builtins.FileNotFoundError: [Errno 2] No such file: '/dev/posd/printer'"
    assert "builtins.ValueError: (text withheld)" in lines
    assert "7382x" not in str(lines)


def test_a_group_of_exceptions_is_explained_one_by_one() -> None:
    lines = explain(ExceptionGroup("x", [OSError(5, "gone"), KeyError("738291")]))
    assert any("gone" in line for line in lines)
    assert any("KeyError: (text withheld)" in line for line in lines)


def test_a_long_chain_of_causes_is_cut() -> None:
    error: Exception = OSError("first")
    for _ in range(100):
        outer = OSError("next")
        outer.__cause__ = error
        error = outer
    assert len(explain(error)) < 10


def test_what_libraries_log_goes_the_same_way_without_values() -> None:
    stream = logged()

    async def forgotten() -> None:
        raise ValueError(f"card {PAN}")

    async def main() -> None:
        task = asyncio.create_task(forgotten())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task

    asyncio.run(main())
    entry = json.loads(stream.getvalue())
    assert entry["event"] == "library_message"
    assert entry["library"] == "asyncio"
    assert entry["level"] == "error"
    assert PAN not in stream.getvalue()


@pytest.mark.parametrize(("number", "level"), [(5, "debug"), (25, "info"), (99, "critical")])
def test_a_library_with_levels_of_its_own_is_heard(number: int, level: str) -> None:
    stream = logged(level="debug")
    logging.getLogger().setLevel(1)
    logging.getLogger("some.library").log(number, "said %s", "something")
    entry = json.loads(stream.getvalue())
    assert (entry["level"], entry["text"]) == (level, "said something")


def test_a_reader_that_went_away_does_not_end_the_caller() -> None:
    stream = logged()
    stream.close()
    structlog.get_logger().info("nobody_reads")
