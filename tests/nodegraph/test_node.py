"""What a signature declares."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import pytest

from nodegraph.node import REQUIRED, Choice, Context, File, Input, Range, node
from nodegraph.types import ListOf, accepts, socket_type, type_of
from tests.examples import each


@socket_type(color="#555555")
@dataclass(frozen=True)
class Thing:
    size: int = 0


@socket_type(color="#666666", plain=True)
@dataclass(frozen=True)
class Description:
    path: str = ""


class Pair(NamedTuple):
    small: Thing
    large: Thing


@node("test.everything", version=3, aliases=("sample",))
def every_thing(
    ctx: Context,
    thing: Thing,
    steps: Annotated[int, Range(1, 150)] = 20,
    kind: Literal["linear", "cosine"] = "linear",
    levels: tuple[float, ...] = (),
    path: Annotated[str, File((".png",))] = "",
    other: Thing | None = None,
) -> Pair:
    """Help for people.

    More of it.
    """
    return Pair(thing, thing)


TYPE = every_thing.node_type


def test_a_function_stays_a_function():
    assert every_thing(Context(), Thing(1)) == Pair(Thing(1), Thing(1))


def test_the_signature_is_the_whole_declaration():
    assert (TYPE.id, TYPE.version, TYPE.title, TYPE.category) == ("test.everything", 3, "Every thing", "test")
    assert TYPE.doc == "Help for people.\n\nMore of it."
    assert TYPE.takes_context
    assert [(i.name, i.type, i.default) for i in TYPE.inputs] == [
        ("thing", Thing, REQUIRED),
        ("steps", int, 20),
        ("kind", str, "linear"),
        ("levels", ListOf(float), ()),
        ("path", str, ""),
        ("other", Thing, None),
    ]
    assert [(o.name, o.type) for o in TYPE.outputs] == [("small", Thing), ("large", Thing)]
    assert TYPE.input_by_name["kind"].get(Choice) == Choice(("linear", "cosine"))
    assert TYPE.file_inputs == ("path",)


@pytest.mark.parametrize(
    ("hint", "name"), [(float, "value"), (Thing, "thing"), (tuple[float, ...], "value"), (Any, "value")]
)
def test_one_output_is_named_after_its_type_and_plain_ones_are_called_value(hint, name):
    def fn(): ...

    fn.__annotations__ = {"return": hint}
    assert [o.name for o in node("test.one")(fn).node_type.outputs] == [name]


def test_a_node_of_plain_values_is_folded_and_one_of_others_is_not():
    @node("test.plain")
    def plain(a: Description, b: tuple[float, ...] = ()) -> Description:
        return a

    @node("test.thing")
    def not_plain(a: Description) -> Thing:
        return Thing()

    @node("test.sink")
    def sink(a: float = 0.0) -> None: ...

    assert plain.node_type.foldable
    assert not not_plain.node_type.foldable
    assert not sink.node_type.foldable
    assert sink.node_type.is_sink


@each(
    ("input", "value", "complaint"),
    [
        (Input("n", int, 1, (Range(1, 5),)), 5, None),
        (Input("n", int, 1, (Range(1, 5),)), 6, "n must be between 1 and 5, got 6"),
        (Input("n", int, 1), 2.0, "n takes Integer, not 2.0"),
        (Input("n", int, 1), True, "n takes Integer, not True"),
        (Input("n", float, 1), True, "n takes Number, not True"),
        (Input("n", int, 1, (Range(0, 2**64 - 1),)), -1, "n must be between 0 and 18446744073709551615, got -1"),
        (Input("n", float, 1, (Range(0.0, 1234567.5),)), -1.0, "n must be between 0 and 1234567.5, got -1.0"),
        (Input("n", ListOf(int), ()), (1, True), "n takes List of Integer, not (1, True)"),
        (Input("n", ListOf(float), ()), (1.0, "a"), "n takes List of Number, not (1.0, 'a')"),
        (Input("n", float, 1), 2, None),
        (Input("n", float, 1), float("inf"), "n must be a finite number, got inf"),
        (Input("n", bool, True), 1, "n takes Boolean, not 1"),
        (Input("n", str, "", (Choice(("a", "b")),)), "c", "n must be one of a, b; got 'c'"),
        (Input("n", ListOf(float), ()), (1, 2.5), None),
        (Input("n", ListOf(float), ()), [1.0], "n takes List of Number, not [1.0]"),
        (Input("n", ListOf(float), (), (Range(0, 1),)), (0.5, 2), "n must be between 0 and 1, got 2"),
        (Input("n", Thing, None), None, None),
        (Input("n", Thing, REQUIRED), None, "n takes Thing, not None"),
    ],
)
def test_a_complaint_names_the_input_the_limit_and_the_value(input, value, complaint):
    assert input.complaint(value) == complaint


def test_a_context_that_is_not_the_first_parameter_is_refused():
    def late(value: int, ctx: Context) -> int:
        return value

    with pytest.raises(TypeError, match="comes first"):
        node("toy.late")(late)


@each(
    ("dst", "src", "fits"),
    [
        (float, int, True),
        (int, float, False),
        (float, bool, False),
        (int, bool, False),
        (bool, int, False),
        (bool, bool, True),
        (Any, Thing, True),
        (Thing, Any, True),
        (Thing, Description, False),
        (ListOf(float), ListOf(int), True),
        (ListOf(float), float, False),
        (float, ListOf(float), False),
    ],
)
def test_which_output_may_feed_which_input(dst, src, fits):
    assert accepts(dst, src) is fits


def test_the_type_of_a_list_is_that_of_its_elements():
    assert type_of((1, 2.5)) == ListOf(float)
    assert type_of((1, "a")) == ListOf(Any)
