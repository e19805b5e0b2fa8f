"""`posd init`: a new terminal, whole or not at all, with passwords that no manual prints."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from posd.cli import main
from posd.config import load
from posd.edges import SystemClock, system_random
from posd.init import QUESTIONS, problem_with
from posd.initial_settings import fill
from posd.install import sources
from posd.key_store import DEVICE, KeyStore
from posd.keys import Keys
from posd.ledger.ledger import Ledger
from posd.passwords import matches
from protocol import Key
from tests.posd.test_key_loading import on_a_terminal

ANSWERS = {
    "terminal-id": "T0000001",
    "merchant-id": "M00000000000001",
    "merchant-name": '测试 "商户"',
    "address": "127.0.0.1",
    "port": "6000",
}
PASSWORDS = "# of this shop\nsupervisor=246810\nadministrator = 24681357\n02=4711\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(f"posd:x:{os.getuid()}:{os.getgid()}::/:/bin/false\n")
    return tmp_path


def passwords(root: Path, text: str = PASSWORDS) -> str:
    file = root / "passwords"
    file.write_text(text)
    return str(file)


def init(root: Path, *more: str, text: str = PASSWORDS, without: str = "") -> int:
    words = [f"--{name}={value}" for name, value in ANSWERS.items() if name != without]
    return main(
        ["init", "--root", str(root), *words, "--passwords-from", passwords(root, text), *more]
    )


def opened(root: Path) -> Ledger:
    keys = Keys(KeyStore(root).read(DEVICE), Key(bytes(16)))
    return Ledger.open(root / "var/lib/posd/ledger.db", keys, SystemClock(), system_random)


def test_a_new_terminal_has_a_configuration_a_key_and_a_ledger(root: Path) -> None:
    assert init(root) == 0
    modes = {
        str(path.relative_to(root)): oct(path.stat().st_mode & 0o777)
        for top in ("etc/posd", "var/lib/posd")
        for path in [root / top, *(root / top).iterdir()]
    }
    assert modes == {
        "etc/posd": "0o750",
        "etc/posd/posd.toml": "0o640",
        "etc/posd/device.key": "0o600",
        "var/lib/posd": "0o700",
        "var/lib/posd/ledger.db": "0o600",
        "var/lib/posd/ledger.db.generation": "0o600",
        "var/lib/posd/ledger.db.reserve": "0o600",
    }


def test_the_next_command_finds_this_terminal(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(root) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f"Next: posd keys load --root {root}, for the acquirer's master key."


def test_the_root_may_be_relative(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root.parent)
    assert init(Path(root.name)) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{root / 'etc/posd/posd.toml'}: written"
    assert said[-1] == f"Next: posd keys load --root {root}, for the acquirer's master key."
    assert sorted(path.name for path in (root / "etc/posd").iterdir()) == [
        "device.key",
        "posd.toml",
    ]


def test_a_relative_root_is_not_in_the_fault_of_a_value(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root.parent)
    assert init(Path(root.name), "--certificate-pin", "5A") == 1
    said = capsys.readouterr().err
    assert said.startswith("--certificate-pin: host.certificate_pin: expected ")
    assert ".check-" not in said


def test_the_configuration_is_the_example_with_this_terminals_values(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert init(root, "--printer", "/dev/ttyS3") == 0
    for name in ("device-key", "master-key"):
        (root / name).touch(0o600)
        (root / name).write_text("5a" * (32 if name == "device-key" else 16))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(root))
    file = root / "etc/posd/posd.toml"
    configuration = load(file)
    assert configuration.terminal.merchant_name == '测试 "商户"'
    assert configuration.host.port == 6000
    assert not configuration.host.tls  # the example's certificate file is not this terminal's
    assert configuration.devices.printer is not None
    assert configuration.devices.printer.port == "/dev/ttyS3"
    example = (sources() / "posd.example.toml").read_text("utf-8")
    assert len(file.read_text("utf-8").splitlines()) == len(example.splitlines())


def test_nobody_has_a_password_of_the_manual(root: Path) -> None:
    assert init(root) == 0
    ledger = opened(root)
    try:
        assert ledger.operators.factory_passwords_off
        assert [each.number for each in ledger.operators.all()] == ["00", "02", "99"]
        device = KeyStore(root).read(DEVICE)
        for number, password in (("00", "246810"), ("99", "24681357"), ("02", "4711")):
            stored = ledger.operators.verifier(number)
            assert matches(device, password, stored.salt, stored.verifier, 2**14)
        assert [what for _at, _who, what, _details in ledger.audit.entries()] == ["initialised"]
    finally:
        ledger.close()


def test_nothing_is_overwritten(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(root) == 0
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert init(root) == 1
    assert "nothing is overwritten" in capsys.readouterr().err
    (root / "etc/posd/posd.toml").unlink()
    assert init(root) == 1
    assert "ledger.db: this terminal has been set up" in capsys.readouterr().err
    after = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert after.items() <= before.items()


@pytest.mark.parametrize("name", ANSWERS)
def test_what_nobody_said_and_nobody_can_be_asked_is_named(
    root: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert init(root, without=name) == 1
    assert f"expected --{name}" in capsys.readouterr().err
    assert not (root / "var").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--terminal-id", "12"),
            "--terminal-id: terminal.terminal_id: expected 8 letters or digits",
        ),
        (("--port", "70000"), "--port: host.port: expected"),
        (("--port", "0"), "--port: host.port: expected an integer from 1 to 65535, found 0"),
        (("--address", "acquirer.example"), "host: expected ca_file or certificate_pin for TLS"),
        (("--ca-file", "nowhere.pem"), "--ca-file: host.ca_file: expected a readable file"),
    ],
)
def test_a_value_that_the_terminal_would_not_take_changes_nothing(
    root: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert init(root, *words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (root / "var").exists()
    assert list((root / "etc/posd").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("supervisor=246810\n", "expected a password of the administrator"),
        (PASSWORDS + "03=0000\n", ":5: that is the password that the manual prints"),
        ("supervisor=123456\n", ":1: that is the password that the manual prints"),
        ("supervisor=2468\n", ":1: expected 6 to 12 digits"),
        ("supervisor=secret\n", ":1: expected digits only"),
        ("supervisor 246810\n", ":1: expected supervisor, administrator or a cashier's two digits"),
        ("supervisor=246810\n00=135790\n", ":2: expected supervisor"),
    ],
)
def test_passwords_that_cannot_be_are_refused_and_not_repeated(
    root: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    assert init(root, text=text) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    for secret in ("246810", "2468", "123456", "secret", "135790"):
        assert secret not in line
    assert not (root / "var").exists()


def test_a_file_says_what_options_do_not(root: Path) -> None:
    file = root / "values.toml"
    file.write_text(
        '[terminal]\nlanguage = "en"\nterminal_id = "X0000009"\n'
        '[log]\nlevel = "debug"\n[devices.printer]\nport = "/dev/ttyS1"\nspeed = 115200\n'
    )
    assert init(root, "--from", str(file)) == 0
    made = tomllib.loads((root / "etc/posd/posd.toml").read_text("utf-8"))
    assert made["terminal"]["language"] == "en"
    assert made["terminal"]["terminal_id"] == "T0000001"  # an option stands above the file
    assert made["log"] == {"level": "debug"}
    assert made["devices"]["printer"] == {"port": "/dev/ttyS1", "speed": 115200}


def test_a_fault_of_the_file_blames_no_option(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = root / "values.toml"
    values.write_text("[terminal]\nterminal_id = '12'\n")
    assert init(root, "--from", str(values), without="terminal-id") == 1
    assert capsys.readouterr().err.startswith("terminal.terminal_id: expected 8 letters")


def test_filling_the_example_with_its_own_values_changes_nothing() -> None:
    example = (sources() / "posd.example.toml").read_text("utf-8")
    tables = tomllib.loads(example)
    values = {name: tables[name] for name in ("terminal", "host")}
    values |= {f"devices.{role}": device for role, device in tables["devices"].items()}
    assert tomllib.loads(fill(example, values)) == tables


def test_a_section_that_the_example_does_not_know_is_added() -> None:
    made = tomllib.loads(fill("[a]\nb = 1\n", {"a": {"c": "x"}, "d.e": {"f": True}}))
    assert made == {"a": {"c": "x"}, "d": {"e": {"f": True}}}


def test_the_user_must_be_there_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if os.geteuid() == 0:
        assert init(tmp_path) == 1
        assert "run systemd-sysusers first" in capsys.readouterr().err
    else:
        assert init(tmp_path) == 0  # then everything belongs to whoever calls


def test_a_key_that_an_earlier_try_left_is_used(root: Path) -> None:
    KeyStore(root).write(DEVICE, bytes(range(32)), encrypt=False)
    assert init(root) == 0
    assert KeyStore(root).read(DEVICE) == bytes(range(32))
    opened(root).close()


@pytest.mark.parametrize("number", ["00", "99", "01"])
def test_a_good_password_is_no_problem(number: str) -> None:
    assert problem_with("24681357", number) is None


def test_an_answer_that_cannot_be_right_is_asked_for_again_at_once(root: Path) -> None:
    right = iter([*ANSWERS.values(), "", "", "", ""])
    wrong = {0: "T1", 1: "M 1", 3: "no host", 4: "70000"}
    typed = [
        word
        for at, answer in enumerate(right)
        for word in (wrong.get(at), answer)
        if word is not None
    ]
    secrets = ("246810", "246810", "24681357", "24681357")
    code, seen = on_a_terminal(
        "init", "--root", str(root), typed=(*typed, "", *secrets), prompts=(b": ",)
    )
    assert code == 0, seen
    for rule in ("8 letters or digits", "15 letters or digits", "a host name", "from 1 to 65535"):
        assert f"expected {rule}" in seen.replace("expected a number ", "expected ")


def test_on_a_terminal_it_asks_and_passwords_are_not_seen(root: Path) -> None:
    answers = [*ANSWERS.values(), "", "", "", ""]
    assert len(answers) == len(QUESTIONS)
    secrets = ("123456", "246810", "246811", "246810", "246810", "24681357", "24681357")
    code, seen = on_a_terminal(
        "init", "--root", str(root), typed=(*answers, "", *secrets), prompts=(b": ",)
    )
    assert code == 0, seen
    assert "that is the password that the manual prints" in seen
    assert "these were not the same" in seen
    for secret in secrets:
        assert secret not in seen
    ledger = opened(root)
    assert [each.number for each in ledger.operators.all()] == ["00", "99"]
    ledger.close()
