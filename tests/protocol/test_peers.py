"""pyiso8583, an independent decoder, agrees element by element."""

from __future__ import annotations

from random import Random
from string import printable

import iso8583

from protocol import (
    DEFAULT,
    Message,
    Pan,
    PinBlock,
    ProtocolError,
    Track,
    decode,
    decode_message,
    encode_message,
)
from protocol.formats import (
    FixedDigits,
    FixedHostText,
    FixedText,
    PanDigits,
    PinBlockOctets,
    TrackDigits,
    VariableDigits,
    VariableHostText,
)

ENVELOPE = 13  # bytes of LEN, TPDU and header


def flat(number: int, value) -> str:
    """Our value as the peer writes it: hex for binary, tracks with D, text as Latin-1."""
    row = DEFAULT.table[number].format
    if isinstance(value, Pan | Track):
        return value.reveal().replace("=", "D")
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(row, FixedHostText | VariableHostText):
        return row.write(value, "x")[getattr(row, "prefix", 0) :].decode("latin-1")
    return value


def agree(body: bytes, message: Message, peer) -> None:
    fields, _ = iso8583.decode(body, peer)
    assert fields.pop("t") == message.mti
    assert fields.pop("p") == body[2:10].hex().upper()
    assert fields == {
        str(number): flat(number, value) for number, value in message.elements.items()
    }
    encoded, _ = iso8583.encode({"t": message.mti, **fields}, peer)
    assert bytes(encoded) == encode_message(message)


def test_the_peer_agrees_on_every_vector(worked, captured, peer):
    for row in [*worked["messages"].values(), *captured["messages"].values()]:
        data = bytes.fromhex(row["hex"])
        body = data[ENVELOPE:] if row["framed"] else data
        message = decode(data) if row["framed"] else decode_message(data)
        if encode_message(message) == body:  # the peer knows no pad F
            agree(body, message, peer)


MTIS = ["0100", "0200", "0210", "0220", "0320", "0400", "0410", "0510", "0810", "0930"]
DIGITS = "0123456789"


def characters(random: Random, alphabet: str, least: int, most: int) -> str:
    return "".join(random.choices(alphabet, k=random.randint(least, most)))


def value(random: Random, row):
    """A value of one format, of any length that it takes."""
    if isinstance(row, FixedDigits):
        return characters(random, DIGITS, row.count, row.count)
    if isinstance(row, PanDigits):
        return Pan(characters(random, DIGITS, 0, row.maximum))
    if isinstance(row, TrackDigits):
        return Track(characters(random, DIGITS + "=", 0, row.maximum))
    if isinstance(row, VariableDigits):
        return characters(random, DIGITS, 0, row.maximum)
    if isinstance(row, FixedText):
        return characters(random, printable, row.size, row.size)
    raw = random.randbytes(
        row.size if hasattr(row, "size") else random.randint(0, min(row.maximum, 60))
    )
    if isinstance(row, FixedHostText | VariableHostText):
        return raw.decode("gb18030", "surrogateescape")
    return PinBlock(raw) if isinstance(row, PinBlockOctets) else raw


def generated(random: Random) -> Message:
    numbers = random.sample(sorted(DEFAULT.table), random.randint(0, len(DEFAULT.table)))
    return Message(
        random.choice(MTIS),
        {number: value(random, DEFAULT.table[number].format) for number in numbers},
    )


def test_the_peer_agrees_on_10000_generated_messages(peer):
    random = Random(8583)
    for _ in range(10_000):
        message = generated(random)
        body = encode_message(message)
        assert decode_message(body) == message
        agree(body, message, peer)


def test_a_changed_byte_decodes_as_the_peer_decodes_it_or_we_say_what_is_wrong(peer):
    random = Random(3858)
    refused = 0
    for _ in range(2_000):
        body = bytearray(encode_message(generated(random)))
        body[random.randrange(len(body))] ^= random.randint(1, 255)
        try:
            ours = decode_message(bytes(body))
        except ProtocolError:
            refused += 1
            continue
        fields, _ = iso8583.decode(bytes(body), peer)
        assert fields.pop("t") == ours.mti
        assert fields.pop("p") == body[2:10].hex().upper()
        assert fields == {
            str(number): flat(number, value) for number, value in ours.elements.items()
        }
    assert 0 < refused < 2_000
