"""The JSON that `posd encode` makes a message of. What is wrong with it is told without its values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from string import hexdigits
from typing import Any

from protocol import Dialect, Message, Pan, Track
from protocol.elements import Value
from protocol.formats import FixedOctets, PanDigits, TrackDigits, VariableOctets


class InputError(Exception):
    """The input is not what the command takes. The text never holds the input."""


def from_hex(text: str) -> bytes:
    """The bytes of hex digits, blanks allowed. Raises InputError."""
    digits = "".join(text.split())
    for position, character in enumerate(text, 1):
        if character not in hexdigits and not character.isspace():
            raise InputError(f"expected hex, character {position} is no hex digit")
    if len(digits) % 2:
        raise InputError(f"expected hex, found an odd number of hex digits ({len(digits)})")
    return bytes.fromhex(digits)


def message_of(text: str, dialect: Dialect, place: str) -> Message:
    """The message that this JSON says. Raises InputError, which names `place` where it is no JSON."""
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # posd decode writes an object a message
            _refuse_what_decode_writes(json.loads(text[: error.pos]))
        said = error.msg.removesuffix(" at")
        raise InputError(f"{place}: expected JSON: {said} at line {error.lineno}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits; nested as deep
        raise InputError(
            f"{place}: expected JSON of strings, found a number or a depth beyond it"
        ) from None
    _refuse_what_decode_writes(given)
    if not isinstance(given, dict):
        raise InputError('expected an object with "mti" and "elements"')
    for name in sorted(given.keys() - {"mti", "elements", "tpdu", "header"}):
        rule = 'expected "mti", "elements", "tpdu" and "header"'
        raise InputError(f"{rule}, found the key {_named(name)}")
    for name in ("mti", "elements"):
        if name not in given:
            raise InputError(f'expected an object with "mti" and "elements", found no "{name}"')
    if not isinstance(given["mti"], str):
        raise InputError('expected "mti" to be a string of four digits')
    if not isinstance(given["elements"], dict):
        raise InputError('expected "elements" to be an object, element number to value, strings')
    elements = dict(_element(number, value, dialect) for number, value in given["elements"].items())
    return Message(given["mti"], elements, _text(given, "tpdu"), _text(given, "header"))


def _refuse_what_decode_writes(given: object) -> None:
    if isinstance(given, dict) and given.keys() >= {"mti", "lines", "errors"}:
        raise InputError(
            "found what posd decode --json writes, whose values are masked; "
            'expected {"mti": "0800", "elements": {"11": "000001", ...}}'
        )


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise InputError(f'expected "{name}" to be a string')
    return value


def _element(number: str, value: object, dialect: Dialect) -> tuple[int, Value]:
    """An element's value as its format takes it: binary ones are given in hex."""
    if not _is_element_number(number) or int(number) not in dialect.table:
        known = sorted(dialect.table)
        rule = f"expected a number of {known[0]} to {known[-1]}"
        if _is_element_number(number) and known[0] < int(number) < known[-1]:
            rule = f"expected one of {', '.join(map(str, known))}"
        raise InputError(f"element {_named(number)}: not in the table: {rule}")
    if not isinstance(value, str):
        raise InputError(f"element {number}: expected a string, found {_kind(value)}")
    layout = dialect.table[int(number)].format
    convert: Callable[[str], Value] = str
    if isinstance(layout, PanDigits):
        convert = Pan
    elif isinstance(layout, TrackDigits):
        convert = Track
    elif isinstance(layout, FixedOctets | VariableOctets):
        convert = from_hex
    try:
        return int(number), convert(value)
    except InputError as error:
        raise InputError(f"element {number}: {error}") from None


def _is_element_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 2


def _named(key: str) -> str:
    """A key of the input, for an error: names and element numbers; another may be card data."""
    if _is_element_number(key):
        return key
    is_name = len(key) <= 20 and key.isascii() and key.replace("_", "").isalpha()
    return f'"{key}"' if is_name else f"of {len(key)} characters"


def _kind(value: object) -> str:
    """What else JSON has, never the value."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case dict():
            return "an object"
        case list():
            return "a list"
    return "a number"
