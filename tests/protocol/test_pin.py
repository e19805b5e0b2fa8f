"""PIN blocks, against psec."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psec import des, pinblock

from protocol import Key, Pan
from protocol.cipher import Cipher, decrypt, encrypt
from protocol.errors import KeyLengthWrong, PinProblem
from protocol.pin import pin_block, read_pin_block

# psec spells 3DES in ways that `cryptography` is giving up, and is warned about it.
pytestmark = pytest.mark.filterwarnings("ignore:.*TripleDES")

KEY = Key(bytes.fromhex("11223344556677889900AABBCCDDEEFF"))
pins = st.text("0123456789", min_size=4, max_size=12)
numbers = st.text("0123456789", min_size=13, max_size=19)


@given(pins, numbers)
def test_a_block_is_the_format_0_block_of_psec(pin, number):
    expected = des.encrypt_tdes_ecb(KEY.reveal(), pinblock.encode_pinblock_iso_0(pin, number))
    assert pin_block(pin, Pan(number), KEY).reveal() == expected


@given(pins, numbers)
def test_psec_reads_the_block(pin, number):
    clear = des.decrypt_tdes_ecb(KEY.reveal(), pin_block(pin, Pan(number), KEY).reveal())
    assert pinblock.decode_pinblock_iso_0(clear, number) == pin


@given(pins, numbers, st.sampled_from(Cipher))
def test_the_acquirer_reads_the_pin_that_was_typed(pin, number, cipher):
    block = pin_block(pin, Pan(number), KEY, cipher)
    assert len(block) == cipher.block_size
    assert read_pin_block(block, Pan(number), KEY, cipher) == pin


def test_the_worked_blocks(worked):
    for row in worked["crypto"]["pin_block"]:
        block = pin_block(row["pin"], Pan(row["pan"]), KEY)
        assert decrypt(KEY.reveal(), block.reveal()).hex().upper() == row["clear"]
        if "under_PIK" in row:
            assert block.reveal().hex().upper() == row["under_PIK"]


def test_the_sm4_form_has_the_same_fields_in_16_bytes():
    clear = decrypt(
        KEY.reveal(), pin_block("123456", Pan("6225000000000014"), KEY, Cipher.SM4), Cipher.SM4
    )
    assert clear.hex().upper() == "06123456FFFFFFFFFFFF" + "AFFFFFFFFFFE"


@pytest.mark.parametrize("pin", ["", "123", "1234567890123", "12a4", "１２３４"])
def test_a_pin_has_4_to_12_digits(pin):
    with pytest.raises(PinProblem) as caught:
        pin_block(pin, Pan("6225000000000014"), KEY)
    assert not pin or pin not in str(caught.value)


@pytest.mark.parametrize("number", ["622500000001", "62250000000000x4"])
def test_a_card_number_must_have_enough_digits(number):
    with pytest.raises(PinProblem) as caught:
        pin_block("123456", Pan(number), KEY)
    assert number not in str(caught.value)


@pytest.mark.parametrize(
    "clear",
    [
        "16126456FFFFFFFE",  # another format
        "03126456FFFFFFFE",  # 3 digits
        "0D126456FFFFFFFE",  # 13 digits
        "061264A6FFFFFFFE",  # a PIN digit that is none
        "06126456FFFFFFF0",  # filling that is not F
    ],
)
def test_a_block_that_cannot_be_translated_is_refused(clear):
    block = encrypt(KEY.reveal(), bytes.fromhex(clear))
    with pytest.raises(PinProblem, match="cannot be translated"):
        read_pin_block(block, Pan("6225000000000014"), KEY)


@pytest.mark.parametrize("size", [0, 7, 16])
def test_a_block_of_another_length_is_refused(size):
    with pytest.raises(PinProblem, match="8 bytes"):
        read_pin_block(bytes(size), Pan("6225000000000014"), KEY)


def test_an_sm4_key_has_16_bytes():
    with pytest.raises(KeyLengthWrong):
        pin_block("123456", Pan("6225000000000014"), Key(bytes(range(8))), Cipher.SM4)
