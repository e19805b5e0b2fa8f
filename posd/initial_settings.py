"""The first configuration of a terminal: the shipped example with this terminal's values in it.

So the file says for each setting what it is and what its default is, as the example does.
"""

from __future__ import annotations

import json
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from posd.config import CREDENTIALS, KEY_LENGTHS, ConfigurationError, load

Values = Mapping[str, Mapping[str, Any]]
"""Section (with dots) -> key -> value."""

_HEADER: Final = re.compile(r"(?P<off># )?\[(?P<name>[a-z_.]+)\](?P<rest>\s*(#.*)?)\Z")
_SETTING: Final = re.compile(
    r"(?P<off># )?(?P<key>[a-z_]+) = (?P<value>.*?)(?P<rest>\s+# .*)?\Z", re.DOTALL
)


class SettingsRefused(Exception):
    """What is wrong with the values, in one line, never with a value."""


def read_values(file: Path) -> dict[str, dict[str, Any]]:
    """What a file of the configuration's form says, all of it or a part. Raises SettingsRefused."""
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsRefused(f"{file}: {(error.strerror or 'unreadable').lower()}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise SettingsRefused(f"{file}: expected TOML") from None
    values: dict[str, dict[str, Any]] = {}
    for section, key, value in _flat(tables):
        if not section:
            raise SettingsRefused(f"{file}: {key}: expected it in a table, as in the example")
        values.setdefault(section, {})[key] = value
    return values


def _flat(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}.{key}" if path else key)
        else:
            yield path, key, value


def fill(example: str, values: Values) -> str:
    """The example with these values instead of its own, and every other value of its own left out.

    A setting that the example invents and nobody gave is commented out; a key or section that it does
    not have is added.
    """
    left = {section: dict(keys) for section, keys in values.items()}
    lines: list[str] = []
    section = ""
    for line in [*example.splitlines(), "[end]"]:
        if header := _HEADER.fullmatch(line):
            lines[_end_of_text(lines) : _end_of_text(lines)] = _settings(left.pop(section, {}))
            section = header["name"]
            wanted = section in values
            line = f"{'' if wanted else '# '}[{section}]{header['rest']}"
        elif setting := _SETTING.fullmatch(line):
            given = left.get(section, {})
            if setting["key"] in given:
                value = _toml(given.pop(setting["key"]))
                line = f"{setting['key']} = {value}{setting['rest'] or ''}"
            elif not setting["off"]:
                line = f"# {line}"
        lines.append(line)
    lines.pop()
    for name, keys in left.items():
        lines += ["", f"[{name}]", *_settings(keys)]
    return "\n".join(lines) + "\n"


def check(text: str, directory: Path) -> None:
    """Would the terminal take this file, were its keys there? Raises SettingsRefused.

    directory: where it is to lie, because relative paths count from there.
    """
    with tempfile.TemporaryDirectory(prefix=".check-", dir=directory.absolute()) as name:
        file = Path(name).parent / f"{Path(name).name}.toml"
        lines = ["[keys]"]
        for key in CREDENTIALS:
            stand_in = Path(name) / key
            stand_in.touch(mode=0o600)
            stand_in.write_text("5A" * KEY_LENGTHS[key][0])
            lines.append(f"{key} = {_toml(str(stand_in))}")
        try:
            file.write_text("\n".join([text, *lines, ""]), "utf-8")
            load(file)
        except ConfigurationError as error:
            said = str(error).removeprefix(str(file))
            raise SettingsRefused(re.sub(r"\A(:\d+)?: ", "", said)) from None
        finally:
            file.unlink(missing_ok=True)


def _end_of_text(lines: list[str]) -> int:
    """Where a section's lines end: before the blank lines that lead to the next one."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return end


def _settings(keys: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in keys.items()]


def _toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
