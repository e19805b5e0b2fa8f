"""The acquirer's address, looked at from outside the money core: name, connection, certificate.

Nothing is sent. Used by the daemon (`posctl test host`) and by `posctl doctor` without one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator
from typing import Final, cast

from posd.host.addresses import numeric_addresses
from posd.host.tls import (
    HANDSHAKE_ENDED,
    HANDSHAKE_ENDED_WORDS,
    WrongCertificateError,
    check_pin,
    make_context,
)
from posd.settings import HostSettings

_NETWORK: Final = "check network, address and port in [host]; then posctl explain E201"
_TRUST: Final = (
    "look at the clock, then at ca_file or certificate_pin in [host]; posctl explain E207"
)


class ProbeFailed(Exception):
    """What went wrong, in words that hold nothing secret, and what to look at."""

    def __init__(self, text: str, hint: str = _NETWORK) -> None:
        super().__init__(text)
        self.hint = hint


async def probe(settings: HostSettings) -> AsyncIterator[str]:
    """A line for each step that succeeded. Raises ProbeFailed for the one that did not."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(settings.connect_seconds):
            addresses = await numeric_addresses(settings.address, settings.port)
    except TimeoutError:
        raise ProbeFailed(f"{settings.address}: the name server does not answer") from None
    except OSError as error:
        raise ProbeFailed(f"{settings.address}: {_words(error)}") from None
    if not addresses:
        raise ProbeFailed(f"{settings.address}: the name has no address")
    if addresses != [settings.address]:
        yield f"{settings.address} is {', '.join(addresses)}{_since(loop, began)}"
    last = ""
    for address in addresses:
        began = loop.time()
        where = f"{address}:{settings.port}"
        try:
            async with asyncio.timeout(settings.connect_seconds):
                _, writer = await asyncio.open_connection(address, settings.port)
        except TimeoutError:
            last = f"{where}: no connection within {settings.connect_seconds:g} s"
            continue
        except OSError as error:
            last = f"{where}: {_words(error)}"
            continue
        yield f"connected to {where}{_since(loop, began)}"
        try:
            if settings.tls:
                began = loop.time()
                yield await _protected(settings, writer) + _since(loop, began)
        finally:
            with contextlib.suppress(OSError):
                writer.close()
                await writer.wait_closed()
        return
    raise ProbeFailed(last)


async def _protected(settings: HostSettings, writer: asyncio.StreamWriter) -> str:
    try:
        async with asyncio.timeout(settings.connect_seconds):
            await writer.start_tls(
                make_context(settings),
                server_hostname=settings.server_name or settings.address,
            )
        connection = cast(ssl.SSLObject, writer.get_extra_info("ssl_object"))
        check_pin(connection, settings)
    except TimeoutError:
        raise ProbeFailed(f"TLS: no answer within {settings.connect_seconds:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise ProbeFailed(f"certificate refused: {error.verify_message}", _TRUST) from None
    except WrongCertificateError as error:
        raise ProbeFailed(str(error), _TRUST) from None
    except HANDSHAKE_ENDED:
        raise ProbeFailed(HANDSHAKE_ENDED_WORDS) from None
    except (OSError, ValueError) as error:
        raise ProbeFailed(f"TLS: {_words(error)}", _TRUST) from None
    return f"{connection.version()}, the certificate is good"


def _since(loop: asyncio.AbstractEventLoop, began: float) -> str:
    return f", {(loop.time() - began) * 1000:.0f} ms"


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "not usable"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(error) if type(error).__module__.startswith("posd.") else type(error).__name__
