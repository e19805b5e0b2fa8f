"""Which frame ends the wait, and whether money can be built on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import Dialect, Message, Pan, decode, encode
from protocol.mac import seal
from protocol.matching import Foreign, MatchingRules, Unusable, Usable, answer_mti, match

SALE = "sale request, magstripe + PIN"
APPROVED = "sale response, approved"
DECLINED = "sale response, declined 51, no MAC"
PARTIAL = "sale response, partial approval 10 (50.00 of 123.45)"
REVERSAL = "reversal of the sale, reason 98"
REVERSED = "reversal answer 00, MAC"
NOTHING_TO_REVERSE = "reversal answer 25, no MAC"


@pytest.fixture
def judge(frames, key):
    """judge(request, answer): both by name or as messages; an answer with 64 is sealed again."""

    def judge(request, answer, **more):
        asked = decode(frames[request]) if isinstance(request, str) else request
        if isinstance(answer, str):
            frame = frames[answer]
        elif isinstance(answer, bytes):
            frame = answer
        else:
            frame = encode(seal(answer, key("MAK8")) if 64 in answer.elements else answer)
        return match(asked, frame, key("MAK8"), **more)

    return judge


@pytest.fixture
def changed(frames, judge):
    """changed(request, answer, {4: ...}): the worked answer with other elements, judged."""
    return lambda request, answer, changes, **more: judge(
        request, decode(frames[answer]).with_elements(changes), **more
    )


@pytest.mark.parametrize(
    ("request_name", "answer_name"),
    [
        ("sign-in request", "sign-in response (40-byte keys)"),
        (SALE, APPROVED),
        (SALE, DECLINED),
        (SALE, PARTIAL),
        (REVERSAL, REVERSED),
        (REVERSAL, NOTHING_TO_REVERSE),
        ("refund request", "refund response, approved"),
        ("settlement request", "settlement response, domestic+foreign balanced"),
        ("settlement request", "settlement response: domestic not balanced, host totals"),
    ],
)
def test_the_worked_answers_are_usable(frames, judge, request_name, answer_name):
    assert judge(request_name, answer_name) == Usable(decode(frames[answer_name]))


def test_every_other_worked_frame_is_foreign_to_the_sale(frames, judge):
    ours = {APPROVED, DECLINED, PARTIAL}
    assert [
        name for name in frames if name not in ours and not isinstance(judge(SALE, name), Foreign)
    ] == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({11: "000003"}, "another element 11"),
        ({41: "12345679"}, "another element 41"),
        ({11: None}, "no element 11"),
        ({41: None}, "no element 41"),
    ],
)
def test_another_stan_or_terminal_is_foreign_even_with_a_right_mac(changed, changes, reason):
    assert changed(SALE, APPROVED, changes) == Foreign(reason)


def test_another_mti_is_foreign(frames, judge):
    answer = decode(frames[APPROVED])
    assert judge(SALE, Message("0110", answer.elements)) == Foreign("another MTI")


@pytest.mark.parametrize("data", [b"", b"\x00\x02\x02\x10", bytes(30), b"\xff" * 40])
def test_what_cannot_be_decoded_so_far_is_foreign(judge, data):
    verdict = judge(SALE, data)
    assert isinstance(verdict, Foreign)
    assert "decoded" in verdict.reason


def cut(frame: bytes, size: int) -> bytes:
    return (size - 2).to_bytes(2, "big") + frame[2:size]


def test_a_cut_answer_is_ours_from_the_moment_its_terminal_is_known(frames, judge):
    frame = frames[APPROVED]
    terminal_ends = frame.index(b"12345678") + 8
    for size in range(2, len(frame)):
        verdict = judge(SALE, cut(frame, size))
        if size < terminal_ends:
            assert isinstance(verdict, Foreign)
        else:
            assert isinstance(verdict, Unusable)
            assert (verdict.reversal_reason, verdict.code) == ("06", "00")


def test_a_broken_answer_of_another_stan_is_foreign(frames, judge):
    frame = cut(
        frames[APPROVED].replace(bytes.fromhex("000002093121"), bytes.fromhex("000009093121")), 120
    )
    assert judge(SALE, frame) == Foreign("another element 11")


def test_bytes_behind_the_answer_make_it_unusable(frames, judge):
    frame = frames[APPROVED] + b"\x00"
    verdict = judge(SALE, (len(frame) - 2).to_bytes(2, "big") + frame[2:])
    assert isinstance(verdict, Unusable)
    assert verdict.reversal_reason == "06"


def test_a_wrong_mac_is_reversed_with_a0(frames, judge):
    frame = frames[APPROVED][:-1] + b"5"
    assert judge(SALE, frame) == Unusable("A0", "element 64 does not fit the frame", "00")


def test_a_decline_with_a_wrong_mac_is_no_decline(frames, judge, key):
    declined = decode(frames[DECLINED]).with_elements({64: b"00000000"})
    assert match(decode(frames[SALE]), encode(declined), key("MAK8")) == Unusable(
        "A0", "element 64 does not fit the frame", "51"
    )


def test_a_mac_that_nobody_can_verify_is_a_wrong_one(frames):
    verdict = match(decode(frames[SALE]), frames[APPROVED], None)
    assert isinstance(verdict, Unusable)
    assert verdict.reversal_reason == "A0"


def test_an_exchange_without_mac_needs_no_key(frames):
    answer = frames["sign-in response (40-byte keys)"]
    assert isinstance(match(decode(frames["sign-in request"]), answer, None), Usable)
    sealed = decode(answer).with_elements({64: b"12345678"})
    assert isinstance(match(decode(frames["sign-in request"]), encode(sealed), None), Usable)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({39: None}, "no element 39"),
        ({3: "200000"}, "another element 3"),
        ({4: "000000012346"}, "another element 4"),
        ({25: "06"}, "another element 25"),
        ({42: "898000000000002"}, "another element 42"),
        ({49: "840"}, "another element 49"),
        ({64: None}, "no element 64 on an approval"),
        ({37: None}, "no element 37 on an approval"),
        ({37: " " * 12}, "no element 37 on an approval"),
        ({39: "11", 64: None}, "no element 64 on an approval"),
    ],
)
def test_an_approval_that_nothing_can_be_built_on_is_reversed_with_06(changed, changes, reason):
    verdict = changed(SALE, APPROVED, changes)
    assert verdict == Unusable("06", reason, changes.get(39, "00"))


@pytest.mark.parametrize("number", [2, 3, 4, 12, 13, 14, 15, 25, 32, 38, 42, 44, 49, 60, 63])
def test_every_other_element_of_an_approval_is_optional(changed, number):
    assert isinstance(changed(SALE, APPROVED, {number: None}), Usable)


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (38, b"\xd6\xd0\xff\x80\x00\x01"),
        (43, b"\xff" * 40),
        (44, b"\xb9"),
        (46, b"\x80\x81"),
        (54, b"no balance"),
        (56, b"\xd6"),
        (57, b"\x00\xff"),
        (62, b"\x00"),
        (63, b"CUP\xd6\xd0\xff"),
    ],
)
def test_text_that_cannot_be_read_never_makes_an_approval_unusable(changed, number, value):
    verdict = changed(SALE, APPROVED, {number: value})
    assert isinstance(verdict, Usable)
    assert verdict.message.describe().isprintable() or "\n" in verdict.message.describe()


@pytest.mark.parametrize("code", ["98", "68", "51", "A0", "ZZ", "05"])
def test_a_decline_needs_neither_mac_nor_reference(changed, code):
    verdict = changed(SALE, APPROVED, {39: code, 64: None, 37: None, 38: None})
    assert isinstance(verdict, Usable)
    assert verdict.message.get(39) == code


def test_a_setting_demands_the_mac_of_a_decline(judge):
    verdict = judge(SALE, DECLINED, rules=MatchingRules(decline_needs_mac=True))
    assert verdict == Unusable("06", "no element 64 on a decline", "51")


def test_a_setting_lets_the_merchant_differ(changed):
    rules = MatchingRules(compare_merchant=False)
    assert isinstance(changed(SALE, APPROVED, {42: "898000000000002"}, rules=rules), Usable)


@pytest.mark.parametrize("amount", [None, "000000000000", "000000012346"])
def test_a_partial_approval_needs_an_amount_up_to_the_requested_one(changed, amount):
    verdict = changed(SALE, PARTIAL, {4: amount})
    assert isinstance(verdict, Unusable)
    assert (verdict.reversal_reason, verdict.code) == ("06", "10")


@pytest.mark.parametrize("amount", ["000000000001", "000000012345"])
def test_a_partial_approval_of_one_fen_or_of_all_is_usable(changed, amount):
    assert isinstance(changed(SALE, PARTIAL, {4: amount}), Usable)


@pytest.mark.parametrize(
    ("number", "value"), [(3, "200000"), (25, "06"), (42, "898000000000002"), (49, "840")]
)
def test_a_partial_approval_differs_in_its_amount_alone(changed, number, value):
    assert changed(SALE, PARTIAL, {number: value}) == Unusable(
        "06", f"another element {number}", "10"
    )


def test_a_partial_approval_needs_mac_and_reference_like_any_other(changed):
    assert isinstance(changed(SALE, PARTIAL, {64: None}), Unusable)
    assert isinstance(changed(SALE, PARTIAL, {37: None}), Unusable)


def test_a_terminal_may_take_no_partial_approvals(judge):
    verdict = judge(SALE, PARTIAL, rules=MatchingRules(partial_approval=False))
    assert isinstance(verdict, Unusable)
    assert verdict.code == "10"


def test_only_a_sale_is_approved_in_part(frames, judge):
    void = decode(frames["void request, card swiped, no PIN"])
    answer = decode(frames[PARTIAL]).with_elements({3: "200000", 11: "000003", 60: void.get(60)})
    verdict = judge(void, answer)
    assert isinstance(verdict, Unusable)
    assert "in part" in verdict.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({3: "200000"}, "another element 3"),
        ({4: "000000012346"}, "another element 4"),
        ({25: "06"}, "another element 25"),
        ({42: "898000000000002"}, "another element 42"),
        ({49: "840"}, "another element 49"),
        ({60: "22000008000600"}, "another batch in element 60"),
        ({64: None}, "no element 64 on an approval"),
        ({39: None}, "no element 39"),
    ],
)
def test_a_reversal_ends_only_on_an_answer_that_fits_it(changed, changes, reason):
    verdict = changed(REVERSAL, REVERSED, changes)
    assert isinstance(verdict, Unusable)
    assert verdict.reason == reason


def test_the_answer_to_a_reversal_needs_no_reference(changed):
    assert isinstance(changed(REVERSAL, REVERSED, {37: None}), Usable)


@pytest.mark.parametrize("element_60", [None, "22", "2200000"])
def test_the_answer_to_a_reversal_may_lack_the_batch(changed, element_60):
    assert isinstance(changed(REVERSAL, REVERSED, {60: element_60}), Usable)


def test_a_setting_takes_a_reversed_without_mac(changed):
    rules = MatchingRules(reversal_needs_mac=False)
    assert isinstance(changed(REVERSAL, REVERSED, {64: None}, rules=rules), Usable)


@pytest.mark.parametrize("code", ["25", "12", "77", "96"])
def test_other_answers_to_a_reversal_need_no_mac(changed, code):
    assert isinstance(changed(REVERSAL, NOTHING_TO_REVERSE, {39: code}), Usable)


def test_a_partial_code_to_a_reversal_does_not_excuse_its_amount(changed):
    verdict = changed(REVERSAL, NOTHING_TO_REVERSE, {39: "10", 4: "000000000001"})
    assert verdict == Unusable("06", "another element 4", "10")


def test_a_wrong_mac_on_the_answer_to_a_reversal_is_seen(frames, judge):
    verdict = judge(REVERSAL, frames[REVERSED][:-1] + b"X")
    assert isinstance(verdict, Unusable)
    assert verdict.reversal_reason == "A0"


def test_an_echo_is_matched_by_its_terminal_alone(frames, judge):
    answer = Message("0830", {39: "00", 41: "12345678", 60: "00000007301"})
    assert isinstance(judge("echo test", answer), Usable)
    assert isinstance(judge("echo test", answer.with_elements({11: "000001"})), Usable)
    assert judge("echo test", answer.with_elements({41: "87654321"})) == Foreign(
        "another element 41"
    )


def test_without_a_header_answers_match_too(frames, key):
    dialect = Dialect(has_header=False, has_tpdu=False)
    frame = encode(decode(frames[APPROVED]), dialect)
    assert isinstance(match(decode(frames[SALE]), frame, key("MAK8"), dialect), Usable)


@given(st.binary(max_size=160), st.integers(0, 150))
def test_noise_never_raises_and_reasons_hold_no_value(frames, key, noise, position):
    frame = bytearray(frames[APPROVED])
    frame[position : position + len(noise)] = noise
    for data in (noise, bytes(frame), cut(bytes(frame), len(frame))):
        verdict = match(decode(frames[SALE]), data, key("MAK8"))
        if not isinstance(verdict, Usable):
            assert "622500000" not in verdict.reason
            assert "12345678" not in verdict.reason


def test_the_answers_mti_is_the_requests_plus_10():
    assert [answer_mti(mti) for mti in ("0100", "0220", "0400", "0820")] == [
        "0110",
        "0230",
        "0410",
        "0830",
    ]


def test_a_card_number_in_the_answer_is_not_compared(changed):
    assert isinstance(changed(SALE, APPROVED, {2: Pan("6225000000000022")}), Usable)


def test_a_request_that_is_not_padded_yet_matches_its_padded_answer(frames, key):
    answer = decode(frames[APPROVED]).with_elements({41: "1234", 42: "8980"})
    request = decode(frames[SALE]).with_elements({41: "1234", 42: "8980"})
    assert isinstance(match(request, encode(seal(answer, key("MAK8"))), key("MAK8")), Usable)


def test_a_request_that_no_row_describes_is_held_to_the_same_rules(frames, changed):
    request = decode(frames[SALE]).with_elements({25: "91"})
    assert isinstance(changed(request, APPROVED, {25: "91"}), Usable)
    for changes in ({37: None}, {64: None}, {39: "10", 4: "000000000001"}):
        assert isinstance(changed(request, APPROVED, {25: "91", **changes}), Unusable)
