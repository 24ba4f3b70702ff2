"""Numbers are shown so that they can be read back, and no way up and down ends beside where it began."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from nodegraph.node import Input, Range
from nodegraph.numerals import read_number
from ui.base.text import number
from ui.widgets.editors import NumberEditor
from ui.widgets.fields import NumberBox
from ui.widgets.numbers import step_of, stepped

FINITE = st.floats(-1e15, 1e15, allow_nan=False)
STEPS = st.sampled_from([0.01, 0.05, 0.1, 0.25, 1.0, 8.0, 1e-6])
WAYS = st.lists(st.integers(-10, 10), min_size=1, max_size=20)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_shown_of_a_fraction_is_read_as_the_same(value: float):
    assert read_number(number(value), float) == value


@given(st.integers(-(10**30), 10**30))
def test_what_is_shown_of_a_whole_number_is_read_as_the_same(value: int):
    assert read_number(number(value), int) == value


def test_what_is_shown_is_short():
    assert [number(value) for value in (1.0, 0.1, 7.5, 1234567.0, 0.1234567, 5)] == [
        "1", "0.1", "7.5", "1234567", "0.1234567", "5",
    ]  # fmt: skip


def stepping(box: NumberBox, value: float, ways: list[int]) -> list[float]:
    """The values on the way, each shown in the box as a document would have it."""
    shown: list[float] = []
    box.show_value(value)
    for steps in ways:
        box.stepBy(steps)
        shown.append(box.value)
    return shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=FINITE, step=STEPS, ways=WAYS)
def test_stepping_up_and_down_ends_where_it_began(qtbot, value: float, step: float, ways: list[int]):
    box = NumberBox(float, step)
    qtbot.addWidget(box)
    box.stepped.connect(box.show_value)
    assert stepping(box, value, [*ways, -sum(ways)])[-1] == value


@given(value=st.integers(-(10**20), 10**20), ways=WAYS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stepping_whole_numbers_up_and_down_ends_where_it_began(qtbot, value: int, ways: list[int]):
    box = NumberBox(int, 8)
    qtbot.addWidget(box)
    box.stepped.connect(box.show_value)
    assert stepping(box, value, [*ways, -sum(ways)])[-1] == value


def test_steps_are_those_that_are_shown(qtbot):
    box = NumberBox(float, 0.1)
    qtbot.addWidget(box)
    box.stepped.connect(box.show_value)
    assert stepping(box, 0.1, [1, 1, -3]) == [0.2, 0.3, 0.0]


def test_stepping_goes_on_from_what_came_meanwhile(qtbot):
    box = NumberBox(float, 0.1)
    qtbot.addWidget(box)
    box.stepped.connect(box.show_value)
    stepping(box, 0.123, [1])
    assert stepping(box, 5.0, [-1]) == [4.9]


SPECS = [
    Input("ratio", float, 0.5, (Range(0.0, 1.0),)),
    Input("strength", float, 1.0, (Range(-10.0, 10.0, step=0.05),)),
    Input("count", int, 3, (Range(1, 150),)),
    Input("width", int, 64, (Range(8, 4096, step=8),)),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@given(data=st.data())
def test_a_drag_that_comes_back_ends_where_it_began(spec: Input, data: st.DataObject):
    limits = spec.get(Range)
    assert limits
    kind = st.integers(int(limits.min), int(limits.max)) if spec.type is int else st.floats(limits.min, limits.max)
    start = data.draw(kind)
    assert stepped(spec, start, 0.0, step_of(spec)) == start
    far = stepped(spec, start, data.draw(st.floats(-1e3, 1e3)), step_of(spec))
    assert limits.min <= far <= limits.max


def test_a_slider_that_comes_back_ends_where_it_began(qtbot):
    editor = NumberEditor(SPECS[0])
    qtbot.addWidget(editor)
    editor.edited.connect(editor.show_value)
    editor.show()
    editor.show_value(0.1234567)
    assert editor.slider
    with qtbot.waitActive(editor):
        editor.activateWindow()
    editor.slider.setFocus()
    seen = []
    editor.edited.connect(seen.append)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Left):
        QTest.keyClick(editor.slider, key)
    assert seen == [0.13, 0.14, 0.13, 0.1234567]
