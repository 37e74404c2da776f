"""Differences between two values, and details, as rows for a reader."""

import json

import pytest

from pam.differences import (
    BEFORE_THE_DIFFERENCE,
    MOST_PATH,
    MOST_ROWS,
    MOST_TEXT,
    Details,
    Differences,
    Entry,
    Row,
    Shown,
    details_of,
    differences,
)

pytestmark = pytest.mark.once


def told(previous, new):
    """Rows as (kind, path, before, after)."""
    return [
        (row.kind, row.path, row.before and row.before.text, row.after and row.after.text)
        for row in differences(previous, new).rows
    ]


def test_what_changed_came_and_went_by_name():
    previous = {"status": "active", "name": "Ann", "reason": "leave"}
    new = {"status": "suspended", "name": "Ann", "end": None}

    assert told(previous, new) == [
        ("added", "end", None, "null"),
        ("removed", "reason", "leave", None),
        ("changed", "status", "active", "suspended"),
    ]


@pytest.mark.parametrize("value", [None, {}, {"a": [1, {"b": None}]}, [], "text", 0, False])
def test_the_same_is_no_difference(value):
    assert differences(value, value) == Differences(())


def test_no_value_at_all_on_one_side():
    assert told(None, {"a": {"b": 1}, "c": []}) == [("added", "a.b", None, "1"), ("added", "c", None, "[]")]
    assert told({"a": {}}, None) == [("removed", "a", "{}", None)]
    assert told(None, "text") == [("added", "", None, "text")]


def test_nested_values_have_a_path():
    previous = {"policy": {"hours": [{"from": 8}, {"from": 9}], "": 1}}
    new = {"policy": {"hours": [{"from": 8}, {"from": 10}, {"from": 11}], "": 2}}

    assert told(previous, new) == [
        ("changed", 'policy.""', "1", "2"),
        ("changed", "policy.hours[1].from", "9", "10"),
        ("added", "policy.hours[2].from", None, "11"),
    ]


def test_a_list_of_names_is_compared_by_what_is_in_it():
    assert told({"roles": ["a", "b", "c", "c"]}, {"roles": ["b", "c", "d"]}) == [
        ("removed", "roles[]", "a", None),
        ("removed", "roles[]", "c", None),
        ("added", "roles[]", None, "d"),
    ]
    assert told(["a", "b"], ["b", "a"]) == [("changed", "", '["a", "b"]', '["b", "a"]')]


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), (1, 1.0), (1, "1"), ("", None), ({}, []), ([1], [True])]
)
def test_what_only_looks_alike_to_python_differs(one, other):
    assert len(differences({"a": one}, {"a": other}).rows) >= 1


def test_another_kind_of_value_went_and_came():
    assert told({"a": {"b": 1}}, {"a": "x"}) == [("removed", "a.b", "1", None), ("added", "a", None, "x")]
    assert told({"a": {"b": 1}}, {"a": [2]}) == [("removed", "a.b", "1", None), ("added", "a[0]", None, "2")]


def test_text_and_other_values_are_told_apart():
    (row,) = differences({"a": None}, {"a": "null"}).rows

    assert row == Row("a", Shown("null", is_text=False), Shown("null"))


def test_rows_are_bounded_and_the_others_counted():
    found = differences({}, {f"{n:04}": n for n in range(MOST_ROWS + 7)})

    assert [row.path for row in found.rows] == [f"{n:04}" for n in range(MOST_ROWS)]
    assert found.more == 7


def test_long_texts_are_cut_where_they_differ():
    (row,) = differences({"a": "x" * 9_000 + "y" * 1_000}, {"a": "x" * 9_000 + "z"}).rows

    start = 9_000 - BEFORE_THE_DIFFERENCE
    assert row.before == Shown("x" * 100 + "y" * 400, left_out_before=start, left_out_after=600)
    assert row.after == Shown("x" * 100 + "z", left_out_before=start)


def test_long_texts_without_a_counterpart_are_cut_at_the_end():
    (row,) = differences({}, {"k" * 10_000: "x" * 10_000}).rows

    assert row.path == "k" * MOST_PATH + "…"
    assert row.after == Shown("x" * MOST_TEXT, left_out_after=10_000 - MOST_TEXT)


def test_any_depth():
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]

    (row,) = differences({}, {"a": deep}).rows

    assert row.path.startswith("a[0][0]")


def test_text_is_given_as_it_is():
    for text in ("<script>alert(1)</script>", "\u202egpj.exe", "a\0b", '"', "&lt;"):
        assert told({}, {text: text}) == [("added", text, None, text)]


def test_details_of_json_and_of_text():
    assert details_of('{"ticket": "T-1", "steps": [{"ok": true}]}') == Details(
        (Entry("steps[0].ok", Shown("true", is_text=False)), Entry("ticket", Shown("T-1")))
    )
    assert details_of("left the company") == Details((Entry("", Shown("left the company")),))
    assert details_of(None) == details_of("") == Details(())
    assert details_of("12") == Details((Entry("", Shown("12")),))
    assert details_of(json.dumps(list(range(MOST_ROWS + 3)))).more == 3


@pytest.mark.parametrize("text", ["[" * 100_000, "[" + "9" * 5_000 + "]", "{", "[1e999]", '["\\ud800"]', "x" * 10_000])
def test_details_that_are_no_proper_json_can_be_shown(text):
    (entry,) = details_of(text).entries

    assert len(entry.value.text.encode()) <= MOST_TEXT
