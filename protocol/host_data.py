"""Elements 44, 54 and 63: what the host says to the cardholder and the clerk.

A host may send less than a layout has, or what no layout fits: the readers of this module give
None, or parts that are empty, and never an error (dialect: matching, last sentences).
"""

from __future__ import annotations

from msgspec import Struct

from protocol.errors import DecodeError
from protocol.formats import FixedText
from protocol.layout import Characters, Layout, Listed, UpTo


class Institutions(Struct, frozen=True):
    """Element 44: issuer and acquirer, printed on the slip; padded with blanks as they came."""

    issuer: str
    acquirer: str = ""
    rest: str = ""


ELEMENT_44 = Layout(
    "44", Institutions, (("issuer", UpTo(11)), ("acquirer", UpTo(11)), ("rest", UpTo(3)))
)


class HostTexts(Struct, frozen=True):
    """Element 63: three characters, then texts for slip and screen.

    code: the operator in management requests, `000` in refunds, the card organisation (CUP, VIS,
    MCC, JCB, AMX...) in financial answers.
    """

    code: str
    issuer: str = ""
    network: str = ""
    acquirer: str = ""
    terminal: str = ""


ELEMENT_63 = Layout(
    "63",
    HostTexts,
    (
        ("code", UpTo(3)),
        ("issuer", UpTo(20)),
        ("network", UpTo(20)),
        ("acquirer", UpTo(20)),
        ("terminal", UpTo(100)),
    ),
)

DOMESTIC = "CUP"
AVAILABLE = "02"


class Balance(Struct, frozen=True):
    """One account of element 54. sign: C for credit, D for debit; amount: 12 digits, in fen."""

    account_type: str
    amount_type: str
    currency: str
    sign: str
    amount: str

    @property
    def fen(self) -> int:
        """The amount with its sign."""
        return -int(self.amount) if self.sign == "D" else int(self.amount)


_BALANCE = Layout(
    "54",
    Balance,
    (
        ("account_type", Characters(2)),
        ("amount_type", Characters(2)),
        ("currency", Characters(3)),
        ("sign", FixedText(1)),
        ("amount", Characters(12)),
    ),
)


class Balances(Struct, frozen=True):
    """Element 54: one or two accounts."""

    accounts: tuple[Balance, ...]


ELEMENT_54 = Layout("54", Balances, (("accounts", Listed(_BALANCE, digits=0, most=2)),))


def institutions(element_44: str) -> Institutions:
    """Issuer and acquirer, as far as the content goes."""
    return ELEMENT_44.parts_of(element_44)


def host_texts(element_63: str) -> HostTexts:
    """The code and the texts, as far as the content goes."""
    return ELEMENT_63.parts_of(element_63)


def is_foreign(element_63: str | None) -> bool:
    """Does an answer's element 63 name a card organisation other than CUP?"""
    code = host_texts(element_63).code.strip() if element_63 else ""
    return code not in ("", DOMESTIC)


def available_balance(element_54: str) -> Balance | None:
    """The account whose amount is the available one, or None when there is none to be read.

    Some hosts swap account type and amount type: both orders are taken.
    """
    try:
        accounts = ELEMENT_54.parts_of(element_54).accounts
    except DecodeError:
        return None
    for account in accounts:
        if AVAILABLE in (account.amount_type, account.account_type) and account.sign in "CD":
            return account
    return None
