"""Runs inside the booted machine: the shop's counter and the acquirer, played from outside over a socket.

    counter.py SOCKET DEVICE-DIRECTORY PORT TERMINAL MERCHANT MASTER-KEY-FILE

One command a line, one line of JSON as the answer: `press 1 2 confirm`, `swipe CARD`, `screen`, `paper`,
`heard` (the message types that the acquirer received, in order).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from datetime import datetime
from pathlib import Path

from devices.keypad import Key as KeypadKey
from devices.simulated.card_reader import SimulatedCardReader
from devices.simulated.display import SimulatedDisplay
from devices.simulated.keypad import SimulatedKeypad
from devices.simulated.printer import SimulatedPrinter
from posd.acquirer.acquirer import Acquirer
from posd.acquirer.cards import BY_NAME
from posd.acquirer.ledger import AcquirerLedger
from posd.acquirer.server import AcquirerServer
from posd.acquirer.situation import TerminalRecord
from protocol import DEFAULT, Key, ProtocolError, decode


class Counter:
    """Four devices under their udev names, and what the acquirer heard."""

    def __init__(self, directory: Path) -> None:
        self.keypad = SimulatedKeypad(directory / "keypad")
        self.display = SimulatedDisplay(directory / "display")
        self.printer = SimulatedPrinter(directory / "printer")
        self.card_reader = SimulatedCardReader(directory / "card_reader")
        self.heard: list[str] = []

    def note(self, direction: str, frame: bytes) -> None:
        if direction == "received":
            try:
                self.heard.append(decode(frame, DEFAULT).mti)
            except ProtocolError:
                self.heard.append("?")

    def obey(self, line: str) -> object:
        command, *words = line.split()
        if command == "press":
            for word in words:
                if word.isdecimal():
                    self.keypad.type(word)
                else:
                    self.keypad.press(KeypadKey[word.upper()])
        elif command == "swipe":
            self.card_reader.swipe(BY_NAME[words[0]].track2.reveal())
        return {
            "screen": self.display.rows,
            "paper": lambda: self.printer.paper,
            "heard": lambda: self.heard,
        }.get(command, lambda: None)()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(json.dumps(self.obey(line.decode())).encode() + b"\n")
            await writer.drain()
        writer.close()


async def main(
    socket: str, directory: str, port: str, terminal: str, merchant: str, key: str
) -> None:
    counter = Counter(Path(directory))
    record = TerminalRecord(terminal, merchant, Key(bytes.fromhex(Path(key).read_text("ascii"))))
    acquirer = Acquirer(
        AcquirerLedger(":memory:"), [record], clock=datetime.now, random_bytes=secrets.token_bytes  # noqa: TID251
    )  # fmt: skip
    await AcquirerServer(acquirer, on_traffic=counter.note).start(port=int(port))
    Path(socket).unlink(missing_ok=True)
    server = await asyncio.start_unix_server(counter.serve, socket)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
