"""Sign-in: keys, batch number, business clock; when it is due again."""

from __future__ import annotations

from datetime import timedelta

from posd.acquirer import Fault
from posd.core.events import Outcome, SignInEnded
from posd.ledger.ledger import moment
from tests.posd.money.rig import Counter, only_refusal, outcomes


def test_nothing_financial_before_the_first_sign_in(tmp_path) -> None:
    counter = Counter(tmp_path)
    reports = counter.sale(100)
    counter.close()
    assert only_refusal(reports) == "not_signed_in"
    assert counter.sent == []


def test_a_sign_in_brings_keys_and_the_batch_number(counter: Counter) -> None:
    assert counter.money.signed_in
    assert counter.money.pin_key is not None
    assert counter.money.operator == "01"
    counter.acquirer.change_batch("T0000001", "000042")
    assert counter.sign_in().signed_in
    assert counter.ledger.counters.batch_number == "000042"
    counter.approved_sale(100)
    assert counter.sent[-1].elements[60][2:8] == "000042"


def test_keys_whose_check_value_is_wrong_are_not_loaded(counter: Counter) -> None:
    counter.order_at_host("sign_in", Fault.WRONG_KEYS)
    ended = counter.sign_in()
    assert (ended.signed_in, ended.reason) == (False, "bad_keys")
    # The host has changed its keys, we have not: what it then says is not usable, and is undone.
    assert counter.net_here() == counter.net_there() == 0


def test_a_refused_sign_in_says_the_code(counter: Counter) -> None:
    counter.order_at_host("sign_in", "97")
    assert counter.sign_in() == SignInEnded(signed_in=False, reason="refused", code="97")


def test_a_sign_in_without_a_link_says_so(counter: Counter) -> None:
    counter.link.up = False
    assert counter.sign_in().reason == "not_connected"


def test_a_new_day_signs_in_before_the_first_sale(counter: Counter) -> None:
    counter.next_day()
    assert not counter.money.signed_in
    assert outcomes(counter.sale(100)) == [Outcome.APPROVED]
    assert counter.sent_mtis()[-2:] == ["0800", "0200"]


def test_when_the_host_asks_for_a_sign_in_the_terminal_signs_in(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.SIGN_IN_ASKED)
    counter.approved_sale(100)
    assert counter.sent_mtis() == ["0800", "0200", "0800"]
    assert counter.money.signed_in


def test_a_decline_77_is_followed_by_a_sign_in(counter: Counter) -> None:
    counter.order_at_host("sale", "77")
    assert outcomes(counter.sale(100)) == [Outcome.DECLINED]
    assert counter.sent_mtis() == ["0800", "0200", "0800"]
    counter.approved_sale(100)


def test_after_sign_off_nothing_is_sold(counter: Counter) -> None:
    (ended,) = counter.do(counter.money.sign_off)
    assert ended == SignInEnded(signed_in=False, reason="signed_off")
    assert only_refusal(counter.sale(100)) == "not_signed_in"


def test_the_business_clock_is_the_hosts(counter: Counter) -> None:
    right = counter.world.now()
    counter.world.step_clock(timedelta(hours=-5))  # now the machine's clock is wrong, for both
    counter.world.step_clock(timedelta(hours=5))
    assert abs(moment(counter.ledger.now()) - right) < timedelta(seconds=5)


def test_the_month_and_day_of_the_host_take_the_nearest_year(counter: Counter) -> None:
    session = counter.money._session
    counter.world._wall = counter.world._wall.replace(year=2031, month=12, day=31, hour=23)
    at = session._host_time(_answer("000501", "0101"))
    assert at is not None
    assert moment(at).year == 2032
    counter.world._wall = counter.world._wall.replace(year=2032, month=1, day=1, hour=0)
    at = session._host_time(_answer("235901", "1231"))
    assert at is not None
    assert moment(at).year == 2031


def test_an_unreadable_host_time_is_ignored(counter: Counter) -> None:
    assert counter.money._session._host_time(_answer("250000", "0101")) is None
    assert counter.money._session._host_time(_answer("120000", "0231")) is None


def _answer(time: str, date: str):
    from protocol import Message

    return Message("0810", {12: time, 13: date})
