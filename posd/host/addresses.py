"""Names to addresses, without letting a slow name server keep the process alive."""

from __future__ import annotations

import asyncio
import socket
import threading
from ipaddress import ip_address


async def numeric_addresses(host: str, port: int) -> list[str]:
    """The numeric addresses of a host, in the resolver's order. Raises OSError.

    The resolver blocks for as long as it likes. asyncio's own way joins its thread when the loop
    ends; a daemon thread lets SIGTERM end the process at once.
    """
    try:
        return [str(ip_address(host))]
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def tell(found: list[str], error: OSError | None) -> None:
        if not answer.done():
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

    def resolve() -> None:
        found: list[str] = []
        failed: OSError | None = None
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(row[4][0]) for row in rows))
        except (OSError, UnicodeError) as error:
            failed = error if isinstance(error, OSError) else OSError("not a host name")
        try:
            loop.call_soon_threadsafe(tell, found, failed)
        except RuntimeError:
            return  # the loop has ended meanwhile: nobody waits any more

    threading.Thread(target=resolve, name="resolve-host", daemon=True).start()
    return await answer
