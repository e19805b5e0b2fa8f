"""What must hold for any bytes; fuzz_protocol.py searches for bytes for which it does not.

The first byte of an input chooses the target: 0 a whole frame, 1 a bare message, 2 TLV data,
3 a stream of frames in pieces (the second byte is their size). What must hold for any input:

- only errors of the protocol's tree are raised, and none of them hangs on another exception;
- what decodes encodes to bytes that decode to the same message;
- nothing that is shown holds more than six digits in a row of a card number.
"""

from __future__ import annotations

from protocol import (
    FrameReader,
    Message,
    Pan,
    ProtocolError,
    Track,
    decode,
    decode_message,
    encode,
    encode_message,
    tlv,
)
from protocol.elements import restored, storable
from protocol.explain import explain
from protocol.matching import Foreign, Unusable, Usable, match

SHOWN = 6  # digits in a row that may be seen
CARD_DATA = (2, 35, 36, 48, 57)
REQUEST = Message("0200", {11: "000002", 41: "12345678", 64: bytes(8)})


def fuzz_frame(data: bytes) -> None:
    verdict = match(REQUEST, data, None)
    assert isinstance(verdict, Foreign | Unusable | Usable)
    try:
        message = decode(data)
    except ProtocolError as error:
        check_error(error)
        return
    check_message(message)
    assert decode(encode(message)) == message


def fuzz_message(data: bytes) -> None:
    try:
        message = decode_message(data)
    except ProtocolError as error:
        check_error(error)
        return
    check_message(message)
    assert decode_message(encode_message(message)) == message


def fuzz_tlv(data: bytes) -> None:
    try:
        items = tlv.parse(data)
    except ProtocolError as error:
        check_error(error)
        return
    assert tlv.build(items) == data


def fuzz_stream(data: bytes) -> None:
    size = max(data[0], 1) if data else 1
    reader, frames = FrameReader(cap=256), []
    try:
        for start in range(1, len(data), size):
            frames += reader.feed(data[start : start + size])
    except ProtocolError as error:
        check_error(error)
        return
    assert len(b"".join(frames)) + reader.pending == len(data[1:])


def check_error(error: ProtocolError) -> None:
    assert error.__context__ is None
    assert error.__cause__ is None
    decoded = getattr(error, "decoded", None)
    if decoded is not None:
        check_message(decoded)


def check_message(message: Message) -> None:
    lines = explain(message)
    shown = f"{message!r}\n{message.describe()}\n" + "\n".join(
        f"{line.shown} {line.meaning}" for line in lines
    )
    shown.encode("utf-8")
    open_values = [value for number, value in message.elements.items() if number not in CARD_DATA]
    open_values += [line.shown for line in lines if not line.path[0].isdigit()]  # bitmap, addresses
    elsewhere = "\n".join(map(str, open_values))
    for number in (2, 35, 36):
        value = message.get(number)
        digits = value.reveal().partition("=")[0] if isinstance(value, Pan | Track) else ""
        for start in range(len(digits) - SHOWN - 1):
            window = digits[start : start + SHOWN + 2]
            if len(set(window)) > 4:  # a run of zeros is in many places
                assert window not in shown or window in elsewhere
    plain, encrypted = storable(message.elements)
    assert not plain.keys() & {2, 14, 35, 36, 52, 64}
    restored(plain, encrypted)


TARGETS = (fuzz_frame, fuzz_message, fuzz_tlv, fuzz_stream)


def fuzz_one(data: bytes) -> None:
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])
