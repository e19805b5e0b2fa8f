"""`posd decode` and `posd encode`, as somebody types them."""

from __future__ import annotations

import io
import json

import pytest

from posd.cli import main
from protocol import Message, decode, decode_message, encode

SALE = "sale request, magstripe + PIN"
APPROVED = "sale response, approved"
PARTIAL = "sale response, partial approval 10 (50.00 of 123.45)"
DECLINED = "sale response, declined 51, no MAC"
NUMBER = "6225000000000014"


@pytest.fixture
def posd(capsys, monkeypatch):
    """posd("decode", ...): exit code, standard output, standard error."""

    def posd(*words, typed=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return posd


@pytest.fixture
def key_file(tmp_path, worked):
    file = tmp_path / "mak"
    file.write_text(worked["keys"]["MAK8"] + "\n", "ascii")
    return file


def test_a_message_is_shown_masked_with_its_codes_in_words(posd, frames):
    code, shown, problems = posd("decode", frames[SALE].hex())
    assert (code, problems) == (0, "")
    assert "消费 SALE" in shown
    assert "magnetic stripe, with PIN" in shown
    assert "622500******0014=" in shown
    assert NUMBER not in shown


def test_columns_line_up(posd, frames):
    _, shown, _ = posd("decode", frames[SALE].hex())
    lines = {line.split()[0]: line for line in shown.splitlines() if line}
    assert lines["4"].index("000000012345") == lines["41"].index("12345678")
    assert lines["kind"].startswith("  kind")


def test_messages_come_from_a_file_or_standard_input_one_a_line(posd, frames, tmp_path):
    text = f"# two messages\n\n{frames[SALE].hex()}\n{frames[APPROVED].hex()}\n"
    file = tmp_path / "messages.hex"
    file.write_text(text, "ascii")
    from_file = posd("decode", "--file", file)
    assert from_file == posd("decode", typed=text)
    assert from_file[0] == 0
    assert from_file[1].count("bitmap") == 2


def test_hex_may_have_blanks(posd, frames):
    assert posd("decode", frames[SALE].hex(" "))[0] == 0


def test_json_has_the_same_masked_lines(posd, frames):
    code, shown, _ = posd("decode", "--json", frames[APPROVED].hex())
    view = json.loads(shown)
    lines = {line["path"]: line for line in view["lines"]}
    assert code == 0
    assert view["mti"] == "0210"
    assert lines["2"]["value"] == "622500******0014"
    assert lines["39"]["meaning"].startswith("approved")
    assert view["error"] is None
    assert NUMBER not in shown


@pytest.mark.parametrize(
    ("name", "code", "remark"),
    [(APPROVED, 0, "MAC fits"), (DECLINED, 0, "MAC absent"), ("tampered", 1, "MAC DOES NOT FIT")],
)
def test_the_mac_is_verified_with_a_key_file(posd, frames, key_file, name, code, remark):
    frame = frames[APPROVED][:-1] + b"X" if name == "tampered" else frames[name]
    found, shown, _ = posd("decode", "--key-file", key_file, frame.hex())
    assert found == code
    assert remark in shown.splitlines()


def test_an_undecodable_message_shows_how_far_it_came_where_it_broke_and_why(posd, frames):
    broken = bytearray(frames[APPROVED][:-17])
    broken[:2] = (len(broken) - 2).to_bytes(2, "big")
    code, shown, _ = posd("decode", bytes(broken).hex())
    assert code == 1
    assert "622500******0014" in shown
    assert "Truncated: 60 at byte 130: expected 14 digits in 7 bytes, found length 3" in shown
    assert "bitmap" not in shown


@pytest.mark.parametrize(
    ("elements", "place"),
    [
        ({55: bytes.fromhex("9F260855")}, "55.9F26 at byte 28: expected 8 bytes, found length 1"),
        ({11: "000001", 60: "000000010"}, "60.network_code at byte 32: expected 3 digits"),
        ({11: "000001", 61: "000007000002060"}, "61.date at byte 34: expected 4 digits"),
    ],
)
def test_a_part_that_cannot_be_parsed_is_named_by_its_place_in_the_frame(posd, elements, place):
    code, shown, _ = posd("decode", encode(Message("0200", elements)).hex())
    assert code == 0
    assert f"cannot be parsed: {place}" in shown


def test_json_says_where_an_undecodable_message_broke(posd):
    code, shown, _ = posd("decode", "--json", "0001FF")
    assert code == 1
    assert json.loads(shown)["error"] == {
        "kind": "FrameTruncated",
        "path": "TPDU",
        "offset": 2,
        "expected": "5 bytes",
        "found_length": 1,
    }


def test_two_messages_stand_side_by_side_and_differences_are_marked(posd, frames):
    code, shown, _ = posd("decode", "--diff", frames[APPROVED].hex(), frames[PARTIAL].hex())
    rows = {line[2:].split()[0]: line for line in shown.splitlines()}
    assert code == 0
    assert rows["4"].startswith("! ")
    assert rows["39"].startswith("! ")
    assert rows["11"].startswith("  ")
    assert rows["14"].startswith("! ")  # only on the left
    assert rows["64"].startswith("! ")  # both masked, and yet different


@pytest.mark.parametrize("words", [["00"], ["00", "00", "00"]])
def test_a_comparison_takes_two_messages(posd, words):
    code, _, problems = posd("decode", "--diff", *words)
    assert code == 2
    assert "two messages" in problems


def test_bare_messages_and_frames_without_addresses_are_told_apart_by_options(posd, frames):
    bare = frames[SALE][13:]
    assert posd("decode", "--bare", bare.hex())[0] == 0
    assert posd("decode", bare.hex())[0] == 1
    frame = len(bare).to_bytes(2, "big") + bare
    assert posd("decode", "--no-tpdu", "--no-header", frame.hex())[0] == 0


def test_what_is_not_hex_is_refused_without_showing_it(posd):
    code, shown, problems = posd("decode", NUMBER + "x")
    assert (code, shown) == (2, "")
    assert "expected hex" in problems
    assert NUMBER not in problems


@pytest.mark.parametrize("option", ["--file", "--key-file"])
def test_a_file_that_cannot_be_read_is_one_line(posd, tmp_path, option):
    code, _, problems = posd(
        "decode", option, tmp_path / "missing", *(["00"] if "key" in option else [])
    )
    assert code == 2
    assert len(problems.splitlines()) == 1


def test_a_key_of_a_wrong_length_is_one_line(posd, frames, tmp_path):
    file = tmp_path / "mak"
    file.write_text("1A2B", "ascii")
    code, _, problems = posd("decode", "--key-file", file, frames[SALE].hex())
    assert code == 2
    assert "8, 16 or 24 bytes" in problems


def as_json(row) -> str:
    return json.dumps({name: row[name] for name in ("mti", "elements", "tpdu", "header")})


def test_every_vector_is_made_from_json(posd, worked):
    for row in worked["messages"].values():
        code, shown, problems = posd("encode", typed=as_json(row))
        assert (code, problems) == (0, "")
        assert shown.strip() == row["hex"]


def test_a_message_is_sealed_with_a_key_file(posd, worked, key_file, tmp_path):
    row = worked["messages"][SALE]
    file = tmp_path / "sale.json"
    elements = {number: value for number, value in row["elements"].items() if number != "64"}
    file.write_text(json.dumps({"mti": row["mti"], "elements": elements}), "utf-8")
    assert posd("encode", "--key-file", key_file, file)[1].strip() == row["hex"]


def test_a_bare_message_is_made(posd, worked):
    row = worked["messages"][SALE]
    _, shown, _ = posd("encode", "--bare", typed=as_json(row))
    assert (
        decode_message(bytes.fromhex(shown)).elements == decode(bytes.fromhex(row["hex"])).elements
    )


@pytest.mark.parametrize(
    ("typed", "code", "problem"),
    [
        ("{", 2, "expected JSON"),
        ("[]", 2, "expected an object"),
        ('{"mti": "0200"}', 2, "expected an object"),
        ('{"mti": 200, "elements": {}}', 2, '"mti" to be a string'),
        ('{"mti": "0200", "elements": {}, "pin": "1"}', 2, 'the key "pin"'),
        ('{"mti": "0200", "elements": {}, "tpdu": 6}', 2, "tpdu"),
        ('{"mti": "0200", "elements": {"99": "1"}}', 2, "not in the table"),
        ('{"mti": "0200", "elements": {"4": 12345}}', 2, "element 4: expected a string"),
        ('{"mti": "0200", "elements": {"64": "xy"}}', 2, "expected hex"),
        ('{"mti": "0200", "elements": {"2": "6225000000000014x"}}', 1, "2: expected digits"),
        ('{"mti": "02", "elements": {}}', 1, "MTI: expected four digits"),
    ],
)
def test_what_cannot_be_made_is_one_line_without_values(posd, typed, code, problem):
    found, shown, problems = posd("encode", typed=typed)
    assert (found, shown) == (code, "")
    assert problem in problems
    assert len(problems.splitlines()) == 1
    assert NUMBER not in problems


def test_a_message_that_cannot_be_sealed_fails_like_one_that_cannot_be_encoded(posd, key_file):
    typed = '{"mti": "0200", "elements": {"4": "1"}}'
    code, _, problems = posd("encode", "--key-file", key_file, typed=typed)
    assert code == 1
    assert problems == "posd encode: element 4: expected 12 digits, found length 1\n"


def test_an_input_that_cannot_be_read_is_one_line(posd, tmp_path):
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for file in (tmp_path / "missing", binary):
        code, _, problems = posd("encode", file)
        assert (code, len(problems.splitlines())) == (2, 1)
