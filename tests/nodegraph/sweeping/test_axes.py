"""What people write for the values of a parameter, and what is said of what cannot be meant."""

import glob
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port, connect
from nodegraph.sweeping import axes
from nodegraph.sweeping.axes import Axis, read, written
from tests.examples import each

TYPES = discover("tests.toy_nodes")
GRAPH = connect(
    Graph(
        {
            "set": Node("toy.settings", {"text": "a cat on a mat"}),
            "box": Node("toy.box"),
            "add": Node("toy.step", {}),
            "gone": Node("toy.gone"),
        }
    ),
    Port("box", "box"),
    Port("add", "box"),
)


def values(text: str) -> tuple[object, ...]:
    return read(GRAPH, TYPES, text).values


@each(
    ("text", "meant"),
    [
        ("set.count=1:9:2", (1, 3, 5, 7, 9)),
        ("set.count=1:4", (1, 2, 3, 4)),
        ("set.count=4:1", (4, 3, 2, 1)),
        ("set.count=8:1:-3", (8, 5, 2)),
        ("set.seed=0..3", (0, 1, 2, 3)),
        ("set.seed=-1..1", (-1, 0, 1)),
        ("set.seed=7", (7,)),
        ("set.count=1:3|7", (1, 2, 3, 7)),
        ("set.ratio=0.1:0.5:0.1", (0.1, 0.2, 0.3, 0.4, 0.5)),
        ("set.ratio=1|0.5|2e-1", (1.0, 0.5, 0.2)),
        ("box.value=1e3:3e3:1e3", (1000.0, 2000.0, 3000.0)),
        ("set.text=a cat|a dog", ("a cat", "a dog")),
        (r"set.text=a\|b|c", ("a|b", "c")),
        ("set.text=a=b|", ("a=b", "")),
        ("set.text~cat|dog|fish", ("a cat on a mat", "a dog on a mat", "a fish on a mat")),
        ("set.text~a |the ", ("a cat on a mat", "the cat on the mat")),
        ("set.kind=linear|cosine", ("linear", "cosine")),
        ("set.flag=true|false", (True, False)),
        ("set.values=[1.0]|[2.0, 3.0]", ((1.0,), (2.0, 3.0))),
    ],
)
def test_values_are_read_as_they_are_written(text: str, meant: tuple[object, ...]):
    assert values(text) == meant


@given(st.integers(-500, 500), st.integers(1, 40), st.integers(0, 30), st.integers(0, 3))
def test_a_range_has_the_decimal_numbers_that_a_person_would_write(first: int, step: int, count: int, places: int):
    """Not those that come of adding floats up: their errors grow."""
    written = [f"{(first + index * step) / 10**places:.{places}f}" for index in range(count + 1)]
    found = values(f"box.value={written[0]}:{written[-1]}:{step / 10**places:.{places}f}")
    assert found == tuple(map(float, written))


@each(
    ("text", "said"),
    [
        ("count=1", "write node.parameter=values"),
        ("nonsense", "write node.parameter=values"),
        ("sat.count=1", "no node 'sat'; did you mean 'set'?"),
        ("set.cuont=1", "no parameter 'cuont'; did you mean 'count'?"),
        ("gone.x=1", "'toy.gone', which is not installed"),
        ("add.box=1", "comes by a link"),
        ("set.count=0:5", "node 'set': count must be between 1 and 10, got 0"),
        ("set.count=1:11", "count must be between 1 and 10, got 11"),
        ("set.count=1:11:0.5", "must be between 1 and 10"),
        ("set.count=1:2:0.5", "count takes a whole number, not '1.5'"),
        ("set.count=1:9:0", "steps of 0 never lead from 1 to 9"),
        ("set.count=1:9:-1", "steps of -1 never lead from 1 to 9"),
        ("set.count=1:2:1:1", "a range is first:last or first:last:step"),
        ("set.count=a:b", "'a' is no number"),
        ("box.value=nan:1", "'nan' is no number"),
        ("box.value=0:1e999999", "'1e999999' is no number"),
        ("set.seed=0..9999999", "10,000,000 values; 100,000 is the most"),
        ("box.value=0:1:1e-30", "values; 100,000 is the most"),
        ("set.count=|", "count takes a whole number, not ''"),
        ("set.kind=linear|square", "kind must be one of linear, cosine"),
        ("set.text~dog|cat", "text holds no 'dog'"),
        ("set.text~|cat", "text holds no ''"),
        ("set.count~1|2", "count is no text"),
        ("set.path=nowhere/*.txt", "there is no file ending in .txt in 'nowhere/*.txt'"),
    ],
)
def test_what_cannot_be_meant_is_said_in_a_sentence(text: str, said: str):
    with pytest.raises(ValueError, match=re.escape(said)):
        read(GRAPH, TYPES, text)


def test_a_folder_and_a_pattern_are_the_files_that_the_parameter_takes(tmp_path: Path):
    for name in ("b.txt", "a.txt", "c.png", "D.TXT"):
        (tmp_path / name).touch()
    (tmp_path / "e.txt").mkdir()
    names = [Path(str(path)).name for path in values(f"set.path={tmp_path}")]
    assert names == ["D.TXT", "a.txt", "b.txt"]
    assert values(f"set.path={tmp_path}/[ab].*") == (f"{tmp_path}/a.txt", f"{tmp_path}/b.txt")
    assert values(f"set.path={tmp_path}/a.txt|other.txt") == (f"{tmp_path}/a.txt", "other.txt")


def test_a_pattern_finds_what_the_shell_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one/a.txt", "one/.b.txt", "two/a.txt", "two/deep/c.txt", ".three/a.txt", "d.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    for pattern in ("*.txt", "*/*.txt", "[ot]*/a.txt", "./*/a.txt", "**/c.txt", "two/d*/*.txt", f"{tmp_path}/*/*.txt"):
        found = sorted(glob.glob(pattern))
        assert (values(f"set.path={pattern}") if found else ()) == tuple(found), pattern
    assert values("set.path=one/.*.txt") == ("one/.b.txt",)


def test_a_pattern_that_would_look_through_the_whole_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(axes, "MOST_CELLS", 20)
    for number in range(21):
        (tmp_path / f"{number}.png").touch()
    with pytest.raises(ValueError, match="is looked for among more than 20 files"):
        values(f"set.path={tmp_path}/*.txt")


@each(
    ("value", "label"),
    [
        (7.0, "7"),
        (True, "on"),
        ("", "(empty)"),
        ("loras/ink.safetensors", "ink.safetensors"),
        ("c:\\loras\\ink.safetensors", "ink.safetensors"),
        ("one\n two", "one two"),
        ("a/b", "a/b"),
    ],
)
def test_a_label_is_short_and_on_one_line(value: object, label: str):
    assert Axis(Port("set", "text"), (value,)).label(0) == label


NUMBERS = st.one_of(
    st.lists(st.floats(-1000, 1000), min_size=1, max_size=8),
    st.builds(
        lambda first, step, n: [first + i * step for i in range(n)],
        st.integers(-90, 90),
        st.integers(-9, 9),
        st.integers(1, 9),
    ),
)


@given(NUMBERS)
def test_numbers_are_written_so_that_they_are_read_as_they_are(numbers: list[float]):
    assert values(f"box.value={written(numbers)}") == tuple(map(float, numbers))


@given(st.lists(st.text(alphabet="a|\\ \n"), min_size=1, max_size=5))
def test_texts_are_written_so_that_they_are_read_as_they_are(texts: list[str]):
    assert values(f"set.text={written(texts)}") == tuple(texts)


@each(
    ("given", "text"),
    [
        ((1, 3, 5, 7, 9), "1:9:2"),
        ((0, 1, 2, 3), "0:3"),
        ((4.0, 7.5), "4|7.5"),
        ((True, False), "true|false"),
        ((3, 2, 1, 0), "3:0"),
    ],
)
def test_a_range_is_written_as_one(given: tuple[object, ...], text: str):
    assert written(given) == text
