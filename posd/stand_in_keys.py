"""Keys for a look at a configuration whose own keys only the service is handed.

systemd gives the device key and the master key to posd.service alone. Whoever checks the file from a shell
has none; the rest of the file can be checked all the same.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from posd.config import load
from posd.settings import Configuration, KeyFileSettings

_LENGTHS: Final = (("device-key", 32), ("master-key", 16))  # bytes
_DIRECTORY: Final = "CREDENTIALS_DIRECTORY"


@contextmanager
def stand_in_keys() -> Iterator[Path | None]:
    """Zeros as systemd credentials, in this directory, for the time of the block.

    None, and nothing stands in, where systemd has handed out credentials. Key files that the configuration
    names are read as ever. Nothing may be opened or sealed with such keys.
    """
    if _DIRECTORY in os.environ:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="posd-keys-") as name:
        for key, length in _LENGTHS:
            path = Path(name, key)
            path.touch(mode=0o600)
            path.write_text(bytes(length).hex(), "ascii")
        os.environ[_DIRECTORY] = name
        try:
            yield Path(name)
        finally:
            del os.environ[_DIRECTORY]


def load_beside_the_service(file: Path) -> Configuration:
    """The configuration for a tool that root runs while the terminal is stopped. Raises ConfigurationError.

    A key file that is not named in it is None: what the service would be handed is in posd.key_store.
    """
    with stand_in_keys() as stand_ins:
        configuration = load(file)
    if stand_ins is None:
        return configuration
    named = configuration.keys
    keys = KeyFileSettings(
        device_key_file=_own(named.device_key_file, stand_ins),
        master_key_file=_own(named.master_key_file, stand_ins),
    )
    return replace(configuration, keys=keys)


def _own(path: Path | None, stand_ins: Path) -> Path | None:
    return None if path is None or path.is_relative_to(stand_ins) else path
