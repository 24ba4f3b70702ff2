"""A real engine process, and the ways in which a node can bring it down."""

import os
import queue
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import nodes
from nodegraph.formats.files import HIDDEN
from nodegraph.graph import Graph, Node, Port, add_node, connect, set_param
from nodegraph.planning.plan import Plan
from nodegraph.running.client import EngineClient
from nodegraph.running.engine import BROKEN, Engine, Settings, _Server, _Task
from nodegraph.running.messages import (
    Began,
    Broke,
    Event,
    Failed,
    Finished,
    Free,
    Gone,
    Heard,
    Idle,
    Look,
    Memory,
    Progress,
    Ready,
    Report,
    Run,
    Saved,
    Seen,
    Source,
    Started,
    Warned,
)
from tests.toy_nodes.boxes import Box, preview

TIMEOUT = 60  # seconds; far beyond what anything takes, so a failure and not a hang


class Editor:
    """The editor's side of the pipe."""

    def __init__(self, settings: Settings):
        self.events: queue.Queue[Event] = queue.Queue()
        self.client = EngineClient(settings, self.events.put)

    def run(self, graph: Graph, *targets: str) -> list[Event]:
        """Everything up to Idle or Gone."""
        self.client.run(Run(graph, targets))
        return self.until(Idle | Gone)

    def until(self, kind: object, condition: Callable[[Event], bool] = lambda _: True) -> list[Event]:
        seen = [self.events.get(timeout=TIMEOUT)]
        while not (isinstance(seen[-1], kind) and condition(seen[-1])):
            seen.append(self.events.get(timeout=TIMEOUT))
        return seen


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings("tests.toy_nodes", "cpu", str(tmp_path / "cache"), 1 << 20, str(tmp_path / "out"))


@pytest.fixture
def editor(settings: Settings) -> Iterator[Editor]:
    editor = Editor(settings)
    yield editor
    editor.client.close()


def chain(*types: str) -> Graph:
    """A box, and nodes that each take the one before: ids are what stands behind the dot."""
    graph, before = Graph({"box": Node("toy.box", {"value": 3.0})}), "box"
    for type in types:
        id = type.split(".")[1]
        graph = connect(add_node(graph, id, Node(type)), Port(before, "box"), Port(id, "box"))
        before = id
    return graph


def loop(count: int) -> Graph:
    graph = Graph(
        {
            "box": Node("toy.box"),
            "begin": Node("repeat.begin", {"count": count}),
            "slow": Node("toy.slow", {"parts": 2}),
            "step": Node("toy.step"),
            "end": Node("repeat.end"),
            "show": Node("toy.show"),
        }
    )
    for src, dst in [
        (Port("box", "box"), Port("begin", "initial")),
        (Port("begin", "zone"), Port("end", "zone")),
        (Port("begin", "state"), Port("slow", "box")),
        (Port("slow", "box"), Port("step", "box")),
        (Port("step", "box"), Port("end", "next")),
        (Port("end", "value"), Port("show", "box")),
    ]:
        graph = connect(graph, src, dst)
    return graph


def steps(events: list[Event]) -> int:
    return sum(isinstance(e, Finished) and e.node == "step" and not e.cached for e in events)


def test_the_engine_says_what_keys_are_made_with(editor: Editor):
    editor.client.start()
    (ready,) = editor.until(Ready)
    assert isinstance(ready, Ready)
    assert (ready.environment, ready.pid) == ("toy on cpu", editor.client.pid)


def test_a_sink_gets_the_workflow_and_says_what_it_wrote(editor: Editor):
    graph = chain("toy.save")
    (saved,) = [e for e in editor.run(graph, "save") if isinstance(e, Saved)]
    text = Path(saved.path).read_text()
    assert text.startswith("3.0\n")
    assert '"toy.save"' in text


def test_what_killed_processes_left_between_the_pictures_is_gone_when_an_engine_starts(
    settings: Settings, request: pytest.FixtureRequest
):
    left = Path(settings.out_dir) / "cats" / f".cat_00001.png.7{HIDDEN}"
    left.parent.mkdir(parents=True)
    left.touch()
    request.getfixturevalue("editor").run(chain(), "box")
    assert not left.exists()


def test_what_was_written_already_is_not_written_again_while_it_is_there(editor: Editor):
    graph = chain("toy.save")
    for _ in range(2):
        (saved,) = [e for e in editor.run(graph, "save") if isinstance(e, Saved)]
        path = Path(saved.path)
        path.write_text("kept")
    assert path.read_text() == "kept"
    path.unlink()
    editor.run(graph, "save")
    assert path.read_text().startswith("3.0")


def test_a_run_without_effects_shows_what_a_sink_is_given_and_writes_nothing(editor: Editor):
    editor.client.run(Run(chain("toy.save"), ("save",), effects=False))
    events = editor.until(Idle)
    assert not any(isinstance(e, Saved) for e in events)
    assert next(e for e in events if isinstance(e, Finished) and e.node == "save").picture is not None


def test_what_is_said_of_a_run_comes_after_its_ticket(editor: Editor):
    for ticket in (7, 8):
        editor.client.run(Run(chain("toy.refuse"), ("refuse",), ticket=ticket))
        events = [e for e in editor.until(Idle) if not isinstance(e, Ready | Heard)]
        assert events[0] == Began(ticket)
        assert isinstance(events[-2], Failed)


def test_memory_is_told_and_freed_between_two_calls_of_a_run(editor: Editor):
    editor.client.run(Run(loop(1000), ("show",)))
    editor.until(Finished, lambda e: e.node == "step")
    editor.client.ask(Report())
    memory = editor.until(Memory)[-1]
    assert isinstance(memory, Memory)
    assert sum(memory.results.values()) > 0
    editor.client.ask(Free(results=("memory", "disk")))
    freed = editor.until(Memory)[-1]
    assert isinstance(freed, Memory)
    assert len(freed.results) < len(memory.results)
    assert freed.disk_results == 0
    events = editor.run(loop(3), "show")  # nothing that was freed is missed
    assert not any(isinstance(e, Failed) for e in events)


def test_asking_about_memory_starts_no_engine(editor: Editor):
    editor.client.ask(Report())
    assert not editor.client.alive


def test_warnings_in_the_engine_are_said(editor: Editor):
    (warned,) = [e for e in editor.run(chain("toy.mutter"), "mutter") if isinstance(e, Warned)]
    assert "the lid is loose" in warned.message


def test_an_unchanged_graph_runs_nothing(editor: Editor):
    graph = chain("toy.slow", "toy.show")
    editor.run(set_param(graph, "slow", "parts", 1), "show")
    idle = editor.run(set_param(graph, "slow", "parts", 1), "show")[-1]
    assert isinstance(idle, Idle)
    assert idle.run == 0  # the sink runs for its effect and is no result


def test_only_a_run_that_computes_something_comes_to_its_end(editor: Editor):
    assert [editor.run(chain("toy.show"), *targets)[-1].stopped for targets in (("show",), ())] == [False, True]


def test_a_workflow_that_no_file_can_hold_does_not_end_the_engine(editor: Editor):
    graph = add_node(chain("toy.save"), "odd", Node("toy.box", {"value": float("nan")}))
    failed, idle = editor.run(graph, "save")[-2:]
    assert isinstance(failed, Failed)
    assert "cannot be run" in failed.message
    assert isinstance(idle, Idle)


def test_a_stopped_loop_goes_on_where_it_stopped(editor: Editor):
    graph = loop(100)
    editor.client.run(Run(graph, ("show",)))
    before = steps(editor.until(Finished, lambda e: e.node == "step" and e.iteration == (5,)))
    before += steps(editor.run(Graph()))
    assert before < 100
    assert before + steps(editor.run(graph, "show")) == 100


def test_a_run_that_still_wants_the_running_call_does_not_restart_it(editor: Editor):
    graph = chain("toy.slow", "toy.show")
    editor.client.run(Run(graph, ("show",)))
    editor.until(Progress)
    graph = connect(add_node(graph, "late", Node("toy.save")), Port("slow", "box"), Port("late", "box"))
    events = editor.run(graph, "show", "late")
    assert sum(isinstance(e, Started) and e.node == "slow" for e in events) == 0
    assert any(isinstance(e, Finished) and e.node == "late" for e in events)


def test_a_run_that_wants_something_else_ends_the_running_call(editor: Editor):
    long = set_param(chain("toy.slow", "toy.show"), "slow", "parts", 100_000)
    editor.client.run(Run(long, ("show",)))
    editor.until(Progress)
    idle = editor.run(set_param(long, "slow", "parts", 1), "show")[-1]
    assert isinstance(idle, Idle)
    assert not idle.stopped


def test_a_problem_in_the_graph_is_said(editor: Editor):
    events = editor.run(Graph({"show": Node("toy.show")}), "show")
    assert any(isinstance(e, Failed) and (e.node, e.socket) == ("show", "box") for e in events)


@pytest.mark.parametrize(
    ("type", "sentence"),
    [("toy.refuse", "the box must be red"), ("toy.bug", "lid"), ("toy.eat_memory", "emory")],
)
def test_a_node_that_fails_fails_alone(editor: Editor, type: str, sentence: str):
    id = type.split(".")[1]
    failed = [e for e in editor.run(chain(type), id) if isinstance(e, Failed)]
    assert [f.node for f in failed] == [id]
    assert sentence in failed[0].message
    assert isinstance(editor.run(chain("toy.show"), "show")[-1], Idle)


@pytest.mark.parametrize(
    ("type", "exitcode", "sentence"),
    [
        ("toy.crash", -signal.SIGABRT, "The engine crashed while it was running 'crash' (SIGABRT)."),
        ("toy.leave", 3, "The engine ended while it was running 'leave' (exit code 3)."),
        (
            "toy.killed",
            -signal.SIGKILL,
            "Something outside the program ended the engine while it was running 'killed' (SIGKILL)",
        ),
    ],
)
def test_a_node_that_ends_the_process_is_named_and_the_next_run_works(
    editor: Editor, type: str, exitcode: int, sentence: str
):
    gone = editor.run(chain(type), type.split(".")[1])[-1]
    assert isinstance(gone, Gone)
    assert (gone.exitcode, gone.node) == (exitcode, type.split(".")[1])
    assert gone.message.startswith(sentence)
    assert isinstance(editor.run(chain("toy.show"), "show")[-1], Idle)


def test_a_process_whose_device_gave_up_ends_itself_and_says_so_with_its_end(editor: Editor, tmp_path: Path):
    graph = set_param(chain("toy.slow", "toy.break", "toy.show"), "break", "counter", str(tmp_path / "counter"))
    events = editor.run(graph, "show")
    gone = events[-1]
    assert isinstance(gone, Gone)
    assert (gone.exitcode, gone.node, gone.broken) == (BROKEN, "break", True)
    assert gone.message == "The device gave up while it was running 'break' (an illegal memory access)."
    assert "toys broke" in gone.traceback
    assert not [event for event in events if isinstance(event, Failed | Broke | Idle)]
    again = editor.run(graph, "show")  # in another process, from what the first one had
    assert [e.node for e in again if isinstance(e, Finished) and e.cached] == ["slow"]
    assert isinstance(again[-1], Idle)


def test_a_device_that_is_found_broken_between_two_calls_ends_the_process_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    def break_(*_: object) -> Idle:
        raise RuntimeError("toys broke: what was under way did not arrive")

    def leave(code: int) -> None:
        raise SystemExit(code)

    said: list[Event] = []
    engine = Engine(settings)
    monkeypatch.setattr(engine, "execute", break_)
    monkeypatch.setattr("os._exit", leave)
    server = _Server(SimpleNamespace(send=said.append), engine)  # type: ignore[arg-type]  # the side that sends
    with pytest.raises(SystemExit, match=str(BROKEN)):
        server._work_on(_Task(Run(Graph(), ("show",)), Plan({}, {}, (), {})))
    assert isinstance(said[-1], Broke)
    assert (said[-1].node, said[-1].why) == (None, "an illegal memory access")


def test_what_another_process_wrote_for_a_run_is_not_written_again(editor: Editor):
    graph = chain("toy.save")
    (saved,) = [e for e in editor.run(graph, "save") if isinstance(e, Saved)]
    editor.client.restart()
    Path(saved.path).write_text("kept")
    editor.client.run(Run(graph, ("save",), written={saved.key: (saved.path,)}))
    assert [e.path for e in editor.until(Idle) if isinstance(e, Saved)] == [saved.path]
    assert Path(saved.path).read_text() == "kept"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends processes to get memory back")
def test_when_memory_runs_out_the_system_ends_the_engine_and_not_the_editor(editor: Editor):
    editor.client.start()
    editor.until(Ready)
    score = [int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in (editor.client.pid, "self")]
    assert score[0] > score[1]


@pytest.mark.parametrize("type", ["toy.hang", "toy.deaf"])
def test_a_node_that_hangs_is_ended_by_a_restart_and_the_next_run_works(editor: Editor, type: str):
    id = type.split(".")[1]
    editor.client.run(Run(chain(type), (id,)))
    editor.until(Started, lambda e: e.node == id)
    editor.client.run(Run(Graph()))  # asking nicely changes nothing
    editor.client.restart()
    gone = editor.until(Gone)[-1]
    assert isinstance(gone, Gone)
    assert gone.message == f"The engine did not react while it was running {id!r} and was started again."
    assert isinstance(editor.run(chain("toy.show"), "show")[-1], Idle)


def test_asking_a_hanging_engine_does_not_hold_up_the_editor(editor: Editor):
    editor.client.run(Run(chain("toy.hang"), ("hang",)))
    editor.until(Started, lambda e: e.node == "hang")
    large = Graph({f"n{i}": Node("toy.box", {"text": "x" * 1000}) for i in range(1000)})
    for _ in range(5):
        editor.client.run(Run(large))  # more than the pipe holds, and nobody reads


def test_results_come_back_after_a_restart(settings: Settings):
    graph = set_param(loop(3), "slow", "parts", 5)
    ran: list[int] = []
    for _ in range(2):
        editor = Editor(settings)
        events = editor.run(graph, "show")
        editor.client.close()
        ran.append(sum(isinstance(e, Finished) and e.node == "slow" and not e.cached for e in events))
    assert ran == [3, 0]


def finished(events: list[Event], node: str) -> str:
    """The key of its result."""
    return next(event.key for event in events if isinstance(event, Finished) and event.node == node)


def test_kept_results_are_looked_at_without_a_run_after_a_restart(settings: Settings):
    editor = Editor(settings)
    key = finished(editor.run(chain("toy.slow"), "slow"), "slow")
    editor.client.close()
    editor = Editor(settings)
    editor.client.start()
    editor.client.ask(Look({"gone": Source("gone", None), "mine": Source(key, None)}, 100))
    (*_, seen) = editor.until(Seen)
    assert seen == Seen("mine", preview(Box(3.0)), 100)
    editor.client.close()


def test_what_is_asked_for_last_is_looked_at_first_after_the_run(editor: Editor):
    key = finished(editor.run(chain("toy.slow"), "slow"), "slow")
    editor.client.run(Run(loop(30), ("show",)))
    editor.until(Started)
    editor.client.ask(Look({"a": Source(key, None), "b": Source(key, 0)}))
    editor.client.ask(Look({"c": Source(key, None)}, 1000))
    assert not any(isinstance(event, Seen) for event in editor.until(Idle))
    found = editor.until(Seen, lambda event: event.key == "b")
    assert [event.key for event in found if isinstance(event, Seen)] == ["c", "a", "b"]


def test_the_engine_ends_when_the_editor_is_gone(tmp_path: Path):
    code = f"""
import os, queue
from nodegraph.running.client import EngineClient
from nodegraph.planning.plan import Plan
from nodegraph.running.engine import BROKEN, Engine, Settings, _Server, _Task
from nodegraph.formats.files import HIDDEN
from nodegraph.graph import Graph, Node
from nodegraph.running.messages import Run
if __name__ == "__main__":
    events = queue.Queue()
    client = EngineClient(Settings("tests.toy_nodes", cache={str(tmp_path)!r}), events.put)
    client.start()
    print(events.get(timeout={TIMEOUT}).pid, flush=True)
    os.kill(os.getpid(), 9)
"""
    script = tmp_path / "editor.py"
    script.write_text(code)
    root = Path(__file__).parents[3]
    # The engine inherits standard output: it ends for the reader when both processes are gone.
    done = subprocess.run(
        [sys.executable, script], env={"PYTHONPATH": str(root)}, stdout=subprocess.PIPE, timeout=TIMEOUT, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert int(done.stdout) > 0


def test_an_engine_that_cannot_start_says_why(tmp_path: Path):
    editor = Editor(Settings("tests.toy_nodes", "cuda", str(tmp_path)))
    editor.client.start()
    failed, gone = editor.until(Gone)
    editor.client.close()
    assert isinstance(failed, Failed)
    assert failed.message == "The engine cannot start: device cuda is not there: toys run on the cpu"
    assert isinstance(gone, Gone)
    assert gone.exitcode == 1


def test_what_is_said_of_a_device_while_the_engine_starts_is_heard(settings: Settings):
    editor = Editor(replace(settings, device="old"))
    editor.client.start()
    said = [event.message for event in editor.until(Ready) if isinstance(event, Warned)]
    editor.client.close()
    assert said == ["the old one is not used: it is too old"]


def test_no_event_comes_after_closing(settings: Settings):
    editor = Editor(settings)
    editor.run(chain("toy.show"), "show")
    editor.client.close()
    assert editor.events.empty()
    assert not editor.client.alive


def test_the_client_imports_neither_torch_nor_qt():
    code = "import sys, nodegraph.running.client; print({'torch', 'numpy', 'networkx', 'PySide6'} & set(sys.modules))"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_what_computes_never_asks_a_hub_whatever_the_user_has_set(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr("tests.toy_nodes.LIBRARY_RULES", nodes.LIBRARY_RULES, raising=False)
    Engine(Settings("tests.toy_nodes", cache=None))
    assert os.environ["HF_HUB_OFFLINE"] == "1"
