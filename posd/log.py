"""Logging: one event name a line with typed fields; JSON, console or journal, and nothing secret in any.

Three nets, one behind the other: the values of `protocol` print themselves masked; an exception is
written as types and places, its text only where its class promises to hold no value; and whatever
looks like a card number in anything about to be written is masked. Local variables are never read.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from datetime import date, time
from typing import Any, Final, TextIO

import structlog

from posd.journal import Journal, is_journal
from posd.redaction import redact_text as redact_text  # what others know by this module's name
from posd.repeats import Repeats
from posd.settings import LogSettings

_OUR_PACKAGES = ("posd", "protocol", "devices")
# Their texts name files, columns, types and attributes; those of ValueError and KeyError hold the
# value itself.
_TEXT_IS_SAFE = (OSError, sqlite3.Error, TypeError, AttributeError, NameError, ImportError)
_DEEPEST = 6
_Event = MutableMapping[str, Any]


class Tally:
    """A processor that counts events by name and level, for the metrics."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def __call__(self, _logger: object, method: str, event: _Event) -> _Event:
        if not event.get("training"):  # of which nothing is real
            self.counts[str(event.get("event")), method] += 1
        return event

    def count_of(self, event: str, level: str) -> int:
        """How often this was logged since the process started."""
        return self.counts[event, level]


TALLY: Final = Tally()
"""Of this process, which has one log."""


def configure(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Send every log line of this process, and uncaught exceptions, to stream (standard output).

    `auto` is the console for people, the journal's own fields where systemd connected this process to
    the journal, and JSON lines anywhere else. What libraries say through the standard `logging` goes
    the same way. Until this has been called structlog prints local variables: call it first.
    """
    output = sys.stdout if stream is None else stream
    shape = settings.format if settings.format != "auto" else _shape_for(output)
    sink: _Output | _JournalOutput = _Output(output)
    last: Any = _render_json
    if shape == "console":
        last = _console_renderer(output)
    elif shape == "journal":
        sink, last = _JournalOutput(Journal(), output), _hand_over
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            TALLY,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _explain_exception,
            redact,
            Repeats(),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=lambda *_: sink,
        # A logger made before this call would keep the processors that it was made with.
        cache_logger_on_first_use=False,
    )
    _take_over_library_logging(settings.level)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def redact(_logger: object, _method: str, event: _Event) -> _Event:
    """A structlog processor: every value in the event becomes one that may be read by anybody."""
    return {redact_text(str(key)): _redacted(value) for key, value in event.items()}


def explain(error: BaseException) -> list[str]:
    """Types and places of an exception and its causes; texts only where they hold no value."""
    return list(_explain(error, _DEEPEST))


def _redacted(value: object) -> object:
    match value:
        case None | bool() | float():
            return value
        case int():
            text = redact_text(str(int(value)))
            return int(value) if text == str(int(value)) else text
        case str():
            return redact_text(str(value))
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case Mapping():
            return {redact_text(str(key)): _redacted(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_redacted(each) for each in value]
        case date() | time():
            return value.isoformat()
        case BaseException():
            return " / ".join(explain(value))
    return redact_text(str(value))


def _explain_exception(_logger: object, _method: str, event: _Event) -> _Event:
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["exception"] = explain(error)
    return event


def _explain(error: BaseException, depth: int) -> Iterator[str]:
    text = " ".join(str(error).split()) if _may_be_read(error) else "(text withheld)"
    yield redact_text(f"{type(error).__module__}.{type(error).__qualname__}: {text}")
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for each in (*inner, *([before] if before else [])):
        if depth:
            yield from _explain(each, depth - 1)


def _may_be_read(error: BaseException) -> bool:
    return isinstance(error, _TEXT_IS_SAFE) or type(error).__module__.split(".")[0] in _OUR_PACKAGES


def _shape_for(output: TextIO) -> str:
    if output.isatty():
        return "console"
    return "journal" if is_journal(output, os.environ) else "json"


class _Output:
    """Writes lines. A full disk or a reader that went away must not end the terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass

    debug = info = warning = error = critical = msg


class _JournalOutput:
    """Sends events to the journal; what it does not take is a line of JSON, which reaches it too."""

    def __init__(self, journal: Journal, stream: TextIO) -> None:
        self._journal = journal
        self._lines = _Output(stream)

    def msg(self, event: _Event) -> None:
        if not self._journal.send(event):
            self._lines.msg(_render_json(None, "", event))

    debug = info = warning = error = critical = msg


def _hand_over(
    _logger: object, _method: str, event: _Event
) -> tuple[tuple[_Event], dict[str, Any]]:
    """As structlog wants the arguments of what comes last."""
    return (event,), {}


def _render_json(_logger: object, _method: str, event: _Event) -> str:
    first = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    return json.dumps(first | dict(event), ensure_ascii=False)


def _console_renderer(stream: TextIO) -> Any:
    # The exception is text by now; plain_traceback also keeps the renderer away from rich.
    render = structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
    )

    def render_console(logger: Any, method: str, event: _Event) -> str:
        if "exception" in event:
            event["exception"] = "\n".join(event["exception"])
        return render(logger, method, event)

    return render_console


class _FromLibraries(logging.Handler):
    """What asyncio and others log through the standard library, as events of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        # Libraries may have levels in between; structlog knows the five.
        level = max(logging.DEBUG, min(logging.CRITICAL, record.levelno // 10 * 10))
        more = {"exc_info": error} if error else {}
        structlog.get_logger().log(
            level, "library_message", library=record.name, text=record.getMessage(), **more
        )


def _take_over_library_logging(level: str) -> None:
    root = logging.getLogger()
    root.handlers = [_FromLibraries()]
    root.setLevel(level.upper())
    # The dialogue's machine warns about each key that no row takes: that is ordinary use.
    logging.getLogger("transitions").setLevel(logging.ERROR)


def _uncaught(_kind: object, error: BaseException, _trace: object) -> None:
    structlog.get_logger().critical("uncaught_exception", exc_info=error)


def _uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    structlog.get_logger().critical("uncaught_exception", exc_info=arguments.exc_value)
