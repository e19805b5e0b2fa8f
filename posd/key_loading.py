"""`posd keys`: the acquirer's master key comes in by two components or a file; out come check values only.

A component is one of two hex strings, each held by another person; the key is their exclusive or. Nothing
secret is ever an argument, where every process of the machine could read it.
"""

from __future__ import annotations

import argparse
import hmac
import string
import sys
from itertools import pairwise
from pathlib import Path
from typing import Final

from posd.key_store import DEVICE, MASTER, KeyStore, KeyStoreError
from protocol import Key, ProtocolError
from protocol.cipher import Cipher, xor

DONE, FAILED = 0, 1
CHECK_LENGTH: Final = 4  # bytes; acquirers print the first three or four
MASTER_LENGTHS: Final = (16, 24)
DEVICE_LENGTH: Final = 32
CIPHERS: Final = {"3des": Cipher.TDES, "sm4": Cipher.SM4}
_SHORTEST_CHECK: Final = 6  # digits: fewer could be right by chance
_DES_BLOCK: Final = 8


class KeyRefused(Exception):
    """What is wrong with a component or a key, never with its digits."""


def read_component(text: str, what: str) -> bytes:
    """The bytes of hex digits, blanks allowed. Raises KeyRefused."""
    digits = "".join(text.split())
    if not all(digit in string.hexdigits for digit in digits):
        raise KeyRefused(f"{what}: expected hex digits, found another character")
    if len(digits) not in {2 * length for length in MASTER_LENGTHS}:
        rule = " or ".join(str(2 * length) for length in MASTER_LENGTHS)
        raise KeyRefused(f"{what}: expected {rule} hex digits, found {len(digits)}")
    value = bytes.fromhex(digits)
    if not any(value):
        raise KeyRefused(f"{what}: all zeros")
    return value


def combine(first: bytes, second: bytes) -> bytes:
    """The key of two components. Raises KeyRefused."""
    if len(first) != len(second):
        raise KeyRefused("the components are of different lengths")
    if hmac.compare_digest(first, second):
        raise KeyRefused("the components are the same: their key would be zeros")
    return xor(first, second)


def has_odd_parity(key: bytes) -> bool:
    return all(byte.bit_count() % 2 for byte in key)


def with_odd_parity(key: bytes) -> bytes:
    """DES does not use the lowest bit of a byte; it makes the number of ones odd."""
    return bytes(byte if byte.bit_count() % 2 else byte ^ 1 for byte in key)


def check_master(key: bytes, cipher: Cipher) -> None:
    """Raises KeyRefused for what no acquirer hands out."""
    if cipher is Cipher.SM4:
        if len(key) != MASTER_LENGTHS[0]:
            raise KeyRefused("an SM4 key has 32 hex digits")
        return
    key = with_odd_parity(key)
    parts = [key[at : at + _DES_BLOCK] for at in range(0, len(key), _DES_BLOCK)]
    if any(before == after for before, after in pairwise(parts)):
        raise KeyRefused("two parts of the key are the same: that is single DES")


def check_value(key: bytes, cipher: Cipher = Cipher.TDES) -> str:
    """The beginning of a block of zeros enciphered under it, in capital hex digits."""
    return Key(key).check_value(CHECK_LENGTH, cipher).hex().upper()


def device_check_value(key: bytes) -> str:
    """Of the device key, which enciphers no block of zeros: the beginning of an HMAC-SHA-256."""
    return hmac.digest(key, b"posd device key", "sha256")[:CHECK_LENGTH].hex().upper()


# --- commands -------------------------------------------------------------------------------------


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`load` and `show` below `posd keys`."""
    load = commands.add_parser(
        "load",
        help="load the acquirer's master key",
        description="Load the acquirer's master key: two components, typed unseen, or a file of hex digits.",
    )
    load.add_argument("--file", metavar="FILE", help="the whole key in hex; - is standard input")
    load.add_argument(
        "--check-value", metavar="HEX", help="what the acquirer printed: ask nobody to compare"
    )
    load.add_argument("--cipher", choices=sorted(CIPHERS), default="3des", help="default: 3des")
    load.add_argument("--replace", action="store_true", help="there is a master key already")
    add_place(load)
    load.set_defaults(call=run_load)
    show = commands.add_parser(
        "show", help="show check values", description="Show the check values of the keys, no more."
    )
    show.add_argument("--cipher", choices=sorted(CIPHERS), default="3des", help="default: 3des")
    show.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="default: /")
    show.set_defaults(call=run_show)


def add_place(parser: argparse.ArgumentParser) -> None:
    """Options of every command that writes a key."""
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="default: /")
    parser.add_argument(
        "--plain",
        action="store_true",
        help="a file that root alone reads, even where systemd-creds could encrypt it to this machine",
    )


def run_load(options: argparse.Namespace) -> int:
    """Exit codes: 0 loaded, 1 not, and nothing has changed."""
    store, cipher = KeyStore(options.root), CIPHERS[options.cipher]
    try:
        if store.file_of(MASTER) is not None and not options.replace:
            raise KeyRefused(f"{store.file_of(MASTER)}: a master key is there; --replace it")
        if options.file is None:
            key = _typed(cipher)
        else:
            key = read_component(_content(options.file), options.file)
        check_master(key, cipher)
        # Who gave the key as standard input is not there to be asked.
        compared = _compare(check_value(key, cipher), options.check_value, sys.stdin.isatty())
        if cipher is Cipher.TDES:
            if not compared and not has_odd_parity(key):
                raise KeyRefused(
                    "the key's parity is not odd: a digit is wrong, or give --check-value"
                )
            key = with_odd_parity(key)
        path = store.write(MASTER, key, encrypt=store.can_encrypt and not options.plain)
    except (KeyRefused, KeyStoreError, ProtocolError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    except EOFError:
        sys.stderr.write("the input ended; nothing has changed\n")
        return FAILED
    _say(f"{path}: written; it is used from the next start{_restart(options.root)}")
    return DONE


def _restart(root: Path) -> str:
    """What starts that terminal again; below another root it is not the one of this system."""
    if root.absolute() == Path("/"):
        return ": systemctl restart posd"
    return " there; where that system runs already, in it: systemctl restart posd"


def run_show(options: argparse.Namespace) -> int:
    """Exit codes: 0 both keys are there, 1 not."""
    store, code = KeyStore(options.root), DONE
    for name in (DEVICE, MASTER):
        try:
            key = store.read(name)
            if name == DEVICE:
                value = device_check_value(key)
            else:
                value = check_value(key, CIPHERS[options.cipher])
        except (KeyStoreError, ProtocolError) as error:
            sys.stderr.write(f"{name}: {error}\n")
            code = FAILED
        else:
            how = "encrypted to this machine" if store.is_encrypted(name) else "root alone reads it"
            _say(f"{name}: check value {value}, {store.file_of(name)} ({how})")
    return code


def _typed(cipher: Cipher) -> bytes:
    """The key of two people's components."""
    if not sys.stdin.isatty():
        raise KeyRefused("components are typed on a terminal; give a key file with --file")
    first = _component("first", cipher, None)
    return combine(first, _component("second", cipher, first))


def _component(which: str, cipher: Cipher, other: bytes | None) -> bytes:
    """One person's component, asked until it can be one: a mistyped digit costs nobody else's work.

    other: the component that it is to be combined with, when that is known.
    """
    from getpass import getpass

    while True:
        try:
            text = getpass(f"The {which} component, unseen: ")
            part = read_component(text, f"the {which} component")
            if cipher is Cipher.SM4 and len(part) != MASTER_LENGTHS[0]:
                raise KeyRefused(f"the {which} component: an SM4 key has 32 hex digits")
            if other is not None:
                combine(other, part)
        except KeyRefused as refused:
            _say(f"{refused}; once more")
            continue
        _say(f"The {which} component's check value: {check_value(part, cipher)}")
        # Some acquirers print components with odd parity, others as chance made them.
        if cipher is Cipher.SM4 or has_odd_parity(part):
            return part
        if _yes("Its parity is not odd: is that its check value? [y/N] "):
            return part


def _compare(found: str, expected: str | None, by_a_person: bool) -> bool:
    """Is this known to be the acquirer's check value? Raises KeyRefused when it is another."""
    _say(f"The key's check value: {found}")
    if expected is not None:
        digits = "".join(expected.split()).upper()
        if len(digits) < _SHORTEST_CHECK or not found.startswith(digits[: len(found)]):
            raise KeyRefused("the check value is another than the acquirer's: nothing has changed")
        return True
    if not by_a_person:
        return False
    if not _yes("Is that the acquirer's? [y/N] "):
        raise KeyRefused("nothing has changed")
    return True


def _yes(question: str) -> bool:
    return input(question).strip().lower() in ("y", "yes")


def _content(file: str) -> str:
    try:
        if file == "-":
            return sys.stdin.read()
        return Path(file).read_text("ascii", errors="replace")
    except OSError as error:
        raise KeyRefused(f"{file}: {(error.strerror or 'cannot be read').lower()}") from None


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
