"""`posd decode` and `posd encode` with what a newcomer gives them: cut, mistyped, missing."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from posd.cli import main

WORKED = json.loads((Path(__file__).parent.parent / "vectors/worked.json").read_text("utf-8"))
SALE = bytes.fromhex(WORKED["messages"]["sale request, magstripe + PIN"]["hex"])
APPROVED = bytes.fromhex(WORKED["messages"]["sale response, approved"]["hex"])
NUMBER = "6225000000000014"


@pytest.fixture
def posd(capsys, monkeypatch):
    """posd("decode", ...): exit code, standard output, standard error."""

    def posd(*words, typed=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        try:
            code = main([str(word) for word in words])
        except SystemExit as left:
            code = left.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return posd


def test_a_cut_capture_shows_what_it_holds_and_both_places_where_it_broke(posd):
    code, shown, problems = posd("decode", APPROVED[:-17].hex())
    assert (code, problems) == (1, "")
    assert "622500******0014" in shown
    assert NUMBER not in shown
    remarks = [line for line in shown.splitlines() if "expected" in line]
    assert [remark.split(" at ")[0] for remark in remarks] == [
        "FrameLengthWrong: LEN",
        "Truncated: 60",
    ]


def test_a_capture_that_may_be_out_of_step_shows_long_values_as_lengths(posd):
    shown = posd("decode", APPROVED[:-17].hex())[1]
    amount = next(line for line in shown.splitlines() if line.startswith("4 "))
    assert amount.endswith("(12 characters)")
    assert "000000012345" not in shown


def test_json_of_a_cut_capture_has_its_lines_and_both_errors(posd):
    code, shown, _ = posd("decode", "--json", APPROVED[:-17].hex())
    view = json.loads(shown)
    assert code == 1
    assert "2" in [line["path"] for line in view["lines"]]
    assert "bitmap" not in [line["path"] for line in view["lines"]]
    assert [error["path"] for error in view["errors"]] == ["LEN", "60"]
    assert view["error"] == view["errors"][0]


def test_no_cut_shows_a_card_number_or_passes_for_whole(posd):
    for size in range(len(SALE)):
        code, shown, _ = posd("decode", SALE[:size].hex())
        assert code == 1
        assert NUMBER not in shown


def test_a_len_that_alone_is_wrong_hides_no_element(posd):
    whole = posd("decode", "--json", APPROVED.hex())[1]
    for announced in (b"\0\1", b"\x0f\xff", b"\xff\xff"):
        code, shown, _ = posd("decode", "--json", (announced + APPROVED[2:]).hex())
        assert code == 1
        kept = [line for line in json.loads(whole)["lines"] if line["path"] != "bitmap"]
        assert json.loads(shown)["lines"] == kept


def test_bytes_behind_the_message_are_a_length(posd):
    code, shown, _ = posd("decode", (APPROVED + NUMBER.encode()).hex())
    assert code == 1
    assert "TrailingBytes: end" in shown
    assert "found length 16" in shown
    assert NUMBER not in shown


def test_a_frame_out_of_step_shows_no_value(posd):
    for lost in (1, 2, 3, 5, 7):
        code, shown, _ = posd("decode", "--json", (SALE[:45] + SALE[45 + lost :]).hex())
        view = json.loads(shown)
        assert (code, view["mti"], view["lines"]) == (1, None, [])
        assert [error["path"] for error in view["errors"]] == ["LEN", "35"]


@pytest.mark.parametrize(
    "words", [["decode", "--file"], ["decode", "00", "--key-file"], ["encode"]]
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(posd, tmp_path, words):
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    reasons = {
        tmp_path / "missing": "no such file or directory",
        tmp_path: "is a directory",
        binary: "text",
    }
    for file, reason in reasons.items():
        code, shown, problems = posd(*words, file)
        assert (code, shown) == (2, "")
        assert problems.startswith(f"posd {words[0]}: {file}: ")
        assert problems.endswith(f"{reason}\n")


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        (NUMBER + "1", "an odd number of hex digits (17)"),
        (NUMBER[:4] + " " + NUMBER[4:] + "x", "character 18 is no hex digit"),
        ("\N{FULLWIDTH DIGIT ONE}1", "character 1 is no hex digit"),
    ],
)
def test_what_is_wrong_with_hex_is_a_count_or_a_place(posd, typed, problem):
    code, shown, problems = posd("decode", typed)
    assert (code, shown) == (2, "")
    assert problem in problems
    assert NUMBER not in problems


def test_a_bad_line_is_named_and_the_others_are_decoded(posd, tmp_path):
    text = f"# capture\n{SALE.hex()}\n{NUMBER}x\n\n{APPROVED.hex()}\n"
    file = tmp_path / "capture.hex"
    file.write_text(text, "ascii")
    for given in (posd("decode", typed=text), posd("decode", "--file", file)):
        code, shown, problems = given
        assert code == 1
        assert shown.count("bitmap") == 2
        assert problems == "posd decode: line 3: expected hex, character 17 is no hex digit\n"


@pytest.mark.parametrize("typed", ["", "\n \n", "# nothing yet\n"])
def test_an_input_without_a_message_is_one_line(posd, typed):
    code, shown, problems = posd("decode", typed=typed)
    assert (code, shown) == (2, "")
    assert problems == "posd decode: standard input: no message in it\n"


def test_a_comparison_has_no_json(posd):
    code, shown, problems = posd("decode", "--diff", "--json", SALE.hex(), APPROVED.hex())
    assert (code, shown) == (2, "")
    assert "not allowed with" in problems


@pytest.mark.parametrize(
    ("typed", "code", "problem"),
    [
        ({"elements": {}}, 2, 'found no "mti"'),
        ({"mti": "0200"}, 2, 'found no "elements"'),
        ({"mti": "0200", "elements": ["1"]}, 2, '"elements" to be an object'),
        ({"mti": "0200", "elements": {}, "lines": []}, 2, 'found the key "lines"'),
        ({"mti": "0200", "elements": {}, NUMBER: ""}, 2, "found the key of 16 characters"),
        ({"mti": "0200", "elements": {"99": "1"}}, 2, "element 99: not in the table"),
        (
            {"mti": "0200", "elements": {"1": "1"}},
            2,
            "1: not in the table: expected a number of 2 to 64",
        ),
        (
            {"mti": "0200", "elements": {"x": "1"}},
            2,
            '"x": not in the table: expected a number of 2 to',
        ),
        (
            {"mti": "0200", "elements": {"": "1"}},
            2,
            "of 0 characters: not in the table: expected a number",
        ),
        (
            {"mti": "0200", "elements": {"7": "1"}},
            2,
            "not in the table: expected one of 2, 3, 4, 11, 12",
        ),
        ({"mti": "0200", "elements": {NUMBER: "1"}}, 2, "element of 16 characters: not in"),
        ({"mti": "0200", "elements": {"4": 1}}, 2, "4: expected a string, found a number"),
        ({"mti": "0200", "elements": {"4": None}}, 2, "4: expected a string, found null"),
        ({"mti": "0200", "elements": {"4": True}}, 2, "4: expected a string, found true or false"),
        ({"mti": "0200", "elements": {"4": ["1"]}}, 2, "4: expected a string, found a list"),
        ({"mti": "0200", "elements": {"4": {}}}, 2, "4: expected a string, found an object"),
        ({"mti": "0200", "elements": {"64": "xy"}}, 2, "element 64: expected hex"),
        ({"mti": "0200", "elements": {"4": "1"}}, 1, "element 4: expected 12 digits"),
        ({"mti": "02", "elements": {}}, 1, ": MTI: expected four digits"),
    ],
)
def test_what_cannot_be_made_is_named_by_its_key(posd, typed, code, problem):
    found, shown, problems = posd("encode", typed=json.dumps(typed))
    assert (found, shown) == (code, "")
    assert problem in problems
    assert len(problems.splitlines()) == 1
    assert NUMBER not in problems


def test_the_example_in_the_help_can_be_encoded(posd):
    _, shown, _ = posd("encode", "--help")
    example = shown[shown.index('{"mti"') : shown.index("}}") + 2]
    code, frame, problems = posd("encode", typed=example)
    assert (code, problems) == (0, "")
    code, shown, _ = posd("decode", frame.strip())
    assert code == 0
    assert "123456789012345" in shown


@pytest.mark.parametrize("typed", ['{"mti": ' + "1" * 5000 + "}", "[" * 100_000])
def test_json_beyond_measure_is_one_line(posd, typed):
    code, shown, problems = posd("encode", typed=typed)
    assert (code, shown) == (2, "")
    assert "expected JSON" in problems
    assert len(problems.splitlines()) == 1


@pytest.mark.parametrize("messages", [(SALE,), (SALE, APPROVED)])
def test_what_decode_writes_is_known_and_the_other_form_is_shown(posd, messages):
    _, decoded, _ = posd("decode", "--json", *(message.hex() for message in messages))
    code, shown, problems = posd("encode", typed=decoded)
    assert (code, shown) == (2, "")
    assert "found what posd decode --json writes, whose values are masked" in problems
    assert 'expected {"mti": "0800", "elements": {"11": "000001", ...}}' in problems
    assert len(problems.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"mti": "0200",\n"elements": {"4": "1\n"}}', "Invalid control character at line 2"),
        ('{"mti": "0200"}\n{}', "Extra data at line 2"),
    ],
)
def test_a_mistake_in_json_is_told_with_its_file_and_line(posd, tmp_path, text, problem):
    file = tmp_path / "message.json"
    file.write_text(text)
    assert posd("encode", str(file))[2] == f"posd encode: {file}: expected JSON: {problem}\n"
    assert posd("encode", typed=text)[2].startswith("posd encode: standard input: expected JSON")
