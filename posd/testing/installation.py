"""An invented terminal in a directory of its own: configuration file, keys, state directory."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from posd.acquirer.situation import Options, TerminalRecord
from posd.config import ConfigurationError, load
from posd.settings import Configuration
from posd.testing.stage import SettingError
from posd.testing.steps import SettingValue
from protocol import Key

TERMINAL_ID: Final = "T0000001"
MERCHANT_ID: Final = "M00000000000001"
SOCKET: Final = "diag.sock"
"""Where its technicians ask (`posctl --socket`), beside the configuration file."""
ROLES: Final = ("keypad", "display", "printer", "card_reader")
LINE_SPEED: Final = (
    115_200  # the printer's driver counts on it when it judges how late an answer is
)


class Installation:
    """A terminal's files below one directory; invented keys, never used before."""

    def __init__(
        self, directory: Path, random_bytes: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        self.directory = directory
        self.configuration_file = directory / "posd.toml"
        self.state_directory = directory / "state"
        self.device_directory = directory / "dev"
        self.acquirer_ledger = directory / "acquirer.db"
        for path in (self.state_directory, self.device_directory):
            path.mkdir(mode=0o700, exist_ok=True)  # as systemd makes it, and the doctor wants it
        self._master_key = random_bytes(16).hex()
        self._write_key("device.key", random_bytes(32).hex())
        self._write_key("master.key", self._master_key)
        self._settings: dict[str, Any] = {
            "terminal": {
                "terminal_id": TERMINAL_ID,
                "merchant_id": MERCHANT_ID,
                "merchant_name": "测试商户",
                "hotline": "95516",
                "state_directory": "state",
                "software_pin": True,
                "test_host": True,
            },
            "host": {"address": "127.0.0.1", "port": 1},
            "keys": {"device_key_file": "device.key", "master_key_file": "master.key"},
            "diagnostics": {"socket": SOCKET},
            "devices": {role: {"port": f"dev/{role}", "speed": LINE_SPEED} for role in ROLES},
        }

    def configure(self, path: Sequence[str], value: SettingValue) -> Configuration:
        """Change a setting by its path; what the terminal is told now.

        Raises SettingError when the terminal would not take it.
        """
        table = self._settings
        for name in path[:-1]:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                raise SettingError(f"{'.'.join(path)}: {name} is a setting, not a section")
        table[path[-1]] = value
        return self.load()

    def load(self) -> Configuration:
        """Write the configuration file and read it as the daemon does. Raises SettingError."""
        self.configuration_file.write_text("\n".join(_toml(self._settings)) + "\n", "utf-8")
        try:
            return load(self.configuration_file)
        except ConfigurationError as error:
            # The file is an invented one and soon gone: nobody can look into it.
            where = f"{error.file}:{error.line}: " if error.line else f"{error.file}: "
            raise SettingError(str(error).removeprefix(where)) from None

    @property
    def terminal_record(self) -> TerminalRecord:
        """The terminal as the acquirer knows it."""
        return TerminalRecord(TERMINAL_ID, MERCHANT_ID, Key(bytes.fromhex(self._master_key)))

    def acquirer_options(self) -> Options:
        """Answers that are slow, or late, by what this terminal waits for."""
        seconds = self.load().host.answer_seconds
        return Options(slow=seconds / 2, late=seconds + 1)

    def _write_key(self, name: str, digits: str) -> None:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(digits, "ascii")


def _toml(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Plain values first: in TOML they belong to the last table that was named."""
    for name, value in table.items():
        if not isinstance(value, dict):
            yield f"{name} = {json.dumps(value, ensure_ascii=False)}"
    for name, value in table.items():
        if isinstance(value, dict):
            inner = f"{path}.{name}" if path else name
            yield f"[{inner}]"
            yield from _toml(value, inner)
