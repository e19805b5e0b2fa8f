"""Every message fits the CDDL, and nothing that does not fit it is taken for one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import cbor2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycddl import Schema, ValidationError

from posd.diagnostics import client, messages
from posd.diagnostics.stream import LONGEST_REQUEST

CDDL = Path(messages.__file__).with_name("diagnostics.cddl").read_text("utf-8")
REQUESTS = get_args(messages.AnyRequest)
ANSWERS = get_args(messages.AnyAnswer)


def schema(name: str) -> Schema:
    """The file's rules, beginning with this one: a validator looks at the first rule."""
    return Schema(f"begin = {name}\n{CDDL}")


REQUEST, ANSWER = schema("request"), schema("answer")

REASON = messages.Reason(
    code="E301", detail="voucher 000012", because=(messages.Reason(code="E201"),)
)
ENTRY = messages.Entry(
    transaction=1, voucher="000012", kind="sale", state="approved", amount=1, card="6225******14",
    at="2026-01-02T03:04:05", operator="01",
)  # fmt: skip
DEVICE = messages.DeviceState(role="printer", configured=True, present=False, reason="unplugged")
LINK = messages.Link(address="127.0.0.1", port=1, protection="loopback", busy=False, trouble=True)
CLOCK = messages.Clock(machine="2026-01-02T03:04:05", business="2026-01-02T03:04:05", ahead=-86_400)
CASE = messages.Case(
    voucher="000012", kind="sale", state="reversing", amount=1, card="6225******14",
    since="2026-01-02T03:04:05", tries=3,
)  # fmt: skip
TROUBLE = messages.Trouble(at="2026-01-02T03:04:05", code="E201", over=True)
STATUS = messages.Status(
    id=1, version="1", terminal="T", merchant="M", merchant_name="商户", test_host=True,
    started="2026-01-02T03:04:05", sells=False, reasons=(REASON,), signed_in=True, operator="01",
    batch="000001", unsettled=0, batch_limit=510, waiting_slips=0, link=LINK, devices=(DEVICE,),
    cases=(CASE,), clock=CLOCK, free_bytes=1 << 40, needed_bytes=1, faults=0, troubles=(TROUBLE,),
)  # fmt: skip
EXAMPLES: dict[type, Any] = {
    messages.ShowRequest: messages.ShowRequest(id=0, voucher="12"),
    messages.FlightRequest: messages.FlightRequest(id=0, role="keypad"),
    messages.TestRequest: messages.TestRequest(id=0, part="host"),
    messages.LogLevelRequest: messages.LogLevelRequest(id=0, level="debug"),
    messages.Hello: messages.Hello(speaks=1, version="1", may=("why",)),
    messages.Closed: messages.Closed(reason="idle", text="nothing was asked"),
    messages.Failed: messages.Failed(id=1, reason="busy", text="a sale is on"),
    messages.Status: STATUS,
    messages.Why: messages.Why(id=1, sells=False, reasons=(REASON,), warnings=()),
    messages.Devices: messages.Devices(id=1, devices=(DEVICE,)),
    messages.Screen: messages.Screen(
        id=1, rows=("请刷卡",), columns=16, lines=4, reverse=None, shown=True, dialogue="idle.ready"
    ),
    messages.Journal: messages.Journal(id=1, entries=(ENTRY,)),
    messages.Story: messages.Story(
        id=1, entry=ENTRY, lines=("已发送",), steps=(("2026-01-02T03:04:05", "stored", ""),)
    ),
    messages.Happened: messages.Happened(
        id=1, at="2026-01-02T03:04:05", name="KeyPressed", details={"key": "1", "n": 1, "b": True}
    ),
    messages.Traced: messages.Traced(
        id=1, at="2026-01-02T03:04:05", direction="out", lines=("0800",)
    ),
    messages.Passed: messages.Passed(id=1, ago=0.5, direction="note", data=b"opened"),
    messages.Metrics: messages.Metrics(id=1, text="posd_up 1\n"),
    messages.Recorded: messages.Recorded(
        id=1, number=7, at="2026-01-02T03:04:05", name="order.paid", details={"order": 1}
    ),
    messages.Line: messages.Line(id=1, text="number,state"),
    messages.Section: messages.Section(id=1, name="host", settings={"port": "1"}),
    messages.Versions: messages.Versions(id=1, versions={"posd": "1"}, checks={"master key": "AA"}),
    messages.Step: messages.Step(id=1, text="press a key"),
}
"""A value of each type that has no defaults for everything."""


def example(kind: Any) -> Any:
    return EXAMPLES.get(kind) or kind(id=0)


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_fits_the_schema_with_and_without_its_defaults(kind: Any) -> None:
    plain = msgspec.to_builtins(example(kind))
    REQUEST.validate_cbor(cbor2.dumps(plain))
    required = {"do": plain["do"]} | {
        name: plain[name]
        for name, field in zip(kind.__struct_fields__, msgspec.structs.fields(kind), strict=True)
        if field.required
    }
    REQUEST.validate_cbor(cbor2.dumps(required))
    assert msgspec.convert(required, messages.AnyRequest) == example(kind)


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_fits_the_schema_as_it_is_sent(kind: Any) -> None:
    sent = client.encode(example(kind))
    ANSWER.validate_cbor(sent)
    assert msgspec.convert(cbor2.loads(sent), kind) == example(kind)


@pytest.mark.parametrize("kind", [*REQUESTS, *ANSWERS])
def test_a_message_of_another_name_or_with_a_field_too_many_does_not_fit(kind: Any) -> None:
    rules = REQUEST if kind in REQUESTS else ANSWER
    plain = msgspec.to_builtins(example(kind), builtin_types=(bytes,))
    for wrong in (plain | {"do": "nothing", "answer": "nothing"}, plain | {"more": 1}):
        with pytest.raises(ValidationError):
            rules.validate_cbor(cbor2.dumps(wrong))


def test_the_schema_names_every_message_once() -> None:
    """So that a new one is not forgotten here, nor one that is gone kept."""
    for name, kinds in (("do", REQUESTS), ("answer", ANSWERS)):
        tags = [str(kind.__struct_config__.tag) for kind in kinds]
        assert sorted(re.findall(rf'\b{name}: "(\w+)"', CDDL)) == sorted(tags)


@given(
    st.dictionaries(
        st.sampled_from(["do", "id", "count", "voucher", "role", "part", "level", "start", "x"]),
        st.sampled_from(["status", "show", "flight", "test", "printer", "12", "1234567", "debug"])
        | st.integers(-2, 1 << 33)
        | st.none()
        | st.booleans(),
    )
)
def test_whatever_is_taken_for_a_request_fits_the_schema(value: dict[str, Any]) -> None:
    try:
        msgspec.convert(value, messages.AnyRequest, strict=True)
    except msgspec.ValidationError:
        return
    REQUEST.validate_cbor(cbor2.dumps(value))


def test_the_longest_request_is_far_from_the_limit() -> None:
    longest = max(len(cbor2.dumps(msgspec.to_builtins(example(kind)))) for kind in REQUESTS)
    assert longest * 40 < LONGEST_REQUEST


def test_no_message_has_a_field_for_a_secret() -> None:
    allowed_bytes = {("Passed", "data")}  # masked by the flight recorder before it was kept
    for kind in (*REQUESTS, *ANSWERS):
        for field in msgspec.structs.fields(kind):
            assert not re.search(r"pin(?!g)|track|password|secret", field.name)
            if field.type is bytes:
                assert (kind.__name__, field.name) in allowed_bytes


def test_a_card_number_in_any_text_is_masked_before_it_is_sent() -> None:
    story = messages.Story(
        id=1, entry=ENTRY, lines=("paid with 6225000000000014",),
        steps=(("t", "note", "card=6225000000000014"),),
    )  # fmt: skip
    assert b"6225000000000014" not in client.encode(story)
    assert b"622500" in client.encode(story)
