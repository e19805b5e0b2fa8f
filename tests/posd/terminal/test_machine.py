"""The builder of the machine: what it makes of tables, and which tables it refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from posd.terminal.dialogue import Dialogue
from posd.terminal.machine import (
    IDLE,
    STAY,
    DialogueMachine,
    Flow,
    FlowError,
    Row,
    Step,
    back_rows,
    check,
)
from posd.terminal.screens import Screen


def blank(_dialogue: object) -> Screen:
    return Screen("")


def never(_dialogue: object, _event: object) -> bool:
    return False


def always(_dialogue: object, _event: object) -> bool:
    return True


@dataclass
class Model:
    """What the generated rows ask of a dialogue."""

    trail: list[str] = field(default_factory=list)
    done: list[object] = field(default_factory=list)

    def show_help(self) -> None:
        self.done.append("help")


IDLE_FLOW = Flow("idle", (Step("ready", blank),), (Row("ready", "digit", None, "trip.first"),))


def steps(*names: str, wait: str = "") -> tuple[Step, ...]:
    return tuple(Step(name, blank, returns=name != wait) for name in names)


def machine(*rows: Row, names: tuple[str, ...] = ("first", "second"), wait: str = "") -> Any:
    model = Model()
    flow = Flow("trip", steps(*names, wait=wait), rows)
    built = DialogueMachine((IDLE_FLOW, flow), cast(Dialogue, model))
    built.trigger("digit", None)
    return built, model


def test_a_row_leads_to_its_step_and_does_what_it_says() -> None:
    built, model = machine(
        Row("first", "confirm", None, "second", lambda d, e: cast(Any, d).done.append(e))
    )
    assert built.trigger("confirm", "event")
    assert built.state == "trip.second"
    assert model.done == ["event"]


def test_rows_are_tried_in_their_order_until_a_guard_holds() -> None:
    built, _ = machine(
        Row("first", "confirm", never, IDLE),
        Row("first", "confirm", always, "second"),
        Row("first", "confirm", None, IDLE),
    )
    built.trigger("confirm", None)
    assert built.state == "trip.second"


def test_what_no_row_takes_is_told_and_changes_nothing() -> None:
    built, _ = machine(Row("first", "confirm", never, "second"))
    assert not built.trigger("confirm", None)
    assert not built.trigger("card", None)
    assert built.state == "trip.first"


def test_staying_is_taking_the_event() -> None:
    built, _ = machine(Row("first", "confirm", None, STAY))
    assert built.trigger("confirm", None)
    assert built.state == "trip.first"


@pytest.mark.parametrize("event", ["cancel", "timeout"])
def test_every_flow_is_left_by_cancel_and_by_its_time_out(event: str) -> None:
    built, _ = machine()
    built.trigger(event, None)
    assert built.state == IDLE


def test_every_flow_has_help() -> None:
    built, model = machine()
    assert built.trigger("function", None)
    assert built.state == "trip.first"
    assert model.done == ["help"]


def test_a_step_that_stays_on_cancel_is_not_left_by_the_row_of_the_flow() -> None:
    built, _ = machine(Row("first", "cancel", None, STAY))
    assert built.trigger("cancel", None)
    assert built.state == "trip.first"


def test_one_step_back_is_where_the_clerk_came_from_and_nowhere_else() -> None:
    rows = (
        Row("first", "confirm", None, "third"),
        Row("second", "confirm", None, "third"),
    )
    built, model = machine(*rows, names=("first", "second", "third"))
    built.trigger("confirm", None)
    model.trail = ["trip.first"]
    built.trigger("clear", None)
    assert built.state == "trip.first"


def test_back_is_not_taken_without_a_trail() -> None:
    built, _ = machine(Row("first", "confirm", None, "second"))
    built.trigger("confirm", None)
    assert not built.trigger("clear", None)


def test_from_its_first_step_a_flow_leads_back_to_what_is_before_it() -> None:
    built, _ = machine()
    built.trigger("clear", None)
    assert built.state == IDLE


def test_a_step_that_is_never_gone_back_to_has_no_way_back_over_it() -> None:
    flow = Flow(
        "trip",
        steps("first", "wait", "third", wait="wait"),
        (Row("first", "confirm", None, "wait"), Row("wait", "confirm", None, "third")),
    )
    assert [row.then for row in back_rows(flow)] == [IDLE]


def test_two_steps_of_one_name_are_refused() -> None:
    with pytest.raises(FlowError, match="'first' twice"):
        machine(names=("first", "first"))


def test_two_flows_of_one_name_are_refused() -> None:
    with pytest.raises(FlowError, match="'idle' twice"):
        check((IDLE_FLOW, IDLE_FLOW))


def test_a_name_with_a_dot_is_refused() -> None:
    with pytest.raises(FlowError, match="identifier"):
        machine(names=("first.second",))


def test_a_row_of_an_unknown_step_is_refused() -> None:
    with pytest.raises(FlowError, match=r"trip: nowhere, confirm: expected a step of the flow"):
        machine(Row("nowhere", "confirm", None, STAY))


def test_a_row_to_an_unknown_state_is_refused() -> None:
    with pytest.raises(FlowError, match=r"found 'moon.landing'"):
        machine(Row("first", "confirm", None, "moon.landing"))


def test_an_event_that_does_not_exist_is_refused() -> None:
    with pytest.raises(FlowError, match="expected an event that exists"):
        machine(Row("first", "confrim", None, STAY))


def test_a_flow_after_an_unknown_state_is_refused() -> None:
    with pytest.raises(FlowError, match="expected a known state before it"):
        check((IDLE_FLOW, Flow("trip", steps("first"), (), before="menu.main")))


def test_a_row_behind_one_without_a_guard_is_refused() -> None:
    with pytest.raises(FlowError, match="never tried"):
        machine(Row("first", "confirm", None, STAY), Row("first", "confirm", always, "second"))


def test_guards_that_could_fall_through_to_the_flow_are_refused() -> None:
    """Else a cancel during the wait would end it as soon as the guard does not hold."""
    with pytest.raises(FlowError, match="expected a last row without a guard"):
        machine(Row("first", "cancel", always, STAY))


def test_guards_with_a_last_row_are_taken_also_where_the_flow_has_one() -> None:
    built, _ = machine(Row("first", "cancel", never, IDLE), Row("first", "cancel", None, STAY))
    assert built.trigger("cancel", None)
    assert built.state == "trip.first"
