"""Every vector decodes to what it says, and encodes to the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from protocol import Message, decode, decode_message, encode, encode_message

VECTORS = Path(__file__).parent.parent / "vectors"
MESSAGES = [
    pytest.param(row, id=name)
    for file in ("worked", "captured")
    for name, row in json.loads((VECTORS / f"{file}.json").read_text("utf-8"))["messages"].items()
]


def read(row) -> tuple[bytes, Message]:
    data = bytes.fromhex(row["hex"])
    return data, decode(data) if row["framed"] else decode_message(data)


def clear(value) -> str:
    value = value.reveal() if hasattr(value, "reveal") else value
    return value.hex().upper() if isinstance(value, bytes) else value


@pytest.mark.parametrize("row", MESSAGES)
def test_a_vector_decodes_to_its_elements(row):
    _, message = read(row)
    assert message.mti == row["mti"]
    assert message.tpdu == row["tpdu"]
    assert message.header == row["header"]
    assert {str(n): clear(value) for n, value in message.elements.items()} == row["elements"]


@pytest.mark.parametrize("row", MESSAGES)
def test_a_vector_encodes_to_the_same_bytes_except_that_a_pad_f_becomes_0(row):
    data, message = read(row)
    again = encode(message) if row["framed"] else encode_message(message)
    differing = [(old, new) for old, new in zip(data, again, strict=True) if old != new]
    assert all(old == new | 0x0F and not new & 0x0F for old, new in differing)
    assert len(differing) <= 1


def test_an_f_pad_becomes_0(captured):
    data = bytes.fromhex(captured["messages"]["bestpay_0810"]["hex"])
    encoded = encode_message(decode_message(data))
    assert encoded == data.replace(
        bytes.fromhex("001100000001003F"), bytes.fromhex("0011000000010030")
    )
    assert encoded != data


@pytest.mark.parametrize("row", MESSAGES)
def test_a_vector_shows_neither_its_card_number_nor_its_keys(row):
    _, message = read(row)
    shown = message.describe() + repr(message) + str(message)
    secrets = [clear(message.get(n)) for n in (2, 52, 62, 64) if n in message.elements]
    if 35 in message.elements:
        secrets += [message.get(35).pan.reveal(), message.get(35).reveal()]
    assert not [secret for secret in secrets if secret in shown]
