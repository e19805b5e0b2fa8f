"""TLS towards the acquirer: who may answer, decided before the first byte of a message leaves."""

from __future__ import annotations

import hmac
import ssl
from hashlib import sha256
from typing import Any, Final

from posd.settings import HostSettings

HANDSHAKE_ENDED: Final = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
"""How asyncio says that the other side ended the connection in the handshake."""
HANDSHAKE_ENDED_WORDS: Final = (
    "the host ended the connection in the TLS handshake: does it speak TLS on this port?"
)


class WrongCertificateError(ConnectionError):
    """The host's certificate is not the pinned one."""

    def __init__(self) -> None:
        super().__init__("the host's certificate is not the pinned one")


def make_context(settings: HostSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer; the host's certificate against the CA file, or against the pin alone.

    With a CA the host name is checked too. With a pin and no CA the certificate is known exactly,
    so its name, issuer and dates say nothing more: `check_pin` decides. Raises OSError (of which
    ssl.SSLError is one) when a file cannot be used.

    Not ssl.create_default_context: it trusts the system's CAs and writes session keys to a file
    that an environment variable names.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.ca_file:
        context.load_verify_locations(cafile=settings.ca_file)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.client_certificate:
        # Without a password function OpenSSL would ask for one on the terminal and wait.
        context.load_cert_chain(
            settings.client_certificate, settings.client_key, password=lambda: ""
        )
    return context


def check_pin(connection: Any, settings: HostSettings) -> None:
    """Compare the certificate of an established connection; raises WrongCertificateError."""
    if settings.certificate_pin:
        certificate: bytes = connection.getpeercert(binary_form=True) or b""
        if not hmac.compare_digest(
            sha256(certificate).hexdigest(), settings.certificate_pin.lower()
        ):
            raise WrongCertificateError
