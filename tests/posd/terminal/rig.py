"""A clerk at the real core: the real ledger, the real test acquirer, virtual time."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from posd.acquirer.cards import BY_NAME as CARDS
from posd.acquirer.outcomes import named
from posd.core.core import Core
from posd.core.events import Event, Key
from posd.ledger.ledger import Ledger
from posd.ledger.records import TransactionRecord
from posd.terminal.dialogue import Dialogue
from posd.testing.in_process import InProcessStage, Terminal
from posd.testing.steps import SettingValue

KEYS = {
    "确认": Key.CONFIRM,
    "取消": Key.CANCEL,
    "清除": Key.CLEAR,
    "功能": Key.FUNCTION,
    "▲": Key.UP,
    "▼": Key.DOWN,
}
PAPER_SECONDS = 30.0


class Clerk:
    """Presses, swipes and reads. Every screen on the way must have fitted whole."""

    def __init__(self, directory: Path, **settings: SettingValue) -> None:
        """settings are named as in the configuration file, with __ for the dot."""
        self.stage = InProcessStage(directory)
        for name, value in settings.items():
            self.stage.configure(tuple(name.split("__")), value)
        self.stage.power_on()

    def __enter__(self) -> Clerk:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stage.close()

    @property
    def terminal(self) -> Terminal:
        assert self.stage.terminal is not None
        return self.stage.terminal

    @property
    def core(self) -> Core:
        return self.terminal.core

    @property
    def dialogue(self) -> Dialogue:
        return self.core.dialogue

    @property
    def ledger(self) -> Ledger:
        return self.terminal.ledger

    @property
    def state(self) -> str:
        return self.dialogue.state

    @property
    def rows(self) -> tuple[str, ...]:
        return self.stage.witness.screen

    @property
    def screen(self) -> str:
        """All rows, with single spaces."""
        return " ".join(" ".join(self.rows).split())

    def press(self, keys: str) -> str:
        """Keys with spaces between them, a run of digits at once; what the screen says then."""
        for word in keys.split():
            for key in [KEYS[word]] if word in KEYS else [Key(digit) for digit in word]:
                self.stage.press(key)
                assert not self.stage.powered or self.dialogue.cut == ()
        return self.screen

    def swipe(self, card: str = "nopin", fault: str = "good") -> str:
        self.stage.swipe(card, fault)
        assert self.dialogue.cut == ()
        return self.screen

    def tell(self, event: Event) -> str:
        """Let an event come to the core from outside."""
        self.terminal.report(event)
        return self.screen

    def wait(self, seconds: float) -> str:
        self.stage.let_pass(seconds, lambda: False)
        return self.screen

    def wait_for(self, text: str, seconds: float = 200.0) -> str:
        """Let time pass until the screen says this."""
        came = self.stage.let_pass(seconds, lambda: text in self.screen)
        assert came, f"{text} never came: {self.rows}"
        return self.screen

    def wait_for_state(self, state: str, seconds: float = 200.0) -> None:
        came = self.stage.let_pass(seconds, lambda: self.state == state)
        assert came, f"{state} never came: {self.state} {self.rows}"

    def host_does(self, what: str, kind: str = "any", times: int = 1) -> None:
        self.stage.order(named(what), kind, times)

    def restart(self) -> None:
        self.stage.power_cut()
        self.stage.power_on()

    @property
    def paper(self) -> list[str]:
        """Every slip so far as one text."""
        return ["\n".join(slip.rows) for slip in self.stage.witness.slips]

    # -- whole dialogues -------------------------------------------------------------------------

    def sign_in(self) -> None:
        self.press("确认")
        self.wait_for("签到成功")

    def pay(self, amount: str = "12345", card: str = "nopin") -> None:
        """From idle to the wait for the host's answer."""
        self.press(f"{amount} 确认")
        self.swipe_and_type_pin(card)

    def swipe_and_type_pin(self, card: str = "nopin") -> None:
        self.swipe(card)
        self.press(f"{CARDS[card].pin or ''} 确认")

    def sell(self, amount: str = "12345", card: str = "nopin") -> TransactionRecord:
        """A whole approved sale with both its slips."""
        self.pay(amount, card)
        self.take_slips()
        record = self.ledger.transactions.last("sale")
        assert record is not None
        return record

    def take_slips(self) -> None:
        self.wait_for_state("slip.tear")
        self.press("确认")
        self.wait_for_state("idle.ready")

    def go_to_void(self, password: str = "123456") -> str:
        self.press("确认 1")
        return self.press(f"{password} 确认")
