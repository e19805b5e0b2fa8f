from __future__ import annotations

from datetime import timedelta

from posd.testing.world import BEGINNING, World


def test_things_happen_in_the_order_of_their_time_and_time_jumps_to_each() -> None:
    world, seen = World(), []
    world.after(5, lambda: seen.append(("late", world.monotonic())))
    world.after(1, lambda: seen.append(("early", world.monotonic())))
    assert not world.let_pass(10)
    assert seen == [("early", 1), ("late", 5)]
    assert world.monotonic() == 10
    assert world.now() == BEGINNING + timedelta(seconds=10)


def test_what_is_due_at_one_time_happens_in_the_order_it_was_asked_for() -> None:
    world, seen = World(), []
    for name in "abc":
        world.after(2, lambda name=name: seen.append(name))
    world.let_pass(2)
    assert seen == ["a", "b", "c"]


def test_what_follows_at_once_happens_before_anybody_looks() -> None:
    world, seen = World(), []
    world.after(1, lambda: (seen.append("first"), world.after(0, lambda: seen.append("then"))))
    assert world.let_pass(5, until=lambda: "first" in seen)
    assert seen == ["first", "then"]
    assert world.monotonic() == 1


def test_time_stops_as_soon_as_the_condition_is_true() -> None:
    world, seen = World(), []
    world.after(1, lambda: seen.append(1))
    world.after(2, lambda: seen.append(2))
    assert world.let_pass(10, until=lambda: bool(seen))
    assert seen == [1]
    assert world.monotonic() == 1


def test_what_was_forgotten_does_not_happen() -> None:
    world, seen = World(), []
    appointment = world.after(1, lambda: seen.append(1))
    appointment.forget()
    world.let_pass(5)
    assert seen == []


def test_setting_the_date_moves_no_appointment() -> None:
    world, seen = World(), []
    world.after(60, lambda: seen.append(world.now()))
    world.step_clock(timedelta(days=-1))
    world.let_pass(60)
    assert seen == [BEGINNING - timedelta(days=1) + timedelta(seconds=60)]
