"""Settings that files keep in objects of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodes.backend.fields import Field, Schema, Whole, check_fields, grouped

SCHEMA: Schema = {"a": Field(Whole(0, 9), 1), "text.a": Field(Whole(0, 9), 2), "text.b": Field(Whole(0, 9), 3)}
PLACE = Path("config.json")


def test_a_group_is_read_and_written_as_an_object():
    found = check_fields(PLACE, {"a": 4, "text": {"b": 5, "other": 6}}, SCHEMA)
    assert found == {"a": 4, "text.a": 2, "text.b": 5}
    assert grouped(found) == {"a": 4, "text": {"a": 2, "b": 5}}
    assert check_fields(PLACE, found, SCHEMA) == check_fields(PLACE, grouped(found), SCHEMA) == found


def test_what_is_wrong_in_a_group_is_said_by_its_whole_name():
    with pytest.raises(ValueError, match=r"config\.json: text\.b is 10; it must be a whole number from 0 to 9"):
        check_fields(PLACE, {"text": {"b": 10}}, SCHEMA)
    with pytest.raises(ValueError, match=r"config\.json: text is 3; it must be an object"):
        check_fields(PLACE, {"text": 3}, SCHEMA)
