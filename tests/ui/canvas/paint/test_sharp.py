"""However many nodes have pictures, the window holds so many bytes of them: what is looked at comes first."""

import threading

import pytest
from PySide6.QtCore import QObject

from nodegraph import graph as edits
from nodegraph.graph import Node
from nodegraph.planning.calls import Call
from nodegraph.running.messages import Finished, Planned
from nodegraph.types import Picture
from tests.toy_nodes.boxes import box
from ui.base.kept import Kept
from ui.base.post import Post
from ui.canvas.paint import sharp
from ui.runs.run_state import RunState
from ui.runs.shown import SMALL_SIDE
from ui.widgets import pixmaps
from ui.widgets.pixmaps import Pixmaps, aspect

SIDE = 64
NBYTES = 3 * SIDE * SIDE


def picture(number: int, width: int = SIDE, height: int = SIDE) -> Picture:
    """None looks like another, and none is of one colour."""
    return Picture(width, height, bytes([number % 256, number // 256, 200]) + bytes(3 * width * height - 3))


def finished(number: int, **size: int) -> Finished:
    return Finished(f"n{number}", f"k{number}", (), 0.1, cached=False, picture=picture(number, **size))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, qapp: QObject) -> RunState:
    """With room for ten pictures."""
    monkeypatch.setattr("ui.runs.shown.PICTURE_BYTES", 10 * NBYTES)
    monkeypatch.setattr("ui.runs.call_records.PICTURE_BYTES", 10 * NBYTES)
    return RunState()


def whole(runs: RunState) -> list[str]:
    return [node for node, run in runs.nodes.items() if run.picture and run.picture.width == SIDE]


def test_the_bytes_of_what_is_kept_stay_below_the_limit():
    kept: Kept[int] = Kept(100)
    gone = [old for number in range(1000) for old in kept.put(number, 30)]
    assert gone == list(range(997))
    assert kept.used == 90
    kept.touch(997)
    assert kept.put(2, 30) == [998]
    assert kept.put(3, 1000) == [999, 997, 2]
    assert 3 in kept  # the newest stays, however large


def test_of_many_nodes_the_newest_pictures_stay_whole_and_the_others_become_small(runs):
    for number in range(100):
        runs.take(finished(number))
    assert whole(runs) == [f"n{number}" for number in range(90, 100)]
    held = sum(len(run.picture.rgb) for run in runs.nodes.values())
    assert held <= 10 * NBYTES + 90 * 3 * SMALL_SIDE**2


def test_a_picture_that_was_made_small_keeps_its_place_on_the_node(runs):
    runs.take(finished(0, width=SIDE, height=37))
    for number in range(1, 100):
        runs.take(finished(number))
    assert runs.is_small("n0")
    assert runs.of("n0").aspect == 37 / SIDE


def test_the_pictures_of_nodes_that_are_looked_at_are_not_made_small(runs):
    for number in range(10):
        runs.take(finished(number))
    runs.sharpen(["n0"])
    for number in range(10, 19):
        runs.take(finished(number))
    assert "n0" in whole(runs)


def test_a_picture_that_was_made_small_is_asked_for_again_when_it_is_looked_at(runs):
    call = Call("k0", "n0", (), box.node_type, {})  # pyright: ignore
    runs.expect({"k0": call})
    for number in range(100):
        runs.take(finished(number))
    wanted: list[Call] = []
    runs.wanted.connect(wanted.extend)
    runs.sharpen(["n0", "n95"])
    assert wanted == [call]
    runs.compare({"n0": "k0"})
    runs.see("n0", "k0", picture(0))
    assert not runs.is_small("n0")


def test_a_group_shows_the_newest_of_what_is_in_it_within_the_limit(runs):
    for number in range(100):
        runs.take(Finished(f"g/n{number}", f"k{number}", (), 0.1, cached=False, picture=picture(number)))
    assert len(whole(runs)) <= 10
    assert runs.of("g").picture == picture(99)


def test_no_pixmap_is_made_for_a_node_that_is_not_painted(canvas, monkeypatch):
    made: list[float] = []
    monkeypatch.setattr(pixmaps, "thumbnail", lambda *args: made.append(1) or pixmaps.pixmap(args[0]))
    for number in range(200):
        node = Node("toy.box", pos=(0, 5000 + 400 * number))
        canvas.document.edit("Add", edits.add_node, f"n{number}", node)
        canvas.runs.take(finished(number))
    canvas.grab()
    assert len(made) < 20


def test_pixmaps_of_a_canvas_are_bounded_by_bytes(monkeypatch, qapp):
    monkeypatch.setattr(pixmaps, "PIXMAP_BYTES", 10 * 4 * SIDE * SIDE)
    made = Pixmaps()
    for number in range(100):
        assert made.of(f"n{number}", picture(number), 220.0) is not None
    assert made.used == 10 * 4 * SIDE * SIDE
    made.clear()
    assert made.used == 0


def test_a_pixmap_is_that_of_the_newest_picture(canvas):
    for number in (1, 255):
        canvas.runs.take(Finished("sum", f"k{number}", (), 0.1, cached=False, picture=picture(number)))
        assert canvas.scene.nodes["sum"].pixmap.toImage().pixelColor(0, 0).red() == number


def test_whether_there_is_something_to_see_is_found_out_once_for_each_picture(runs, monkeypatch):
    looked: list[Picture] = []
    monkeypatch.setattr("ui.runs.shown.aspect", lambda shown: looked.append(shown) or aspect(shown))
    for number in range(20):
        runs.take(finished(number))
        runs.take(Planned(20, 0))
    assert len(looked) == 20


def test_the_canvas_asks_for_pictures_in_sight_when_the_view_rests(canvas, qtbot, monkeypatch):
    monkeypatch.setattr(sharp, "PAUSE_MS", 0)
    asked: list[list[str]] = []
    monkeypatch.setattr(canvas.runs, "sharpen", lambda nodes: asked.append(list(nodes)))
    canvas.runs.take(Finished("sum", "k", (), 0.1, cached=False, picture=picture(1)))
    canvas.state.show_view(canvas.state.view)
    qtbot.waitUntil(lambda: bool(asked))
    assert asked[-1] == ["sum"]


def test_a_run_tells_of_the_newest_picture_in_a_batch_alone(runs):
    runs.take(Planned(50, 0))
    told: list[str] = []
    runs.pictured.connect(told.append)
    runs.hold(True)
    for number in range(50):
        runs.take(finished(number))
    runs.hold(False)
    assert told == ["n49"]


def test_pictures_that_wait_to_be_taken_are_bounded_by_bytes(monkeypatch):
    monkeypatch.setattr("ui.base.post.FULL_BYTES", 10 * NBYTES)
    post, put = Post(), []

    def read() -> None:
        for number in range(30):
            post.put(finished(number))
            put.append(number)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(0.5)
    assert len(put) == 10
    while reader.is_alive():
        post.take()
    assert len(put) == 30
