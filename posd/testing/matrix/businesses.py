"""What is disturbed: every kind of financial request, sign-in and sign-off, settlement; some of it at the
keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from posd.acquirer.cards import BY_NAME
from posd.acquirer.outcomes import Fault, Outcome
from posd.core.events import Event, RequestRefused, TransactionEnded
from posd.core.events import Key as Pressed
from posd.core.events import Outcome as Ended
from posd.ledger.records import TransactionRecord
from posd.money.kinds import KINDS
from posd.money.requests import Reference, SwipedCard, request_of
from posd.settings import SettlementSettings
from posd.testing.matrix.at_keys import AT_KEYS
from posd.testing.matrix.life import MoneyLife
from posd.testing.matrix.shop import LONG_ENOUGH, Business, Shop

AMOUNT: Final = 10_000  # fen
_CLOSING: Final = 77_700
_CARD: Final = BY_NAME["nopin"].track2
_BEFORE: Final[Mapping[str, tuple[str, ...]]] = {
    "sale_void": ("sale",),
    "refund": ("sale",),
    "pre_authorisation_void": ("pre_authorisation",),
    "completion": ("pre_authorisation",),
    "completion_notice": ("pre_authorisation",),
    "completion_void": ("pre_authorisation", "completion"),
}
_PROMPT_SECONDS: Final = 0.2
_KEYS_TO_REST: Final = 60  # more presses than any dialogue needs to come back to idle
_TRADE: Final = (
    "sale", "sale_void", "pre_authorisation", "completion", "completion_void", "completion_notice",
    "sale", "refund",
)  # fmt: skip
_MORE_SALES: Final = 6
_NOTICE_TRIES: Final = 3
_CONFIRMED: Final = ("slip", "last", "blocked")  # flows that 确认 leads out of
_WORDS: Final = {"确认": Pressed.CONFIRM, "取消": Pressed.CANCEL}


# -- at the money core's interface -----------------------------------------------------------------


def _money_life(shop: Shop) -> MoneyLife:
    assert isinstance(shop.life, MoneyLife)
    return shop.life


def _at_rest(shop: Shop) -> None:
    shop.let_pass(LONG_ENOUGH, shop.life.at_rest)


def _request(shop: Shop, kind: str, card: str = "nopin", amount: int = AMOUNT) -> None:
    """Ask for this kind about the newest transaction that it can be about."""
    originals = KINDS[kind].originals
    candidates = [shop.life.ledger.transactions.last(one) for one in originals]
    known = [one for one in candidates if one is not None]
    original: TransactionRecord | None = max(known, key=lambda one: one.id, default=None)
    request = request_of(
        kind,
        0 if kind == "balance_inquiry" else amount,
        SwipedCard(BY_NAME[card].track2),
        original=original,
        reference=Reference.of(original) if original else None,
        supervisor="00",
    )
    shop.do(lambda: shop.life.money.request(request))


def _sign_in(shop: Shop) -> None:
    shop.do(lambda: shop.life.money.sign_in("01"))


def _sign_off(shop: Shop) -> None:
    shop.do(shop.life.money.sign_off)


def _asked_for(kind: str) -> Business:
    def prepare(shop: Shop) -> None:
        _sign_in(shop)
        _at_rest(shop)
        for before in _BEFORE.get(kind, ()):
            _request(shop, before)
            _at_rest(shop)

    return Business(kind, prepare, lambda shop: _request(shop, kind), _close, _at_rest)


def _close(shop: Shop) -> str | None:
    """Sign in when that is due, then one more sale; what it became unless it was approved.

    A first sale may be declined because the acquirer wants a sign-in: the second may not.
    """
    said = "nothing was said"
    for _ in range(2):
        money = _money_life(shop)
        if not money.money.signed_in:
            _sign_in(shop)
            _at_rest(shop)
        money.reports.clear()
        request = request_of("sale", _CLOSING, SwipedCard(_CARD))
        shop.do(lambda request=request: shop.life.money.request(request))  # type: ignore[misc]
        _at_rest(shop)
        said = _say(money.reports)
        if said == Ended.APPROVED:
            return None
    return said


def _say(reports: list[Event]) -> str:
    for report in reports:
        if isinstance(report, TransactionEnded):
            return str(report.outcome)
        if isinstance(report, RequestRefused):
            return report.reason
    return "nothing was said"


# -- settlement --------------------------------------------------------------------------------------


def _settle(shop: Shop) -> None:
    shop.do(lambda: shop.life.money.settle("01"))


def _until_settled(shop: Shop) -> None:
    """A settlement that was begun and stands still goes on at a key."""
    for _ in range(_KEYS_TO_REST):
        _at_rest(shop)
        if shop.life.ended is not None or shop.life.money.settlement_unfinished is None:
            return
        _settle(shop)


def _some_of_everything(shop: Shop) -> None:
    """A batch with both classes of cards, and with every kind that counts in it."""
    _sign_in(shop)
    _at_rest(shop)
    for kind in _TRADE:
        _request(shop, kind, amount=AMOUNT if kind in KINDS["sale_void"].originals else AMOUNT // 2)
        _at_rest(shop)
    _request(shop, "sale", "visa")
    _at_rest(shop)


def _with_an_unresolved_refund(shop: Shop) -> None:
    """The acquirer has a refund that the terminal does not count, and nine more sales are to be uploaded."""
    _some_of_everything(shop)
    for _ in range(_MORE_SALES):
        _request(shop, "sale")
        _at_rest(shop)
    shop.order_at_host("refund", Outcome(fault=Fault.NO_ANSWER), _NOTICE_TRIES)
    _request(shop, "refund")
    _at_rest(shop)


def _in_the_last_batch(shop: Shop) -> None:
    shop.change_batch("999999")
    _some_of_everything(shop)


def _nothing(_shop: Shop) -> None:
    """The terminal is as it was delivered."""


MONEY: Final = tuple(_asked_for(kind) for kind in KINDS)
SESSION: Final = (
    Business("first sign_in", _nothing, _sign_in, _close, _at_rest),
    Business("sign_in", _asked_for("sale").prepare, _sign_in, _close, _at_rest),
    Business("sign_off", _asked_for("sale").prepare, _sign_off, _close, _at_rest),
)
SETTLEMENT: Final = (
    Business("settlement", _some_of_everything, _settle, _close, _until_settled),
    Business(
        "settlement, not balanced", _with_an_unresolved_refund, _settle, _close, _until_settled
    ),
    Business(
        "settlement of the last batch, and sign-off",
        _in_the_last_batch,
        _settle,
        _close,
        _until_settled,
        settlement=SettlementSettings(sign_off=True, detail_list=True),
    ),
)
ALL: Final[Mapping[str, Business]] = {
    each.name: each for each in (*MONEY, *SESSION, *SETTLEMENT, *AT_KEYS)
}
"""Name -> business."""
