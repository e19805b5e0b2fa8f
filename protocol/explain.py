"""A message laid open for a person: every element and part, masked, coded values in words.

It fails closed: what cannot be parsed, or may not be seen, is shown as a length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from protocol import host_data, keys, private, settlement_data, terminal_data, tlv
from protocol.card import mask_digit_runs
from protocol.chip_tags import TAGS, show_tag, verification_results
from protocol.dialect import DEFAULT, Dialect
from protocol.elements import SHOWN_LIMIT, shown_length, shown_text
from protocol.errors import CodecError, ProtocolError
from protocol.formats import FixedDigits, VariableDigits, decode_text
from protocol.header import parse_header
from protocol.host_text import printable
from protocol.message import Message
from protocol.response_codes import look_up
from protocol.transactions import ENTRY_MODES, identify


class Line(Struct, frozen=True):
    """One line of an explanation: all of it may be shown.

    path: "55.9F26"; its dots are the indentation. shown: the masked value. meaning: words for a
    coded value, or why it could not be parsed.
    """

    path: str
    name: str
    shown: str
    meaning: str = ""

    @property
    def depth(self) -> int:
        return self.path.count(".")


_NO_OFFSETS: Mapping[int, int] = MappingProxyType({})

NETWORK_CODES: Mapping[str, str] = MappingProxyType(
    {
        "000": "not a management message",
        "001": "sign-in, single-length keys",
        "002": "sign-off",
        "003": "sign-in, double-length keys",
        "004": "sign-in with a track key",
        "005": "sign-in, SM4 keys",
        "006": "sign-in, SM4 keys and track key",
        "201": "settlement, upload of magnetic stripe items",
        "202": "end of upload, not balanced",
        "203": "approved chip details, balanced",
        "204": "chip notices, balanced",
        "205": "approved chip details, not balanced",
        "206": "chip notices, not balanced",
        "207": "end of upload, balanced",
        "301": "echo",
        "360": "parameters",
        "361": "end of parameters",
        "362": "terminal status",
        "364": "program download",
        "365": "end of program download",
        "370": "CA keys",
        "371": "end of CA keys",
        "372": "query of CA keys",
        "380": "application parameters",
        "381": "end of application parameters",
        "382": "query of application parameters",
        "951": "script result",
    }
)
_PIN_DIGIT = {"1": "with PIN", "2": "without PIN"}
_CAPABILITIES = {"2": "magnetic stripe", "5": "chip", "6": "chip and contactless"}
_CHIP_CONDITIONS = {"0": "no fault", "2": "the chip failed before"}
_PIN_FORMS = {"0": "no PIN", "1": "PIN without card number", "2": "PIN with card number"}
_METHODS = {"0": "single DES", "6": "double-length 3DES", "3": "SM4", "4": "SM4"}
_RESULTS = {"0": "not known yet", "1": "balanced", "2": "not balanced", "3": "error"}
_FREE_TEXT = ("44", "62", "63")  # whose parts could hold any digits
_SETTLEMENT_MTIS = ("0500", "0510")
_PARAMETER_CODES = ("360", "361", "362", "364", "365")
_DOWNLOAD_CODES = ("370", "371", "372", "380", "381", "382")


def explain(
    message: Message, dialect: Dialect = DEFAULT, offsets: Mapping[int, int] = _NO_OFFSETS
) -> list[Line]:
    """Every line of a message: addressing, MTI, bitmap, elements with their parts.

    offsets: where each element's content begins (`codec.content_offsets`), so that what cannot be
    parsed is named by its place in the frame; without them places count from the content.
    """
    lines = []
    if message.tpdu is not None:
        lines.append(Line("TPDU", "addresses", message.tpdu))
    if message.header is not None:
        lines.extend(_header(message.header))
    transaction = identify(message)
    title = "" if transaction is None else f"{transaction.title_zh} {transaction.title_en}"
    lines.append(Line("MTI", _direction(message.mti), message.mti, title))
    lines.append(_bitmap(message))
    for number in sorted(message.elements):
        lines.extend(_element(number, message, dialect, offsets.get(number, 0)))
    return lines


def _header(header: str) -> Iterator[Line]:
    yield Line("header", "header", header)
    parts = parse_header(header)
    words = {"60": "magnetic stripe", "61": "chip"}.get(parts.category, "")
    yield Line("header.category", "application category", parts.category, words)
    status = {"0": "normal", "1": "test"}.get(parts.status, "")
    yield Line("header.status", "terminal status", parts.status, status)
    requirement = parts.requirement.name.lower().replace("_", " ")
    yield Line("header.requirement", "host asks for", parts.requirement.value, requirement)


def _direction(mti: str) -> str:
    return "request" if mti[2] in "02468" else "answer"


def _bitmap(message: Message) -> Line:
    bits = sum(1 << (64 - number) for number in message.elements)
    numbers = " ".join(str(number) for number in sorted(message.elements))
    return Line("bitmap", "bitmap", f"{bits:016X}", numbers)


def _element(number: int, message: Message, dialect: Dialect, offset: int) -> Iterator[Line]:
    value = message.elements[number]
    row = dialect.table.get(number)
    path = str(number)
    if row is None:
        yield Line(path, "", shown_length(value), "not in the table")
        return
    parts: list[Line] = []
    meaning = ""
    try:
        meaning = _MEANINGS[number](value) if number in _MEANINGS else ""
        parts = list(_PARTS[number](message, dialect)) if number in _PARTS else []
    except CodecError as error:
        if error.offset is not None:
            packed = isinstance(row.format, FixedDigits | VariableDigits)
            error.offset = offset + (error.offset // 2 if packed else error.offset)
        meaning = f"cannot be parsed: {error}"
    except ProtocolError as error:
        meaning = f"cannot be parsed: {error}"
    yield Line(path, row.name, row.show(value), meaning)
    yield from parts


def _entry_mode(value: str) -> str:
    mode = ENTRY_MODES.get(value[:2])
    words = [mode.meaning if mode else "unknown", _PIN_DIGIT.get(value[2:], "")]
    return ", ".join(word for word in words if word)


def _response(value: str) -> str:
    row = look_up(value)
    return f"{row.kind.value}: {row.zh} / {row.en}"


def _amount(value: str) -> str:
    if not (value.isascii() and value.isdecimal()):
        return ""
    return f"{int(value) // 100}.{int(value) % 100:02d}"


def _processing(value: str) -> str:
    names = {"00": "sale", "03": "pre-authorisation", "20": "void or refund", "31": "balance"}
    return names.get(value[:2], "")


_MEANINGS: Mapping[int, Callable[[Any], str]] = MappingProxyType(
    {3: _processing, 4: _amount, 22: _entry_mode, 39: _response}
)


def _parts(path: str, parts: Any, words: Mapping[str, Callable[[str], str]]) -> Iterator[Line]:
    """A line a part that is there; `words` explains some of them."""
    for field in parts.__struct_fields__:
        value = getattr(parts, field)
        if value is None or value == "":
            continue
        shown = shown_text(value) if path in _FREE_TEXT else printable(str(value), SHOWN_LIMIT)
        meaning = words[field](value) if field in words else ""
        yield Line(f"{path}.{field}", field.replace("_", " "), shown, meaning)


def _words(table: Mapping[str, str]) -> Callable[[str], str]:
    return lambda value: table.get(value, "")


def _parts_44(message: Message, _: Dialect) -> Iterator[Line]:
    return _parts("44", host_data.institutions(_masked(message.get(44))), {})


def _masked(content: str | bytes) -> str:
    """Masked as a whole, and of the same length: a run that crosses two parts is one run."""
    text = content if isinstance(content, str) else decode_text(content)
    return mask_digit_runs(text)


def _parts_48(message: Message, _: Dialect) -> Iterator[Line]:
    content = settlement_data.parse_48(message.get(48))
    if isinstance(content, settlement_data.UploadList):
        for position, item in enumerate(content.items, 1):
            yield from _parts(f"48.{position}", item, {"amount": _amount})
    elif isinstance(content, settlement_data.UploadEnd):
        yield from _parts("48", content, {})
    elif message.mti in _SETTLEMENT_MTIS:  # elsewhere these digits could be anything
        words = {"debit_amount": _amount, "credit_amount": _amount, "result": _words(_RESULTS)}
        for name in ("domestic", "foreign"):
            totals = getattr(content, name)
            if totals is not None:
                yield from _parts(f"48.{name}", totals, words)


def _parts_53(message: Message, _: Dialect) -> Iterator[Line]:
    words = {"pin_form": _words(_PIN_FORMS), "method": _words(_METHODS)}
    return _parts("53", private.ELEMENT_53.parts_of(message.get(53)), words)


def _parts_54(message: Message, _: Dialect) -> Iterator[Line]:
    accounts = host_data.ELEMENT_54.parts_of(message.get(54)).accounts
    for position, account in enumerate(accounts, 1):
        sign = "-" if account.sign == "D" else ""
        words = {"amount": lambda value, sign=sign: sign + _amount(value)}
        yield from _parts(f"54.{position}", account, words)


def _parts_55(message: Message, _: Dialect) -> Iterator[Line]:
    return _tlv_lines("55", tlv.parse(message.get(55)))


def _tlv_lines(path: str, items: Iterable[tlv.Tlv]) -> Iterator[Line]:
    for item in items:
        row = TAGS.get(item.name)
        item_path = f"{path}.{item.name}"
        shown = shown_length(item.value) if item.children else show_tag(item.name, item.value)
        yield Line(item_path, row.name if row else "unknown tag", shown)
        if item.name == "95":
            for position, words in enumerate(verification_results(item.value), 1):
                yield Line(f"{item_path}.{position}", "", "", words)
        yield from _tlv_lines(item_path, item.children)


def _parts_60(message: Message, _: Dialect) -> Iterator[Line]:
    words = {
        "network_code": _words(NETWORK_CODES),
        "terminal_capability": _words(_CAPABILITIES),
        "chip_condition": _words(_CHIP_CONDITIONS),
    }
    return _parts("60", private.parse_60(message.get(60)), words)


def _parts_61(message: Message, _: Dialect) -> Iterator[Line]:
    return _parts("61", private.parse_61(message.get(61)), {})


def _parts_62(message: Message, dialect: Dialect) -> Iterator[Line]:
    content = message.get(62)
    network_code = message.get(60, "")[8:11]
    if network_code in _PARAMETER_CODES:
        for tag, value in terminal_data.parse_parameters(content).items():
            yield Line(f"62.{tag}", terminal_data.PARAMETERS[tag].name, shown_text(value))
    elif network_code in _DOWNLOAD_CODES:
        yield from _tlv_lines("62", terminal_data.parse_download_list(content).items)
    elif message.mti == "0810":
        for slot in keys.slots(content, dialect):
            sizes = f"({slot.key_size} bytes, check value {slot.check_size} bytes)"
            yield Line(f"62.{slot.kind}", "key", sizes)
    elif message.mti == "0800":
        yield from _parts("62", terminal_data.DEVICE_STRING.parts_of(content), {})
    elif message.mti == "0320":
        yield from _parts("62", terminal_data.CHIP_DETAILS.parts_of(content), {"amount": _amount})


def _parts_63(message: Message, _: Dialect) -> Iterator[Line]:
    return _parts("63", host_data.host_texts(_masked(message.get(63))), {})


_PARTS: Mapping[int, Callable[[Message, Dialect], Iterator[Line]]] = MappingProxyType(
    {
        44: _parts_44,
        48: _parts_48,
        53: _parts_53,
        54: _parts_54,
        55: _parts_55,
        60: _parts_60,
        61: _parts_61,
        62: _parts_62,
        63: _parts_63,
    }
)
