"""The dialogue's machine from tables: steps and rows in, one hierarchical state machine out.

A flow is a name, its steps and its rows; rows hold functions. What every flow has (取消, time-out,
help, scrolling, one step back) is generated here, so that a flow's file has only what is its own.
Names of events are those of `EVENTS`; a state is `flow.step`.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from transitions.extensions.nesting import (
    HierarchicalMachine,
    NestedEvent,
    NestedState,
    NestedTransition,
)

from posd.core.events import Outcome

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue
    from posd.terminal.screens import Screen

EventOfRow = Any  # a row's functions annotate the event that they take

Guard = Callable[["Dialogue", EventOfRow], bool]
Action = Callable[["Dialogue", EventOfRow], None]
Seconds = Callable[["Dialogue"], float]

STAY: Final = "="
"""As a row's `then`: the same step, nothing is left or entered; what was typed stays."""

IDLE: Final = "idle.ready"

EVENTS: Final = frozenset(
    {
        # keys
        *("digit", "confirm", "cancel", "clear", "up", "down", "function"),
        # cards and prompts
        *("card", "card_unreadable", "typed", "pin", "password_right", "password_wrong"),
        *("password_again", "password_chosen", "password_refused"),
        # time
        *("timeout", "tick"),
        # the printer
        *("printed", "print_failed", "printer_ready", "slip_due"),
        # the money core
        *("progress", "refused", "signed_in", "signed_off", "sign_in_failed"),
        *(outcome.value for outcome in Outcome),
        *("settling", "settled", "unsettled", "settlement_due"),
        # the beginning, and what an action asks for next
        *("power_up", "next"),
    }
)


def no_time_out(_dialogue: Dialogue) -> float:
    """The step waits for as long as it takes."""
    return 0.0


def prompt_seconds(dialogue: Dialogue) -> float:
    """How long a prompt waits for the clerk."""
    return dialogue.configuration.timeouts.prompt_seconds


def pin_seconds(dialogue: Dialogue) -> float:
    """How long the PIN prompt waits for the customer."""
    return dialogue.configuration.timeouts.pin_seconds


def result_seconds(dialogue: Dialogue) -> float:
    """How long a result stays on the screen."""
    return dialogue.configuration.timeouts.result_seconds


class Step(NamedTuple):
    """One screen of a flow.

    seconds says after how long "timeout" comes; 0 is never. returns=False: 清除 never leads back
    over it. opens is called when the step is entered from another one (a PIN or password prompt
    that it opens is closed when the step is left). ticks: redrawn every second, with a "tick"
    event. help is the name of its help text, `help.<help>`.
    """

    name: str
    screen: Callable[[Dialogue], Screen]
    seconds: Seconds = prompt_seconds
    returns: bool = True
    opens: Callable[[Dialogue], None] | None = None
    ticks: bool = False
    help: str = ""


class Row(NamedTuple):
    """In this step ("" = every step of the flow), when this event comes and the guard holds: `then`.

    `then` is a step of this flow, `flow.step` elsewhere, or STAY. `do` runs in the new state.
    """

    state: str
    event: str
    when: Guard | None
    then: str
    do: Action | None = None


class Flow(NamedTuple):
    """A part of the dialogue; its first step is where it begins. `before` is one step back from there."""

    name: str
    steps: Sequence[Step]
    rows: Sequence[Row]
    before: str = IDLE


class Part(NamedTuple):
    """Steps and rows that several flows share."""

    steps: tuple[Step, ...]
    rows: tuple[Row, ...]


class FlowError(ValueError):
    """A table that would not behave as it reads: which flow, which row, what is wrong."""


def assemble(name: str, *parts: Part, before: str = IDLE) -> Flow:
    """A flow of parts, in the order in which their rows are tried."""
    steps = tuple(step for part in parts for step in part.steps)
    return Flow(name, steps, tuple(row for part in parts for row in part.rows), before)


# --- what every flow has --------------------------------------------------------------------------


def show_help(dialogue: Dialogue, _event: object) -> None:
    dialogue.show_help()


def scroll_up(dialogue: Dialogue, _event: object) -> None:
    dialogue.scroll(-1)


def scroll_down(dialogue: Dialogue, _event: object) -> None:
    dialogue.scroll(+1)


EVERY_FLOW: Final = (
    Row("", "cancel", None, IDLE),
    Row("", "timeout", None, IDLE),
    Row("", "function", None, STAY, show_help),
    Row("", "up", None, STAY, scroll_up),
    Row("", "down", None, STAY, scroll_down),
)


def came_from(state: str, dialogue: Dialogue, _event: object) -> bool:
    """The guard of a generated way back: 清除 leads to where the clerk came from, nowhere else."""
    return dialogue.trail[-1:] == [state]


def back_rows(flow: Flow) -> tuple[Row, ...]:
    """清除, where the step's own rows leave it (an empty field): one step back, a row an edge."""
    returns = {step.name for step in flow.steps if step.returns}
    first = flow.steps[0].name
    edges = dict.fromkeys((row.state, row.then) for row in flow.rows)
    rows = [
        Row(new, "clear", partial(came_from, f"{flow.name}.{old}"), old)
        for old, new in edges
        if {old, new} <= returns and old != new
    ]
    if first in returns and flow.before != f"{flow.name}.{first}":
        rows.append(Row(first, "clear", None, flow.before))
    taken = _unguarded(flow.rows)
    return tuple(row for row in rows if (row.state, "clear") not in taken)


def every_row(flow: Flow) -> tuple[Row, ...]:
    """A flow's rows with those that are generated, in the order in which they are tried."""
    own = (*flow.rows, *back_rows(flow))
    taken = _unguarded(own)
    return (*own, *(row for row in EVERY_FLOW if (row.state, row.event) not in taken))


def _unguarded(rows: Iterable[Row]) -> set[tuple[str, str]]:
    return {(row.state, row.event) for row in rows if row.when is None}


# --- checks ---------------------------------------------------------------------------------------


def check(flows: Sequence[Flow]) -> None:
    """Raise FlowError for a table that would not behave as it reads."""
    _refuse_duplicates("flow", [flow.name for flow in flows])
    for flow in flows:
        _refuse_duplicates(f"step of {flow.name}", [step.name for step in flow.steps])
    states = {f"{flow.name}.{step.name}" for flow in flows for step in flow.steps}
    for flow in flows:
        _check_names(flow, states)
        _check_guards(flow)


def _refuse_duplicates(what: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise FlowError(f"expected each {what} once, found {name!r} twice")
        if not name.isidentifier():
            raise FlowError(f"expected an identifier for a {what}, found {name!r}")


def _check_names(flow: Flow, states: set[str]) -> None:
    local = {step.name for step in flow.steps}
    if not local:
        raise FlowError(f"{flow.name}: expected at least one step")
    if flow.before not in states:
        raise FlowError(f"{flow.name}: expected a known state before it, found {flow.before!r}")
    sources, ends = local | {""}, local | states | {STAY}
    for row in flow.rows:
        wrong = ""
        if row.state not in sources:
            wrong = "expected a step of the flow"
        elif row.event not in EVENTS:
            wrong = "expected an event that exists"
        elif row.then not in ends:
            wrong = f"expected a known state, found {row.then!r}"
        if wrong:
            where = f"{flow.name}: {row.state or 'every step'}, {row.event}"
            raise FlowError(f"{where}: {wrong}")


def _check_guards(flow: Flow) -> None:
    rows = every_row(flow)
    parents = {row.event for row in rows if row.state == ""}
    closed: set[tuple[str, str]] = set()
    for row in rows:
        key = (row.state, row.event)
        if key in closed:
            raise FlowError(
                f"{flow.name}: {row.state or 'every step'}, {row.event}: "
                "a row after one without a guard is never tried"
            )
        if row.when is None:
            closed.add(key)
    for row in rows:
        if row.state and row.event in parents and (row.state, row.event) not in closed:
            raise FlowError(
                f"{flow.name}: {row.state}, {row.event}: expected a last row without a guard; "
                "when no guard holds, the row of the whole flow would be taken"
            )


# --- the machine ----------------------------------------------------------------------------------


class _State(NestedState):
    separator = "."


class _Change(NestedTransition):
    """A row when it is taken. Steps have no callbacks for transitions to look for, and a row leads to a step.

    Not one for every row from the start on: they would be a megabyte and a half, and a key takes one of them.
    """

    do: Action | None

    def __init__(self, row: Row, flow: str) -> None:
        dest = row.then if "." in row.then else f"{flow}.{row.then}"
        super().__init__(row.state, cast(str, None if row.then == STAY else dest))
        self.do = row.do

    def execute(self, event_data: Any) -> bool:
        """As the library does it, without a look for callbacks that no row has: first there, then `do`."""
        if self.dest:
            event_data.model.state = self.dest
        if self.do is not None:
            self.do(event_data.model.dialogue, event_data.args[0])
        return True


class _Event(NestedEvent):
    """The rows of one event. A guard is asked before anything is made of its row: most do not hold."""

    def __init__(self, name: str, machine: HierarchicalMachine) -> None:
        super().__init__(name, machine)
        self.rows: defaultdict[str, list[Row]] = defaultdict(list)  # of a step, or of a whole flow

    def trigger_nested(self, event_data: Any) -> bool:
        """The step's rows, then those of the whole flow, as the library's own order is."""
        position: _Position = event_data.model
        step, dialogue, event = position.state, position.dialogue, event_data.args[0]
        flow = step.partition(".")[0]
        for source in (step, flow):
            for row in self.rows.get(source, ()):
                if row.when is None or row.when(dialogue, event):
                    return _Change(row, flow).execute(event_data)
        return False


class _Machine(HierarchicalMachine):
    """A dialogue is in one step of one flow, never in two: no tree of states is built for each key."""

    state_cls = _State
    event_cls = _Event

    def _trigger_event(self, event_data: Any, trigger: str) -> bool:
        """trigger_event() of a queued machine always returns True: what really happened is noted here."""
        event_data.event = self.events[trigger]
        taken = cast(_Event, event_data.event).trigger_nested(event_data)
        event_data.model.taken = taken
        return taken


class _Position:
    """The model of transitions: where one dialogue is, and whether its last event was taken."""

    def __init__(self, dialogue: Dialogue) -> None:
        self.dialogue = dialogue
        self.state = IDLE
        self.taken = False


class DialogueMachine:
    """Where the dialogue is, and what an event does there. Raises FlowError for wrong tables.

    The tables are built once for a process: dialogues of the same flows differ in their position only.
    """

    def __init__(self, flows: tuple[Flow, ...], dialogue: Dialogue) -> None:
        self._machine, self._steps = _built(flows)
        self._position = _Position(dialogue)

    @property
    def state(self) -> str:
        """The present state, `flow.step`."""
        return self._position.state

    @property
    def step(self) -> Step:
        return self._steps[self._position.state]

    def step_of(self, state: str) -> Step:
        return self._steps[state]

    def trigger(self, name: str, event: object) -> bool:
        """Take the row for this event; False when no row takes it here."""
        self._position.taken = False
        if name in self._machine.events:
            self._machine.trigger_event(self._position, name, event)
        return self._position.taken

    def jump(self, state: str) -> None:
        """Be in this state, whatever was before: for faults only, no row leads here."""
        self._position.state = state


@lru_cache(maxsize=1)
def _built(flows: tuple[Flow, ...]) -> tuple[_Machine, dict[str, Step]]:
    check(flows)
    # a key that nothing is bound to is an everyday event, not a warning
    logging.getLogger("transitions").setLevel(logging.ERROR)
    machine = _Machine(
        None,
        states=[_nested(flow) for flow in flows],
        initial=IDLE,
        queued=True,
        auto_transitions=False,
        send_event=True,
        ignore_invalid_triggers=True,
    )
    for flow in flows:
        _add_rows(machine, flow)
    return machine, {f"{flow.name}.{step.name}": step for flow in flows for step in flow.steps}


def _add_rows(machine: _Machine, flow: Flow) -> None:
    sources = {step.name: f"{flow.name}.{step.name}" for step in flow.steps} | {"": flow.name}
    for row in every_row(flow):
        event = cast(_Event, machine.events.get(row.event) or _Event(row.event, machine))
        machine.events[row.event] = event
        event.rows[sources[row.state]].append(row)


def _nested(flow: Flow) -> dict[str, Any]:
    children = [step.name for step in flow.steps]
    return {"name": flow.name, "initial": children[0], "children": children}
