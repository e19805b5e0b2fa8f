"""The test acquirer from the command line: `python -m posd.acquirer --help`."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import ssl
import sys
from datetime import datetime
from pathlib import Path

from posd.acquirer.acquirer import Acquirer
from posd.acquirer.ledger import AcquirerLedger
from posd.acquirer.server import AcquirerServer
from posd.acquirer.situation import TerminalRecord
from protocol import DEFAULT, Key, ProtocolError, decode

CONFIGURATION_WRONG = 2  # exit code


class ConfigurationError(Exception):
    """Which file, and what was expected of it."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        master = _master_key(options.master_key_file)
        tls = _tls(options.certificate, options.private_key)
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return CONFIGURATION_WRONG
    record = TerminalRecord(options.terminal, options.merchant, master)
    with AcquirerLedger(options.ledger) as ledger:
        acquirer = Acquirer(
            ledger,
            [record],
            clock=datetime.now,  # noqa: TID251  (the edge: nobody hands a clock in)
            random_bytes=secrets.token_bytes,
        )
        try:
            asyncio.run(_serve(acquirer, options.host, options.port, tls))
        except OSError as error:
            print(f"{options.host}:{options.port}: {error.strerror}", file=sys.stderr)  # noqa: T201
            return CONFIGURATION_WRONG
    return 0


def show(direction: str, data: bytes) -> None:
    """Print one frame, masked; of what cannot be decoded only its length and what is wrong."""
    try:
        text = decode(data, DEFAULT).describe()
    except ProtocolError as error:
        text = f"{len(data)} bytes: {error}"
    print(f"--- {direction}\n{text}", flush=True)  # noqa: T201


async def _serve(acquirer: Acquirer, host: str, port: int, tls: ssl.SSLContext | None) -> None:
    told_to_end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_end.set)
    server = AcquirerServer(acquirer, on_traffic=show, tls=tls)
    try:
        listening = await server.start(host, port)
        print(f"listening on {host}:{listening}", flush=True)  # noqa: T201
        await told_to_end.wait()
    finally:
        await server.close()


def _master_key(path: Path) -> Key:
    try:
        return Key(bytes.fromhex(path.read_text("ascii")))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except (ValueError, ProtocolError):
        # What stands there is not shown: it may be a key with a typing error.
        raise ConfigurationError(f"{path}: expected 32 hex digits") from None


def _tls(certificate: Path | None, private_key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, private_key)
    except OSError as error:  # an unreadable PEM file is an OSError too
        raise ConfigurationError(f"{certificate}: no certificate and key: {error}") from None
    return context


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m posd.acquirer", description="the test acquirer")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0: any free one, which is printed")
    parser.add_argument("--ledger", type=Path, default=Path(":memory:"), help="its SQLite file")
    parser.add_argument("--terminal", default="12345678", help="terminal id, 8 characters")
    parser.add_argument("--merchant", default="898000000000001", help="merchant id, 15 characters")
    parser.add_argument("--master-key-file", type=Path, required=True, help="32 hex digits")
    parser.add_argument("--certificate", type=Path, help="PEM file; without it, plain TCP")
    parser.add_argument("--private-key", type=Path, help="PEM file, if not in the certificate's")
    return parser


if __name__ == "__main__":
    sys.exit(main())
