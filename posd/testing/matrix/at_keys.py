"""What is disturbed at the keys: whole dialogues, from the first key to the last slip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from posd.acquirer.cards import BY_NAME
from posd.acquirer.outcomes import Outcome
from posd.core.events import CardSwiped
from posd.core.events import Key as Pressed
from posd.ledger.records import State
from posd.testing.matrix.life import DialogueLife
from posd.testing.matrix.shop import LONG_ENOUGH, Business, Shop

AMOUNT: Final = 10_000  # fen
_PARTIAL: Final = 10  # fen: the test acquirer approves half of it
_CLOSING: Final = 77_700
_CARD: Final = BY_NAME["nopin"].track2
_PROMPT_SECONDS: Final = 0.2
_KEYS_TO_REST: Final = 60  # more presses than any dialogue needs to come back to idle
_PATIENCE: Final = 3  # times LONG_ENOUGH
_CONFIRMED: Final = ("slip", "last", "kept", "blocked")  # flows that 确认 leads out of
_CONFIRMED_STEPS: Final = ("pending", "unfinished", "ended")
_WORDS: Final = {"确认": Pressed.CONFIRM, "取消": Pressed.CANCEL}


def _dialogue(shop: Shop) -> DialogueLife:
    assert isinstance(shop.life, DialogueLife)
    return shop.life


def _press(shop: Shop, keys: str) -> None:
    life = _dialogue(shop)
    for word in keys.split():
        for key in [_WORDS[word]] if word in _WORDS else [Pressed(digit) for digit in word]:
            life.do(lambda key=key: life.prompt.press(key))  # type: ignore[misc]
    shop.let_pass(_PROMPT_SECONDS)


def _swipe(shop: Shop) -> None:
    life = _dialogue(shop)
    life.do(lambda: life.report(CardSwiped(_CARD)))
    shop.let_pass(_PROMPT_SECONDS)


def _to_idle(shop: Shop) -> None:
    """Confirm what is shown and take every slip, until nothing is shown and nothing is in doubt.

    What is still in doubt after hours will be so for ever: the checker knows whether it may.
    """
    patience = _PATIENCE
    for _ in range(_KEYS_TO_REST):
        life = _dialogue(shop)
        if life.ended is not None:
            return
        if not life.core.dialogue.is_idle:
            flow, _, step = life.core.dialogue.state.partition(".")
            confirmed = flow in _CONFIRMED or step in _CONFIRMED_STEPS
            _press(shop, "确认" if confirmed else "取消")
            shop.let_pass(3.0)
        elif life.money.settlement_unfinished is not None and not life.money.busy:
            _settle(shop)
        elif life.at_rest() or not patience:
            return
        else:
            patience -= 1
            shop.let_pass(LONG_ENOUGH, lambda life=life: life.at_rest())  # type: ignore[misc]


def _sign_in_at_keys(shop: Shop) -> None:
    _to_idle(shop)
    _press(shop, "确认")
    shop.let_pass(1.0)
    _to_idle(shop)


def _voucher(shop: Shop, kind: str) -> str:
    if shop.life.ended is not None:
        return ""
    record = shop.life.ledger.transactions.last(kind)
    return record.stan if record else ""


def _pay(shop: Shop, amount: int = AMOUNT) -> None:
    _press(shop, f"{amount} 确认")
    _swipe(shop)


def _pay_in_part(shop: Shop) -> None:
    _pay(shop, _PARTIAL)


def _void(shop: Shop) -> None:
    _press(shop, "确认 1")
    _press(shop, "123456 确认")
    _press(shop, "确认")  # no number: the newest sale
    _press(shop, "确认")
    _swipe(shop)


def _refund(shop: Shop) -> None:
    _press(shop, "确认 2")
    _press(shop, "123456 确认")
    _swipe(shop)
    _press(shop, f"{_voucher(shop, 'sale')} 确认")
    _press(shop, "确认 确认 确认")  # all that is left, the goods, as shown


def _authorise(shop: Shop) -> None:
    _press(shop, f"确认 3 1 {AMOUNT} 确认")
    _swipe(shop)


def _complete(item: str) -> Callable[[Shop], None]:
    def complete(shop: Shop) -> None:
        _press(shop, f"确认 3 {item}")
        _swipe(shop)
        _press(shop, f"{_voucher(shop, 'pre_authorisation')} 确认")
        _press(shop, "确认 确认")  # all of it, as shown

    return complete


def _void_authorisation(shop: Shop) -> None:
    _press(shop, f"确认 3 3 {_voucher(shop, 'pre_authorisation')} 确认 确认")
    _swipe(shop)
    _press(shop, "123456 确认")


def _void_completion(shop: Shop) -> None:
    _press(shop, "确认 3 4")
    _press(shop, "123456 确认")
    _press(shop, f"{_voucher(shop, 'completion')} 确认 确认")
    _swipe(shop)


def _ask_balance(shop: Shop) -> None:
    _press(shop, "确认 4")
    _swipe(shop)


def _pay_order(shop: Shop) -> None:
    _press(shop, "确认 5 1 确认 1")
    _swipe(shop)


def _settle(shop: Shop) -> None:
    _press(shop, "确认 7 确认")


def _after(*before: Callable[[Shop], None]) -> Callable[[Shop], None]:
    """Sign in, and do all this, each to its end."""

    def prepare(shop: Shop) -> None:
        _sign_in_at_keys(shop)
        for each in before:
            each(shop)
            _to_idle(shop)

    return prepare


def _be_declined(shop: Shop) -> None:
    shop.order_at_host("sale", Outcome(code="51"))
    _pay(shop)


def _close_at_keys(shop: Shop) -> str | None:
    said = "no sale was stored"
    for _ in range(2):
        _to_idle(shop)
        if not shop.life.money.signed_in:
            _sign_in_at_keys(shop)
        newest = shop.life.ledger.transactions.last("sale", *State)
        before = newest.id if newest else 0
        _press(shop, f"{_CLOSING} 确认")
        _swipe(shop)
        _to_idle(shop)
        made = shop.life.ledger.transactions.last("sale", *State)
        if made is not None and made.id > before:
            said = str(made.state)
        if made is not None and made.id > before and made.state is State.APPROVED:
            return None if not shop.life.ledger.print_jobs.waiting() else "a slip is left"
    return said


def _at_keys(name: str, ask: Callable[[Shop], None], *before: Callable[[Shop], None]) -> Business:
    return Business(f"{name} at the keys", _after(*before), ask, _close_at_keys, _to_idle, True)


_NOTICE: Final = _complete("5")

AT_KEYS: Final = (
    _at_keys("sale", _pay),
    _at_keys("void", _void, _pay),
    _at_keys("refund", _refund, _pay),
    _at_keys("pre-authorisation", _authorise),
    _at_keys("pre-authorisation void", _void_authorisation, _authorise),
    _at_keys("completion", _complete("2"), _authorise),
    _at_keys("completion notice", _NOTICE, _authorise),
    _at_keys("completion void", _void_completion, _authorise, _complete("2")),
    _at_keys("balance inquiry", _ask_balance),
    _at_keys("partial approval", _pay_in_part),
    _at_keys("order paid later", _pay_order, _be_declined),
    _at_keys("settlement", _settle, _pay, _void, _pay),
)
"""Each dialogue, from what must come before it."""
