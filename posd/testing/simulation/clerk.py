"""A simulated clerk: looks where the dialogue is, and mostly does what makes sense there.

One call of `act` is one thing that the clerk does, a key or a swipe; what is begun goes on with the
next calls. Now and then it is any key, any card, or nothing for a while.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from posd.acquirer.cards import BY_NAME, TestCard
from posd.core.events import Key
from posd.ledger.records import State, TransactionRecord
from posd.money.kinds import KINDS
from posd.terminal.flows.menu import MENUS
from posd.testing.simulation.chance import Chance
from posd.testing.simulation.life import Life

GOOD_CARDS: Final = ("nopin", "nopin", "nopin", "good", "second", "long", "visa")
BAD_CARDS: Final = ("expired", "poor", "lost", "stolen")
SMALL_AMOUNTS: Final = tuple(
    series * 100 + digits
    for series, these in (
        (0, (3, 5, 10, 11, 12, 51, 55, 67, 68, 69, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88,
             89, 91, 93, 94, 95, 96, 97, 98, 99)),
        (1, (0, 5, 25, 51, 67, 68, 77, 80, 81, 84, 85, 86, 87, 88, 89, 93, 94, 95, 96, 97, 99)),
        (2, (12, 25, 66, 68, 77, 81, 85, 86, 87, 88, 95, 96, 97, 99)),
        (3, (66, 68, 77, 81, 85, 86, 87, 88, 95, 96, 97, 99)),
    )
    for digits in these
)  # fmt: skip
"""Amounts that choose an outcome at the test acquirer; none after which a reversal can never end."""
_KEYS: Final = tuple(Key)
_DIGITS: Final = tuple(Key(str(digit)) for digit in range(10))
_UNREADABLE: Final = ("lrc", "parity", "start_sentinel", "length", "whatever")
PASSWORDS: Final = {"cashier": "0000", "supervisor": "123456", "administrator": "12345678"}
_GOALS: Final = (
    (35, "sale"), (12, "void"), (3, "card"), (2, "sign_in.begin"), (1, "sign_in.leaving"),
    (1, "version"), (7, "refund"), (8, "pre_authorisation"), (6, "completion"),
    (3, "completion_notice"), (4, "completion_void"), (4, "pre_authorisation_void"), (3, "balance"),
    (4, "settlement"), (6, "orders"), (2, "hold"), (2, "held"), (2, "order_query"),
    (2, "order_approval"), (1, "order_reports"), (2, "in_doubt"), (1, "kept"), (2, "operators"),
    (1, "lock"), (0.5, "password_change"), (0.5, "shutdown"), (0.5, "device_check"),
    (1, "settlement.printing"),
)  # fmt: skip
"""What a clerk wants at the keys: a flow or a state, and how likely; where no menu leads, any item."""
_ABOUT: Final = {"void": "sale_void"} | {kind: kind for kind in KINDS if kind != "sale_void"}
"""A flow, and the kind of request that it makes."""


def keys(digits: str, *more: Key) -> list[Key]:
    return [*(Key(digit) for digit in digits), *more]


class Clerk:
    """note: told what the clerk does, for the history. other_business: what is asked for at the
    money core's door, that share of all business (directly). longest_pause: s between customers."""

    def __init__(
        self,
        chance: Chance,
        life: Callable[[], Life],
        note: Callable[[str], None],
        other_business: Callable[[], None],
        longest_pause: float,
        directly: float,
    ) -> None:
        self._chance = chance
        self._life = life
        self._note = note
        self._other_business = other_business
        self._longest_pause = longest_pause
        self._directly = directly
        self._fingers: deque[Key] = deque()
        self._goals = [
            (weight * chance.between(0.1, 3.0), goal)
            for weight, goal in _GOALS
            if goal == "sale" or chance.happens(0.7)
        ]  # each clerk has habits, so that rare things come in crowds somewhere
        self._goal = "sale"
        self._original: TransactionRecord | None = None
        self._card = BY_NAME["nopin"]
        self.may_begin = True
        """False: no new business, only what was begun."""

    def act(self) -> float:
        """Do one thing; returns how many seconds pass before the next."""
        chance = self._chance
        if chance.happens(0.03):
            return self._anything()
        if self._fingers:
            self._press(self._fingers.popleft())
            return chance.between(0.1, 0.5)
        state = self._life().core.dialogue.state
        step = state.partition(".")[2]
        act = _STATES.get(state) or _STEPS.get(step) or Clerk._explore
        if state.startswith("menu."):
            act = Clerk._menu
        return act(self)

    # --- hands --------------------------------------------------------------------------------------

    def _press(self, key: Key) -> None:
        self._note(f"key {key}")
        self._life().press(key)

    def _type(self, digits: str, *more: Key) -> float:
        self._fingers.extend(keys(digits, *more))
        return self.act() if self._fingers else 0.2

    def _swipe(self, card: TestCard) -> None:
        if self._chance.happens(0.05):
            self._note(f"swipe {card.name}, unreadable")
            self._life().swipe_badly(self._chance.one(_UNREADABLE))
            return
        self._note(f"swipe {card.name}")
        self._card = card
        self._life().swipe(card.track2)

    def _any_card(self) -> TestCard:
        names = BAD_CARDS if self._chance.happens(0.08) else GOOD_CARDS
        return BY_NAME[self._chance.one(names)]

    def _anything(self) -> float:
        """Whatever a hand, a sleeve or a child may do."""
        if self._chance.happens(0.15):
            self._swipe(self._any_card())
        else:
            self._fingers.clear()
            self._press(self._chance.one(_KEYS))
        return self._chance.between(0.1, 2.0)

    def _explore(self) -> float:
        """A step that this clerk was never taught."""
        return self._either(
            (4, Key.CONFIRM), (3, Key.CANCEL), (1, Key.CLEAR), (1, Key.DOWN), (1, Key.UP),
            (2, Key.D1), (2, Key.D2), (2, Key.D3), (2, Key.D4), (1, None),
        )  # fmt: skip

    def _either(self, *choices: tuple[float, Key | None]) -> float:
        """One of these keys, or none and a while of waiting."""
        key = self._chance.weighted(choices)
        if key is None:
            return self._wait()
        self._press(key)
        return self._chance.between(0.2, 3.0)

    def _wait(self) -> float:
        return self._chance.between(0.5, 20.0)

    # --- where the dialogue is ------------------------------------------------------------------------

    def _idle(self) -> float:
        chance, core = self._chance, self._life().core
        if not core.money.signed_in and not chance.happens(0.1):
            self._press(Key.CONFIRM)
            return chance.between(0.2, 2.0)
        if not self.may_begin:
            return self._wait()
        self._goal = "other" if chance.happens(self._directly) else chance.weighted(self._goals)
        self._original = self._any_original(_ABOUT.get(self._goal, ""))
        pause = chance.between(0.0, self._longest_pause) if chance.happens(0.5) else 1.0
        match self._goal:
            case "sale":
                self._fingers.extend(keys(str(self._amount()), Key.CONFIRM))
            case "card":
                self._swipe(self._any_card())
            case "other":
                self._other_business()
            case _:
                self._press(Key.CONFIRM)
        return pause

    def _amount(self) -> int:
        chance = self._chance
        if chance.happens(0.2):
            return chance.one(SMALL_AMOUNTS)
        return chance.weighted(
            ((60, chance.whole(400, 99_999)), (5, 1_000_00), (3, 10_000_000), (2, 10_000_001))
        )

    def _menu(self) -> float:
        """The way to the goal, when a menu leads there; else any item."""
        items = MENUS.get(self._flow_and_step()[1], ())
        wanted = [item for item in items if _leads_to(self._goal, item.then)]
        if not items:
            return self._anything()
        return self._type(self._chance.one(wanted or items).digit)

    def _flow_and_step(self) -> tuple[str, str]:
        flow, _, step = self._life().core.dialogue.state.partition(".")
        return flow, step

    def _any_original(self, kind: str) -> TransactionRecord | None:
        """Something that a request of this kind may be about, mostly."""
        originals = KINDS[kind].originals if kind in KINDS else frozenset()
        states = [State.APPROVED]
        if self._chance.happens(0.1):
            states += [State.VOIDED, State.COMPLETED, State.REVERSED, State.UNRESOLVED]
        found = self._life().transactions_of(originals, states) if originals else []
        return self._life().ledger.transactions.get(self._chance.one(found)) if found else None

    def _enter_amount(self) -> float:
        if self._flow_and_step()[0] in ("orders", "hold", "held", "order_query"):
            return self._order_amount()
        if self._life().core.dialogue.form.amount:
            return self._either((9, Key.CONFIRM), (1, Key.CLEAR), (1, Key.CANCEL))
        if self._flow_and_step()[0] in ("sale", "pre_authorisation"):
            return self._type(str(self._amount()), Key.CONFIRM)
        if self._original is None or self._chance.happens(0.4):
            return self._either((5, Key.CONFIRM), (1, Key.CANCEL), (1, Key.D9))  # empty: all of it
        whole = self._original.approved_amount or self._original.amount
        parts = (whole, max(1, whole // 2), max(1, whole // 3), whole * 115 // 100, whole + 1)
        return self._type(str(self._chance.one(parts)), Key.CONFIRM)

    def _present_card(self) -> float:
        if self._chance.happens(0.05):
            return self._either((2, Key.CANCEL), (1, Key.CLEAR), (1, None))
        original = self._life().core.dialogue.form.original or self._original
        card = self._any_card()
        if original is not None and not self._chance.happens(0.1):
            card = next(
                (each for each in BY_NAME.values() if each.pan.masked == original.masked_card), card
            )
        self._swipe(card)
        return self._chance.between(0.2, 3.0)

    def _pin(self) -> float:
        if self._chance.happens(0.05):
            return self._either((2, Key.CANCEL), (1, Key.CLEAR), (1, None))
        pin = self._card.pin or ""
        if self._chance.happens(0.04):
            pin = "999999"
        return self._type(pin, Key.CONFIRM)

    def _password(self) -> float:
        right = not self._chance.happens(0.08)
        return self._type(PASSWORDS[self._role()] if right else "87", Key.CONFIRM)

    def _role(self) -> str:
        """Whose password is asked for, by where that is."""
        flow, step = self._flow_and_step()
        if flow == "settlement":
            return "administrator"
        if flow in ("sale", "sign_in") or step == "operator":
            return "cashier"
        if flow != "password_change":
            return "supervisor"
        number = self._life().core.dialogue.form.operator
        return {"00": "supervisor", "99": "administrator"}.get(number, "cashier")

    def _new_password(self) -> float:
        """The one that it was: so this clerk knows them all."""
        flow, _ = self._flow_and_step()
        return self._type(
            PASSWORDS["cashier" if flow == "operators" else self._role()], Key.CONFIRM
        )

    def _number(self) -> float:
        """An operator's, or an order's."""
        if not self._flow_and_step()[0].startswith(("order", "held", "hold")):
            return self._operator()
        numbers = self._life().order_numbers()
        if not numbers or self._chance.happens(0.2):
            return self._either((3, Key.CANCEL), (1, Key.D1), (1, Key.CONFIRM), (1, Key.CLEAR))
        return self._type(self._chance.one(numbers), Key.CONFIRM)

    def _list(self) -> float:
        return self._either(
            (8, Key.CONFIRM), (2, Key.DOWN), (1, Key.UP), (2, Key.CANCEL), (1, Key.D1), (1, Key.D2),
            (1, Key.D3), (1, None),
        )  # fmt: skip

    def _order_action(self) -> float:
        """Paid now, most of the time."""
        return self._type(self._chance.weighted(((4, "1"), *((1, digit) for digit in "234567"))))

    def _order_amount(self) -> float:
        if self._life().core.dialogue.form.amount:
            return self._either((9, Key.CONFIRM), (1, Key.CLEAR), (1, Key.CANCEL))
        if self._chance.happens(0.2):
            return self._either((3, Key.CONFIRM), (1, Key.CANCEL), (1, Key.DOWN))
        return self._type(str(self._amount()), Key.CONFIRM)

    def _label(self) -> float:
        return self._type(str(self._chance.whole(1, 99)), Key.CONFIRM)

    def _operator(self) -> float:
        if self._flow_and_step()[0] == "sign_in":
            return self._type("01", Key.CONFIRM)
        return self._type(f"{self._chance.whole(0, 7):02d}", Key.CONFIRM)

    def _voucher(self) -> float:
        chance, original = self._chance, self._original
        typed = self._life().core.dialogue.form.number
        if typed and chance.happens(0.8):  # it was refused
            return self._either((3, Key.CANCEL), (1, Key.CLEAR), (1, Key.CONFIRM))
        if original is None:
            return self._either((4, Key.CANCEL), (1, Key.CONFIRM))
        if chance.happens(0.15):
            return self._type("", Key.CONFIRM)
        if not chance.happens(0.15):
            return self._type(original.stan, Key.CONFIRM)
        return self._type(str(chance.whole(1, 130)), Key.CONFIRM)

    def _code(self) -> float:
        """The reference or the authorisation code on a slip, as far as it has no letters."""
        original, flow = self._original, self._flow_and_step()[0]
        code = ""
        if original is not None:
            refund = flow == "refund"
            code = original.retrieval_reference if refund else original.authorisation_code
        if code.isdecimal() and not self._chance.happens(0.1):
            return self._type(code, Key.CONFIRM)
        return self._either((3, Key.CANCEL), (2, Key.CLEAR), (1, Key.UP), (1, Key.CONFIRM))

    def _date(self) -> float:
        original = self._original
        if original is not None and original.host_date and not self._chance.happens(0.1):
            return self._type(original.host_date, Key.CONFIRM)
        return self._either((3, Key.CANCEL), (2, Key.CLEAR), (1, Key.D1), (1, Key.CONFIRM))

    def _confirm(self) -> float:
        return self._either((12, Key.CONFIRM), (1, Key.CANCEL), (1, Key.CLEAR), (1, None))

    def _ended(self) -> float:
        return self._either((4, Key.CONFIRM), (5, Key.CANCEL), (2, None))

    def _waiting(self) -> float:
        return self._either(
            (2, Key.CANCEL), (1, Key.CLEAR), (1, Key.CONFIRM), (0.5, Key.D5), (10, None)
        )

    def _choose(self) -> float:
        return self._type(self._chance.one("1239"))

    def _unlock(self) -> float:
        return self._either((4, Key.CONFIRM), (1, Key.D1), (1, Key.CANCEL))

    def _unfinished(self) -> float:
        """A settlement that stands still; 9 closes it without the host, when an administrator insists."""
        return self._either((12, Key.CONFIRM), (1, Key.CANCEL), (0.3, Key.D9), (2, None))

    def _trouble(self) -> float:
        return self._either((2, Key.CONFIRM), (2, Key.CANCEL), (2, None))

    def _locked(self) -> float:
        return self._either((3, Key.CANCEL), (1, None))


def _leads_to(goal: str, then: str) -> bool:
    """Is this what an item of a menu leads to, or a menu on the way there?"""
    if then == goal or then.startswith(f"{goal}."):
        return True
    return any(_leads_to(goal, item.then) for item in MENUS.get(then, ()))


_STATES: Final[Mapping[str, Callable[[Clerk], float]]] = {
    "idle.ready": Clerk._idle,
    "lock.locked": Clerk._unlock,
    "order_approval.shown": Clerk._explore,
    "order_query.shown": Clerk._explore,
    "held.shown": Clerk._explore,
    "slip.printing": Clerk._wait,
    "blocked.shown": Clerk._ended,
}
_STEPS: Final[Mapping[str, Callable[[Clerk], float]]] = {
    "amount": Clerk._enter_amount,
    "card": Clerk._present_card,
    "pin": Clerk._pin,
    "password": Clerk._password,
    "closing_password": Clerk._password,
    "locked": Clerk._locked,
    "operator": Clerk._password,
    "supervisor": Clerk._password,
    "new": Clerk._new_password,
    "added": Clerk._new_password,
    "renewed": Clerk._new_password,
    "number": Clerk._number,
    "list": Clerk._list,
    "actions": Clerk._order_action,
    "amend": Clerk._order_amount,
    "label": Clerk._label,
    "add": Clerk._operator,
    "delete": Clerk._operator,
    "reset": Clerk._operator,
    "deleting": Clerk._confirm,
    "operator_locked": Clerk._locked,
    "supervisor_locked": Clerk._locked,
    "voucher": Clerk._voucher,
    "code": Clerk._code,
    "date": Clerk._date,
    "goods": Clerk._confirm,
    "totals": Clerk._confirm,
    "unfinished": Clerk._unfinished,
    "ended": Clerk._ended,
    "waiting": Clerk._waiting,
    "leaving": Clerk._waiting,
    "reason": Clerk._choose,
    "order_reason": Clerk._choose,
    "shown": Clerk._confirm,
    "order": Clerk._confirm,
    "duplicate": Clerk._confirm,
    "tear": Clerk._confirm,
    "trouble": Clerk._trouble,
    "pending": Clerk._confirm,
    "unresolved": Clerk._confirm,
    "failed": Clerk._confirm,
    "declined": Clerk._ended,
    "not_sent": Clerk._ended,
    "reversed": Clerk._ended,
    "refused": Clerk._ended,
    "version": Clerk._ended,
    "fault": Clerk._confirm,
}
"""What is sensible on a step, whatever its flow; on every other step any key is as good."""
