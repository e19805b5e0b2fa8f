"""Every fault of the network, alone and crossed with crash points."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from posd.ledger.records import State
from posd.testing.crash_points import silence
from posd.testing.matrix import businesses, faults, parts
from posd.testing.matrix.campaign import Campaign
from posd.testing.matrix.faults import Plan
from posd.testing.matrix.shop import Scenario
from tests.posd.money.test_crash_points import tell


@pytest.fixture(scope="module")
def campaign() -> Iterator[Campaign]:
    with silence(), Campaign() as campaign:
        yield campaign


@pytest.mark.parametrize("name", ["network faults", "cut frames", "faults x crash points"])
def test_no_fault_of_the_network_breaks_a_rule(
    campaign: Campaign, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = parts.run(campaign, name)
    tell(figures, capsys)
    assert figures.combinations > 400
    assert figures.found == []


def test_every_byte_of_an_answer_is_cut(campaign: Campaign) -> None:
    sale = businesses.ALL["sale"]
    _, answers = campaign.lengths(sale)
    plans = list(faults.of_cuts(answers[0]))
    assert len(plans) == 2 * answers[0] > 200


def ended(campaign: Campaign, kind: str, name: str) -> State:
    """How the disturbed transaction ended under the plan that is called so."""
    every = {plan.name: plan for plan in _all_plans()}
    states: list[State] = []
    campaign.play(Scenario(businesses.ALL[kind], every[name]), states.append)
    return states[-2]  # the last one is the sale that closes the scenario


def _all_plans() -> Iterator[Plan]:
    yield from faults.of_requests()
    for doubt in (faults.NO_ANSWER, faults.LOST):
        yield from faults.of_reversals(doubt)
    yield from faults.of_none_found()
    yield from faults.of_changes()


@pytest.mark.parametrize(
    ("kind", "name", "state"),
    [
        ("sale", "request: refused", State.NOT_SENT),
        ("sale", "request: connect unanswered", State.NOT_SENT),
        ("sale", "request: nothing sent, reset", State.REVERSED),
        ("sale", "request: all but one byte sent, reset", State.REVERSED),
        ("sale", "request: request after its reversal", State.REVERSED),
        ("sale", "request: request twice", State.APPROVED),
        ("sale", "request: request twice, after its reversal", State.APPROVED),
        ("sale", "request: other STAN", State.REVERSED),
        ("sale", "request: foreign-first", State.APPROVED),
        ("sale", "request: wrong-mac", State.REVERSED),
        ("sale", "request: late", State.REVERSED),
        ("sale", "request: declined 51", State.DECLINED),
        ("sale", "request: no-answer; then: request after its reversal", State.REVERSED),
        ("sale", "no-answer; new_batch after 122 s; none found: 00", State.REVERSED),
        ("sale", "lost; next_day after 122 s; none found: 25", State.UNRESOLVED),
        ("sale", "lost; new_keys after 30 s; none found: 00", State.REVERSED),
        ("refund", "request: no-answer", State.APPROVED),
        ("refund", "request: lost; then: declined 94", State.UNRESOLVED),
        ("completion_notice", "request: lost", State.APPROVED),
        ("balance_inquiry", "request: no-answer", State.NO_ANSWER),
    ],
)
def test_what_a_fault_leads_to(campaign: Campaign, kind: str, name: str, state: State) -> None:
    assert ended(campaign, kind, name) is state
