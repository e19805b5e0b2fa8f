"""The clerk's dialogue: events in, the state of the machine, and the screen of that state.

It knows what a clerk sees and presses. What an event does in a state is in the rows of the flows;
here is what holds for every step: prompts, time-outs, answers to keys, help, scrolling, the trail
that 清除 follows.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

from devices import columns as grid
from posd.core.ending import Ending
from posd.core.events import (
    CardSwiped,
    CardUnreadable,
    DeviceChanged,
    Event,
    Key,
    KeyPressed,
    MoneyProgress,
    PasswordChecked,
    PasswordChosen,
    PasswordRepeat,
    PinEntered,
    PoweredUp,
    PrintEnded,
    PrinterChanged,
    RequestRefused,
    SecretTyped,
    SettlementDue,
    SettlementEnded,
    SettlementProgress,
    SignInEnded,
    TransactionEnded,
)
from posd.core.ports import Ports
from posd.core.timers import CoreTimers
from posd.ledger.ledger import Ledger
from posd.lock_keeping import LockKeeping
from posd.settings import Configuration
from posd.terminal.drills import DrillInProgress
from posd.terminal.flows import FLOWS
from posd.terminal.form import Form
from posd.terminal.machine import IDLE, DialogueMachine
from posd.terminal.prompts import Prompts
from posd.terminal.screens import LaidOut, lay_out, marked, page
from posd.texts import catalogue

if TYPE_CHECKING:
    from posd.money.money import Money

FAULT: Final = "fault.shown"
HALTED: Final = "fault.halted"
_TICK_SECONDS: Final = 1.0
_CLOCK_REMAINDER: Final = 1e-3
_NOTICE_TICKS: Final = 5  # how long an answer stands over what a screen counts down
_DEFAULT_COLUMNS, _DEFAULT_LINES = 16, 4


class Dialogue:
    """One terminal's dialogue. The core calls `handle` with an event, then `refresh`.

    Attributes that the rows of flows use: configuration, money, ledger, ports, prompts, locks, form,
    trail (the states that 清除 leads back to), devices_missing, printer_trouble,
    perhaps_on_paper (print jobs that waited through a restart, or whose printing ended in doubt),
    missed (transactions reported where no step took the report: idle tells of them), settlement_told,
    reminded_at (what idle has told of a settlement).
    """

    def __init__(
        self,
        configuration: Configuration,
        money: Money,
        ledger: Ledger,
        ports: Ports,
        timers: CoreTimers,
    ) -> None:
        self.configuration = configuration
        self.money = money
        self.ledger = ledger
        self.ports = ports
        self.catalogue = catalogue(configuration.terminal.language)
        self.prompts = Prompts(ports.secret_entry)
        self.locks = LockKeeping(ledger, timers)
        self.form = Form()
        self.trail: list[str] = []
        self.devices_missing: set[str] = set()
        self.printer_trouble = ""
        self.perhaps_on_paper = ledger.print_jobs.waiting_numbers()
        self.slips_put_off: set[int] = set()  # print jobs that the clerk wants later
        self.missed: list[int] = []
        self.ending: Ending | None = None  # how a clerk ended this life of the terminal
        self.settlement_told = False  # that one is unfinished has been on the screen
        self.reminded_at = 0  # how many were stored when 请结算 was said last
        self.drill = DrillInProgress.found(ledger) if configuration.is_training else None
        self.stale = 0  # results of printing that nobody waits for
        self.cut: tuple[str, ...] = ()  # what of the last screen did not fit; empty, or a mistake
        self._timers = timers
        self._machine = DialogueMachine(FLOWS, self)
        self._follow_ups: deque[tuple[str, object]] = deque()
        self._notice, self._notice_ticks = "", 0
        self._printer_known = False
        self._help_page: int | None = None
        self._pages = ""  # the name of the pages that are shown; "": the step's help
        self._offset = 0
        self._touched = True
        self._time_out: int | None = None
        self._tick: int | None = None

    # -- what the core calls ---------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Where the dialogue is, `flow.step`."""
        return self._machine.state

    @property
    def is_idle(self) -> bool:
        return self.state == IDLE

    @property
    def printer_ready(self) -> bool:
        """Does a slip most likely come out?"""
        return not self.printer_trouble and "printer" not in self.devices_missing

    @property
    def refusal(self) -> str | None:
        """Why nothing financial may be begun now: the money core's reason, or no printer."""
        refusal = self.money.refusal()
        if refusal is not None:
            return str(refusal)
        refuses = self.configuration.printing.without_printer == "refuse"
        return "no_printer" if refuses and not self.printer_ready else None

    @property
    def columns(self) -> int:
        """How wide the display is."""
        display = self.configuration.devices.display
        return display.columns if display else _DEFAULT_COLUMNS

    def handle(self, event: Event) -> None:
        """Take what concerns the clerk; host events and timers are none of it."""
        match event:
            case KeyPressed():
                self._key(event)
            case CardSwiped():
                self._input("card", event, "say.card_unexpected")
            case CardUnreadable():
                self._input("card_unreadable", event, "")
            case SecretTyped():
                if self.prompts.is_current(event):
                    self.form.secret_length = event.length
                    self._input("typed", event, "")
                    if event.too_few:
                        self.say("say.too_few_digits")
            case PinEntered():
                if self.prompts.is_current(event):
                    self._input("pin", event, "")
            case PasswordChecked():
                if self.prompts.is_current(event):
                    right = "password_right" if event.matches else "password_wrong"
                    self._input(right, event, "")
            case PasswordRepeat():
                if self.prompts.is_current(event):
                    self.form.secret_length = 0
                    self._input("password_again", event, "")
            case PasswordChosen():
                if self.prompts.is_current(event):
                    self.form.secret_length = 0
                    chosen = "password_chosen" if event.verifier else "password_refused"
                    self._input(chosen, event, "")
            case PrintEnded():
                self._print_ended(event)
            case PrinterChanged():
                self._printer_changed(event)
            case DeviceChanged():
                self._device_changed(event)
            case MoneyProgress():
                self._dispatch("progress", event)
                if self.drill is not None and self.drill.cuts_power_at(event):
                    self.ending = Ending.POWER_CUT
            case TransactionEnded():
                self._transaction_ended(event)
            case RequestRefused():
                self._dispatch("refused", event)
            case SignInEnded():
                self._sign_in_ended(event)
            case SettlementProgress():
                self._dispatch("settling", event)
            case SettlementEnded():
                self._dispatch("settled" if event.settled else "unsettled", event)
            case SettlementDue():
                self._dispatch("settlement_due", event)
            case PoweredUp():
                self.locks.keep()
                self._dispatch("power_up", event)

    def refresh(self) -> None:
        """Show the screen of the present state, and see to its time-out. Once after every event."""
        step = self._machine.step
        if self._touched:
            self._timers.stop(self._time_out)
            seconds = step.seconds(self)
            self._time_out = self._timers.after(seconds, self._timed_out) if seconds else None
            self._touched = False
        if step.ticks and self._tick is None:
            self._tick = self._timers.after(_TICK_SECONDS, self._ticked)
        laid_out = self._lay_out()
        self._offset = min(self._offset, laid_out.last_offset)
        self.cut = laid_out.cut
        self.ports.display.show(laid_out.picture)

    def slip_is_due(self) -> None:
        """A rule put a slip into the print queue: idle prints it, else it is offered later."""
        self._dispatch("slip_due", None)

    def fault(self, code: str) -> None:
        """Something escaped: 系统错误 with its code, then idle. What money is doing goes on."""
        self._jump(FAULT, code)

    def halt(self, code: str) -> None:
        """A fault screen that stays whatever happens: the ledger cannot be trusted. Shown at once."""
        self._jump(HALTED, code)
        self.refresh()

    # -- what the rows of flows call -------------------------------------------------------------

    def text(self, name: str, **values: object) -> str:
        """A text of the terminal's language."""
        return self.catalogue.text(name, **values)

    def say(self, name: str, **values: object) -> None:
        """Answer the clerk over the last rows of the screen, until something else happens."""
        self._notice, self._notice_ticks = self.text(name, **values), 0

    def next(self, name: str = "next", event: object = None) -> None:
        """Let this event follow when the present one is done."""
        self._follow_ups.append((name, event))

    def show_help(self) -> None:
        self._help_page, self._pages = 0, ""

    def show_pages(self, name: str) -> None:
        """Let these pages stand before the step; any key turns them, and the last leads to the step."""
        self._help_page, self._pages = 0, name

    def scroll(self, rows: int) -> None:
        self._offset = max(0, self._offset + rows)

    @property
    def notice(self) -> str:
        """What the clerk was answered last, while it is shown."""
        return self._notice

    @property
    def seconds_left_text(self) -> str:
        """Whole seconds until the money core's present phase gives up; "" before there is one."""
        if self.form.phase is None:
            return ""
        left = self.form.deadline - self.ports.clock.monotonic()
        # what is added to a clock has a remainder: sixty seconds are not sixty-one
        return self.text("line.seconds", seconds=max(0, math.ceil(left - _CLOCK_REMAINDER)))

    # -- events ----------------------------------------------------------------------------------

    def _key(self, event: KeyPressed) -> None:
        if self._help_page is not None:
            self._turn_page(event.key)
            self._touched = True
            return
        name = "digit" if event.key.value.isdecimal() else event.key.value
        self._input(name, event, "say.key_unused")

    def _input(self, name: str, event: object, otherwise: str) -> None:
        """Something the clerk or the customer did; it is answered, at least with a sentence."""
        self._touched = True
        self._help_page = None
        if not self._dispatch(name, event) and otherwise:
            self.say(otherwise)

    def _turn_page(self, key: Key) -> None:
        """功能 turns the page; any other key, and the last page, leads back to the step.

        What stands before a step is to be read whole: there every key turns the page.
        """
        assert self._help_page is not None
        following = self._help_page + 1
        turns = key is Key.FUNCTION or (self._pages != "" and key is not Key.CANCEL)
        more = turns and following < len(self._help_pages())
        self._help_page = following if more else None

    def _print_ended(self, event: PrintEnded) -> None:
        if self.form.jobs and self.form.jobs[0].id == event.job:
            self._dispatch("printed" if event.printed else "print_failed", event)
        else:
            self.stale += 1
            if event.printed or event.perhaps_complete:
                self.perhaps_on_paper.add(event.job)

    def _transaction_ended(self, event: TransactionEnded) -> None:
        taken = self._dispatch(event.outcome.value, event)
        if not taken and event.transaction not in self.missed:
            self.missed.append(event.transaction)

    def _device_changed(self, event: DeviceChanged) -> None:
        if event.present:
            self.devices_missing.discard(event.role)
            return
        self.devices_missing.add(event.role)
        if event.role == "keypad":
            self._help_page = None  # nobody can leave it

    def _printer_changed(self, event: PrinterChanged) -> None:
        was_ready, self.printer_trouble = self.printer_ready, event.trouble
        if self.printer_ready and not (was_ready and self._printer_known):
            self._dispatch("printer_ready", event)
        self._printer_known = True

    def _sign_in_ended(self, event: SignInEnded) -> None:
        """A reason is a failure, except that of a sign-off that went well."""
        if event.reason == "signed_off":
            self._dispatch("signed_off", event)
        elif event.reason or not event.signed_in:
            self._dispatch("sign_in_failed", event)
        else:
            self._dispatch("signed_in", event)

    def _timed_out(self) -> None:
        self._time_out = None
        self._touched = True
        self._help_page = None
        self._dispatch("timeout", None)

    def _ticked(self) -> None:
        self._tick = None
        self._notice_ticks += 1
        if self._notice_ticks > _NOTICE_TICKS:
            self._notice = ""
        self._dispatch("tick", None)

    # -- the machine -----------------------------------------------------------------------------

    def _dispatch(self, name: str, event: object) -> bool:
        """Take the row for this event and what its actions ask for next; False when there is none."""
        before = self._notice
        if name != "tick":
            self._notice = ""
        taken = self._take(name, event)
        if not taken:
            self._notice = before  # what does not concern this step takes no answer away
        while self._follow_ups:
            self._take(*self._follow_ups.popleft())
        return taken

    def _take(self, name: str, event: object) -> bool:
        before = self.state
        taken = self._machine.trigger(name, event)
        if self.state != before:
            self._moved(before)
        return taken

    def _moved(self, before: str) -> None:
        self.prompts.close()
        self._touched = True
        self._help_page = None
        self._offset = 0
        self._timers.stop(self._tick)
        self._tick = None
        self.form.secret_length = 0
        if self.is_idle:
            self.form = Form()
        self._remember(before)
        opens = self._machine.step.opens
        if opens is not None:
            opens(self)
        page_before = self.drill.page(self.state) if self.drill is not None else ""
        if page_before:
            self.show_pages(page_before)

    def _remember(self, before: str) -> None:
        """Keep the trail: forward adds where the clerk was, back takes it off again."""
        old, new = self._machine.step_of(before), self._machine.step
        same_flow = before.partition(".")[0] == self.state.partition(".")[0]
        if not (same_flow and old.returns and new.returns):
            self.trail.clear()
        elif self.trail[-1:] == [self.state]:
            self.trail.pop()
        else:
            self.trail.append(before)

    def _jump(self, state: str, code: str) -> None:
        self._follow_ups.clear()
        self._notice = ""
        before = self.state
        self._machine.jump(state)
        self._moved(before)
        self.form = Form(code=code)

    # -- the screen ------------------------------------------------------------------------------

    def _lay_out(self) -> LaidOut:
        display, columns = self.configuration.devices.display, self.columns
        lines = display.lines if display else _DEFAULT_LINES
        if self._help_page is not None:
            return page(self._help_pages()[self._help_page], columns, lines)
        screen = self._machine.step.screen(self)
        if self.configuration.is_training:
            screen = marked(screen, self.text("status.training"), columns)
        notice = self._notice
        if "keypad" in self.devices_missing:
            notice = self.text("say.no_keypad")  # what the keys would do is of no use now
        return lay_out(screen, notice, self._offset, columns, lines)

    def _help_pages(self) -> tuple[str, ...]:
        """What this screen wants, common mistakes; and at the end whom to call."""
        if self._pages:
            return self.catalogue.pages(self._pages)
        whom = self.configuration.terminal.hotline
        own = self.catalogue.pages(f"help.{self._machine.step.help}")
        if not whom:
            return own
        call = self.catalogue.pages("help.call")[0].format(hotline=grid.printable(whom))
        return (*own, call)
