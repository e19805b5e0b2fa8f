"""Device check: each device on its own, so that a clerk can tell a technician which one is at fault.

Nothing of it is stored: a test page that did not come out is lost, a card's number is never shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from devices import columns as grid
from posd import receipts
from posd.core.events import CardSwiped, KeyPressed, PrintEnded
from posd.ledger.records import PrintJob
from posd.money.line import LastExchange
from posd.terminal.choices import Item, choice
from posd.terminal.exchange import say_please_wait
from posd.terminal.fields import say_unreadable
from posd.terminal.machine import STAY, Part, Row, Step, assemble
from posd.terminal.screens import Screen
from protocol.response_codes import look_up

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

TESTED_KEYS: Final = 15
"""Every key but 取消, which leads out."""

_PATTERNS: Final = ("国", "8", "M", "-")


# --- the printer ----------------------------------------------------------------------------------


def print_test_page(dialogue: Dialogue) -> None:
    """With a number of its own that no print job of the ledger has."""
    number = -1 - round(dialogue.ports.clock.monotonic() * 1000)
    slip = receipts.test_page(dialogue.configuration, dialogue.ledger.now())
    dialogue.form.jobs = [PrintJob(number, None, "test", slip)]
    dialogue.ports.printer.print(number, slip)


def printer_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.check_printer"), (dialogue.text("line.check_running"),),
        dialogue.text("hint.printing"),
    )  # fmt: skip


def note_printed(dialogue: Dialogue, _event: PrintEnded) -> None:
    dialogue.form.jobs, dialogue.form.printer_reason = [], ""


def note_not_printed(dialogue: Dialogue, event: PrintEnded) -> None:
    dialogue.form.jobs, dialogue.form.printer_reason = [], event.reason or "failed"


def printed_screen(dialogue: Dialogue) -> Screen:
    trouble = dialogue.form.printer_reason
    known = f"line.printer_{trouble}"
    name = "line.printer_failed" if trouble else "line.check_good"
    return Screen(
        dialogue.text("title.check_printer"),
        (
            dialogue.text(known if trouble and dialogue.catalogue.has(known) else name),
            dialogue.text("line.check_look_at_paper"),
        ),
        dialogue.text("hint.confirm_again"),
    )


# --- the card reader ------------------------------------------------------------------------------


def reader_screen(dialogue: Dialogue) -> Screen:
    missing = "card_reader" in dialogue.devices_missing
    names = ["line.no_card_reader", "line.check_card_reader"] if missing else ["line.swipe_any"]
    return Screen(
        dialogue.text("title.check_reader"),
        tuple(dialogue.text(name) for name in names),
        dialogue.text("hint.cancel"),
    )


def say_readable(dialogue: Dialogue, event: CardSwiped) -> None:
    dialogue.say("say.card_readable" if event.track3 is None else "say.card_readable_3")


# --- the keypad -----------------------------------------------------------------------------------


def keypad_screen(dialogue: Dialogue) -> Screen:
    pressed = dialogue.form.pressed
    last = pressed[-1] if pressed else ""
    name = dialogue.text(f"status.key_{last}") if last else ""
    return Screen(
        dialogue.text("title.check_keypad"),
        (
            dialogue.text("line.key_pressed", key=name),
            dialogue.text("line.keys_tested", count=len(set(pressed)), of=TESTED_KEYS),
        ),
        dialogue.text("hint.cancel"),
    )


def note_key(dialogue: Dialogue, event: KeyPressed) -> None:
    form = dialogue.form
    form.pressed = (*(key for key in form.pressed if key != event.key.value), event.key.value)
    if len(form.pressed) == TESTED_KEYS:
        dialogue.say("say.keypad_good")


def note_key_and_help(dialogue: Dialogue, event: KeyPressed) -> None:
    """功能 is tested like the others, and is help here too."""
    note_key(dialogue, event)
    dialogue.show_help()


# --- the display ----------------------------------------------------------------------------------


def display_screen(dialogue: Dialogue) -> Screen:
    """Another full picture at each key: a cell that stays dark is seen."""
    display = dialogue.configuration.devices.display
    columns, lines = (display.columns, display.lines) if display else (16, 4)
    letter = _PATTERNS[dialogue.form.selected % len(_PATTERNS)]
    row = letter * (columns // grid.width(letter))
    return Screen(row, (row,) * (lines - 2), row)


def next_pattern(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.selected += 1


# --- the host -------------------------------------------------------------------------------------


def ask_host(dialogue: Dialogue) -> None:
    form = dialogue.form
    form.code = form.reason = ""

    def told(exchange: LastExchange) -> None:
        form.code, form.reason = exchange.result, exchange.code

    if not dialogue.money.echo(told):
        form.code = "busy"


def host_screen(dialogue: Dialogue) -> Screen:
    title, code, answer = (
        dialogue.text("title.check_host"),
        dialogue.form.code,
        dialogue.form.reason,
    )
    if not code:
        running = (dialogue.text("line.check_running"),)
        return Screen(title, running, dialogue.text("hint.please_wait"))
    if code == "usable" and answer != "00":
        row = look_up(answer)
        why = row.zh if dialogue.catalogue.language == "zh_CN" else row.en
        body = [dialogue.text("line.last_answer", code=grid.printable(answer)), why]
    else:
        known = f"result.echo_{code}"
        name = known if dialogue.catalogue.has(known) else "result.echo_failed"
        body = [dialogue.text(name)]
    return Screen(title, tuple(body), dialogue.text("hint.confirm_again"))


def host_is_asked(dialogue: Dialogue, _event: object) -> bool:
    return not dialogue.form.code


def ask_again(dialogue: Dialogue, _event: object) -> None:
    ask_host(dialogue)


FLOW = assemble(
    "device_check",
    choice(
        "what",
        "title.device_check",
        (
            Item("1", "menu.check_printer", "printer"),
            Item("2", "menu.check_reader", "reader"),
            Item("3", "menu.check_keypad", "keypad"),
            Item("4", "menu.check_display", "display"),
            Item("5", "menu.check_host", "host"),
        ),
        help="device_check",
    ),
    Part(
        (
            Step(
                "printer",
                printer_screen,
                returns=False,
                opens=print_test_page,
                help="check_printer",
            ),
            Step("printed", printed_screen, returns=False, help="check_printer"),
            Step("reader", reader_screen, help="check_reader"),
            Step("keypad", keypad_screen, returns=False, help="check_keypad"),
            Step("display", display_screen, returns=False, help="check_display"),
            Step("host", host_screen, returns=False, ticks=True, opens=ask_host, help="check_host"),
        ),
        (
            Row("printer", "printed", None, "printed", note_printed),
            Row("printer", "print_failed", None, "printed", note_not_printed),
            Row("printer", "cancel", None, "what"),
            Row("printed", "confirm", None, "printer"),
            Row("printed", "clear", None, "what"),
            Row("reader", "card", None, STAY, say_readable),
            Row("reader", "card_unreadable", None, STAY, say_unreadable),
            Row("reader", "confirm", None, "what"),
            Row("keypad", "digit", None, STAY, note_key),
            Row("keypad", "confirm", None, STAY, note_key),
            Row("keypad", "clear", None, STAY, note_key),
            Row("keypad", "up", None, STAY, note_key),
            Row("keypad", "down", None, STAY, note_key),
            Row("keypad", "function", None, STAY, note_key_and_help),
            Row("keypad", "cancel", None, "what"),
            Row("display", "confirm", None, STAY, next_pattern),
            Row("display", "digit", None, STAY, next_pattern),
            Row("display", "up", None, STAY, next_pattern),
            Row("display", "down", None, STAY, next_pattern),
            Row("display", "clear", None, "what"),
            Row("display", "cancel", None, "what"),
            Row("host", "confirm", host_is_asked, STAY, say_please_wait),
            Row("host", "confirm", None, STAY, ask_again),
            Row("host", "clear", None, "what"),
            Row("host", "tick", None, STAY),
            Row("what", "clear", None, "menu.manage"),
        ),
    ),
    before="menu.manage",
)
