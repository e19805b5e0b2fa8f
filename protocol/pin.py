"""PIN blocks: ISO 9564 format 0, encrypted under the PIN key (dialect: cryptography).

The block is `0`, the PIN's length, the PIN, and F to the end, XORed with zeros and the 12
rightmost digits of the card number without its check digit. Under SM4 the block has 16 bytes.
"""

from __future__ import annotations

from protocol.card import Pan, PinBlock
from protocol.cipher import Cipher, decrypt, encrypt, xor
from protocol.errors import PinProblem
from protocol.key import Key

PIN_LENGTHS = range(4, 13)  # digits
_PAN_DIGITS = 12


def pin_block(pin: str, pan: Pan, key: Key, cipher: Cipher = Cipher.TDES) -> PinBlock:
    """The encrypted block of a PIN of 4 to 12 digits. Raises PinProblem, KeyLengthWrong."""
    if len(pin) not in PIN_LENGTHS or not (pin.isascii() and pin.isdecimal()):
        raise PinProblem(f"a PIN has {PIN_LENGTHS[0]} to {PIN_LENGTHS[-1]} digits")
    size = cipher.block_size
    filled = f"0{len(pin):X}{pin}".ljust(size * 2, "F")
    clear = xor(bytes.fromhex(filled), _pan_part(pan, size))
    return PinBlock(encrypt(key.reveal(), clear, cipher))


def read_pin_block(block: bytes, pan: Pan, key: Key, cipher: Cipher = Cipher.TDES) -> str:
    """The PIN in a block: the acquirer's side. Raises PinProblem when it cannot be translated."""
    size = cipher.block_size
    if len(block) != size:
        raise PinProblem(f"a PIN block has {size} bytes, this one {len(block)}")
    clear = xor(decrypt(key.reveal(), bytes(block), cipher), _pan_part(pan, size))
    nibbles = clear.hex().upper()
    length = int(nibbles[1], 16)
    pin, filling = nibbles[2 : 2 + length], nibbles[2 + length :]
    if nibbles[0] != "0" or length not in PIN_LENGTHS or not pin.isdecimal() or filling.strip("F"):
        raise PinProblem("the PIN block cannot be translated under this key and card number")
    return pin


def _pan_part(pan: Pan, size: int) -> bytes:
    digits = pan.reveal()[:-1][-_PAN_DIGITS:]
    if len(digits) != _PAN_DIGITS or not (digits.isascii() and digits.isdecimal()):
        raise PinProblem(f"a card number of at least {_PAN_DIGITS + 1} digits is needed")
    return bytes.fromhex(digits.rjust(size * 2, "0"))
