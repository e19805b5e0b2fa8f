"""TLS to the acquirer: only the right host ever sees a byte of a message."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from posd.core.events import Event, HostConnected, HostFailed, HostReceived
from posd.host.connection import HostConnection
from posd.host.tls import make_context
from posd.settings import HostSettings

FRAME = b"\x00\x03abc"


class Certificate(Protocol):
    path: Path
    pin: str


class Authority(Protocol):
    path: Path

    def issue(self, name: str, *, age: timedelta = ..., password: bytes = ...) -> Certificate: ...


def allow_old_versions(context: ssl.SSLContext) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1


@asynccontextmanager
async def host(
    certificate: Certificate | None, adjust: Callable[[ssl.SSLContext], None] = lambda _: None
) -> AsyncIterator[tuple[int, bytearray]]:
    """An echoing host with this certificate; its port, and every message byte it received."""
    received = bytearray()
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.path)
        adjust(context)

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(4096):
                received.extend(data)
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], received
    finally:
        server.close()


async def tried(port: int, weakened: bool = False, **options: Any) -> list[Event]:
    """Connect, and where that succeeds send a frame and wait for the answer."""
    settings = HostSettings(address="127.0.0.1", port=port, **options)
    context = make_context(settings)
    if weakened:
        allow_old_versions(context)
    events: list[Event] = []
    ended = asyncio.Event()

    def deliver(event: Event) -> None:
        events.append(event)
        if isinstance(event, HostConnected):
            line.send(1, FRAME)
        else:
            ended.set()

    line = HostConnection(settings, 4096, deliver, context)
    line.connect(1)
    async with asyncio.timeout(10):
        await ended.wait()
    line.close(1)
    await line.end()
    await asyncio.sleep(0.02)
    return events


def run(
    certificate: Certificate | None,
    adjust: Callable[[ssl.SSLContext], None] = lambda _: None,
    **options: Any,
) -> tuple[list[Event], bytes]:
    async def main() -> tuple[list[Event], bytes]:
        async with host(certificate, adjust) as (port, received):
            return await tried(port, **options), bytes(received)

    return asyncio.run(main())


def refused(*outcome: object) -> str:
    """The reason of an attempt that failed before any message byte left."""
    events, received = outcome
    assert received == b""
    assert isinstance(events, list)
    (failure,) = events
    assert isinstance(failure, HostFailed)
    return failure.reason


ANSWERED = [HostConnected(1), HostReceived(1, FRAME)]


def test_a_host_with_a_certificate_of_the_right_ca_is_trusted(authority: Authority) -> None:
    certificate = authority.issue("127.0.0.1")
    assert run(certificate, ca_file=authority.path) == (ANSWERED, FRAME)


def test_a_host_name_of_its_own_can_be_expected(authority: Authority) -> None:
    certificate = authority.issue("pos.acquirer.example")
    events, _ = run(certificate, ca_file=authority.path, server_name="pos.acquirer.example")
    assert events == ANSWERED


def test_a_certificate_of_another_ca_is_refused(
    authority: Authority, make_authority: Callable[[str], Authority]
) -> None:
    certificate = make_authority("impostor-ca").issue("127.0.0.1")
    assert "certificate refused" in refused(*run(certificate, ca_file=authority.path))


def test_a_certificate_with_another_name_is_refused(authority: Authority) -> None:
    reason = refused(*run(authority.issue("other.example"), ca_file=authority.path))
    assert "certificate refused: IP address mismatch" in reason


def test_a_host_that_does_not_have_the_expected_name_is_refused(authority: Authority) -> None:
    outcome = run(
        authority.issue("127.0.0.1"), ca_file=authority.path, server_name="pos.acquirer.example"
    )
    assert "certificate refused: Hostname mismatch" in refused(*outcome)


def test_an_expired_certificate_is_refused(authority: Authority) -> None:
    certificate = authority.issue("127.0.0.1", age=timedelta(days=60))
    reason = refused(*run(certificate, ca_file=authority.path))
    assert reason == "certificate refused: certificate has expired"


def test_a_certificate_that_is_not_valid_yet_is_refused(authority: Authority) -> None:
    certificate = authority.issue("127.0.0.1", age=timedelta(days=-10))
    reason = refused(*run(certificate, ca_file=authority.path))
    assert reason == "certificate refused: certificate is not yet valid"


@pytest.mark.parametrize("change", [str, str.upper])
def test_the_pinned_certificate_is_trusted_whatever_its_name(
    authority: Authority, change: Callable[[str], str]
) -> None:
    certificate = authority.issue("other.example")
    events, _ = run(certificate, certificate_pin=change(certificate.pin))
    assert events == ANSWERED


def test_another_certificate_than_the_pinned_one_is_refused(authority: Authority) -> None:
    pinned, presented = authority.issue("127.0.0.1"), authority.issue("127.0.0.1")
    reason = refused(*run(presented, certificate_pin=pinned.pin))
    assert "not the pinned one" in reason


def test_with_a_ca_and_a_pin_both_must_hold(
    authority: Authority, make_authority: Callable[[str], Authority]
) -> None:
    certificate = authority.issue("127.0.0.1")
    events, _ = run(certificate, ca_file=authority.path, certificate_pin=certificate.pin)
    assert events == ANSWERED
    refused(*run(certificate, ca_file=authority.path, certificate_pin="00" * 32))
    impostor = make_authority("impostor-ca").issue("127.0.0.1")
    refused(*run(impostor, ca_file=authority.path, certificate_pin=impostor.pin))


def test_a_host_that_only_speaks_tls_1_1_is_refused(authority: Authority) -> None:
    def only_old(context: ssl.SSLContext) -> None:
        allow_old_versions(context)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.maximum_version = ssl.TLSVersion.TLSv1_1

    certificate = authority.issue("127.0.0.1")
    refused(*run(certificate, only_old, ca_file=authority.path))
    # The same host is no obstacle to a client that would take the old version.
    events, _ = run(certificate, only_old, ca_file=authority.path, weakened=True)
    assert events == ANSWERED


def test_tls_1_2_is_enough(authority: Authority) -> None:
    def only_1_2(context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2

    events, _ = run(authority.issue("127.0.0.1"), only_1_2, ca_file=authority.path)
    assert events == ANSWERED


def test_a_client_certificate_is_shown_to_a_host_that_asks_for_one(authority: Authority) -> None:
    def ask(context: ssl.SSLContext) -> None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cafile=authority.path)

    certificate, client = authority.issue("127.0.0.1"), authority.issue("20130001")
    events, _ = run(certificate, ask, ca_file=authority.path, client_certificate=client.path)
    assert events == ANSWERED
    events, received = run(certificate, ask, ca_file=authority.path)
    assert isinstance(events[-1], HostFailed)
    assert received == b""


def test_a_host_that_does_not_speak_tls_never_sees_a_message(authority: Authority) -> None:
    async def main() -> None:
        async with host(None) as (port, received):
            (failure,) = await tried(port, ca_file=authority.path, connect_seconds=2)
            assert isinstance(failure, HostFailed)
            assert FRAME not in received

    asyncio.run(main())


def test_a_host_that_never_shakes_hands_is_given_up_in_time(authority: Authority) -> None:
    async def main() -> None:
        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        events = await tried(port, ca_file=authority.path, connect_seconds=0.2)
        assert events == [HostFailed(1, "no connection within 0.2 s")]
        server.close()

    asyncio.run(main())


def test_a_client_key_with_a_passphrase_is_an_error_and_not_a_question(
    authority: Authority,
) -> None:
    locked = authority.issue("20130001", password=b"secret")
    settings = HostSettings(
        address="127.0.0.1", port=1, ca_file=authority.path, client_certificate=locked.path
    )
    with pytest.raises(OSError):  # noqa: PT011 - its text is OpenSSL's
        make_context(settings)


def test_the_systems_own_authorities_are_not_trusted(authority: Authority) -> None:
    settings = HostSettings(address="127.0.0.1", port=1, ca_file=authority.path)
    assert len(make_context(settings).get_ca_certs()) == 1


def test_session_keys_are_written_nowhere(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    events, _ = run(authority.issue("127.0.0.1"), ca_file=authority.path)
    assert events == ANSWERED
    assert not (tmp_path / "keys.log").exists()
