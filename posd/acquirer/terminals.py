"""Terminals: who may speak, sign-in with fresh working keys, sign-off, echo."""

from __future__ import annotations

from posd.acquirer.situation import House, Situation, Verdict
from protocol import Key
from protocol.keys import WorkingKeys, wrap_working_keys
from protocol.mac import verify_frame

_DOUBLE_LENGTH_KEYS = "003"
_TRACK_KEY_TOO = "004"
_LAYOUTS_OF_THREE = ("three-of-19",)


def refuse(situation: Situation) -> str | None:
    """97 or 03 for a terminal or merchant that is not known, else None."""
    record = situation.house.terminals.get(situation.request.terminal)
    if record is None:
        return "97"
    return None if situation.request.merchant == record.merchant else "03"


def refuse_unsigned(situation: Situation) -> str | None:
    """77 for a terminal that has to sign in first, else None."""
    return None if situation.state.signed_in and situation.keys is not None else "77"


def refuse_mac(situation: Situation) -> str | None:
    """77 as above, A0 for a MAC that is wrong or missing, else None."""
    if (code := refuse_unsigned(situation)) is not None:
        return code
    assert situation.keys is not None  # a signed-in terminal has keys
    right = verify_frame(situation.frame, situation.keys.mac, situation.house.dialect)
    return None if right else "A0"


def sign_in(situation: Situation) -> Verdict:
    """Fresh working keys and the batch number. 40: keys of a kind that this host does not give."""
    request, house = situation.request, situation.house
    if situation.outcome.code not in (None, "00"):
        return Verdict(str(situation.outcome.code))
    if request.network_code not in (_DOUBLE_LENGTH_KEYS, _TRACK_KEY_TOO):
        return Verdict("40")
    with_track_key = (
        request.network_code == _TRACK_KEY_TOO
        or house.dialect.track_encryption
        or house.dialect.working_key_layout in _LAYOUTS_OF_THREE
    )
    keys = WorkingKeys(
        pin=Key(house.random_bytes(16)),
        mac=Key(house.random_bytes(house.options.mac_key_length)),
        track=Key(house.random_bytes(16)) if with_track_key else None,
    )
    master = house.terminals[request.terminal].master
    wrapped = wrap_working_keys(keys, master, house.dialect)
    situation.ledger.sign_in(request.terminal, wrapped)
    private = f"00{situation.state.batch}{request.network_code}"
    return Verdict("00", {37: situation.reference, 60: private}, working_keys=wrapped)


def sign_off(situation: Situation) -> Verdict:
    """The terminal signs in before its next request; its keys stay on file till then."""
    if situation.outcome.code not in (None, "00"):
        return Verdict(str(situation.outcome.code))
    situation.ledger.sign_off(situation.request.terminal)
    return Verdict("00", {37: situation.reference})


def echo(situation: Situation) -> Verdict:
    """The line and the host are there."""
    return Verdict(situation.outcome.code or "00")


def enrol(house: House) -> None:
    """Make the house's terminals known to its ledger."""
    for record in house.terminals.values():
        house.ledger.enrol(record.terminal, record.merchant, record.batch)
