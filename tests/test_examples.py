"""Many cases in one test."""

import pytest

from tests.examples import each


def test_every_case_is_tried_with_every_other_and_with_the_fixtures_of_the_test():
    tried = []

    @each("a", "xy")
    @each(("b", "c"), [(1, 2), (3, 4)])
    def try_all(a, fixture, b, c):
        tried.append((a, fixture, b, c))

    try_all(fixture="f")
    assert tried == [("x", "f", 1, 2), ("x", "f", 3, 4), ("y", "f", 1, 2), ("y", "f", 3, 4)]


@each("whole", [1, 2, 3])
def test_a_test_of_many_cases_gets_its_fixtures_from_pytest(tmp_path, whole):
    assert tmp_path.is_dir()
    assert whole > 0


def test_the_case_that_failed_is_named():
    @each("number", [1, 0, 2])
    def try_all(number):
        assert 1 / number

    with pytest.raises(ZeroDivisionError) as failure:
        try_all()
    assert failure.value.__notes__ == ["where {'number': 0}"]


def test_so_is_the_case_in_which_nothing_was_raised():
    @each("text", ["1", "one"])
    def try_all(text):
        with pytest.raises(ValueError, match="invalid"):
            int(text)

    with pytest.raises(pytest.fail.Exception) as failure:
        try_all()
    assert failure.value.__notes__ == ["where {'text': '1'}"]
