"""`posd decode` and `posd encode`: messages laid open on the command line, and made there.

Nothing is shown that may not be seen: card data is masked, keys and PIN blocks are lengths, and
what cannot be parsed is a length too.
"""

from __future__ import annotations

import argparse
import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from posd.message_json import InputError, from_hex, message_of
from protocol import (
    Dialect,
    Key,
    Message,
    ProtocolError,
    decode,
    decode_message,
    encode,
    encode_message,
)
from protocol.codec import LEN_SIZE, content_offsets
from protocol.errors import (
    DecodeError,
    EncodeError,
    FrameLengthWrong,
    FrameTruncated,
    LengthAboveCap,
    TrailingBytes,
    Truncated,
)
from protocol.explain import Line, explain
from protocol.mac import ALGORITHMS, seal, verify_frame, verify_message

DONE, FAILED, MISUSED = 0, 1, 2
_LARGEST_LEN = 0xFFFF
_TELLS_NOTHING = 4  # characters
_MAC_PRESENT, _MAC_WRONG = "fits", "DOES NOT FIT"

_ENCODE_JSON = """\
Make one message, in hex, of a JSON object:

  {"mti": "0800",
   "elements": {"11": "000001", "41": "12345678", "42": "123456789012345"}}

mti       four digits
elements  an object: element number to value, both strings; digits and text as they are,
          binary elements (52, 55, 64 and others) in hex
tpdu      10 hex digits; may be left out
header    12 digits; may be left out

The bitmap and LEN are made; with --key-file element 64 is too. What `posd decode --json` writes
is no input: its values are masked."""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `decode` and `encode` to a command line; each sets `call`, which gives the exit code.

    Exit codes: 0 done; 1 a message cannot be decoded or encoded, its MAC does not fit, or a line
    of the input is not hex; 2 the input cannot be read or holds no message, or the command is
    used wrongly.
    """
    decoder = commands.add_parser("decode", help="show an ISO 8583 message, field by field")
    decoder.add_argument("hex", nargs="*", help="messages in hex; none: standard input, one a line")
    decoder.add_argument("--file", type=Path, help="a file with one message in hex a line")
    shape = decoder.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="JSON, one object a message")
    shape.add_argument(
        "--diff",
        action="store_true",
        help="two messages side by side; that they differ does not change the exit code",
    )
    _add_wire_options(decoder)
    decoder.set_defaults(call=run_decode)
    encoder = commands.add_parser(
        "encode",
        help="make an ISO 8583 message",
        description=_ENCODE_JSON,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    encoder.add_argument(
        "file", nargs="?", type=Path, help="JSON: mti, elements, tpdu, header; none: standard input"
    )
    _add_wire_options(encoder)
    encoder.set_defaults(call=run_encode)


def _add_wire_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bare", action="store_true", help="MTI, bitmap and elements alone")
    parser.add_argument("--no-tpdu", action="store_true", help="frames without TPDU")
    parser.add_argument("--no-header", action="store_true", help="frames without header")
    parser.add_argument("--key-file", type=Path, help="a file with the MAC key in hex")
    parser.add_argument("--mac", choices=sorted(ALGORITHMS), default="ecb", help="MAC algorithm")


def run_decode(options: argparse.Namespace) -> int:
    """`posd decode`. Standard output: the messages; standard error: what is wrong with the input."""
    views: list[View] = []
    unreadable = DONE
    try:
        reader = _Reader(options)
        for place, text in _inputs(options):
            try:
                data = from_hex(text)
            except InputError as error:
                _complain("decode", f"{place}: {error}")
                unreadable = MISUSED if options.hex else FAILED
                continue
            views.append(reader.view(data))
        if options.diff and len(views) != 2:
            raise InputError(f"--diff takes two messages, found {len(views)}")
    except (InputError, ProtocolError) as error:
        return _complain("decode", error)
    if options.json:
        _write(json.dumps(_as_json(view), ensure_ascii=False) for view in views)
    elif options.diff:
        _write(_side_by_side(*views))
    else:
        for view in views:
            _write([*_table(view.lines), *view.remarks, ""])
    return unreadable or (DONE if all(view.sound for view in views) else FAILED)


def run_encode(options: argparse.Namespace) -> int:
    """`posd encode`: one message from JSON, in hex on standard output."""
    try:
        dialect, key = _dialect(options), _key(options)
        message = message_of(_content(options.file, "utf-8"), dialect, _place(options.file))
        if key is not None:
            message = seal(message, key, dialect)
        frame = encode_message(message, dialect) if options.bare else encode(message, dialect)
    except (InputError, ProtocolError) as error:
        in_element = isinstance(error, EncodeError) and error.path[:1].isdecimal()
        _complain("encode", f"element {error}" if in_element else error)
        return FAILED if isinstance(error, EncodeError) else MISUSED
    _write([frame.hex().upper()])
    return DONE


@dataclass(frozen=True)
class View:
    """One message as far as it could be decoded: its lines, its values, and what is wrong.

    errors: in the order of the bytes; a LEN that does not fit, then where the reading ended.
    """

    message: Message | None
    lines: Sequence[Line]
    errors: Sequence[DecodeError]
    mac: str | None

    @property
    def sound(self) -> bool:
        return not self.errors and self.mac != _MAC_WRONG

    @property
    def remarks(self) -> Iterator[str]:
        if self.mac is not None:
            yield f"MAC {self.mac}"
        for error in self.errors:
            yield f"{type(error).__name__}: {error}"


class _Reader:
    """Decodes what the options say."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._bare: bool = options.bare
        self._dialect = _dialect(options)
        self._key = _key(options)

    def view(self, data: bytes) -> View:
        message, errors = self._read(data)
        offsets = content_offsets(data, self._dialect, bare=self._bare)
        lines = [] if message is None else explain(message, self._dialect, offsets)
        if errors:  # the bitmap of what was decoded need not be the one that was sent
            lines = [line for line in lines if line.path != "bitmap"]
        if len(errors) > 1:  # neither its LEN nor its end fits: perhaps out of step
            lines = [_withheld(line) for line in lines]
        return View(message, lines, errors, None if errors else self._mac(message, data))

    def _read(self, data: bytes) -> tuple[Message | None, Sequence[DecodeError]]:
        read = decode_message if self._bare else decode
        try:
            return read(data, self._dialect), ()
        except (FrameLengthWrong, LengthAboveCap) as wrong:
            if self._bare or len(data) - LEN_SIZE > _LARGEST_LEN:
                return wrong.decoded, (wrong,)
            message, errors = self._read_in_spite_of_len(data)
            return message, (wrong, *errors)
        except DecodeError as error:
            return error.decoded, (error,)

    def _read_in_spite_of_len(self, data: bytes) -> tuple[Message | None, Sequence[DecodeError]]:
        """A capture that was cut, or that goes on: what it holds, with LEN made to fit.

        Bytes that were lost in the middle put the rest out of step, where card data could stand
        in an element that is not masked: a reading that fails otherwise than by its end shows
        nothing, and of the others only short values are shown.
        """
        fitted = (len(data) - LEN_SIZE).to_bytes(LEN_SIZE, "big") + data[LEN_SIZE:]
        try:
            return decode(fitted, replace(self._dialect, frame_cap=_LARGEST_LEN)), ()
        except (Truncated, FrameTruncated, TrailingBytes) as end:
            return end.decoded, (end,)
        except DecodeError as error:
            return None, (error,)

    def _mac(self, message: Message | None, data: bytes) -> str | None:
        if self._key is None or message is None:
            return None
        if 64 not in message.elements:
            return "absent"
        verify = verify_message if self._bare else verify_frame
        return _MAC_PRESENT if verify(data, self._key, self._dialect) else _MAC_WRONG


def _withheld(line: Line) -> Line:
    """A line of a reading that may be out of step: an element's value only if it is too short to tell."""
    masked = "*" in line.shown
    if not line.path[:1].isdecimal() or masked or len(line.shown) <= _TELLS_NOTHING:
        return line
    return replace(line, shown=f"({len(line.shown)} characters)", meaning="")


def _dialect(options: argparse.Namespace) -> Dialect:
    return Dialect(
        has_tpdu=not options.no_tpdu, has_header=not options.no_header, mac_algorithm=options.mac
    )


def _key(options: argparse.Namespace) -> Key | None:
    if options.key_file is None:
        return None
    text = _content(options.key_file, "ascii")
    try:
        return Key(from_hex(text))
    except InputError as error:
        raise InputError(f"{options.key_file}: {error}") from None


def _inputs(options: argparse.Namespace) -> Sequence[tuple[str, str]]:
    """Each message's place and hex; blank lines and lines that begin with # are left out.

    Raises InputError when there is none.
    """
    if options.hex:
        return [(f"message {number}", text) for number, text in enumerate(options.hex, 1)]
    lines = enumerate(_content(options.file, "ascii").splitlines(), 1)
    stripped = [(f"line {number}", line.strip()) for number, line in lines]
    found = [(place, line) for place, line in stripped if line and not line.startswith("#")]
    if not found:
        raise InputError(f"{_place(options.file)}: no message in it")
    return found


def _content(file: Path | None, encoding: str) -> str:
    """The text of a file, or of standard input. Raises InputError, which says what is wrong."""
    try:
        return sys.stdin.read() if file is None else file.read_text(encoding)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
    except UnicodeDecodeError as error:
        reason = f"not {error.encoding} text"
    raise InputError(f"{_place(file)}: {reason}")


def _place(file: Path | None) -> str:
    return str(file or "standard input")


def _as_json(view: View) -> dict[str, object]:
    lines = [
        {"path": line.path, "name": line.name, "value": line.shown, "meaning": line.meaning}
        for line in view.lines
    ]
    errors = [
        {
            "kind": type(error).__name__,
            "path": error.path,
            "offset": error.offset,
            "expected": error.expected,
            "found_length": error.found_length,
        }
        for error in view.errors
    ]
    first = errors[0] if errors else None
    mti = view.message and view.message.mti
    return {"mti": mti, "lines": lines, "mac": view.mac, "error": first, "errors": errors}


def _table(lines: Sequence[Line]) -> Iterator[str]:
    rows = [(_label(line), line.shown, line.meaning) for line in lines]
    widths = [max((_width(row[column]) for row in rows), default=0) for column in (0, 1)]
    for label, shown, meaning in rows:
        cells = _padded(label, widths[0]), _padded(shown, widths[1]), meaning
        yield "  ".join(cells).rstrip()


def _side_by_side(left: View, right: View) -> Iterator[str]:
    """A line a path of either message; those that differ begin with `!`."""
    both: dict[str, list[Line | None]] = {}
    for side, view in enumerate((left, right)):
        for line in view.lines:
            both.setdefault(line.path, [None, None])[side] = line
    rows = []
    for path in sorted(both, key=_order):
        pair = both[path]
        label = next(_label(line) for line in pair if line is not None)
        shown = ["" if line is None else line.shown or line.meaning for line in pair]
        mark = "!" if _differ(path, left.message, right.message) or shown[0] != shown[1] else " "
        rows.append((mark, label, *shown))
    widths = [max((_width(row[column]) for row in rows), default=0) for column in (1, 2)]
    for mark, label, first, second in rows:
        yield f"{mark} {_padded(label, widths[0])}  {_padded(first, widths[1])}  {second}".rstrip()
    yield from left.remarks
    yield from right.remarks


def _differ(path: str, left: Message | None, right: Message | None) -> bool:
    """Values that look equal behind their masks may still differ."""
    if not path.isdecimal() or left is None or right is None:
        return False
    return bool(left.get(int(path)) != right.get(int(path)))


def _order(path: str) -> int:
    """Where an element stands; its parts keep their own order behind it."""
    first = path.partition(".")[0]
    heads = ("TPDU", "header", "MTI", "bitmap")
    return int(first) if first.isdecimal() else heads.index(first) - len(heads)


def _label(line: Line) -> str:
    tail = line.path.rpartition(".")[2]
    name = "" if line.name == tail.replace("_", " ") else line.name
    return f"{'  ' * line.depth}{tail:<4} {name}".rstrip()


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Columns on a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _complain(command: str, error: Exception | str) -> int:
    sys.stderr.write(f"posd {command}: {error}\n")
    return MISUSED


def _write(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
