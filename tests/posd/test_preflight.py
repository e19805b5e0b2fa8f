"""What is looked at before the terminal starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.preflight import StartError, check, check_ports, load_keys, tls_context
from posd.settings import (
    Configuration,
    DeviceSettings,
    HostSettings,
    KeyFileSettings,
    KeypadSettings,
    TerminalSettings,
)


@pytest.fixture
def port() -> Iterator[str]:
    master, slave = os.openpty()
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


def configured(
    directory: Path, port: str = "socket://127.0.0.1:1", **host: object
) -> Configuration:
    for name, digits in (("device", 64), ("master", 32)):
        (directory / name).write_text("5a" * (digits // 2))
    return Configuration(
        terminal=TerminalSettings(
            terminal_id="20130001",
            merchant_id="123456789012345",
            merchant_name="x",
            state_directory=directory / "state",
        ),
        host=HostSettings(**{"address": "127.0.0.1", "port": 1} | host),  # type: ignore[arg-type]
        devices=DeviceSettings(keypad=KeypadSettings(port=port)),
        keys=KeyFileSettings(
            device_key_file=directory / "device", master_key_file=directory / "master"
        ),
    )


def refused(configuration: Configuration) -> StartError:
    with pytest.raises(StartError) as caught:
        check(configuration)
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def test_plain_tcp_beyond_this_machine_is_pointed_out(tmp_path: Path, port: str) -> None:
    (note,) = check(configured(tmp_path, port, address="192.0.2.1", plaintext=True))
    assert "plain TCP to 192.0.2.1" in note
    assert check(configured(tmp_path, port, plaintext=True)) == []


def test_a_terminal_with_ports_and_keys_can_start(tmp_path: Path, port: str) -> None:
    check(configured(tmp_path, port))


def test_a_port_that_is_not_there_is_named_with_its_key(tmp_path: Path) -> None:
    error = refused(configured(tmp_path, str(tmp_path / "ttyUSB7")))
    assert error.key == "devices.keypad.port"
    assert str(error) == (
        "devices.keypad.port: expected a serial device, "
        f"found {tmp_path / 'ttyUSB7'}: no such file or directory"
    )


def test_a_plain_file_is_no_port(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "another kind of file" in str(refused(configured(tmp_path, str(tmp_path / "file"))))


def test_a_serial_server_may_start_later(tmp_path: Path) -> None:
    check_ports(configured(tmp_path, "socket://127.0.0.1:1"))


def test_keys_that_went_away_since_the_file_was_read_are_named(tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    (tmp_path / "master").unlink()
    assert "no such file" in str(refused(configuration))
    (tmp_path / "master").write_text("zz")
    assert "zz" not in str(refused(configuration)).replace(str(tmp_path), "")


def test_the_keys_are_loaded(tmp_path: Path) -> None:
    keys = load_keys(configured(tmp_path))
    assert keys.device == b"\x5a" * 32
    assert "5a" not in repr(keys)
    assert "Z" not in repr(keys)


def test_a_plain_line_needs_no_context(tmp_path: Path) -> None:
    assert tls_context(configured(tmp_path)) is None


def test_a_ca_file_that_holds_no_certificate_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    error = refused(configured(tmp_path, ca_file=tmp_path / "ca.pem"))
    assert "host: expected certificate files that OpenSSL can load" in str(error)
