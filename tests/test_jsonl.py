"""Records of a JSON Lines text, sound or not, each with its line."""

from unsilent.jsonl import NO_OBJECT, FileRecord, read_jsonl


def test_blank_lines_count_but_hold_nothing():
    assert list(read_jsonl('\n{"a": 1}\n  \n{"a": 2}\n')) == [
        FileRecord(2, {"a": 1}),
        FileRecord(4, {"a": 2}),
    ]


def test_a_fault_is_told_in_its_place():
    faults = [
        (each.line, each.fault) for each in read_jsonl('{\n[1]\n{"a": 1, "a": 2}\n' + "[" * 9)
    ]
    assert faults == [
        (1, "not valid JSON"),
        (2, NO_OBJECT),
        (3, "field 'a' appears twice"),
        (4, "not valid JSON"),
    ]


def test_a_line_separator_in_a_text_ends_no_line():
    assert list(read_jsonl('{"a": "one\u2028two"}')) == [FileRecord(1, {"a": "one\u2028two"})]


def test_nesting_without_end_is_no_json():
    assert [each.fault for each in read_jsonl("[" * 200_000)] == ["not valid JSON"]
