"""Reads the configuration file. Every fault is one line: file, key, what was expected and found.

`load` is the entry. A `ConfigurationError` holds no value of the file but a short integer where another
one belongs: types and lengths are enough to mend it, and a key pasted into the wrong place stays unprinted.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from posd.settings import (
    BackupSettings,
    CardReaderSettings,
    Configuration,
    DeviceSettings,
    DiagnosticsSettings,
    DialectSettings,
    DisplaySettings,
    HostSettings,
    KeyFileSettings,
    KeypadSettings,
    LogSettings,
    MetricsSettings,
    MoneySettings,
    OperatorsSettings,
    OrderSettings,
    PreAuthorisationSettings,
    PrinterSettings,
    PrintingSettings,
    RefundSettings,
    SerialSettings,
    SettlementSettings,
    TerminalSettings,
    TimeoutSettings,
    TrainingSettings,
    VoidSettings,
    make_dialect,
)

__all__ = [
    "BackupSettings",
    "CardReaderSettings",
    "Configuration",
    "ConfigurationError",
    "DeviceSettings",
    "DiagnosticsSettings",
    "DialectSettings",
    "DisplaySettings",
    "HostSettings",
    "KeyFileSettings",
    "KeypadSettings",
    "LogSettings",
    "MetricsSettings",
    "MoneySettings",
    "OperatorsSettings",
    "OrderSettings",
    "PreAuthorisationSettings",
    "PrinterSettings",
    "PrintingSettings",
    "RefundSettings",
    "SerialSettings",
    "SettlementSettings",
    "TerminalSettings",
    "TimeoutSettings",
    "TrainingSettings",
    "VoidSettings",
    "fault_at",
    "load",
    "make_dialect",
]

CREDENTIALS = {"device_key_file": "device-key", "master_key_file": "master-key"}
KEY_LENGTHS = {"device_key_file": (32,), "master_key_file": (16, 24)}
_NO_KEY = b"none"  # what posd.service hands out where there is no key file
_MADE_BY = {"device_key_file": "posd init makes one", "master_key_file": "posd keys load"}
_LONGEST_FILE = 1024 * 1024
_LONG_NUMBER = 100_000
_INPUT_DEVICE = "evdev:"


class ConfigurationError(Exception):
    """The configuration cannot be used. Its text is one line and holds no value that may be a secret.

    file: the configuration file. key: dotted path of the key concerned, "" for the file itself.
    """

    def __init__(self, file: Path, problem: str, *, key: str = "", line: int | None = None) -> None:
        self.file = file
        self.key = key
        self.line = line
        where = f"{file}:{line}" if line else f"{file}"
        text = f"{where}: {key}: {problem}" if key else f"{where}: {problem}"
        super().__init__(" ".join(text.split()))


def load(path: Path | str) -> Configuration:
    """Read, check and complete the file. Relative paths in it count from its own directory.

    Raises ConfigurationError for anything that would keep the terminal from starting, except ports
    and certificates, which `posd.preflight` looks at.
    """
    file = Path(path).absolute()
    text = _read(file)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(file, error) from None
    source = _Source(file, text, data)
    _take_credentials(data)
    configuration = source.convert()
    for key, problem in _contradictions(configuration):
        raise source.error(key, problem)
    _complain_about_files(configuration.host, source)
    for name in KEY_LENGTHS:
        _check_key_file(getattr(configuration.keys, name), name, source)
    msgspec.structs.force_setattr(configuration, "_file", file)  # see Configuration.file
    return configuration


def fault_at(file: Path, key: str, problem: str) -> ConfigurationError:
    """Of a configuration that was read well: told with the line at which the file has this key now."""
    file = file.absolute()
    try:
        line = _line_of(_read(file), key)
    except ConfigurationError:
        line = None
    return ConfigurationError(file, problem, key=key, line=line)


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > _LONGEST_FILE:
            raise ConfigurationError(file, "expected a configuration file, found more than 1 MiB")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            file, f"expected a readable file, found: {_reason(error)}"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            file, f"expected UTF-8 text, found another byte at offset {error.start}"
        ) from None


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _syntax_error(file: Path, error: tomllib.TOMLDecodeError) -> ConfigurationError:
    found = re.search(r"line (\d+), column (\d+)", str(error))
    problem = "expected TOML, found " + re.sub(r" \(at .*\)\Z", "", str(error), flags=re.S).lower()
    return ConfigurationError(file, problem, line=int(found[1]) if found else None)


def _take_credentials(data: dict[str, Any]) -> None:
    """Fill key files that are not named from the directory where systemd puts credentials."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    keys = data.setdefault("keys", {})
    if directory and isinstance(keys, dict):
        for key, name in CREDENTIALS.items():
            keys.setdefault(key, str(Path(directory).absolute() / name))


def _contradictions(configuration: Configuration) -> Iterator[tuple[str, str]]:
    """What no section can see alone, as (key, problem)."""
    host, money = configuration.host, configuration.money
    if host.plaintext:
        for name in ("ca_file", "certificate_pin", "client_certificate", "client_key"):
            if getattr(host, name) is not None:
                yield (
                    f"host.{name}",
                    "expected no TLS option together with plaintext = true, found one",
                )
    if host.tls and not (host.ca_file or host.certificate_pin):
        yield (
            "host",
            "expected ca_file or certificate_pin for TLS, or plaintext = true, found none of them",
        )
    if host.client_key and not host.client_certificate:
        yield "host.client_key", "expected a client_certificate with it, found none"
    if host.client_certificate and not host.tls:
        yield "host.client_certificate", "expected ca_file or certificate_pin with it, found none"
    if money.backoff_longest_seconds < money.backoff_first_seconds:
        yield "money.backoff_longest_seconds", "expected at least backoff_first_seconds, found less"
    if money.batch_limit < money.batch_warning:
        yield "money.batch_limit", "expected at least batch_warning, found less"
    if configuration.devices.display is None or configuration.devices.keypad is None:
        missing = "display" if configuration.devices.display is None else "keypad"
        yield "devices", f"expected a table devices.{missing}, found none"
    for one, other in combinations(_ports(configuration.devices), 2):
        # Looked at in pairs: a link may lead elsewhere a moment later.
        if _place_of(one[1]) == _place_of(other[1]):
            yield (
                f"devices.{other[0]}.port",
                f"expected a port of its own, found the one of devices.{one[0]}.port",
            )
    if configuration.printing.without_printer == "refuse" and configuration.devices.printer is None:
        yield "printing.without_printer", "expected a table devices.printer with it, found none"


def _ports(devices: DeviceSettings) -> Iterator[tuple[str, str]]:
    for role in devices.__struct_fields__:
        device: SerialSettings | None = getattr(devices, role)
        if device is not None:
            yield role, device.port


def _place_of(port: str) -> str:
    """What is opened in the end: udev's names are links, and two of them may lead to one device."""
    return port if "://" in port else os.path.realpath(port.removeprefix(_INPUT_DEVICE))


def _complain_about_files(host: HostSettings, source: _Source) -> None:
    for name in ("ca_file", "client_certificate", "client_key"):
        path: Path | None = getattr(host, name)
        if path is not None:
            try:
                path.read_bytes()
            except OSError as error:
                raise source.error(
                    f"host.{name}", f"expected a readable file, found {path}: {_reason(error)}"
                ) from None


def _check_key_file(path: Path | None, name: str, source: _Source) -> None:
    key, lengths = f"keys.{name}", KEY_LENGTHS[name]
    wanted = " or ".join(str(2 * length) for length in lengths)
    if path is None:
        raise source.error(
            key,
            f"expected a key file, or the systemd credential {CREDENTIALS[name]} that posd.service has, "
            "found none",
        )
    try:
        # The mode is looked at on the open file: a name could mean another file a moment later.
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(4096)
    except OSError as error:
        raise source.error(
            key, f"expected a readable key file, found {path}: {_reason(error)}"
        ) from None
    if mode & stat.S_IROTH or mode & stat.S_IWOTH:
        raise source.error(
            key,
            "expected a key file that others cannot read or write (chmod 600), "
            f"found {path} with mode {stat.S_IMODE(mode):o}",
        )
    digits = b"".join(content.split())
    if digits == _NO_KEY:
        raise source.error(key, f"expected a key, found that none was loaded: {_MADE_BY[name]}")
    hexadecimal = re.fullmatch(rb"[0-9A-Fa-f]*", digits) is not None
    if not hexadecimal or len(digits) not in [2 * length for length in lengths]:
        found = f"{len(digits)} {'hex digits' if hexadecimal else 'characters, not all hex'}"
        raise source.error(key, f"expected {wanted} hex digits in {path}, found {found}")


class _Source(Struct, frozen=True):
    """The file as read, to say where in it a fault is."""

    file: Path
    text: str
    data: Mapping[str, Any]

    def error(self, key: str, problem: str) -> ConfigurationError:
        return ConfigurationError(self.file, problem, key=key, line=_line_of(self.text, key))

    def convert(self) -> Configuration:
        def path_of(wanted: type, found: object) -> object:
            if wanted is Path and isinstance(found, str) and found.strip() and "\0" not in found:
                return self.file.parent / found
            raise ValueError("expected a path")

        try:
            configuration = msgspec.convert(self.data, Configuration, dec_hook=path_of)
        except msgspec.ValidationError as error:
            raise self._explain(str(error)) from None
        return _with_absolute_ports(configuration, self.file.parent)

    def _explain(self, text: str) -> ConfigurationError:
        """Say a msgspec fault in this module's words: its own may hold the value."""
        location = re.search(r" - at `\$\.?(.*)`\Z", text)
        path = location[1] if location else ""
        named = re.match(r"Object (?:contains unknown|missing required) field `(.*?)`", text, re.S)
        key = ".".join(part for part in (path, named[1] if named else "") if part)
        if named and text.startswith("Object contains"):
            known = sorted(_fields_at(path))
            problem = f"expected one of {', '.join(known)}, found an unknown key"
            return self.error(_printable(key), problem + _suggestion(named[1], known))
        expected = _expected(_type_at(key))
        if named:
            return self.error(key, f"expected {expected}, found nothing")
        found = self._value_at(key)
        # One in a text's place, or as long as a password, may be a secret.
        told = (
            expected.startswith("an integer") and type(found) is int and abs(found) < _LONG_NUMBER
        )
        return self.error(key, f"expected {expected}, found {found if told else _found(found)}")

    def _value_at(self, key: str) -> object:
        value: object = self.data
        for part in filter(None, key.split(".")):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value


def _with_absolute_ports(configuration: Configuration, base: Path) -> Configuration:
    devices: dict[str, Any] = {}
    for role in configuration.devices.__struct_fields__:
        device: SerialSettings | None = getattr(configuration.devices, role)
        if device is not None and "://" not in device.port:
            scheme = _INPUT_DEVICE if device.port.startswith(_INPUT_DEVICE) else ""
            port = f"{scheme}{base / device.port.removeprefix(scheme)}"
            device = msgspec.structs.replace(device, port=port)
        devices[role] = device
    return msgspec.structs.replace(configuration, devices=DeviceSettings(**devices))


def _suggestion(word: str, known: list[str]) -> str:
    from difflib import get_close_matches  # only a fault needs it

    close = get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _printable(key: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in key)[:80]


def _line_of(text: str, key: str) -> int | None:
    """The line of a key, or of the table that should hold it; None when neither is found."""
    table, best = "", None
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line)
        if header:
            table = re.sub(r"""\s*\.\s*|["']""", lambda m: "." if "." in m[0] else "", header[1])
            if key == table or key.startswith(table + "."):
                best = number
            continue
        name = re.match(r"""\s*["']?([\w.-]+)["']?\s*=""", line)
        if name and key == ".".join(filter(None, (table, name[1]))):
            return number
    return best


def _type_at(key: str) -> Any:
    from msgspec import inspect  # only a fault needs it

    kind: Any = inspect.type_info(Configuration)
    for part in filter(None, key.split(".")):
        kind = _without_none(kind)
        kind = next(field.type for field in kind.fields if field.name == part)
    return _without_none(kind)


def _without_none(kind: Any) -> Any:
    from msgspec import inspect

    if isinstance(kind, inspect.UnionType):
        return next(each for each in kind.types if not isinstance(each, inspect.NoneType))
    return kind


def _fields_at(key: str) -> list[str]:
    return [field.name for field in _type_at(key).fields]


def _expected(kind: Any) -> str:
    from msgspec import inspect

    if isinstance(kind, inspect.Metadata):
        described = (kind.extra_json_schema or {}).get("description")
        return str(described) if described else _expected(kind.type)
    if isinstance(kind, inspect.LiteralType):
        return "one of " + ", ".join(map(str, kind.values))
    if isinstance(kind, inspect.IntType):
        if kind.le is not None:
            return f"an integer from {kind.ge} to {kind.le}"
        return f"an integer from {kind.ge}" if kind.ge is not None else "an integer"
    if isinstance(kind, inspect.BoolType):
        return "true or false"
    if isinstance(kind, inspect.StructType):
        return "a table"
    if isinstance(kind, inspect.CustomType):
        return "a path"
    return "text"


def _found(value: object) -> str:
    """Type and length of a TOML value, never the value."""
    match value:
        case bool():
            return "true or false"
        case int():
            return "an integer" if value >= 0 else "a negative integer"
        case float():
            return "a number"
        case str():
            return f"text of {len(value)} characters"
        case Mapping():
            return "a table"
        case list():
            return f"a list of {len(value)}"
        case None:
            return "nothing"
    return "a date or time"
