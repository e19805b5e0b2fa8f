"""The world stopped at every point of every kind of transaction, once and twice (money: how it is proven)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from posd.ledger.records import State
from posd.money.financial import Financial
from posd.testing.crash_points import silence
from posd.testing.matrix import businesses, parts
from posd.testing.matrix.campaign import Campaign, Figures
from posd.testing.matrix.points import How, Stop, is_acquirer, is_commit, ways
from posd.testing.matrix.shop import Scenario


@pytest.fixture(scope="module")
def campaign() -> Iterator[Campaign]:
    with silence(), Campaign() as campaign:
        yield campaign


def tell(figures: Figures, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(
            f"\n{figures.name}: {figures.points or 'no new'} points, {figures.combinations} combinations,"
            f" {figures.lives} lives, {len(figures.found)} violations"
        )


def test_each_kind_has_the_points_that_money_names(campaign: Campaign) -> None:
    for business in businesses.ALL.values():
        names = campaign.points_of(business)
        labels = {name.partition(",")[0] for name in names if is_commit(name)}
        wanted = {"commit intent", "commit outcome"}
        if business in businesses.SESSION:
            wanted = {"commit stan"}
        elif business.name.startswith("settlement"):
            wanted = {
                "commit settlement_begun",
                "commit settlement_answered",
                "commit batch_closed",
            }
        assert labels >= wanted
        assert any(map(is_acquirer, names)), business.name
        prints = business.dialogue and not business.name.startswith("balance")
        assert any(name.startswith("send 0") for name in names), business.name
        assert any(name.startswith("print command") for name in names) is prints, business.name


def test_the_same_scenario_runs_the_same_way_again(campaign: Campaign) -> None:
    business = businesses.ALL["sale at the keys"]
    first, second = (campaign.play(Scenario(business)) for _ in range(2))
    assert first.lives[0].names == second.lives[0].names
    assert first.wire.captured == second.wire.captured


def test_no_stop_at_any_point_breaks_a_rule(
    campaign: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = parts.run(campaign, "crash points")
    tell(figures, capsys)
    assert figures.combinations > 500
    assert figures.found == []


def test_no_second_stop_in_the_recovery_breaks_a_rule(
    campaign: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = parts.run(campaign, "double crashes")
    tell(figures, capsys)
    assert figures.combinations > 500
    assert figures.found == []


# --- what stands in the way of a harness that sees nothing ----------------------------------------


def number_of(campaign: Campaign, business: str, name: str) -> int:
    return campaign.points_of(businesses.ALL[business]).index(name)


@pytest.mark.parametrize(
    ("point", "how", "state"),
    [
        ("commit intent, before", How.KILLED, None),
        ("commit intent, after", How.KILLED, State.REVERSED),
        ("commit intent, before", How.COMMIT_ERROR, None),
        ("commit intent, after", How.COMMIT_ERROR, State.REVERSED),
        ("send 0200, after", How.POWER, State.REVERSED),
        ("acquirer has committed", How.ACQUIRER, State.REVERSED),
        ("commit outcome, before", How.KILLED, State.REVERSED),
        ("commit outcome, after", How.KILLED, State.APPROVED),
        ("commit outcome, after", How.COMMIT_ERROR, State.APPROVED),
    ],
)
def test_what_a_stop_leaves_behind(
    campaign: Campaign, point: str, how: How, state: State | None
) -> None:
    stop = Stop(number_of(campaign, "sale", point), how)
    states: list[State] = []
    shop = campaign.play(Scenario(businesses.ALL["sale"], stops=(stop,)), states.append)
    assert len(shop.lives) == (1 if how is How.ACQUIRER else 2)
    assert states == ([state] if state else []) + [State.APPROVED]  # and the sale that closes it


def test_an_approval_that_is_not_reversed_in_doubt_is_found(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    def believe(self: Financial, identity: int, *_: object) -> None:
        self._close(identity, State.NOT_SENT, {"reason": "a fault that was put in"})

    monkeypatch.setattr(Financial, "_undo", believe)
    point = number_of(campaign, "sale", "acquirer has committed")
    figures = Figures("planted")
    campaign.run(Scenario(businesses.ALL["sale"], stops=(Stop(point, How.ACQUIRER),)), figures)
    (found,) = figures.found
    assert any(line.startswith("M9") for line in found.violations)
    assert any(line.startswith("net") for line in found.violations)


def test_a_slip_that_comes_twice_without_a_mark_is_found(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posd.receipts.as_duplicate", lambda slip: slip)
    point = number_of(campaign, "sale at the keys", "print command, after")
    figures = Figures("planted")
    business = businesses.ALL["sale at the keys"]
    campaign.run(Scenario(business, stops=(Stop(point, How.KILLED),)), figures)
    (found,) = figures.found
    assert any("without a mark" in line for line in found.violations)


def test_every_way_to_stop_is_tried() -> None:
    names = ("commit intent, after", "acquirer has committed", "print command, before", "show")
    tried = {how for name in names for how in ways(name)}
    assert tried == set(How)
