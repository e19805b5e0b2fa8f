"""An acquirer behind TLS: a terminal that trusts it sells, and one that does not says why."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from posd.acquirer.server import AcquirerServer
from posd.testing import counter
from tests.posd.diagnostics.rig import Shop, shop
from tests.posd.host.authority import Authority, Certificate

HERE = "127.0.0.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "acquirer-ca")


@contextmanager
def protected_shop(
    directory: Path, presented: Certificate | None, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> Iterator[Shop]:
    """Its acquirer shows this certificate; None: it speaks plain TCP."""
    if presented is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(presented.path)
        monkeypatch.setattr(counter, "AcquirerServer", partial(AcquirerServer, tls=context))
    with shop(directory, **settings) as terminal:
        yield terminal


def test_a_terminal_sells_over_tls_and_says_that_it_does(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    presented = authority.issue(HERE)
    with protected_shop(
        tmp_path, presented, monkeypatch, host__ca_file=str(authority.path)
    ) as terminal:
        terminal.open()
        terminal.sell()
        terminal.do("expect screen 交易成功")
        status = terminal.posctl("status", LANG="C")
        assert status.code == 0, status
        assert ", TLS, ok" in status.out
        tried = terminal.posctl("test", "host")
        assert tried.code == 0, tried
        assert "TLSv1.3, the certificate is good" in tried.out


@dataclass(frozen=True)
class Refusal:
    """What the acquirer shows, and what a technician must read about it."""

    name: str
    age: timedelta
    by_another: bool
    words: str


@pytest.mark.parametrize(
    "case",
    [
        Refusal(HERE, timedelta(days=60), False, "certificate has expired"),
        Refusal(HERE, timedelta(days=-10), False, "certificate is not yet valid"),
        Refusal("other.example", timedelta(), False, "IP address mismatch"),
        Refusal(HERE, timedelta(), True, "unable to get local issuer certificate"),
    ],
    ids=lambda case: case.words.replace(" ", "-"),
)
def test_a_certificate_that_is_refused_is_named_with_the_reason(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch, case: Refusal
) -> None:
    issuer = Authority(tmp_path, "impostor-ca") if case.by_another else authority
    presented = issuer.issue(case.name, age=case.age)
    with protected_shop(
        tmp_path, presented, monkeypatch, host__ca_file=str(authority.path)
    ) as terminal:
        terminal.do("start", "expect screen 未签到", "press 确认", "expect screen 收单身份未证实")
        assert_refused(terminal, case.words)


def test_another_certificate_than_the_pinned_one_is_named(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    presented, pinned = authority.issue(HERE), authority.issue(HERE)
    with protected_shop(
        tmp_path, presented, monkeypatch, host__certificate_pin=pinned.pin
    ) as terminal:
        terminal.do("start", "expect screen 未签到", "press 确认", "expect screen 收单身份未证实")
        assert_refused(terminal, "certificate is not the pinned one")


def assert_refused(terminal: Shop, words: str) -> None:
    """Every way to ask leads to E207 and says these words."""
    (reason,) = terminal.posctl("why", "--json").json["reasons"]
    assert reason["code"] == "E305"
    (because,) = reason["because"]
    assert because["code"] == "E207"
    assert words in because["detail"]
    why = terminal.posctl("why", LANG="C")
    assert why.code == 6
    assert "Look at the clock first" in why.out
    tried = terminal.posctl("test", "host")
    assert tried.code == 1
    assert words in tried.err
    assert "posctl explain E207" in tried.err
    assert "E201" not in tried.err
    configuration = str(terminal.directory / "posd.toml")
    doctor = terminal.posctl("doctor", "--json", "--config", configuration)
    (acquirer,) = [
        found for found in map(json.loads, doctor.out.splitlines()) if found["what"] == "acquirer"
    ]
    assert acquirer["state"] == "bad"
    assert acquirer["found"].startswith("connected to 127.0.0.1:")
    assert words in acquirer["found"]
    assert "E207" in acquirer["fix"]


def test_a_host_that_speaks_no_tls_is_said_to_do_so(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with protected_shop(tmp_path, None, monkeypatch, host__ca_file=str(authority.path)) as terminal:
        terminal.do("start", "expect screen 未签到", "press 确认", "expect screen 连接不上")
        why = terminal.posctl("why", LANG="C")
        assert "does it speak TLS on this port?" in " ".join(why.out.split())
        tried = terminal.posctl("test", "host")
        assert "does it speak TLS on this port?" in tried.err
