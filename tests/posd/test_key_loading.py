"""`posd keys`: two components or a file, and nothing but check values ever comes out."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from posd.cli import main
from posd.config import CREDENTIALS
from posd.key_loading import (
    KeyRefused,
    check_master,
    check_value,
    combine,
    has_odd_parity,
    read_component,
    with_odd_parity,
)
from posd.key_store import DEVICE, MASTER, NAMES, KeyStore
from posd.keys import Keys
from protocol.cipher import Cipher

ROOT = Path(__file__).parents[2]
KEY = "0123456789ABCDEFFEDCBA9876543210"
KEY_CHECK = "08D7B4FB"  # of this key in every manual
FIRST = "1010101010101010202020202020202F"  # odd parity
SECOND = f"{int(KEY, 16) ^ int(FIRST, 16):032X}"  # then this one's is even


def load(root: Path, *words: str) -> int:
    return main(["keys", "load", "--root", str(root), *words])


def key_file(directory: Path, text: str) -> str:
    file = directory / "of-the-acquirer"
    file.write_text(text)
    return str(file)


def test_a_key_file_becomes_the_master_key_that_root_alone_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(tmp_path, "--file", key_file(tmp_path, f"{KEY[:16]} {KEY[16:]}\n".lower())) == 0
    file = tmp_path / "etc/posd/master.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert bytes.fromhex(file.read_text()) == bytes.fromhex(KEY)
    said = capsys.readouterr()
    assert f"check value: {KEY_CHECK}" in said.out
    assert KEY[:8] not in (said.out + said.err).upper()


def test_below_another_root_it_is_not_this_systems_terminal_that_is_started_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(tmp_path, "--file", key_file(tmp_path, KEY)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"{tmp_path / 'etc/posd/master.key'}: written; it is used from the next start there; "
        "where that system runs already, in it: systemctl restart posd"
    )


def test_what_is_stored_is_what_the_terminal_reads(tmp_path: Path) -> None:
    assert load(tmp_path, "--file", key_file(tmp_path, KEY)) == 0
    KeyStore(tmp_path).write(DEVICE, bytes(32), encrypt=False)
    keys = Keys.load(tmp_path / "etc/posd/device.key", tmp_path / "etc/posd/master.key")
    assert keys.master.check_value().hex().upper() == KEY_CHECK
    assert set(NAMES) == set(CREDENTIALS.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (KEY[:-1], "expected 32 or 48 hex digits, found 31"),
        (KEY[:-2], "expected 32 or 48 hex digits, found 30"),
        (KEY[:-1] + "G", "another character"),
        ("00" * 16, "all zeros"),
        ("0123456789ABCDEF" * 2, "the same"),
        (KEY[:16] + KEY[16:] * 2, "the same"),
        (KEY[:-1] + "1", "parity is not odd"),
    ],
)
def test_a_key_that_cannot_be_right_is_refused_without_its_digits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    assert load(tmp_path, "--file", key_file(tmp_path, text)) == 1
    answer = capsys.readouterr()
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1
    assert text[:12] not in answer.out + answer.err
    assert not (tmp_path / "etc").exists()


def test_the_acquirers_check_value_decides_where_it_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = key_file(tmp_path, KEY)
    assert load(tmp_path, "--file", file, "--check-value", "08D7B5") == 1
    assert "another than the acquirer's" in capsys.readouterr().err
    assert load(tmp_path, "--file", file, "--check-value", "08D7") == 1  # too short to say anything
    assert not (tmp_path / "etc").exists()
    without_parity = key_file(tmp_path, KEY[:-1] + "1")
    assert load(tmp_path, "--file", without_parity, "--check-value", "08d7b4") == 0
    assert bytes.fromhex((tmp_path / "etc/posd/master.key").read_text()) == bytes.fromhex(KEY)


def test_a_master_key_is_replaced_only_when_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = key_file(tmp_path, KEY)
    assert load(tmp_path, "--file", file) == 0
    before = (tmp_path / "etc/posd/master.key").read_bytes()
    other = key_file(tmp_path, KEY[16:] + KEY[:16])
    assert load(tmp_path, "--file", other) == 1
    assert "--replace" in capsys.readouterr().err
    assert (tmp_path / "etc/posd/master.key").read_bytes() == before
    assert load(tmp_path, "--file", other, "--replace") == 0
    assert (tmp_path / "etc/posd/master.key").read_bytes() != before


def test_components_do_not_come_through_a_pipe(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "posd", "keys", "load", "--root", str(tmp_path)],
        input=f"{FIRST}\n{SECOND}\ny\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert answer.returncode == 1
    assert answer.stderr == "components are typed on a terminal; give a key file with --file\n"


def on_a_terminal(
    *words: str, typed: tuple[str, ...], prompts: tuple[bytes, ...] = (b"unseen: ", b"[y/N] ")
) -> tuple[int, str]:
    """People at a terminal, who wait for a prompt; exit code, and everything that stood on it."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-m", "posd", *words])
    seen = b""
    for text in typed:
        before = len(seen)
        while not seen[before:].endswith(prompts):
            seen += os.read(terminal, 4096)
        os.write(terminal, text.encode() + b"\n")
    try:
        while data := os.read(terminal, 4096):
            seen += data
    except OSError:
        pass  # the other side is closed
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    os.close(terminal)
    return code, seen.decode()


def load_on_a_terminal(root: Path, *typed: str) -> tuple[int, str]:
    return on_a_terminal("keys", "load", "--root", str(root), typed=typed)


def test_two_components_typed_unseen_make_the_key(tmp_path: Path) -> None:
    code, seen = load_on_a_terminal(tmp_path, FIRST, SECOND, "y", "y")
    assert code == 0
    assert bytes.fromhex((tmp_path / "etc/posd/master.key").read_text()) == bytes.fromhex(KEY)
    for component in (FIRST, SECOND):
        assert component not in seen
        assert check_value(bytes.fromhex(component)) in seen
    assert f"The key's check value: {KEY_CHECK}" in seen


@pytest.mark.parametrize(
    ("mistyped", "said"),
    [
        (("12345",), "the first component: expected 32 or 48 hex digits, found 5; once more"),
        ((FIRST[:-1] + "G",), "the first component: expected hex digits, found another character"),
        ((FIRST[:-1] + "E", "n"), "Its parity is not odd: is that its check value?"),
        ((FIRST, FIRST), "the components are the same"),
        ((FIRST, FIRST + "0123456789ABCDEF"), "different lengths"),
        ((FIRST, SECOND[:-1] + "0", "n"), "Its parity is not odd: is that its check value?"),
    ],
)
def test_a_mistyped_component_is_asked_again_and_the_other_one_is_not(
    tmp_path: Path, mistyped: tuple[str, ...], said: str
) -> None:
    rest = (SECOND,) if mistyped[0] == FIRST else (FIRST, SECOND)
    code, seen = load_on_a_terminal(tmp_path, *mistyped, *rest, "y", "y")
    assert (code, said in seen) == (0, True), seen
    assert bytes.fromhex((tmp_path / "etc/posd/master.key").read_text()) == bytes.fromhex(KEY)
    assert not any(each in seen for each in (*mistyped, FIRST, SECOND) if len(each) > 1)


def test_what_two_people_did_not_agree_on_changes_nothing(tmp_path: Path) -> None:
    code, seen = load_on_a_terminal(tmp_path, FIRST, SECOND, "y", "n")
    assert (code, "nothing has changed" in seen) == (1, True), seen
    assert not (tmp_path / "etc").exists()


@pytest.mark.parametrize(("answer", "loaded"), [("y", True), ("n", False), ("", False)])
def test_somebody_at_a_terminal_compares_the_check_value_of_a_file(
    tmp_path: Path, answer: str, loaded: bool
) -> None:
    words = ("keys", "load", "--root", str(tmp_path), "--file", key_file(tmp_path, KEY))
    code, seen = on_a_terminal(*words, typed=(answer,))
    assert f"The key's check value: {KEY_CHECK}" in seen
    assert KEY not in seen
    assert ((tmp_path / "etc/posd/master.key").exists(), code) == (loaded, 0 if loaded else 1)


def test_show_tells_check_values_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "show", "--root", str(tmp_path)]) == 1
    assert "no key has been loaded" in capsys.readouterr().err
    load(tmp_path, "--file", key_file(tmp_path, KEY))
    KeyStore(tmp_path).write(DEVICE, bytes(range(32)), encrypt=False)
    capsys.readouterr()
    assert main(["keys", "show", "--root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"master-key: check value {KEY_CHECK}, {tmp_path}/etc/posd/master.key" in said
    assert "device-key: check value " in said
    assert "00010203" not in said
    assert KEY not in said


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_combining_with_a_component_twice_gives_the_other_one(first: bytes, second: bytes) -> None:
    assume(first != second and any(second))
    assert combine(first, combine(first, second)) == second


@given(st.sampled_from((16, 24)).flatmap(lambda size: st.binary(min_size=size, max_size=size)))
def test_parity_changes_no_check_value(key: bytes) -> None:
    assert has_odd_parity(with_odd_parity(key))
    assert check_value(with_odd_parity(key)) == check_value(key)


def test_an_sm4_key_has_no_parity_and_another_check_value() -> None:
    key = read_component("0123456789ABCDEFFEDCBA9876543211", "x")
    check_master(key, Cipher.SM4)
    assert check_value(key, Cipher.SM4) != check_value(key)
    with pytest.raises(KeyRefused, match="32 hex digits"):
        check_master(key + key[:8], Cipher.SM4)


def test_the_master_key_is_known_by_the_name_of_the_credential() -> None:
    unit = (ROOT / "systemd" / "posd.service").read_text("utf-8")
    for name in (DEVICE, MASTER):
        path = KeyStore()._root / "etc/posd" / f"{name.partition('-')[0]}.key"
        assert f"LoadCredential={name}:{path}" in unit
