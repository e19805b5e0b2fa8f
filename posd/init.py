"""`posd init`: a new terminal. Its configuration, its device key, its ledger with passwords of its own.

What the manuals print as passwords works no longer afterwards. Nothing that is there is ever overwritten.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from posd.initial_settings import SettingsRefused, check, fill, read_values
from posd.install import InstallError, sources
from posd.key_loading import DEVICE_LENGTH, add_place, device_check_value
from posd.key_store import DEVICE, MASTER, KeyStore, KeyStoreError
from posd.placed_files import Owner, place

DONE, FAILED = 0, 1
USER: Final = "posd"
_CONFIGURATION: Final = "etc/posd/posd.toml"
_STATE: Final = "var/lib/posd"
_LEDGER: Final = "ledger.db"
_ROLES: Final = {"supervisor": "00", "administrator": "99"}
_LONGEST_PASSWORD: Final = 12
_TLS_OPTIONS: Final = ("ca_file", "certificate_pin", "plaintext")


class Question(NamedTuple):
    """One setting that differs from terminal to terminal."""

    section: str
    key: str
    text: str
    default: str | None = None  # None: there is none that could be right

    @property
    def option(self) -> str:
        return (
            self.section.partition(".")[2]
            if self.key == "port" and "." in self.section
            else self.key
        )


QUESTIONS: Final = (
    Question("terminal", "terminal_id", "Terminal id (8 letters or digits)"),
    Question("terminal", "merchant_id", "Merchant id (15 letters or digits)"),
    Question("terminal", "merchant_name", "Merchant name, as the screen and slips show it"),
    Question("host", "address", "Acquirer: host name or IP address"),
    Question("host", "port", "Acquirer: port"),
    Question("devices.keypad", "port", "Keypad: port", "/dev/posd/keypad"),
    Question("devices.display", "port", "Display: port", "/dev/posd/display"),
    Question("devices.printer", "port", "Printer: port", "/dev/posd/printer"),
    Question("devices.card_reader", "port", "Card reader: port", "/dev/posd/card_reader"),
)


class InitRefused(Exception):
    """Why there is no new terminal, in one line, never with a password or a key."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `posd init`."""
    parser.description = (
        "Make a new terminal: asks on a terminal for what no option and no file says. Passwords are never "
        "options: they are typed unseen, or come from a file of lines like supervisor=135790, "
        "administrator=24681357, 01=4711 (a cashier)."
    )
    for question in QUESTIONS:
        parser.add_argument(
            f"--{question.option.replace('_', '-')}",
            type=int if question.option == "port" else str,
            metavar="N" if question.option == "port" else "TEXT",
            help=f"{question.text}{f' (default: {question.default})' if question.default else ''}",
        )
    tls = parser.add_mutually_exclusive_group()
    tls.add_argument(
        "--ca-file", metavar="FILE", help="certificates that the acquirer's is checked with"
    )
    tls.add_argument(
        "--certificate-pin", metavar="HEX", help="sha-256 of the acquirer's certificate"
    )
    tls.add_argument("--plaintext", action="store_true", help="no TLS: a closed network only")
    parser.add_argument(
        "--from", dest="values", type=Path, metavar="FILE", help="settings, as in the example"
    )
    parser.add_argument("--passwords-from", metavar="FILE", help="- is standard input")
    add_place(parser)


def run(options: argparse.Namespace) -> int:
    """Exit codes: 0 there is a new terminal, 1 there is none and nothing has changed."""
    try:
        done = _init(options)
    except (InitRefused, SettingsRefused, KeyStoreError, InstallError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    except EOFError:
        sys.stderr.write("the input ended; nothing has changed\n")
        return FAILED
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {(error.strerror or 'failed').lower()}\n")
        return FAILED
    sys.stdout.write("".join(f"{line}\n" for line in done))
    return DONE


def _init(options: argparse.Namespace) -> list[str]:
    # Once: the configuration that is checked counts relative paths from its own directory.
    root: Path = options.root.absolute()
    owner = _owner(root)
    configuration, ledger = root / _CONFIGURATION, root / _STATE / _LEDGER
    for path in (configuration, ledger):
        if path.exists():
            raise InitRefused(f"{path}: this terminal has been set up; nothing is overwritten")
    group = Owner(0, owner.group) if owner is not None else None
    _make_directory(configuration.parent, 0o750, group)
    values = _values(options)
    text = fill((sources() / "posd.example.toml").read_text("utf-8"), values)
    _check(text, configuration.parent, options)
    passwords = _passwords(options.passwords_from)
    store = KeyStore(root)
    device = _device_key(store, encrypt=store.can_encrypt and not options.plain)
    cashiers = _make_ledger(ledger, device, passwords, owner)
    place(configuration, text.encode(), 0o640, group, replace=False)
    return [
        f"{configuration}: written",
        f"{store.file_of(DEVICE)}: device key, check value {device_check_value(device)}",
        f"{ledger}: made; the passwords of the manual are off",
        *(
            []
            if cashiers
            else ["No cashier has a password: the supervisor adds them (管理, 操作员)."]
        ),
        *(
            []
            if store.file_of(MASTER)
            else [f"Next: posd keys load{_there(root)}, for the acquirer's master key."]
        ),
    ]


def _there(root: Path) -> str:
    """The option that another command needs to find this terminal."""
    return "" if root == Path("/") else f" --root {shlex.quote(str(root))}"


def _check(text: str, directory: Path, options: argparse.Namespace) -> None:
    """Raises SettingsRefused, which names the option too where the value came from one."""
    named = {f"{each.section}.{each.key}": each.option for each in QUESTIONS}
    named |= {f"host.{name}": name for name in _TLS_OPTIONS}
    try:
        check(text, directory)
    except SettingsRefused as refused:
        option = named.get(str(refused).partition(": ")[0])
        given = None if option is None else getattr(options, option)
        if option is None or given is None or given is False:
            raise
        raise SettingsRefused(f"--{option.replace('_', '-')}: {refused}") from None


# --- what differs from terminal to terminal -------------------------------------------------------


def _values(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    values = read_values(options.values) if options.values else {}
    values.setdefault("terminal", {}).setdefault("state_directory", f"/{_STATE}")
    host = values.setdefault("host", {})
    for name in _TLS_OPTIONS:
        if given := getattr(options, name):
            host[name] = given
    asks = sys.stdin.isatty()
    missing = []
    for question in QUESTIONS:
        section = values.setdefault(question.section, {})
        given = getattr(options, question.option)
        if given is not None:
            section[question.key] = given
        elif question.key not in section:
            answer = _ask(question) if asks else question.default
            if answer is None:
                missing.append(f"--{question.option.replace('_', '-')}")
            else:
                section[question.key] = int(answer) if question.option == "port" else answer
    if missing:
        raise InitRefused(f"nobody to ask on a terminal; expected {', '.join(missing)}")
    if asks and not host.keys() & _TLS_OPTIONS:
        answer = input(
            "Acquirer: file of CA certificates (empty: plain TCP, in a closed network): "
        )
        host.update({"ca_file": answer.strip()} if answer.strip() else {"plaintext": True})
    return values


def _ask(question: Question) -> str:
    hint = f" [{question.default}]" if question.default else ""
    while True:
        answer = input(f"{question.text}{hint}: ").strip() or question.default or ""
        if not answer:
            continue
        problem = _problem_of(question, answer)
        if problem is None:
            return answer
        sys.stdout.write(f"{problem}\n")


def _problem_of(question: Question, answer: str) -> str | None:
    """Why the terminal would not take this answer; None when it does, as far as it shows alone."""
    import msgspec

    from posd.settings import HostSettings, TerminalSettings

    sections: dict[str, type[msgspec.Struct]] = {"terminal": TerminalSettings, "host": HostSettings}
    section = sections.get(question.section)
    if section is None:
        return None  # a port of a device may be plugged in later
    (rule,) = (each.type for each in msgspec.structs.fields(section) if each.name == question.key)
    try:
        msgspec.convert(answer, rule, strict=False)  # not strict: digits are a number
    except msgspec.ValidationError:
        limits = rule.__metadata__[0]
        return f"expected {limits.description or f'a number from {limits.ge} to {limits.le}'}"
    return None


# --- passwords ------------------------------------------------------------------------------------


def _passwords(file: str | None) -> dict[str, str]:
    """By operator's number. Raises InitRefused."""
    if file is not None:
        return _read_passwords(file)
    if not sys.stdin.isatty():
        raise InitRefused("passwords are typed on a terminal, or come with --passwords-from")
    from getpass import getpass

    chosen = {}
    for role, number in _ROLES.items():
        while True:
            password = getpass(f"New password of the {role}, unseen: ")
            problem = problem_with(password, number)
            if problem is None and getpass("The same again: ") != password:
                problem = "these were not the same"
            if problem is None:
                break
            sys.stdout.write(f"{problem}\n")
        chosen[number] = password
    return chosen


def _read_passwords(file: str) -> dict[str, str]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise InitRefused(f"{file}: cannot be read") from None
    chosen: dict[str, str] = {}
    for line, words in enumerate(text.splitlines(), 1):
        if not words.strip() or words.lstrip().startswith("#"):
            continue
        who, equals, password = (part.strip() for part in words.partition("="))
        number = _ROLES.get(who, who)
        if not equals or len(number) != 2 or not number.isdecimal() or number in chosen:
            rule = "supervisor, administrator or a cashier's two digits, =, a password"
            raise InitRefused(f"{file}:{line}: expected {rule}, each once")
        if problem := problem_with(password, number):
            raise InitRefused(f"{file}:{line}: {problem}")
        chosen[number] = password
    if absent := [role for role, number in _ROLES.items() if number not in chosen]:
        raise InitRefused(f"{file}: expected a password of the {' and the '.join(absent)}")
    return chosen


def problem_with(password: str, number: str) -> str | None:
    """Why this operator cannot have it; None when it is good. The keypad has digits only."""
    from posd.ledger.operators import FACTORY_PASSWORDS

    factory = FACTORY_PASSWORDS[_role(number)]
    if not password.isascii() or not password.isdecimal():
        return "expected digits only"
    if not len(factory) <= len(password) <= _LONGEST_PASSWORD:
        return f"expected {len(factory)} to {_LONGEST_PASSWORD} digits"
    if password == factory:
        return "that is the password that the manual prints"
    return None


def _role(number: str) -> str:
    return {"00": "supervisor", "99": "administrator"}.get(number, "cashier")


# --- key and ledger -------------------------------------------------------------------------------


def _device_key(store: KeyStore, *, encrypt: bool) -> bytes:
    """A new one; the one that an earlier try left, when nothing was sealed with it yet."""
    if store.file_of(DEVICE) is not None:
        return store.read(DEVICE)
    key = secrets.token_bytes(DEVICE_LENGTH)
    store.write(DEVICE, key, encrypt=encrypt)
    return key


def _make_ledger(
    path: Path, device: bytes, passwords: Mapping[str, str], owner: Owner | None
) -> list[str]:
    """The ledger with these passwords and no others, whole or not at all; who of them is a cashier."""
    from posd.edges import SystemClock, system_random
    from posd.keys import Keys
    from posd.ledger.errors import LedgerError
    from posd.ledger.ledger import Ledger
    from protocol import Key

    state = path.parent
    _make_directory(state, 0o700, owner)
    unfinished = state / ".new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    usual = os.umask(0o077)  # as the unit has it
    try:
        # The ledger's own secrets need the device key only: the master key may come later.
        keys = Keys(device, Key(bytes(16)))
        ledger = Ledger.open(unfinished / path.name, keys, SystemClock(), system_random)
        try:
            verifiers = {
                number: keys.verifier(digits, system_random) for number, digits in passwords.items()
            }
            with ledger.commit("init"):
                for number, verifier in verifiers.items():
                    ledger.operators.set_password(number, _role(number), verifier)
                ledger.operators.turn_factory_passwords_off()
                ledger.audit.add(ledger.now(), "posd init", "initialised", {"who": [*passwords]})
        finally:
            ledger.close()
        for file in unfinished.iterdir():
            if owner is not None:
                os.chown(file, *owner)
        # The ledger last: with it there is a terminal.
        for file in sorted(unfinished.iterdir(), key=lambda each: each.name == path.name):
            file.rename(state / file.name)
    except LedgerError as error:
        raise InitRefused(f"{path}: {error}") from None
    finally:
        os.umask(usual)
        shutil.rmtree(unfinished, ignore_errors=True)
    return [number for number in passwords if _role(number) == "cashier"]


def _make_directory(path: Path, mode: int, owner: Owner | None) -> None:
    """One that is there already keeps its mode and owner."""
    if not path.is_dir():
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.mkdir()
        path.chmod(mode)
        if owner is not None:
            os.chown(path, *owner)


def _owner(root: Path) -> Owner | None:
    """The terminal's user, as the system below root numbers it. None: we are not root and own all."""
    if os.geteuid() != 0:
        return None
    try:
        lines = (root / "etc/passwd").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        fields = line.split(":")
        if fields[0] == USER:
            return Owner(int(fields[2]), int(fields[3]))
    raise InitRefused(f"{root / 'etc/passwd'}: no user {USER}; run systemd-sysusers first")
