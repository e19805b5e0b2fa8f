"""Ciphers come from `cryptography`, in spellings that it does not give up."""

from __future__ import annotations

import warnings

import pytest

from protocol.cipher import Cipher, decrypt, encrypt, xor
from protocol.errors import KeyLengthWrong


@pytest.mark.parametrize("length", [8, 16, 24])
def test_no_key_length_is_warned_about(length):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        key = bytes(range(1, length + 1))
        assert decrypt(key, encrypt(key, b"12345678")) == b"12345678"


def test_single_des_is_the_standards():
    key, clear = bytes.fromhex("133457799BBCDFF1"), bytes.fromhex("0123456789ABCDEF")
    assert encrypt(key, clear).hex().upper() == "85E813540F0AB405"


def test_sm4_is_the_standards():
    key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    expected = bytes.fromhex("681EDF34D206965E86B3E94F536E4246")
    assert encrypt(key, key, Cipher.SM4) == expected
    assert decrypt(key, expected, Cipher.SM4) == key


@pytest.mark.parametrize(
    ("length", "cipher"), [(7, Cipher.TDES), (32, Cipher.TDES), (24, Cipher.SM4)]
)
def test_another_key_length_is_refused(length, cipher):
    with pytest.raises(KeyLengthWrong, match=f"this one {length}"):
        encrypt(bytes(length), bytes(16), cipher)


@pytest.mark.parametrize(("size", "cipher"), [(7, Cipher.TDES), (8, Cipher.SM4)])
def test_only_whole_blocks_are_encrypted(size, cipher):
    with pytest.raises(KeyLengthWrong, match=f"not {size} bytes"):
        encrypt(bytes(16), bytes(size), cipher)


def test_xor_keeps_leading_zeros():
    assert xor(b"\x01\x02", b"\x01\x03") == b"\x00\x01"
