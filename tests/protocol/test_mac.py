"""MACs, against psec where it knows the algorithm and against worked values everywhere."""

from __future__ import annotations

import dataclasses

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from psec import des
from psec import mac as peer

from protocol import Dialect, Key, Message, encode, encode_message
from protocol.errors import AlgorithmUnknown, KeyLengthWrong
from protocol.mac import ALGORITHMS, compute, seal, verify_frame, verify_message

# psec spells 3DES in ways that `cryptography` is giving up, and is warned about it.
pytestmark = pytest.mark.filterwarnings("ignore:.*TripleDES")

data = st.binary(min_size=1, max_size=120)
keys8, keys16 = st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16)


def folded(content: bytes, size: int) -> bytes:
    block = bytes(size)
    padded = content + bytes(-len(content) % size)
    for start in range(0, len(padded), size):
        block = bytes(a ^ b for a, b in zip(block, padded[start : start + size], strict=True))
    return block


@given(keys8, data)
def test_x9_9_is_the_cbc_mac_of_psec(key, content):
    expected = peer.generate_cbc_mac(key, content, 1)
    assert compute(Key(key), content, "x9.9") == expected


@given(keys16, data)
def test_x9_9_uses_the_first_8_bytes_of_a_longer_key(key, content):
    assert compute(Key(key), content, "x9.9") == compute(Key(key[:8]), content, "x9.9")


@given(keys16, data)
def test_x9_19_is_the_retail_mac_of_psec(key, content):
    expected = peer.generate_retail_mac(key[:8], key[8:], content, 1)
    assert compute(Key(key), content, "x9.19") == expected


@given(keys16, data)
def test_xor_3des_is_one_encryption_of_all_blocks_folded(key, content):
    expected = des.encrypt_tdes_ecb(key, folded(content, 8))
    assert compute(Key(key), content, "xor-3des") == expected


@given(st.one_of(keys8, keys16), data)
def test_ecb_encrypts_the_hex_of_the_folded_blocks_half_by_half(key, content):
    spelled = folded(content, 8).hex().upper().encode()
    first = des.encrypt_tdes_ecb(key, spelled[:8])
    second = des.encrypt_tdes_ecb(
        key, bytes(a ^ b for a, b in zip(first, spelled[8:], strict=True))
    )
    assert compute(Key(key), content, "ecb") == second.hex().upper().encode()[:8]


@given(keys16, data)
def test_sm4_ecb_does_the_same_with_blocks_of_16(key, content):
    encryptor = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()
    spelled = folded(content, 16).hex().upper().encode()
    first = encryptor.update(spelled[:16])
    second = encryptor.update(bytes(a ^ b for a, b in zip(first, spelled[16:], strict=True)))
    assert compute(Key(key), content, "sm4-ecb") == second.hex().upper().encode()[:8]


@pytest.mark.parametrize(("name", "row"), [("MAK8", "ecb_mak8"), ("MAK16", "ecb_mak16")])
def test_the_worked_sale_has_its_worked_mac(sale, key, worked, name, row):
    expected = worked["crypto"]["mac_of_sale_request"][row]
    assert folded(encode_message(sale)[:-8], 8).hex().upper() == expected["xor"]
    assert seal(sale, key(name)).get(64).decode() == expected["mac_ascii"]


def test_every_worked_mac_verifies_and_no_other_message_does(frames, key):
    verified = {name for name, frame in frames.items() if verify_frame(frame, key("MAK8"))}
    with_mac = {name for name, frame in frames.items() if frame[22] & 1}
    assert verified == with_mac
    assert len(verified) == 11


def test_a_mac_does_not_verify_after_any_change_of_the_message(frames, key):
    frame = frames["sale response, approved"]
    for position in range(13, len(frame)):
        changed = frame[:position] + bytes([frame[position] ^ 0x01]) + frame[position + 1 :]
        assert not verify_frame(changed, key("MAK8"))


def test_a_mac_does_not_verify_under_another_key_or_algorithm(frames, key):
    frame = frames["sale response, approved"]
    assert not verify_frame(frame, key("MAK16"))
    assert not verify_frame(frame, key("MAK8"), Dialect(mac_algorithm="x9.9"))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("has_header", [True, False])
def test_a_sealed_message_verifies_in_its_dialect(sale, key, algorithm, has_header):
    dialect = Dialect(mac_algorithm=algorithm, has_header=has_header)
    sealed = seal(sale.with_elements({64: None}), key("MAK16"), dialect)
    assert verify_frame(encode(sealed, dialect), key("MAK16"), dialect)
    assert verify_message(encode_message(sealed, dialect), key("MAK16"), dialect)
    assert dataclasses.replace(sealed, elements=sale.elements) == sale


def test_what_is_too_short_for_a_mac_does_not_verify(key):
    assert not verify_frame(b"", key("MAK8"))
    assert not verify_frame(encode(Message("0800", {11: "000001"})), key("MAK8"))


@pytest.mark.parametrize(
    ("algorithm", "length"),
    [("x9.19", 8), ("x9.19", 24), ("xor-3des", 8), ("sm4-ecb", 8), ("sm4-ecb", 24)],
)
def test_a_key_of_the_wrong_length_is_refused(algorithm, length):
    with pytest.raises(KeyLengthWrong, match=f"not {length}"):
        compute(Key(bytes(range(length))), b"data", algorithm)


def test_an_unknown_algorithm_is_refused(key):
    with pytest.raises(AlgorithmUnknown, match=r"x9\.19"):
        compute(key("MAK16"), b"data", "hmac")


def test_a_message_that_is_nothing_but_a_mac_verifies(key):
    sealed = seal(Message("0800", {}), key("MAK8"))
    assert verify_frame(encode(sealed), key("MAK8"))


@pytest.mark.parametrize("algorithm", ["ecb", "x9.9"])
def test_a_key_of_24_bytes_is_taken_where_the_layout_of_84_brings_one(algorithm):
    key = Key(bytes(range(1, 25)))
    short = Key(key.reveal()[:8])
    assert (compute(key, b"data", algorithm) == compute(short, b"data", algorithm)) is (
        algorithm == "x9.9"
    )
