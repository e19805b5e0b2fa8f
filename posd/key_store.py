"""Where the unit's credentials come from: two files that root alone reads, or two encrypted to this machine.

posd.service loads /etc/posd/device.key and /etc/posd/master.key (hex digits). An encrypted key lies beside
them (systemd-creds(1): bound to the machine's own secret, and to its TPM where there is one), and a drop-in
of the unit names it instead, of which systemd is told. A key is in one of the two places, never in both.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from posd.placed_files import place

DEVICE: Final = "device-key"
MASTER: Final = "master-key"
NAMES: Final = (DEVICE, MASTER)
_PLAIN: Final = {DEVICE: "etc/posd/device.key", MASTER: "etc/posd/master.key"}
_ENCRYPTED: Final = {name: f"etc/posd/{name}.cred" for name in NAMES}
_DROP_IN: Final = "etc/systemd/system/posd.service.d/50-encrypted-keys.conf"
_TOOL: Final = "systemd-creds"
_RELOAD: Final = ("systemctl", "daemon-reload")
_SYSTEMD_RUNS: Final = Path("/run/systemd/system")  # as sd_booted(3) looks
_SECONDS: Final = 60


class KeyStoreError(Exception):
    """A key cannot be read or written: which file and why, in one line, never with its content."""


class KeyStore:
    """The keys of the system below root. Raises KeyStoreError."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    @property
    def can_encrypt(self) -> bool:
        """Only for the machine that runs: another one has another secret."""
        return self._root == Path("/") and os.geteuid() == 0 and shutil.which(_TOOL) is not None

    def file_of(self, name: str) -> Path | None:
        """Where this key lies; None: it was not loaded yet. Raises KeyStoreError where one may not look."""
        for places in (_ENCRYPTED, _PLAIN):
            path = self._root / places[name]
            try:
                if path.exists():
                    return path
            except OSError as error:
                raise KeyStoreError(f"{path}: {_words(error)}") from None
        return None

    def is_encrypted(self, name: str) -> bool:
        return (self._root / _ENCRYPTED[name]).exists()

    def read(self, name: str) -> bytes:
        """The key. Raises KeyStoreError also when there is none, or no hex digits."""
        path = self.file_of(name)
        if path is None:
            raise KeyStoreError(f"{self._root / _PLAIN[name]}: no key has been loaded")
        try:
            text = self._decrypt(name, path) if self.is_encrypted(name) else path.read_bytes()
            return bytes.fromhex(text.decode("ascii"))
        except OSError as error:
            raise KeyStoreError(f"{path}: {_words(error)}") from None
        except ValueError:
            raise KeyStoreError(f"{path}: expected hex digits") from None

    def write(self, name: str, key: bytes, *, encrypt: bool) -> Path:
        """Put the key there, whole or not at all, readable by root alone; returns its file."""
        places, others = (_ENCRYPTED, _PLAIN) if encrypt else (_PLAIN, _ENCRYPTED)
        path, other = self._root / places[name], self._root / others[name]
        content = f"{key.hex()}\n".encode("ascii")
        try:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            place(path, self._encrypt(name, content) if encrypt else content, 0o600, replace=True)
            other.unlink(missing_ok=True)
            self.tell_unit()
        except OSError as error:
            raise KeyStoreError(f"{error.filename or path}: {_words(error)}") from None
        return path

    def tells_unit(self, name: str) -> bool:
        """Does the unit look where this key lies? systemctl revert takes the drop-in away."""
        drop_in = self._root / _DROP_IN
        told = drop_in.read_text("ascii", "replace") if drop_in.exists() else ""
        return not self.is_encrypted(name) or _line(name) in told.splitlines()

    def tell_unit(self) -> None:
        """Let the drop-in name what is encrypted; none without any. Raises OSError, KeyStoreError."""
        drop_in = self._root / _DROP_IN
        lines = [_line(name) for name in NAMES if self.is_encrypted(name)]
        text = "\n".join(["# Written by posd: these keys are encrypted.", "[Service]", *lines, ""])
        content = text.encode("ascii") if lines else b""
        if content == (drop_in.read_bytes() if drop_in.exists() else b""):
            return
        if lines:
            drop_in.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            place(drop_in, content, 0o644, replace=True)
        else:
            drop_in.unlink()
        if self._root == Path("/") and _SYSTEMD_RUNS.is_dir():
            _reload()  # or the next start would look for the key in its old place

    def _encrypt(self, name: str, content: bytes) -> bytes:
        return _creds("encrypt", f"--name={name}", "-", "-", content=content)

    def _decrypt(self, name: str, path: Path) -> bytes:
        return _creds("decrypt", f"--name={name}", str(path), "-", content=b"")


def _line(name: str) -> str:
    return f"LoadCredentialEncrypted={name}:/{_ENCRYPTED[name]}"


def _reload() -> None:
    try:
        done = subprocess.run(_RELOAD, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603
        said = _last_line(done.stderr) if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired):
        said = "it cannot be run"
    if said:
        raise KeyStoreError(
            f"the key is in its place, but systemd does not know yet: {' '.join(_RELOAD)}: {said}"
        )


def _creds(*words: str, content: bytes) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - systemd's own tool; the key goes through a pipe
            [shutil.which(_TOOL) or _TOOL, *words],
            input=content,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise KeyStoreError(f"{_TOOL} cannot be run") from None
    if done.returncode:
        raise KeyStoreError(f"{_TOOL} {words[0]}: {_last_line(done.stderr)}")
    return done.stdout


def _last_line(said: bytes) -> str:
    return said.decode("utf-8", "replace").strip().rpartition("\n")[2] or "it failed"


def _words(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
