"""The configuration file: what it may say, and the one line that answers anything else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from posd.config import (
    BackupSettings,
    CardReaderSettings,
    Configuration,
    ConfigurationError,
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
    SettlementSettings,
    TerminalSettings,
    TimeoutSettings,
    TrainingSettings,
    VoidSettings,
    load,
    make_dialect,
)
from protocol.dialect import Dialect

DEVICE_KEY = "00112233445566778899AABBCCDDEEFF" * 2
MASTER_KEY = "0123456789ABCDEFFEDCBA9876543210"

MINIMAL = """
[terminal]
terminal_id = "20130001"
merchant_id = "123456789012345"
merchant_name = "测试商户"
state_directory = "state"

[host]
address = "127.0.0.1"
port = 6000

[devices.keypad]
port = "keypad"

[devices.display]
port = "/dev/posd/display"

[keys]
device_key_file = "device.key"
master_key_file = "master.key"
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, content in (("device.key", DEVICE_KEY), ("master.key", MASTER_KEY)):
        (tmp_path / name).write_text(content + "\n")
        (tmp_path / name).chmod(0o600)
    return tmp_path


def written(directory: Path, text: str) -> Path:
    path = directory / "posd.toml"
    path.write_text(text, encoding="utf-8")
    return path


def changed(old: str, new: str) -> str:
    assert old in MINIMAL
    return MINIMAL.replace(old, new)


def fault(directory: Path, text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load(written(directory, text))
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def test_a_minimal_file_has_the_defaults_of_the_rules(directory: Path) -> None:
    configuration = load(written(directory, MINIMAL))
    assert configuration.host.answer_seconds == 60
    assert configuration.host.connect_seconds == 10
    assert configuration.money.reversal_tries == 3
    assert configuration.timeouts.pin_seconds == 30
    assert configuration.void.ask_card
    assert not configuration.void.ask_pin
    assert not configuration.terminal.software_pin
    assert configuration.terminal.amount_limit == 10_000_000


def test_paths_count_from_the_directory_of_the_file(directory: Path) -> None:
    configuration = load(written(directory, MINIMAL))
    assert configuration.terminal.state_directory == directory / "state"
    assert configuration.keys.device_key_file == directory / "device.key"
    assert configuration.devices.keypad is not None
    assert configuration.devices.keypad.port == str(directory / "keypad")
    assert configuration.devices.display is not None
    assert configuration.devices.display.port == "/dev/posd/display"


@pytest.mark.parametrize(
    ("keypad", "display"),
    [
        ("keypad", "keypad"),
        ("keypad", "./keypad"),
        ("link", "keypad"),  # a name that udev gives
        ("evdev:link", "keypad"),
        ("socket://10.0.0.9:4001", "socket://10.0.0.9:4001"),
    ],
)
def test_two_devices_cannot_have_one_port(directory: Path, keypad: str, display: str) -> None:
    (directory / "link").symlink_to("keypad")
    text = changed('"keypad"', f'"{keypad}"').replace('"/dev/posd/display"', f'"{display}"')
    error = fault(directory, text)
    assert error.key == "devices.display.port"
    assert error.line == text[: text.index(f'"{display}"\n\n[keys]')].count("\n") + 1
    assert str(error).endswith(": expected a port of its own, found the one of devices.keypad.port")


def test_two_ports_of_one_serial_server_are_two(directory: Path) -> None:
    text = changed('"keypad"', '"socket://10.0.0.9:4001"')
    load(written(directory, text.replace("/dev/posd/display", "socket://10.0.0.9:4002")))


def test_a_port_over_the_network_stays_as_it_is_written(directory: Path) -> None:
    configuration = load(written(directory, changed('"keypad"', '"socket://10.0.0.9:4001"')))
    assert configuration.devices.keypad is not None
    assert configuration.devices.keypad.port == "socket://10.0.0.9:4001"


def test_a_device_that_is_left_out_is_absent(directory: Path) -> None:
    assert load(written(directory, MINIMAL)).devices.printer is None


@pytest.mark.parametrize(
    ("old", "new", "key", "expected", "found"),
    [
        ("port = 6000", 'port = "6000"', "host.port", "an integer from 1 to 65535", "text of 4"),
        ("port = 6000", "port = 65536", "host.port", "an integer from 1 to 65535", "65536"),
        ("port = 6000", "port = -1", "host.port", "an integer from 1 to 65535", "-1"),
        ("port = 6000", "port = 246810", "host.port", "an integer from 1 to 65535", "an integer"),
        ("port = 6000", "port = true", "host.port", "an integer from 1 to 65535", "true or false"),
        ("port = 6000", "", "host.port", "an integer from 1 to 65535", "nothing"),
        ('"20130001"', '"2013000"', "terminal.terminal_id", "8 letters or digits", "text of 7"),
        ('"20130001"', "20130001", "terminal.terminal_id", "8 letters or digits", "an integer"),
        ('"state"', "[1, 2]", "terminal.state_directory", "a path", "a list of 2"),
        ('"state"', '""', "terminal.state_directory", "a path", "text of 0 characters"),
        ('"keypad"', '""', "devices.keypad.port", "a device path", "text of 0 characters"),
        (
            'state_directory = "state"',
            'state_directory = "state"\nlanguage = "fr"',
            "terminal.language",
            "one of en, zh_CN",
            "text of 2 characters",
        ),
        (
            "port = 6000",
            "port = 6000\nanswer_seconds = nan",
            "host.answer_seconds",
            "a number of seconds, above 0",
            "a number",
        ),
        (
            "port = 6000",
            "port = 6000\nanswer_seconds = -1",
            "host.answer_seconds",
            "a number of seconds, above 0",
            "a negative integer",
        ),
        ("[keys]", "[log]\nlevel = 2024-01-01\n[keys]", "log.level", "one of", "a date or time"),
        ("[host]", "void = 1\n[host]", "terminal.void", "one of amount_limit", "an unknown key"),
        ("[devices.display]", "[void]\nask_pin = 1\n[devices.display]", "void.ask_pin", "true", ""),
        ("[keys]", "[money]\nbatch_limit = 10\n[keys]", "money.batch_limit", "batch_warning", ""),
        (
            "[keys]",
            "[money]\nbackoff_first_seconds = 400\n[keys]",
            "money.backoff_longest_seconds",
            "at least backoff_first_seconds",
            "less",
        ),
        ("[keys]", "[money]\nreversal_tries = 0\n[keys]", "money.reversal_tries", "from 1", ""),
        ("[keys]", "[dialect]\nmac_algorithm = 5\n[keys]", "dialect.mac_algorithm", "x9.19", ""),
    ],
)
def test_a_wrong_value_is_one_line_with_its_key_what_was_expected_and_what_was_found(
    directory: Path, old: str, new: str, key: str, expected: str, found: str
) -> None:
    error = fault(directory, changed(old, new))
    assert error.key == key
    assert str(directory / "posd.toml") in str(error)
    said_expected, said_found = str(error).split(", found ")
    assert expected in said_expected
    assert found in said_found


def test_the_error_names_the_line_of_the_key(directory: Path) -> None:
    error = fault(directory, changed("port = 6000", "port = 0"))
    assert error.line == 10
    assert str(error).startswith(f"{directory / 'posd.toml'}:10: host.port: ")


def test_the_error_of_a_missing_key_names_the_line_of_its_table(directory: Path) -> None:
    assert fault(directory, changed("port = 6000", "")).line == 8


def test_an_unknown_table_is_refused(directory: Path) -> None:
    error = fault(directory, MINIMAL + "\n[hots]\nport = 1\n")
    assert error.key == "hots"
    assert "expected one of backup, devices, diagnostics, dialect, host" in str(error)


def test_a_mistyped_name_is_answered_with_the_one_that_was_meant(directory: Path) -> None:
    assert str(fault(directory, MINIMAL + "\n[hots]\nport = 1\n")).endswith("did you mean host?")
    error = fault(directory, changed("port = 6000", "port = 6000\nanswer_second = 5"))
    assert str(error).endswith("did you mean answer_seconds?")
    assert "did you mean" not in str(fault(directory, MINIMAL + "\n[xyz]\nport = 1\n"))


def test_a_missing_table_is_named(directory: Path) -> None:
    error = fault(directory, "[terminal]" + MINIMAL.split("[terminal]")[1].split("[host]")[0])
    assert error.key == "host"
    assert "expected a table, found nothing" in str(error)


def test_an_error_never_holds_a_value_of_the_file(directory: Path) -> None:
    for place in ('"20130001"', '"测试商户"', '"127.0.0.1"', "6000", '"state"', '"device.key"'):
        for secret in (f'"{DEVICE_KEY}\\n"', "20481975", '["20481975"]', "{ x = '20481975' }"):
            text = changed(place, secret) + "\n[log]\nlevel = 1\n"
            said = str(fault(directory, text))
            assert DEVICE_KEY not in said.replace(str(directory), "")
            assert "20481975" not in said


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "none.toml")
    assert str(caught.value) == (
        f"{tmp_path / 'none.toml'}: expected a readable file, found: no such file or directory"
    )


def test_a_directory_is_not_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a directory"):
        load(tmp_path)


def test_a_syntax_error_names_its_line(directory: Path) -> None:
    error = fault(directory, changed("port = 6000", "port ="))
    assert error.line == 10
    assert "expected TOML" in str(error)


def test_bytes_that_are_not_utf_8_are_refused(directory: Path) -> None:
    path = directory / "posd.toml"
    path.write_bytes(MINIMAL.encode("gb18030"))
    with pytest.raises(ConfigurationError, match="expected UTF-8 text"):
        load(path)


def test_an_oversized_file_is_refused_before_it_is_parsed(directory: Path) -> None:
    assert "more than 1 MiB" in str(fault(directory, "#" * (1024 * 1024 + 1)))


@pytest.mark.parametrize("address", ["192.0.2.1", "acquirer.example", "2001:db8::1"])
def test_a_plain_line_to_another_machine_has_to_be_asked_for(directory: Path, address: str) -> None:
    error = fault(directory, changed("127.0.0.1", address))
    assert error.key == "host"
    assert "plaintext = true" in str(error)
    text = changed("127.0.0.1", address).replace("port = 6000", "port = 6000\nplaintext = true")
    assert not load(written(directory, text)).host.tls


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "localhost", "LOCALHOST"])
def test_loopback_may_be_plain(directory: Path, address: str) -> None:
    assert not load(written(directory, changed("127.0.0.1", address))).host.tls


def test_a_name_that_begins_like_loopback_is_not_loopback() -> None:
    for address in ("localhost.example", "127.0.0.1.example", "0.0.0.0"):
        assert HostSettings(address=address, port=1).tls


def test_loopback_with_a_pin_is_encrypted(directory: Path) -> None:
    text = changed("port = 6000", f'port = 6000\ncertificate_pin = "{"ab" * 32}"')
    assert load(written(directory, text)).host.tls


@pytest.mark.parametrize(
    "option", [f'certificate_pin = "{"ab" * 32}"', 'ca_file = "device.key"', 'client_key = "k"']
)
def test_plaintext_and_tls_options_contradict_each_other(directory: Path, option: str) -> None:
    error = fault(directory, changed("port = 6000", f"port = 6000\nplaintext = true\n{option}"))
    assert error.key == f"host.{option.split()[0]}"
    assert "no TLS option together with plaintext" in str(error)


def test_a_pin_that_is_not_a_digest_is_refused(directory: Path) -> None:
    error = fault(directory, changed("port = 6000", 'port = 6000\ncertificate_pin = "ab"'))
    assert "expected 64 hex digits (sha-256 of the certificate), found text of 2" in str(error)


def test_a_certificate_file_that_is_not_there_is_named(directory: Path) -> None:
    error = fault(directory, changed("port = 6000", 'port = 6000\nca_file = "ca.pem"'))
    assert error.key == "host.ca_file"
    assert f"{directory / 'ca.pem'}: no such file or directory" in str(error)


def test_a_client_key_needs_its_certificate(directory: Path) -> None:
    text = f'port = 6000\ncertificate_pin = "{"ab" * 32}"\nclient_key = "device.key"'
    assert fault(directory, changed("port = 6000", text)).key == "host.client_key"


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666])
def test_a_key_file_that_others_can_read_or_write_is_refused(directory: Path, mode: int) -> None:
    (directory / "master.key").chmod(mode)
    error = fault(directory, MINIMAL)
    assert error.key == "keys.master_key_file"
    assert f"with mode {mode:o}" in str(error)
    assert "chmod 600" in str(error)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "found 0 hex digits"),
        (MASTER_KEY[:-1], "found 31 hex digits"),
        (MASTER_KEY[:-2], "found 30 hex digits"),
        (MASTER_KEY[:-1] + "X", "found 32 characters, not all hex"),
        (MASTER_KEY * 2, "found 64 hex digits"),
    ],
)
def test_a_malformed_key_file_is_refused_without_its_content(
    directory: Path, content: str, found: str
) -> None:
    (directory / "master.key").write_text(content)
    error = fault(directory, MINIMAL)
    assert error.key == "keys.master_key_file"
    assert "expected 32 or 48 hex digits" in str(error)
    assert found in str(error)
    assert MASTER_KEY[:8] not in str(error)


def test_a_missing_key_file_is_named(directory: Path) -> None:
    (directory / "device.key").unlink()
    error = fault(directory, MINIMAL)
    assert error.key == "keys.device_key_file"
    assert f"{directory / 'device.key'}: no such file or directory" in str(error)


def test_keys_come_from_systemd_credentials_when_no_file_is_named(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = MINIMAL.split("[keys]")[0]
    assert "systemd credential device-key" in str(fault(directory, without))
    (directory / "device.key").rename(directory / "device-key")
    (directory / "master.key").rename(directory / "master-key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
    assert load(written(directory, without)).keys.master_key_file == directory / "master-key"


@pytest.mark.parametrize(
    ("credential", "key", "brings"),
    [
        ("device-key", "device_key_file", "posd init"),
        ("master-key", "master_key_file", "posd keys load"),
    ],
)
def test_a_key_that_the_unit_had_no_file_for_is_named_with_what_brings_it(
    directory: Path, monkeypatch: pytest.MonkeyPatch, credential: str, key: str, brings: str
) -> None:
    credentials = directory / "credentials"
    credentials.mkdir()
    for name, content in (("device-key", DEVICE_KEY), ("master-key", MASTER_KEY)):
        (credentials / name).write_text(content)
        (credentials / name).chmod(0o600)
    unit = (Path(__file__).parents[2] / "systemd/posd.service").read_text("utf-8")
    (handed_over,) = re.findall(rf"^SetCredential={credential}:(.*)$", unit, re.MULTILINE)
    (credentials / credential).write_text(handed_over)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    text = MINIMAL.partition("[keys]")[0]
    with pytest.raises(ConfigurationError, match="none was loaded") as found:
        load(written(directory, text))
    assert found.value.key == f"keys.{key}"
    assert brings in str(found.value)


@pytest.mark.parametrize("missing", ["keypad", "display"])
def test_a_terminal_without_keys_or_screen_is_refused(directory: Path, missing: str) -> None:
    error = fault(directory, changed(f"[devices.{missing}]", "[devices.card_reader]"))
    assert f"devices.{missing}" in str(error)


def test_every_option_of_the_dialect_can_be_configured_and_has_its_default() -> None:
    options = set(Dialect.__struct_fields__) - {
        "name",
        "elements",
        "reading_plan",
        "writing_plan",
    }
    assert set(DialectSettings.__struct_fields__) == options
    for name in options:
        assert getattr(DialectSettings(), name) == getattr(Dialect(), name)


def test_the_test_host_sets_the_status_digit_of_the_header(directory: Path) -> None:
    configuration = load(written(directory, MINIMAL))
    assert make_dialect(configuration).request_header == "603100310001"
    text = changed('"state"', '"state"\ntest_host = true')
    assert make_dialect(load(written(directory, text))).request_header == "603110310001"


def test_the_configuration_cannot_be_changed_once_it_is_read(directory: Path) -> None:
    configuration: Configuration = load(written(directory, MINIMAL))
    with pytest.raises(AttributeError):
        configuration.host.port = 1  # type: ignore[misc]


SECTIONS: dict[str, Any] = {
    "terminal": TerminalSettings,
    "host": HostSettings,
    "dialect": DialectSettings,
    "money": MoneySettings,
    "backup": BackupSettings,
    "void": VoidSettings,
    "refund": RefundSettings,
    "pre_authorisation": PreAuthorisationSettings,
    "settlement": SettlementSettings,
    "orders": OrderSettings,
    "timeouts": TimeoutSettings,
    "devices.keypad": KeypadSettings,
    "devices.display": DisplaySettings,
    "devices.printer": PrinterSettings,
    "devices.card_reader": CardReaderSettings,
    "printing": PrintingSettings,
    "operators": OperatorsSettings,
    "training": TrainingSettings,
    "diagnostics": DiagnosticsSettings,
    "keys": KeyFileSettings,
    "log": LogSettings,
    "metrics": MetricsSettings,
}
EXAMPLE = Path(__file__).parents[2] / "systemd" / "posd.example.toml"


def test_the_shipped_example_is_a_good_configuration(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "acquirer-ca.pem").write_text("")
    for name in ("device", "master"):
        (directory / f"{name}.key").rename(directory / f"{name}-key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
    assert load(written(directory, EXAMPLE.read_text(encoding="utf-8"))).host.tls


def test_what_the_example_comments_out_is_the_default(directory: Path) -> None:
    """Every line of the form `# key = value` in it, against the type of its section."""
    said: dict[str, dict[str, object]] = {}
    section = ""
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if header := re.match(r"#? ?\[([a-z_.]+)\]", line):
            section = header[1]
        elif default := re.match(r"# ([a-z_]+ = .*)", line):
            said.setdefault(section, {}).update(tomllib.loads(default[1]))
    checked = 0
    for section, values in said.items():
        kind = SECTIONS[section]
        defaults = dict(
            zip(
                kind.__struct_fields__[-len(kind.__struct_defaults__) :],
                kind.__struct_defaults__,
                strict=True,
            )
        )
        for key, value in values.items():
            if defaults[key] is not None and section != "keys":
                default = defaults[key]
                shown = str(default) if isinstance(default, Path) else default
                assert value == shown, f"{section}.{key}"
                checked += 1
    assert checked > 25
