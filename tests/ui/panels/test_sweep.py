"""A sweep as a person makes one: values are typed, cells come, one is looked at; on a real engine."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from nodegraph.graph import Graph, Node, Port, connect
from nodegraph.planning.plan import Planner
from nodegraph.registry import Registry
from nodegraph.running.messages import Event, Planned, Progress, Started, Warned
from nodegraph.running.pace import Pace
from nodegraph.sweeping.axes import Axis
from nodegraph.sweeping.ledger import opened
from nodegraph.sweeping.news import event_of, line
from nodegraph.sweeping.sweep import Sweep, with_sweep
from nodegraph.types import Picture
from tests.denoodle.test_cluster import workers
from tests.toy_nodes.prints import grey
from tests.ui.engines import LONG, Desk
from ui.panels.sweep import SweepPanel
from ui.runs.job import read_jobs
from ui.runs.picture_index import Gallery
from ui.runs.sweep_jobs import AHEAD
from ui.runs.sweep_names import chosen
from ui.runs.sweep_process import CameElsewhere
from ui.runs.sweep_record import SweepRecord
from ui.runs.sweep_runs import SweepRuns

VALUE, AMOUNT, PARTS = Port("box", "value"), Port("step", "amount"), Port("slow", "parts")


def workflow_of_a_sweep(parts: int = 1) -> Graph:
    """box -> slow -> step -> print."""
    nodes = {
        "box": Node("toy.box", {"value": 10.0}),
        "slow": Node("toy.slow", {"parts": parts}),
        "step": Node("toy.step"),
        "print": Node("toy.print"),
    }
    graph = Graph(nodes)
    for src, dst in [("box", "slow"), ("slow", "step"), ("step", "print")]:
        graph = connect(graph, Port(src, "box"), Port(dst, "box"))
    return graph


def sweep(*axes: tuple[Port, tuple[object, ...]]) -> Sweep:
    return Sweep(tuple(Axis(port, values) for port, values in axes))


GRID = sweep((VALUE, (10.0, 20.0, 30.0)), (AMOUNT, (1.0, 2.0)))


class Swept:
    """A panel, and what it shows."""

    def __init__(self, desk: Desk, graph: Graph, record: SweepRecord | None = None) -> None:
        runner = desk.open(graph)
        self.document, self.queue = runner.document, desk.queue
        self.record = record or SweepRecord(desk.queue)
        self.runs = SweepRuns(runner.document, desk.engine, desk.queue, runner.plan, runner, self.record)
        self.panel = SweepPanel(self.runs)
        self.panel.resize(900, 500)
        self.panel.show()

    def states(self) -> list[str]:
        return [self.runs.state(cell) for cell in self.runs.cells]

    def levels(self) -> list[int]:
        """How bright the picture of each cell is."""
        return [SweepPictures.level(self.runs.pictures(cell)[0]) for cell in self.runs.cells]

    def field(self, row: int):
        return self.panel.form.rows[row].field

    def type(self, row: int, text: str) -> None:
        field = self.field(row)
        QTest.mouseClick(field, Qt.MouseButton.LeftButton)
        field.selectAll()
        QTest.keyClicks(field, text)
        QTest.keyClick(field, Qt.Key.Key_Return)

    def click(self, cell: tuple[int, ...], keys=Qt.KeyboardModifier.NoModifier) -> None:
        at = self.panel.grid.place(cell).center().toPoint()
        QTest.mouseClick(self.panel.grid.viewport(), Qt.MouseButton.LeftButton, keys, at)


class SweepPictures:
    @staticmethod
    def level(path: str) -> int:
        from PySide6.QtGui import QImage

        return QImage(path).pixelColor(2, 2).red()


@pytest.fixture(scope="module")
def engines(qapp: QApplication, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One engine process for all tests here: starting one takes most of the time that they take."""
    made = Desk(registry, tmp_path_factory.mktemp("sweeps"))
    yield made
    made.close()


@pytest.fixture
def desk(engines: Desk) -> Desk:
    """With nothing in its queue."""
    engines.queue.resume()
    engines.queue.remove(*(job.id for job in engines.queue.jobs))
    return engines


@pytest.fixture
def swept(desk: Desk, qtbot) -> Callable[..., Swept]:
    def made(graph: Graph, record: SweepRecord | None = None) -> Swept:
        found = Swept(desk, graph, record)
        qtbot.addWidget(found.panel)
        qtbot.waitUntil(lambda: not found.runs.naming, timeout=LONG)
        return found

    return made


@pytest.fixture
def finished(qtbot) -> Callable[[Swept], None]:
    def wait(found: Swept) -> None:
        qtbot.waitUntil(lambda: not found.runs.naming, timeout=LONG)
        QTest.mouseClick(found.panel.start, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: not found.runs.running, timeout=LONG)

    return wait


def test_a_parameter_is_chosen_its_values_are_typed_and_the_pictures_come(swept, finished, qtbot):
    found = swept(workflow_of_a_sweep())
    assert found.panel.hint.isVisible()
    assert not found.panel.start.isEnabled()
    menu = found.panel.form.menu()
    actions = {
        (inner.text(), action.text()): action
        for inner in menu.actions()
        if inner.menu()
        for action in inner.menu().actions()
    }
    actions["Step", "Amount"].trigger()
    found.type(0, "1:4")
    actions["Box", "Value"].trigger()
    found.type(1, "10|50")
    assert found.document.graph.extra["sweep"]["axes"] == (
        ("step", "amount", (1.0, 2.0, 3.0, 4.0)),
        ("box", "value", (10.0, 50.0)),
    )
    finished(found)
    assert found.states() == ["made"] * 8
    assert found.levels() == [11, 51, 12, 52, 13, 53, 14, 54]
    assert found.panel.start.text() == "All are made"
    assert "8 pictures · 8 made" in found.panel.summary.text()
    found.document.undo_stack.undo()
    found.document.undo_stack.undo()
    assert "sweep" not in found.document.graph.extra or len(found.document.graph.extra["sweep"]["axes"]) == 1


@pytest.mark.parametrize(
    ("text", "said"), [("1:", "no number"), ("cat", "takes a number"), ("0..9999999", "100,000 is the most")]
)
def test_what_cannot_be_meant_is_said_below_the_field_and_changes_nothing(swept, text: str, said: str):
    found = swept(with_sweep(workflow_of_a_sweep(), GRID))
    found.type(0, text)
    row = found.panel.form.rows[0]
    assert said in row.error.text()
    assert row.error.isVisible()
    assert row.field.text() == text
    assert found.runs.sweep.axes[0].values[-1] != 9999999
    found.type(0, "5|6")
    assert not row.error.isVisible()
    assert found.runs.sweep.axes[0].values == (5.0, 6.0)


def test_what_cells_share_is_told_before_they_run_and_computed_once(swept, finished):
    found = swept(with_sweep(workflow_of_a_sweep(), GRID))
    assert (found.runs.share.apart, found.runs.share.together) == (18, 3 + 3 + 6)
    assert "67% of the work of separate runs" in found.panel.summary.text()


def test_of_values_that_are_added_only_what_is_new_runs(swept, finished, desk: Desk):
    found = swept(with_sweep(workflow_of_a_sweep(), GRID))
    finished(found)
    began = desk.counted()
    found.type(1, "1|2|5")
    finished(found)
    assert len(began) == 3
    assert found.levels() == [11, 12, 15, 21, 22, 25, 31, 32, 35]


def test_undo_finds_the_pictures_again(swept, finished, qtbot):
    found = swept(with_sweep(workflow_of_a_sweep(), GRID))
    finished(found)
    found.document.set_param("slow", "tag", "other")
    qtbot.waitUntil(lambda: found.states() == [""] * 6, timeout=LONG)
    found.document.undo_stack.undo()
    qtbot.waitUntil(lambda: found.states() == ["made"] * 6, timeout=LONG)


def test_another_session_finds_the_pictures_and_goes_on(swept, finished, desk: Desk, tmp_path: Path):
    file = tmp_path / "sweeps.jsonl"
    found = swept(with_sweep(workflow_of_a_sweep(), GRID), SweepRecord(desk.queue, file))
    finished(found)
    Path(found.runs.pictures((0, 0))[0]).unlink()
    later = swept(found.document.graph, SweepRecord(desk.queue, file))
    assert later.states() == ["", *["made"] * 5]
    assert later.panel.start.text() == "Go on"
    finished(later)
    assert later.levels() == [11, 12, 21, 22, 31, 32]


def test_what_is_edited_meanwhile_changes_nothing_of_what_runs(swept, desk: Desk, qtbot):
    found = swept(with_sweep(workflow_of_a_sweep(), sweep((VALUE, tuple(map(float, range(AHEAD + 4)))))))
    QTest.mouseClick(found.panel.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: found.runs.made >= 1, timeout=LONG)
    found.document.set_param("step", "amount", 100.0)
    qtbot.waitUntil(lambda: not found.runs.running, timeout=LONG)
    found.document.undo_stack.undo()
    qtbot.waitUntil(lambda: found.states() == ["made"] * (AHEAD + 4), timeout=LONG)
    assert found.levels() == list(range(1, AHEAD + 5))


def test_stop_ends_it_and_it_goes_on_from_there(swept, finished, desk: Desk, qtbot):
    found = swept(with_sweep(workflow_of_a_sweep(10), sweep((VALUE, tuple(map(float, range(8)))))))
    QTest.mouseClick(found.panel.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: found.runs.made >= 2, timeout=LONG)
    QTest.mouseClick(found.panel.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not desk.engine.running, timeout=LONG)
    assert not found.runs.running
    made = found.runs.made
    assert 2 <= made < 8
    assert "running" not in found.states()
    finished(found)
    assert found.levels() == list(range(1, 9))
    assert len({found.runs.pictures(cell) for cell in found.runs.cells}) == 8


def test_no_more_cells_wait_than_others_may_wait_for(swept, finished, desk: Desk, qtbot):
    found = swept(with_sweep(workflow_of_a_sweep(), sweep((VALUE, tuple(map(float, range(AHEAD + 20)))))))
    desk.queue.pause()
    QTest.mouseClick(found.panel.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: desk.queue.waiting > 0, timeout=LONG)
    assert desk.queue.waiting == AHEAD
    assert found.states() == ["waiting"] * (AHEAD + 20)
    desk.queue.resume()
    qtbot.waitUntil(lambda: not found.runs.running, timeout=LONG)
    assert found.runs.made == AHEAD + 20


def test_a_sweep_that_is_taken_off_the_queue_brings_no_more_cells(swept, desk: Desk, qtbot):
    found = swept(with_sweep(workflow_of_a_sweep(), sweep((VALUE, tuple(map(float, range(AHEAD + 20)))))))
    desk.queue.pause()
    QTest.mouseClick(found.panel.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: desk.queue.waiting == AHEAD, timeout=LONG)
    (block,) = {job.block for job in desk.queue.jobs}
    assert desk.queue.more == {block: 20}
    desk.queue.remove(*(job.id for job in desk.queue.jobs))
    assert (desk.queue.jobs, desk.queue.more) == ((), {})
    assert not found.runs.running
    assert found.states() == [""] * (AHEAD + 20)


def test_what_the_cache_has_of_a_sweep_is_told_before_it_starts_and_so_is_the_time(swept, finished, qtbot):
    found = swept(with_sweep(workflow_of_a_sweep(), GRID))
    finished(found)
    later = swept(with_sweep(workflow_of_a_sweep(), sweep((VALUE, (10.0, 20.0, 70.0)), (AMOUNT, (1.0, 2.0)))))
    qtbot.waitUntil(lambda: later.runs.share.kept == 8, timeout=LONG)
    assert "67% of it in the cache" in later.panel.summary.text()
    assert sum(later.runs.share.missing.values()) == 4
    assert later.runs.share.seconds(Pace()) is None
    pace = Pace()
    for kind in later.runs.share.missing:
        pace.learn(kind, 10.0)
    assert later.runs.share.seconds(pace) == 40.0


def test_many_cells_are_made_ready_in_slices(swept, desk: Desk, qtbot):
    found = swept(with_sweep(workflow_of_a_sweep(), sweep((VALUE, tuple(map(float, range(40)))))))
    desk.queue.pause()
    pieces = list(chosen(found.runs.cells * 100, found.runs._names, [0], lambda name: True))
    assert len(pieces) > 4000 / 500
    assert not desk.queue.jobs


def test_words_are_replaced_as_in_the_command_and_a_text_may_begin_like_that(swept, qtbot):
    graph = workflow_of_a_sweep()
    nodes = {**graph.nodes, "slow": Node("toy.slow", {"tag": "a cat on a mat"})}
    found = swept(with_sweep(Graph(nodes, graph.links), sweep((Port("slow", "tag"), ("a cat on a mat",)))))
    found.type(0, "~cat|dog|fox")
    assert found.runs.sweep.axes[0].values == ("a cat on a mat", "a dog on a mat", "a fox on a mat")
    found.type(0, "~owl|dog")
    assert "holds no" in found.panel.form.rows[0].error.text()
    found.type(0, "=~owl|dog")
    assert found.runs.sweep.axes[0].values == ("~owl", "dog")
    found.panel.setFocus()
    found.document.undo_stack.undo()
    found.document.undo_stack.redo()
    assert found.field(0).text() == "=~owl|dog"


def test_a_sample_is_typed(swept, qtbot):
    found = swept(with_sweep(workflow_of_a_sweep(), GRID))
    field = found.panel.form.sample
    QTest.mouseDClick(field.lineEdit(), Qt.MouseButton.LeftButton)
    field.selectAll()
    QTest.keyClicks(field, "4")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert found.runs.sweep.sample == 4
    assert len(found.runs.cells) == 4
    found.document.undo_stack.undo()
    qtbot.waitUntil(lambda: field.text() == "All of them", timeout=LONG)


def test_cells_are_shown_by_a_parameter_by_rating_and_by_time(swept, finished, desk: Desk, tmp_path: Path):
    gallery = Gallery(tmp_path / "gallery.jsonl")
    desk.engine.happened.connect(gallery.take)
    values = (103.0, 101.0, 102.0)
    found = swept(with_sweep(workflow_of_a_sweep(), sweep((VALUE, values))), SweepRecord(desk.queue, None, gallery))
    finished(found)
    panel = found.panel

    def shown(words: str) -> list[float]:
        panel.ordering.setCurrentIndex(panel.ordering.findText(words))
        panel.ordering.activated.emit(panel.ordering.currentIndex())
        (page,) = panel.grid._pages
        return [values[cell[0]] for cell in page.places.values()]

    assert shown("By Value · Box") == [101, 102, 103]
    gallery.rate(found.runs.pictures((2,))[0], rating=4)
    assert shown("Best rated first")[0] == 102
    assert shown("Newest first") == [102, 101, 103]
    assert shown("As a sheet") == [103, 101, 102]
    desk.engine.happened.disconnect(gallery.take)


def test_a_cell_that_fails_says_why_and_is_tried_again(swept, finished, desk: Desk):
    graph = workflow_of_a_sweep()
    graph = Graph({**graph.nodes, "slow": Node("toy.refuse")}, graph.links)
    found = swept(with_sweep(graph, sweep((VALUE, (1.0, 2.0)))))
    finished(found)
    assert found.states() == ["failed", "failed"]
    assert "the box must be red" in found.runs.message((0,))
    assert "2 failed" in found.panel.summary.text()
    began = desk.counted()
    finished(found)
    assert len(began) == 2


def test_a_click_looks_at_a_cell_and_a_double_click_opens_its_workflow(swept, finished, qtbot):
    found = swept(with_sweep(workflow_of_a_sweep(), GRID))
    finished(found)
    with qtbot.waitSignal(found.panel.looked_at, timeout=LONG) as looked:
        found.click((1, 1))
    (result,) = looked.args
    assert result.graph.nodes["box"].params["value"] == 20.0
    assert result.graph.nodes["step"].params["amount"] == 2.0
    assert "sweep" not in result.graph.extra
    with qtbot.waitSignal(found.panel.opened, timeout=LONG) as opened:
        at = found.panel.grid.place((2, 0)).center().toPoint()
        QTest.mouseDClick(found.panel.grid.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert opened.args[0].nodes["box"].params["value"] == 30.0


def test_arrows_go_from_cell_to_cell_and_shift_selects_two_to_compare(swept, finished, qtbot):
    found = swept(with_sweep(workflow_of_a_sweep(), GRID))
    finished(found)
    grid = found.panel.grid
    found.click((0, 0))
    QTest.keyClick(grid, Qt.Key.Key_Right)
    assert grid.selected == [(1, 0)]
    QTest.keyClick(grid, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert grid.selected == [(1, 0), (1, 1)]
    menu = found.panel._menu()
    compare = next(action for action in menu.actions() if action.text() == "Compare the two")
    with qtbot.waitSignal(found.panel.compared, timeout=LONG) as compared:
        compare.trigger()
    assert [result.graph.nodes["step"].params["amount"] for result in compared.args] == [1.0, 2.0]


def test_the_values_of_a_cell_become_the_documents_and_its_row_can_be_taken_out(swept):
    found = swept(with_sweep(workflow_of_a_sweep(), GRID))
    found.click((2, 1))
    actions = {action.text(): action for action in found.panel._menu().actions()}
    actions["Use these values"].trigger()
    assert found.document.graph.nodes["box"].params["value"] == 30.0
    assert found.document.graph.nodes["step"].params["amount"] == 2.0
    found.click((1, 0))
    actions = {action.text(): action for action in found.panel._menu().actions()}
    actions["Take out Value 20"].trigger()
    assert found.runs.sweep.axes[0].values == (10.0, 30.0)


def test_several_seeds_are_tried_at_once_and_the_ones_that_are_liked_are_kept(swept, desk: Desk, qtbot):
    graph = workflow_of_a_sweep()
    nodes = {**graph.nodes, "set": Node("toy.settings"), "sum": Node("toy.add")}
    graph = connect(Graph(nodes, graph.links), Port("box", "box"), Port("sum", "a"))
    graph = connect(connect(graph, Port("set", "box"), Port("sum", "b")), Port("sum", "box"), Port("slow", "box"))
    found = swept(graph)
    numbers = iter((3, 30, 60, 90))
    assert found.runs.try_seeds(4, lambda limit: next(numbers))
    qtbot.waitUntil(lambda: found.runs.made == 4, timeout=LONG)
    assert found.runs.sweep.axes[0].values == (3, 30, 60, 90)
    qtbot.waitUntil(lambda: len(found.panel.grid._places) == 4, timeout=LONG)
    found.click((1,))
    found.click((3,), Qt.KeyboardModifier.ControlModifier)
    actions = {action.text(): action for action in found.panel._menu().actions()}
    actions["Keep these alone"].trigger()
    assert found.runs.sweep.axes[0].values == (30, 90)
    found.document.undo_stack.undo()
    qtbot.waitUntil(lambda: found.runs.made == 4, timeout=LONG)


def test_without_a_seed_there_is_nothing_to_try(swept):
    found = swept(workflow_of_a_sweep())
    assert not found.runs.try_seeds(4, lambda limit: 0)
    assert "sweep" not in found.document.graph.extra


def test_s_stars_the_pictures_of_cells_in_the_gallery(swept, finished, desk: Desk, tmp_path: Path):
    gallery = Gallery(tmp_path / "gallery.jsonl")
    desk.engine.happened.connect(gallery.take)
    found = swept(
        with_sweep(workflow_of_a_sweep(), sweep((VALUE, (100.0, 101.0)))), SweepRecord(desk.queue, None, gallery)
    )
    finished(found)
    found.click((1,))
    QTest.keyClick(found.panel.grid, Qt.Key.Key_S)
    assert [found.runs.starred(cell) for cell in found.runs.cells] == [False, True]
    assert gallery.pictures[found.runs.pictures((1,))[0]].starred
    QTest.keyClick(found.panel.grid, Qt.Key.Key_S)
    assert not found.runs.starred((1,))
    desk.engine.happened.disconnect(gallery.take)


def test_the_wheel_zooms_with_ctrl_and_scrolls_without(swept):
    found = swept(with_sweep(workflow_of_a_sweep(), sweep((VALUE, tuple(map(float, range(30)))))))
    grid = found.panel.grid
    side, at = grid.side, QPointF(100, 100)

    def wheel(keys: Qt.KeyboardModifier) -> None:
        event = QWheelEvent(
            at, QPointF(grid.viewport().mapToGlobal(at.toPoint())), QPoint(), QPoint(0, -120),
            Qt.MouseButton.NoButton, keys, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(grid.viewport(), event)

    wheel(Qt.KeyboardModifier.NoModifier)
    assert (grid.side, grid.verticalScrollBar().value() > 0) == (side, True)
    wheel(Qt.KeyboardModifier.ControlModifier)
    assert grid.side < side


def test_a_list_stands_in_as_many_columns_as_there_is_room_for(swept):
    found = swept(with_sweep(workflow_of_a_sweep(), sweep((VALUE, tuple(map(float, range(6)))))))
    grid = found.panel.grid

    def columns() -> int:
        return len({found.panel.grid.place(cell).left() for cell in found.runs.cells})

    wide = columns()
    found.panel.resize(560, 500)
    QApplication.processEvents()
    assert wide > columns() >= 1
    assert all(grid.place(cell).right() <= grid.viewport().width() for cell in found.runs.cells)


def test_a_damaged_sweep_of_a_file_is_said_and_the_window_goes_on(swept):
    graph = workflow_of_a_sweep()
    found = swept(Graph(graph.nodes, graph.links, extra={"sweep": {"axes": (("box", "value", ("x",)),)}}))
    assert "value takes" in found.panel.error.text()
    assert found.panel.error.isVisible()
    assert not found.panel.start.isEnabled()


def test_the_sheet_and_its_table_are_saved(swept, finished, qtbot, tmp_path: Path):
    found = swept(with_sweep(workflow_of_a_sweep(), GRID))
    finished(found)
    found.panel.export_to(tmp_path / "sheet.png")
    qtbot.waitUntil(lambda: not found.panel.writer.busy, timeout=LONG)
    lines = (tmp_path / "sheet.csv").read_text().splitlines()
    assert len(lines) == 7
    assert lines[1].startswith("10.0,1.0,")


def test_a_record_that_is_damaged_loses_only_what_is_damaged(desk: Desk, tmp_path: Path):
    picture = tmp_path / "a.png"
    picture.touch()
    file = tmp_path / "sweeps.jsonl"
    file.write_text(f'["one", "{picture}"]\n["two"]\n["thr\n7\n[7]\n["bad", "a\\u0000b"]\n')
    record = SweepRecord(desk.queue, file)
    assert record.pictures("one") == (str(picture),)
    assert record.pictures("two") == ()
    assert record.pictures("bad") is None
    assert not record.complaints


def test_a_job_knows_its_cell_after_a_restart(swept, desk: Desk, qtbot):
    found = swept(with_sweep(workflow_of_a_sweep(), sweep((VALUE, (1.0, 2.0)))))
    desk.queue.pause()
    QTest.mouseClick(found.panel.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: desk.queue.waiting == 2, timeout=LONG)
    desk.queue.flush()
    tags = [job.tag for job in read_jobs((desk.folder / "queue.json").read_bytes())]
    assert tags == [job.tag for job in desk.queue.jobs]
    assert all(tags)


def choose(panel: SweepPanel, where: int) -> None:
    """Where it is made, by the keyboard."""
    panel.where.setFocus()
    for _ in range(where):
        QTest.keyClick(panel.where, Qt.Key.Key_Down)
    assert (panel.workers.isVisible(), panel.address.isVisible()) == (where > 0, where == 2)
    panel.workers.setFocus()
    panel.workers.selectAll()


class FakeCommand:
    """Tells what a command would that has workers make a sweep."""

    def __init__(self, runs: SweepRuns, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs, self.begun = runs, list[tuple[str, int, dict[tuple[int, ...], tuple[str, ...]]]]()
        monkeypatch.setattr(runs.elsewhere, "begin", self.begin)

    def begin(self, graph, where, workers, out, engine, made) -> None:
        self.begun.append((where, workers, made))

    def tell(self, cell: tuple[int, ...], *events: Event) -> None:
        for event in events:
            self.runs.elsewhere.happened.emit(cell, event_of(json.loads(line(cell, event))))


def test_a_cell_that_others_make_is_seen_while_it_is_made(swept, desk: Desk, monkeypatch, tmp_path):
    found = swept(with_sweep(workflow_of_a_sweep(), sweep((VALUE, (301.0, 302.0)))))
    command, logged = FakeCommand(found.runs, monkeypatch), list[Event]()
    found.runs.happened.connect(logged.append)
    choose(found.panel, 1)
    QTest.mouseClick(found.panel.start, Qt.MouseButton.LeftButton)
    assert command.begun == [("all", 0, {})]
    assert found.states() == ["waiting", "waiting"]
    red = Picture(2, 2, bytes([250, 0, 0]) * 4)
    command.tell((1,), Planned(3, 1), Started("slow", "k"), Progress("slow", 1, 2, red), Warned("it is warm"))
    assert found.states() == ["waiting", "running"]
    assert found.runs.on_the_way((1,)) == (red, 0.25)
    assert Warned("it is warm") in logged
    grid = found.panel.grid
    seen = grid.viewport().grab().toImage()
    assert seen.pixelColor(grid.place((1,)).center().toPoint()).getRgb()[:3] == (250, 0, 0)
    path = tmp_path / "made.png"
    path.write_bytes(grey(7))
    found.runs.elsewhere.came.emit(CameElsewhere((1,), (str(path),), ""))
    assert found.states() == ["waiting", "made"]
    assert found.runs.on_the_way((1,)) == (None, 0.0)
    found.runs.elsewhere.ended.emit("")
    assert found.states() == ["", "made"]


def test_what_the_window_made_others_do_not_make_again(swept, finished, desk: Desk, monkeypatch):
    found = swept(with_sweep(workflow_of_a_sweep(), sweep((VALUE, (311.0, 312.0, 313.0)))))
    found.runs.run([(1,)])
    finished(found)
    command = FakeCommand(found.runs, monkeypatch)
    found.runs.run_on("ray", 2)
    assert command.begun == [("ray", 2, {(1,): found.runs.pictures((1,))})]
    assert found.states() == ["waiting", "made", "waiting"]


def test_what_others_made_in_the_folder_of_the_window_is_found_by_its_result(swept, desk: Desk, qtbot):
    """Such as by a cluster that the window was closed over."""
    graph = with_sweep(workflow_of_a_sweep(), sweep((VALUE, (321.0, 322.0))))
    found = swept(graph)
    plan = Planner(desk.registry, desk.engine.environment).plan(found.runs.graph((0,)), ("print",))
    with opened(desk.folder / "out" / "sweeps" / found.document.name) as ledger:
        (ledger.beside() / "print.png").write_bytes(grey(9))
        ledger.keep({plan.keys["print"]: [str(ledger.folder / ".sweep" / "print.png")]})
    again = swept(graph)
    assert again.states() == ["made", ""]
    assert SweepPictures.level(again.runs.pictures((0,))[0]) == 9


@pytest.mark.slow
def test_all_gpus_make_a_sweep_of_the_window(swept, desk: Desk, qtbot, monkeypatch):
    monkeypatch.setenv("TOY_CARDS", "toy:0 toy:2")
    found = swept(with_sweep(workflow_of_a_sweep(5), sweep((VALUE, tuple(map(float, range(6)))))))
    choose(found.panel, 1)
    QTest.mouseClick(found.panel.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "running" in found.states(), timeout=LONG)
    qtbot.waitUntil(lambda: not found.runs.running, timeout=LONG)
    assert found.states() == ["made"] * 6
    assert found.levels() == list(range(1, 7))


@pytest.mark.cluster
def test_ray_workers_make_a_sweep_of_the_window_though_one_of_them_is_killed(swept, desk: Desk, qtbot):
    found = swept(with_sweep(workflow_of_a_sweep(20), sweep((VALUE, tuple(map(float, range(16)))))))
    panel = found.panel
    choose(panel, 2)
    QTest.keyClicks(panel.workers, "2")
    QTest.mouseClick(panel.start, Qt.MouseButton.LeftButton)
    assert found.states() == ["waiting"] * 16
    qtbot.waitUntil(lambda: found.runs.made >= 4, timeout=LONG)
    victims = workers(os.getpid())
    assert len(victims) == 2
    os.kill(victims[0], signal.SIGKILL)
    qtbot.waitUntil(lambda: not found.runs.running, timeout=LONG)
    assert found.states() == ["made"] * 16
    assert found.levels() == list(range(1, 17))
    assert "16 made" in panel.summary.text()


@pytest.mark.cluster
def test_stop_ends_what_other_processes_make(swept, desk: Desk, qtbot):
    found = swept(with_sweep(workflow_of_a_sweep(100), sweep((VALUE, (200.0, 201.0, 202.0, 203.0)))))
    found.runs.run_on("ray", 1)
    qtbot.waitUntil(lambda: found.runs.made >= 1, timeout=LONG)
    QTest.mouseClick(found.panel.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not found.runs.running, timeout=LONG)
    assert 1 <= found.runs.made < 4
    assert not workers(os.getpid())


def test_a_cluster_that_does_not_answer_is_said_in_the_panel(swept, desk: Desk, qtbot):
    found = swept(with_sweep(workflow_of_a_sweep(), GRID))
    choose(found.panel, 2)
    found.panel.address.setText("ray://127.0.0.1:9")
    QTest.mouseClick(found.panel.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not found.runs.running, timeout=LONG)
    assert "nobody answers at" in found.panel.said.text() or "pip install" in found.panel.said.text()
    assert found.states() == [""] * 6 or "made" in found.states()
