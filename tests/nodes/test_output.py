"""Saved pictures carry their workflow, and nothing is ever overwritten."""

import errno
import json
import os
from pathlib import Path

import pytest
import torch

import nodes
from nodegraph.formats import png, workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port, connect, set_param
from nodegraph.node import Context
from nodegraph.planning.plan import plan
from nodegraph.running.cache import Cache
from nodegraph.running.engine import Engine, Settings
from nodegraph.running.executor import execute
from nodegraph.running.messages import Event, Finished, Run, Saved
from nodegraph.types import Picture
from nodes.image import load
from nodes.output import save_image
from nodes.types import Image
from tests.examples import each
from tests.nodegraph.test_text import NASTY

WORKFLOW = json.dumps({"version": 1, "nodes": {"positive": {"type": "text.encode", "params": {"text": "a café"}}}})


TEXT_TO_IMAGE = Path(__file__).parents[2] / "workflows" / "text_to_image.json"


class Recorder(Context):
    def __init__(self, out_dir: Path, workflow: str = WORKFLOW) -> None:
        self.out_dir, self.workflow = str(out_dir), workflow
        self.paths: list[Path] = []

    def saved(self, path: str) -> None:
        self.paths.append(Path(path))


def image(batch: int = 1) -> Image:
    return Image(torch.rand(batch, 3, 8, 16, generator=torch.Generator().manual_seed(0)))


def test_the_workflow_and_its_values_are_in_the_file(tmp_path: Path):
    ctx = Recorder(tmp_path)
    save_image(ctx, image())
    assert png.read_text(ctx.paths[0], png.KEYWORD) == WORKFLOW
    assert png.read_text(ctx.paths[0], png.PARAMETERS) == "positive (text.encode) text: a café"


def test_the_pixels_are_those_of_the_image(tmp_path: Path):
    ctx = Recorder(tmp_path)
    save_image(ctx, image())
    assert torch.allclose(load(str(ctx.paths[0])).image.pixels, image().pixels, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("text", NASTY)
def test_no_character_of_a_workflow_costs_the_picture(tmp_path: Path, text: str):
    graph = Graph({"note": Node("canvas.note", {"text": text})})
    ctx = Recorder(tmp_path, workflow.dumps(graph))
    save_image(ctx, image())
    assert workflow.load(ctx.paths[0]) == workflow.loads(ctx.workflow)
    assert (png.read_text(ctx.paths[0], png.PARAMETERS) or "").startswith("note (canvas.note) text: ")


def test_every_picture_of_a_batch_gets_the_next_number(tmp_path: Path):
    ctx = Recorder(tmp_path)
    save_image(ctx, image(2), "cat")
    save_image(ctx, image(), "cat")
    assert [path.name for path in ctx.paths] == ["cat_00001.png", "cat_00002.png", "cat_00003.png"]


def test_a_full_disk_leaves_no_empty_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_image(Recorder(tmp_path), image())
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path):
    (tmp_path / "cat_00007.png").write_text("mine")
    ctx = Recorder(tmp_path)
    save_image(ctx, image(), "cat")
    assert ctx.paths[0].name == "cat_00008.png"
    assert (tmp_path / "cat_00007.png").read_text() == "mine"


def test_no_other_file_is_left_behind(tmp_path: Path):
    save_image(Recorder(tmp_path), image(), folder="a/b")
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["denoodle_00001.png"]


def test_a_folder_is_made_inside_the_output_folder(tmp_path: Path):
    ctx = Recorder(tmp_path / "out")
    save_image(ctx, image(), folder="cats/black")
    assert ctx.paths[0] == tmp_path / "out" / "cats" / "black" / "denoodle_00001.png"


@pytest.mark.parametrize("folder", ["..", "a/../../b", "/tmp", "\\\\server\\share", "C:\\Users", "..\\x"])
def test_a_folder_outside_is_refused(tmp_path: Path, folder: str):
    with pytest.raises(ValueError, match="folder must be inside the output folder"):
        save_image(Recorder(tmp_path / "out"), image(), folder=folder)
    assert not list(tmp_path.rglob("*.png"))


def test_a_link_that_leads_outside_is_refused(tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="is a link that leads out of it"):
        save_image(Recorder(tmp_path / "out"), image(), folder="link")


@pytest.mark.parametrize("folder", ["link/cats/black", "dangling", "dangling/cats", "circle/cats"])
def test_no_folder_is_made_behind_a_link_that_leads_outside(tmp_path: Path, folder: str):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "link").symlink_to(elsewhere)
    (out / "dangling").symlink_to(tmp_path / "gone")
    (out / "circle").symlink_to(out / "circle")
    with pytest.raises(ValueError, match=r"output folder"):
        save_image(Recorder(out), image(), folder=folder)
    assert sorted(tmp_path.rglob("*")) == sorted([out, elsewhere, *(out / n for n in ("link", "dangling", "circle"))])


def test_a_link_inside_the_output_folder_is_followed(tmp_path: Path):
    (tmp_path / "cats").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "cats")
    save_image(Recorder(tmp_path), image(), folder="link/black")
    assert (tmp_path / "cats" / "black" / "denoodle_00001.png").exists()


@each("filename", ["", "../x", "a/b", "a\\b", "x\0", ".hidden", "a:b", "half \ud83c", "byte \udcff"])
def test_a_filename_that_is_a_path_is_refused(tmp_path: Path, filename: str):
    with pytest.raises(ValueError, match="filename must be a plain name"):
        save_image(Recorder(tmp_path), image(), filename)


@pytest.mark.parametrize(
    ("param", "value"), [("filename", "a/b"), ("filename", "x" * 201), ("filename", "half \ud83c"), ("folder", "../x")]
)
def test_a_name_that_cannot_be_used_is_found_before_anything_is_computed(param: str, value: str):
    graph = Graph({"grey": Node("image.grey"), "save": Node("output.save_image", {param: value})})
    graph = connect(graph, Port("grey", "image"), Port("save", "image"))
    problems = plan(graph, discover("nodes"), ("save",)).problems
    assert [(p.node, p.socket) for p in problems] == [("save", param)]


def test_a_preview_shows_the_picture():
    graph = Graph({"grey": Node("image.grey", {"width": 8, "height": 8}), "show": Node("output.preview")})
    graph = connect(graph, Port("grey", "image"), Port("show", "image"))
    events: list[Event] = []
    registry = discover("nodes")
    execute(plan(graph, registry, ("show",)), ("show",), Cache(1 << 20), events.append, preview=nodes.preview)
    pictures = [event.picture for event in events if isinstance(event, Finished) and event.node == "show"]
    assert pictures == [Picture(8, 8, bytes([128]) * 192, size=(8, 8))]


def test_each_picture_of_a_batch_carries_the_workflow_that_makes_it_alone(tmp_path: Path, sd15_folder: Path):
    graph = set_param(workflow.load(TEXT_TO_IMAGE), "checkpoint", "path", str(sd15_folder))
    sizes = {("latent", "width"): 64, ("latent", "height"): 64, ("latent", "batch"): 2, ("scheduler", "steps"): 2}
    for (node, name), value in sizes.items():
        graph = set_param(graph, node, name, value)
    engine = Engine(Settings("nodes", "cpu", None, out_dir=str(tmp_path)))

    def saved(graph: Graph) -> list[Path]:
        events: list[Event] = []
        engine.execute(engine.plan(graph, ("save",)), Run(graph, ("save",)), events.append)
        return [Path(event.path) for event in events if isinstance(event, Saved)]

    pictures = saved(graph)
    assert len(pictures) == 2
    for item, path in enumerate(pictures):
        made_by = workflow.load(path)
        assert made_by.nodes["noise"].params["batch_index"] == item
        assert "batch_index: 1" in (png.read_text(path, png.PARAMETERS) or "") or item == 0
        (again,) = saved(made_by)
        off = load(str(again)).image.pixels - load(str(path)).image.pixels
        assert float(off.abs().max()) < 1.5 / 255  # the noise is the same bits; sums over a batch round otherwise
