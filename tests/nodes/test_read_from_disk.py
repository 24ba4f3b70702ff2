"""Everything a node reads from disk decides its result: another file of the same name, size and time gives another.

All that nodes read: the weights, settings and tokenizer of a checkpoint folder, one-file checkpoints, LoRAs,
ControlNets, pixel models, pictures, and the pictures and captions of a training. Fonts come with the library.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from nodegraph.formats.package import discover
from nodegraph.formats.workflow import dumps
from nodegraph.graph import Graph, Node, Port
from nodegraph.planning.plan import plan
from nodegraph.running.engine import Engine, Settings
from nodegraph.running.messages import Event, Failed, Run
from nodes.backend import pool
from tests import tiny_models
from tests.examples import some_slow
from tests.tiny_checkpoints import write_single_file

pytestmark = pytest.mark.usefixtures("empty_pool")


@pytest.fixture(scope="module")
def one_of_everything(sd15_folder: Path, controlnet_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model/, file/ with model.safetensors among its settings, lora.safetensors, controlnet/, a.png, pictures/."""
    place = tmp_path_factory.mktemp("everything")
    shutil.copytree(sd15_folder, place / "model")
    shutil.copytree(controlnet_folder, place / "controlnet")
    shutil.copytree(sd15_folder, place / "file", ignore=shutil.ignore_patterns("*.safetensors"))
    write_single_file(sd15_folder, place / "file" / "model.safetensors")
    tiny_models.build_lora(place / "lora.safetensors", sd15_folder)
    (place / "pictures").mkdir()
    for path in (place / "a.png", place / "pictures" / "a.png"):
        picture(path, 1)
    (place / "pictures" / "a.txt").write_text("a cat")
    return place


@pytest.fixture
def folder(one_of_everything: Path, tmp_path: Path) -> Path:
    """One of everything, to be changed."""
    return shutil.copytree(one_of_everything, tmp_path, dirs_exist_ok=True)


def picture(path: Path, level: int) -> None:
    Image.new("L", (64, 64), level).save(path, compress_level=0)  # one size whatever the level


def text_to_image(path: Path) -> Graph:
    nodes = {
        "checkpoint": Node("load.checkpoint", {"path": str(path)}),
        "positive": Node("text.encode", {"text": "a red cat"}),
        "latent": Node("latent.empty", {"width": 64, "height": 64}),
        "scheduler": Node("schedule.noise_scheduler", {"schedule": "normal", "steps": 2}),
        "noise": Node("latent.noise", {"seed": 7}),
        "denoise": Node("group:Denoise", {"guidance_scale": 1.0}),
        "result": Node("vae.decode"),
    }
    links = (
        "checkpoint.text_encoder positive.text_encoder, checkpoint.vae latent.vae, checkpoint.model scheduler.model, "
        "latent.latent noise.latent, scheduler.sigma_start noise.sigma, checkpoint.model denoise.model, "
        "noise.latent denoise.latent, positive.conditioning denoise.positive, positive.conditioning denoise.negative, "
        "scheduler.sigmas denoise.sigmas, checkpoint.vae result.vae, denoise.latent result.latent"
    )
    return linked(Graph(nodes), links)


def linked(graph: Graph, links: str, **more: Node) -> Graph:
    pairs = (link.split() for link in links.split(", "))
    new = {Port(*dst.split(".")): Port(*src.split(".")) for src, dst in pairs}
    return replace(graph, nodes={**graph.nodes, **more}, links={**graph.links, **new})


def of_folder(folder: Path) -> Graph:
    return text_to_image(folder / "model")


def of_file(folder: Path) -> Graph:
    return text_to_image(folder / "file" / "model.safetensors")


def with_lora(folder: Path) -> Graph:
    links = (
        "checkpoint.model lora.model, checkpoint.text_encoder lora.text_encoder, lora.model denoise.model, "
        "lora.text_encoder positive.text_encoder"
    )
    return linked(of_folder(folder), links, lora=Node("adapter.lora", {"path": str(folder / "lora.safetensors")}))


def with_controlnet(folder: Path) -> Graph:
    links = "net.controlnet apply.controlnet, image.image apply.image, apply.control denoise.control"
    return linked(
        of_folder(folder),
        links,
        net=Node("control.load", {"path": str(folder / "controlnet")}),
        image=Node("image.grey", {"width": 64, "height": 64}),
        apply=Node("control.apply"),
    )


def with_picture(folder: Path) -> Graph:
    nodes = {"load": Node("image.load", {"path": str(folder / "a.png")}), "result": Node("image.invert")}
    return Graph(nodes, {Port("result", "image"): Port("load", "image")})


def training(folder: Path) -> Graph:
    links = "checkpoint.model result.model, checkpoint.text_encoder result.text_encoder, checkpoint.vae result.vae"
    settings = {"folder": str(folder / "pictures"), "steps": 1, "batch": 1, "rank": 1, "size": 64}
    checkpoint = Node("load.checkpoint", {"path": str(folder / "model")})
    return linked(Graph(), links, checkpoint=checkpoint, result=Node("training.lora", settings))


def scaled(path: Path) -> None:
    """Other weights in a file of the same size."""
    save_file({name: tensor * 1.5 for name, tensor in load_file(path).items()}, path, {"format": "pt"})


def exchanged(old: str, new: str) -> Callable[[Path], None]:
    """Another text of the same length."""

    def change(path: Path) -> None:
        text = path.read_text("utf-8")
        assert old in text
        assert len(old) == len(new)
        path.write_text(text.replace(old, new, 1), "utf-8")

    return change


def other_setting(name: str, value: Any) -> Callable[[Path], None]:
    """Another value; spaces keep the file's size."""

    def change(path: Path) -> None:
        settings = json.loads(path.read_text("utf-8"))
        assert settings[name] != value
        text = json.dumps({**settings, name: value})
        path.write_text(text.ljust(path.stat().st_size), "utf-8")

    return change


def brighter(path: Path) -> None:
    picture(path, 200)


CASES: dict[str, tuple[Callable[[Path], Graph], str, Callable[[Path], None]]] = {
    "weights of the U-Net": (of_folder, "model/unet/diffusion_pytorch_model.safetensors", scaled),
    "settings of the U-Net": (of_folder, "model/unet/config.json", other_setting("norm_eps", 0.5)),
    "weights of the VAE": (of_folder, "model/vae/diffusion_pytorch_model.safetensors", scaled),
    "settings of the VAE": (of_folder, "model/vae/config.json", other_setting("scaling_factor", 0.5)),
    "weights of the text encoder": (of_folder, "model/text_encoder/model.safetensors", scaled),
    "settings of the text encoder": (of_folder, "model/text_encoder/config.json", other_setting("layer_norm_eps", 0.5)),
    "the noise schedule": (of_folder, "model/scheduler/scheduler_config.json", other_setting("beta_end", 0.02)),
    "a one-file checkpoint": (of_file, "file/model.safetensors", scaled),
    "a LoRA": (with_lora, "lora.safetensors", scaled),
    "weights of a ControlNet": (with_controlnet, "controlnet/diffusion_pytorch_model.safetensors", scaled),
    "settings of a ControlNet": (with_controlnet, "controlnet/config.json", other_setting("norm_eps", 0.5)),
    "a picture": (with_picture, "a.png", brighter),
    "a picture of a training": (training, "pictures/a.png", brighter),
    "a caption of a training": (training, "pictures/a.txt", exchanged("cat", "dog")),
}


def change_unseen(path: Path, change: Callable[[Path], None]) -> None:
    """As `cp -p` does it: the name stays, and so do the size and the time, as far as the change allows."""
    status = path.stat()
    change(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def engine(folder: Path) -> Engine:
    made = Engine(Settings(device="cpu", cache=str(folder / "cache"), out_dir=str(folder / "out")))
    assert made.cache.disk is not None
    made.cache.disk.worth_seconds = 0.0
    return made


def result(engine: Engine, graph: Graph) -> Any:
    events: list[Event] = []
    plan = engine.plan(graph, ("result",))
    assert not plan.problems
    engine.execute(plan, Run(graph, ("result",)), events.append)
    assert not [event for event in events if isinstance(event, Failed)]
    values = engine.cache.get(plan.keys["result"])
    assert values is not None
    return values[0].pixels if hasattr(values[0], "pixels") else values[0]


def differ(a: Any, b: Any) -> bool:
    return not torch.equal(a, b) if isinstance(a, torch.Tensor) else a != b


DAILY = (
    "weights of the U-Net",
    "settings of the VAE",
    "a one-file checkpoint",
    "a LoRA",
    "a picture",
    "a caption of a training",
)
"""Weights and settings of a part, and one of each kind of file beside them."""


@pytest.mark.parametrize("case", some_slow(CASES, DAILY))
def test_another_file_gives_another_result_in_the_same_session_and_in_the_next(folder: Path, case: str):
    make, name, change = CASES[case]
    graph, session = make(folder), engine(folder)
    before = result(session, graph)
    change_unseen(folder / name, change)
    after = result(session, graph)
    assert differ(after, before)
    session.cache.close()
    pool.free()
    assert not differ(result(engine(folder), graph), after)


@pytest.mark.parametrize("name", ["scheduler/scheduler_config.json", "model_index.json"])
def test_what_lies_around_a_denoiser_is_noticed_in_an_open_session(folder: Path, name: str):
    """Its schedule is read from there, and the key has what it says, not the file."""
    denoiser = Node("load.denoiser", {"path": str(folder / "model" / "unet")})
    graph = linked(of_folder(folder), "alone.model scheduler.model, alone.model denoise.model", alone=denoiser)
    session, file = engine(folder), folder / "model" / name
    other_setting("beta_end", 0.02)(folder / "model/scheduler/scheduler_config.json")  # which is no default

    def keys() -> list[str]:
        return [made.plan(graph, ("result",)).keys["result"] for made in (session, engine(folder))]

    before = keys()
    assert before[0] == before[1]
    if name == "model_index.json":
        file.unlink()  # it is what makes the folder a checkpoint's
    else:
        change_unseen(file, other_setting("beta_end", 0.03))
    after = keys()
    assert after[0] == after[1] != before[0]


def test_another_vocabulary_gives_another_prompt(folder: Path):
    graph, session = of_folder(folder), engine(folder)
    before = result(session, graph)
    # every word of the prompt gets the number of another: letters are the first numbers of the tiny vocabulary
    change_unseen(folder / "model" / "tokenizer" / "vocab.json", reversed_words)
    assert differ(result(session, graph), before)


def reversed_words(path: Path) -> None:
    words = json.loads(path.read_text("utf-8"))
    plain = [word for word in words if not word.startswith("<|")]
    ids = [words[word] for word in plain]
    words |= dict(zip(plain, reversed(ids), strict=True))
    path.write_text(json.dumps(words), "utf-8")


@pytest.mark.parametrize(
    ("name", "node"),
    [("model/unet/diffusion_pytorch_model.safetensors", "denoise/step"), ("lora.safetensors", "positive")],
)
def test_weights_replaced_between_planning_and_running_are_neither_used_nor_kept(folder: Path, name: str, node: str):
    graph, session, events = with_lora(folder), engine(folder), list[Event]()
    plan = session.plan(graph, ("result",))
    change_unseen(folder / name, scaled)
    session.execute(plan, Run(graph, ("result",)), events.append)
    failed = [event for event in events if isinstance(event, Failed)]
    assert [event.node for event in failed] == [node]
    assert f"{folder / name} was changed while it was in use" in failed[0].message
    assert plan.roots("result")[0] not in session.cache
    after = result(session, graph)
    pool.free()
    assert not differ(result(Engine(Settings(device="cpu", cache=None)), graph), after)


def test_a_file_has_one_key_in_every_process_and_another_file_has_another(folder: Path):
    (folder / "w.json").write_text(dumps(with_picture(folder)))
    code = (
        "import sys; from nodegraph.formats import package, workflow; from nodegraph.planning.plan import plan; "
        "print(plan(workflow.load(sys.argv[1]), package.discover('nodes')).keys['result'])"
    )
    command = [sys.executable, "-c", code, str(folder / "w.json")]
    root = Path(__file__).parents[2]

    def key() -> str:
        return subprocess.run(command, check=True, cwd=root, capture_output=True, text=True).stdout.strip()

    here = plan(with_picture(folder), discover("nodes")).keys["result"]
    assert key() == here
    change_unseen(folder / "a.png", brighter)
    assert key() != here


@pytest.mark.slow  # the test before it says the same of what decides it, without loading torch
def test_another_file_gives_another_picture_in_another_process(folder: Path):
    links = "result.image save.image"
    graph = linked(with_picture(folder), links, save=Node("output.save_image"))
    (folder / "w.json").write_text(dumps(graph))
    session = engine(folder)
    result(session, graph)
    session.cache.close()
    change_unseen(folder / "a.png", brighter)
    root = Path(__file__).parents[2]
    command = [sys.executable, str(root / "main.py"), "run", str(folder / "w.json"), "--device", "cpu"]
    command += ["--cache", str(folder / "cache"), "--out", str(folder / "out")]
    subprocess.run(command, check=True, cwd=folder, capture_output=True)
    with Image.open(folder / "out" / "denoodle_00001.png") as saved:
        assert saved.getpixel((0, 0)) == (55, 55, 55)
