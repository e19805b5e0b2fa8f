"""Keys print nothing; working keys are verified before any of them is given out."""

from __future__ import annotations

import copy
import itertools
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psec import des

from protocol import Dialect, Key
from protocol.cipher import Cipher, encrypt
from protocol.errors import KeyCheckFailed, KeyLayoutUnknown, KeyLengthWrong
from protocol.keys import WorkingKeys, slots, working_keys, wrap_working_keys

# psec spells 3DES in ways that `cryptography` is giving up, and is warned about it.
pytestmark = pytest.mark.filterwarnings("ignore:.*TripleDES")

MASTER = Key(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))


def key(length: int, seed: int = 1) -> Key:
    return Key(bytes((seed * 37 + position * 11) % 256 for position in range(length)))


def test_a_key_prints_its_length_only():
    secret = Key(bytes.fromhex("1A2B3C4D5E6F7081"))
    keys = WorkingKeys(secret, secret)
    for text in (repr(secret), str(secret), f"{secret:>20}", repr(keys), str({"key": secret})):
        assert "Key(8 bytes)" in text
        assert "1a2b" not in text.lower()
        assert "\\x1a" not in text.lower()


def test_a_key_is_neither_pickled_nor_copied_nor_hashed():
    for use in (pickle.dumps, copy.copy, copy.deepcopy, hash):
        with pytest.raises(TypeError):
            use(key(16))


@pytest.mark.parametrize("length", [0, 7, 12, 15, 25])
def test_a_key_has_8_16_or_24_bytes(length):
    with pytest.raises(KeyLengthWrong, match=f"this one {length}"):
        Key(bytes(length))


def test_keys_are_equal_by_content():
    assert key(16) == key(16)
    assert key(16) != key(16, seed=2)
    assert key(16) != key(16).reveal()


def test_a_wiped_key_holds_nothing_and_cannot_be_used():
    secret = key(16)
    buffer = secret._value
    secret.wipe()
    assert bytes(buffer) == b""
    assert len(secret) == 0
    with pytest.raises(KeyLengthWrong, match="wiped"):
        secret.reveal()


def test_wiping_overwrites_before_it_lets_go():
    seen = []

    class Watched(bytearray):
        def clear(self):
            seen.append(bytes(self))
            super().clear()

    secret = key(16)
    secret._value = Watched(secret.reveal())
    secret.wipe()
    assert seen == [bytes(16)]


def test_working_keys_are_wiped_together():
    keys = WorkingKeys(key(16), key(8), key(16, 3))
    keys.wipe()
    assert [len(keys.pin), len(keys.mac), len(keys.track)] == [0, 0, 0]


@given(st.sampled_from([8, 16, 24]).flatmap(lambda size: st.binary(min_size=size, max_size=size)))
def test_a_check_value_is_the_encrypted_zero_block_of_psec(value):
    expected = des.encrypt_tdes_ecb(value, bytes(8))
    assert Key(value).check_value(8) == expected
    assert Key(value).check_value() == expected[:4]


def test_the_worked_check_values(worked):
    for name in ("PIK", "MAK8", "MAK16", "TDK"):
        value = Key(bytes.fromhex(worked["keys"][name])).check_value()
        assert value.hex().upper() == worked["keys"][f"{name}_check"]


@pytest.mark.parametrize(
    ("name", "mac", "track"),
    [
        ("element62_40_mak8", "MAK8", None),
        ("element62_40_mak16", "MAK16", None),
        ("element62_60", "MAK8", "TDK"),
    ],
)
def test_the_worked_sign_ins(worked, name, mac, track):
    values = {row: bytes.fromhex(worked["keys"][row]) for row in ("PIK", mac, track) if row}
    content = bytes.fromhex(worked["keys"][name])
    keys = working_keys(content, MASTER)
    assert keys == WorkingKeys(
        Key(values["PIK"]), Key(values[mac]), Key(values[track]) if track else None
    )
    assert wrap_working_keys(keys, MASTER) == content


SETS = [
    (layout, method, WorkingKeys(key(pin), key(mac, 2), key(track, 3) if track else None), size)
    for layout, method, pin, mac, track, size in [
        ("default", "6", 8, 8, 0, 24),
        ("default", "6", 16, 16, 0, 40),
        ("default", "6", 16, 8, 0, 40),
        ("default", "6", 16, 16, 16, 60),
        ("default", "6", 16, 8, 16, 60),
        ("default", "6", 24, 24, 24, 84),
        ("default", "3", 16, 16, 0, 40),
        ("three-of-19", "6", 16, 16, 16, 57),
        ("tagged-25", "6", 16, 16, 0, 50),
        ("tagged-25", "6", 16, 16, 16, 75),
    ]
]


@pytest.mark.parametrize(("layout", "method", "keys", "size"), SETS)
def test_keys_of_every_layout_come_back(layout, method, keys, size):
    dialect = Dialect(working_key_layout=layout, security_method=method)
    content = wrap_working_keys(keys, MASTER, dialect)
    assert len(content) == size
    assert working_keys(content, MASTER, dialect) == keys


@pytest.mark.parametrize(("layout", "method", "keys", "size"), SETS)
def test_no_key_is_given_out_when_any_byte_is_wrong(layout, method, keys, size):
    dialect = Dialect(working_key_layout=layout, security_method=method)
    content = wrap_working_keys(keys, MASTER, dialect)
    for position in range(size):
        broken = bytearray(content)
        broken[position] ^= 0x10
        with pytest.raises((KeyCheckFailed, KeyLayoutUnknown)) as caught:
            working_keys(bytes(broken), MASTER, dialect)
        assert content[:4].hex() not in str(caught.value)


def test_the_keys_of_a_layout_are_those_that_psec_encrypts():
    pin, mac = key(16), key(16, 2)
    content = b"".join(
        des.encrypt_tdes_ecb(MASTER.reveal(), secret.reveal())
        + des.encrypt_tdes_ecb(secret.reveal(), bytes(8))[:4]
        for secret in (pin, mac)
    )
    assert working_keys(content, MASTER) == WorkingKeys(pin, mac)


def test_tagged_records_come_in_any_order_and_a_master_key_among_them_is_only_verified():
    dialect = Dialect(working_key_layout="tagged-25")
    content = wrap_working_keys(WorkingKeys(key(16), key(16, 2), key(16, 3)), MASTER, dialect)
    wrapped = des.encrypt_tdes_ecb(MASTER.reveal(), key(16, 4).reveal())
    records = [content[start : start + 25] for start in range(0, 75, 25)]
    records.append(b"\x00" + wrapped + key(16, 4).check_value(8))
    for order in itertools.permutations(records):
        assert working_keys(b"".join(order), MASTER, dialect).mac == key(16, 2)
    records[3] = records[3][:-1] + bytes([records[3][-1] ^ 1])
    with pytest.raises(KeyCheckFailed, match="TMK"):
        working_keys(b"".join(records), MASTER, dialect)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "one record of 25 bytes for each key"),
        (b"\x01" + bytes(25), "one record of 25 bytes for each key"),
        (b"\x01" * 50, "one record of 25 bytes for each key"),
        (b"\x05" + bytes(24), "an unknown kind of key"),
    ],
)
def test_tagged_records_that_do_not_make_a_set_are_refused(content, rule):
    with pytest.raises(KeyLayoutUnknown, match=rule):
        working_keys(content, MASTER, Dialect(working_key_layout="tagged-25"))


@pytest.mark.parametrize("missing", ["PIK", "MAK"])
def test_a_set_without_a_pin_key_or_a_mac_key_is_refused(missing):
    dialect = Dialect(working_key_layout="tagged-25")
    content = wrap_working_keys(WorkingKeys(key(16), key(16, 2), key(16, 3)), MASTER, dialect)
    tag = {"MAK": b"\x01", "PIK": b"\x02"}[missing]
    records = [content[start : start + 25] for start in range(0, 75, 25)]
    rest = b"".join(record for record in records if record[:1] != tag)
    with pytest.raises(KeyLayoutUnknown, match="a PIN key and a MAC key are needed"):
        working_keys(rest, MASTER, dialect)


@pytest.mark.parametrize("size", [0, 23, 25, 39, 41, 57, 104])
def test_key_data_of_another_length_is_refused(size):
    with pytest.raises(KeyLayoutUnknown, match="24, 40, 60, 84"):
        working_keys(bytes(size), MASTER)


def test_a_mac_key_of_zeros_is_an_error_and_not_a_short_key(worked):
    content = bytearray.fromhex(worked["keys"]["element62_40_mak8"])
    content[20:36] = bytes(16)
    with pytest.raises(KeyCheckFailed, match="MAK: the key is all zeros"):
        working_keys(bytes(content), MASTER)


@pytest.mark.parametrize(("position", "path"), [(0, "62.PIK"), (20, "62.MAK"), (40, "62.TDK")])
def test_the_key_that_fails_is_named_by_its_place(worked, position, path):
    content = bytearray.fromhex(worked["keys"]["element62_60"])
    content[position] ^= 1
    with pytest.raises(KeyCheckFailed) as caught:
        working_keys(bytes(content), MASTER)
    assert caught.value.path == path
    assert str(caught.value) == f"{path}: the check value does not fit the key"


def test_a_key_that_decrypts_to_zeros_is_an_error():
    zeros = Key(bytes(16))
    content = encrypt(MASTER.reveal(), bytes(16)) + zeros.check_value()
    with pytest.raises(KeyCheckFailed, match="PIK: the key is all zeros"):
        working_keys(content * 2, MASTER)


@pytest.mark.parametrize("content", [bytes(range(1, 29)) + bytes(12), bytes(range(1, 25))])
def test_sm4_has_no_key_of_8_bytes(content):
    with pytest.raises((KeyCheckFailed, KeyLengthWrong)):
        working_keys(content, MASTER, Dialect(security_method="3"))


@pytest.mark.parametrize("algorithm", ["x9.19", "xor-3des"])
def test_a_mac_key_too_short_for_the_algorithm_fails_the_sign_in(worked, algorithm):
    content = bytes.fromhex(worked["keys"]["element62_40_mak8"])
    with pytest.raises(KeyLengthWrong, match=algorithm):
        working_keys(content, MASTER, Dialect(mac_algorithm=algorithm))


def test_an_unknown_layout_is_refused():
    dialect = Dialect(working_key_layout="none")
    with pytest.raises(KeyLayoutUnknown, match="none"):
        working_keys(bytes(40), MASTER, dialect)


def test_keys_that_a_layout_cannot_carry_are_not_wrapped():
    for keys in (WorkingKeys(key(16), key(24)), WorkingKeys(key(8), key(8), key(8))):
        with pytest.raises(KeyLayoutUnknown):
            wrap_working_keys(keys, MASTER)


def test_the_slots_of_a_content_are_named(worked):
    content = bytes.fromhex(worked["keys"]["element62_60"])
    assert [slot.kind for slot in slots(content)] == ["PIK", "MAK", "TDK"]


def test_an_sm4_check_value_is_of_a_block_of_16():
    secret = key(16)
    assert secret.check_value(16, Cipher.SM4) == encrypt(secret.reveal(), bytes(16), Cipher.SM4)


@pytest.mark.parametrize("layout", ["three-of-19", "tagged-25"])
def test_other_layouts_have_no_short_mac_key(layout):
    dialect = Dialect(working_key_layout=layout)
    with pytest.raises(KeyLayoutUnknown, match="MAK: expected 16 bytes, found 8"):
        wrap_working_keys(WorkingKeys(key(16), key(8, 2), key(16, 3)), MASTER, dialect)
