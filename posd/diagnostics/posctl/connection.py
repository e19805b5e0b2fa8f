"""Asks the socket, and gets the items of the answer. What fails is a sentence and a hint."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

import cbor2
import msgspec

from posd.diagnostics import messages as m
from posd.diagnostics import socket_path
from posd.diagnostics.stream import LONGEST_ANSWER, SequenceReader, StreamError, decode_item

DONE, FAILED, USAGE, NOT_RUNNING, NOT_PERMITTED, OTHER_VERSION, NOT_SELLING, NOT_FOUND = range(8)
"""Exit codes. 1: it was asked and could not be done. 6: `why` and `status`: it does not sell."""

_READ_SIZE: Final = 65_536
_CODES: Final = {
    "not_permitted": NOT_PERMITTED,
    "not_found": NOT_FOUND,
    "not_understood": OTHER_VERSION,
}
_Item = TypeVar("_Item", bound=m.Answer)


class Trouble(Exception):
    """What to say, what to do about it, and the exit code. values: of the text's placeholders."""

    def __init__(self, text: str, hint: str = "", code: int = FAILED, **values: object) -> None:
        super().__init__(text)
        self.template = text
        self.values = values
        self.text = text.format(**values) if values else text
        self.hint = hint
        self.code = code


class Connection:
    """One connection to the daemon. Raises Trouble whatever goes wrong."""

    def __init__(self, path: Path, seconds: float = 10.0) -> None:
        self._path = path
        self._reader = SequenceReader(LONGEST_ANSWER)
        self._ids = itertools.count(1)
        self._closed: m.Closed | None = None
        try:
            self._socket = socket_path.connect(path, seconds)
        except OSError as error:
            raise _unreachable(path, error) from None
        first = self._item()
        if first.get("answer") == "closed":
            raise _closed(_read(first, m.Closed))
        hello = _read(first, m.Hello)
        if hello.speaks != m.VERSION:
            self.close()
            raise Trouble(
                f"the terminal runs posd {hello.version}, which speaks another language than this posctl",
                "use the posctl that was installed with it",
                OTHER_VERSION,
            )
        self.may = hello.may
        self.version = hello.version

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def ask(self, name: str, **values: object) -> Iterator[dict[str, Any]]:
        """The items of the answer, the last one too; they end after it. A failed answer raises Trouble."""
        identity = next(self._ids)
        request = {"do": name, "id": identity, **values}
        try:
            self._socket.sendall(cbor2.dumps(request))
        except OSError as error:
            raise Trouble(f"the terminal does not listen: {error.strerror}") from None
        while True:
            item = self._item()
            kind = item.get("answer")
            if kind == "closed":
                raise _closed(_read(item, m.Closed))
            if item.get("id") not in (identity, 0):
                continue  # the end of something that was given up
            if kind == "failed":
                failed = _read(item, m.Failed)
                code = _CODES.get(failed.reason, FAILED)
                raise Trouble(failed.text, failed.hint, code)
            yield item
            if kind in _LAST:
                return

    def one(self, kind: type[_Item], name: str, **values: object) -> tuple[_Item, dict[str, Any]]:
        """The only item of an answer, typed and as it came."""
        (item,) = self.ask(name, **values)
        return _read(item, kind), item

    def patient(self, seconds: float | None) -> None:
        """How long an item may be awaited; None: for ever."""
        self._socket.settimeout(seconds)

    def _item(self) -> dict[str, Any]:
        try:
            while (item := self._reader.next()) is None:
                data = self._socket.recv(_READ_SIZE)
                if not data:
                    raise _ended(self._path)
                self._reader.feed(data)
            value = decode_item(item)
        except TimeoutError:
            raise Trouble(
                "the terminal does not answer",
                "it may hang: systemctl status posd; its watchdog starts it again",
                NOT_RUNNING,
            ) from None
        except ConnectionResetError:
            raise _ended(self._path) from None
        except OSError as error:
            raise Trouble(f"the connection broke: {error.strerror}", "", NOT_RUNNING) from None
        except StreamError:
            value = None
        if not isinstance(value, dict):
            raise Trouble(
                f"{self._path}: what answers there is no posd",
                "is this the right socket?",
                OTHER_VERSION,
            )
        return value


_LAST: Final = frozenset(
    {"done", "status", "why", "devices", "screen", "journal", "story", "metrics", "versions"}
)
"""Items that end an answer."""


def read(item: dict[str, Any], kind: type[_Item]) -> _Item:
    """An item as its type. Raises Trouble."""
    value: _Item = _read(item, kind)
    return value


def _read(item: dict[str, Any], kind: Any) -> Any:
    try:
        return msgspec.convert(item, kind)
    except msgspec.ValidationError:
        raise Trouble(
            "the terminal's answer is not one that this posctl knows",
            "use the posctl that was installed with it",
            OTHER_VERSION,
        ) from None


def _unreachable(path: Path, error: OSError) -> Trouble:
    if error.errno in (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR):
        return _not_running(
            path,
            "no terminal answers at {path}",
            "systemctl status posd tells whether it runs; posctl doctor looks for the cause; "
            "another place: posctl --socket PATH",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return Trouble(
            "{path}: you may not ask this terminal",
            "use sudo, or have yourself added to the group posd-tech and log in again",
            NOT_PERMITTED,
            path=path,
        )
    words = (error.strerror or str(error) or "time-out").lower()
    return Trouble(f"{path}: {words}", "posctl doctor looks for the cause", NOT_RUNNING)


def _ended(path: Path) -> Trouble:
    return _not_running(
        path,
        "the terminal ended the connection",
        "it may be starting again: ask once more in a few seconds",
    )


def _not_running(path: Path, text: str, hint: str) -> Trouble:
    """With what systemd says of the terminal that has this socket."""
    from posd.diagnostics.posctl.service_state import UNIT, service

    told = service() if path == socket_path.DEFAULT else None
    if told is not None and not told.running:
        text, hint = f"{text}; {UNIT}: {told.words.replace('{', '{{')}", told.fix
        if "doctor" not in hint:
            hint += "; posctl doctor looks at the rest"
    return Trouble(text, hint, NOT_RUNNING, path=path)


def _closed(item: m.Closed) -> Trouble:
    code = NOT_PERMITTED if item.reason == "refused" else FAILED
    return Trouble(item.text, "", NOT_RUNNING if item.reason == "ending" else code)
