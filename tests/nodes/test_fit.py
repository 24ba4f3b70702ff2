"""What does not fit together is one sentence, at the node as while planning; what does is made item by item."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image as Pillow
from torch import Tensor

from denoodle import headless
from nodegraph import program
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port
from nodegraph.node import REQUIRED, NodeType
from nodegraph.planning.calls import as_outputs
from nodegraph.planning.keys import Ref
from nodegraph.planning.outlines import Outlines
from nodegraph.planning.plan import plan
from nodes import fit
from nodes.backend import checkpoints, noise, picture_size, pool
from nodes.types import Conditioning, Control, Hint, History, Image, Latent, Mask
from tests import tiny_models
from tests.examples import each
from tests.nodes.descriptions import SPACE

TENSORS = (Image, Mask, Latent)
SIDE = 16


@cache
def registry() -> Mapping[str, NodeType]:
    return discover("nodes")


def value(kind: Any, batch: int, side: int = SIDE, seed: int = 0) -> Any:
    """channels: 4 for a latent, of half the side: it is one of 2 pixels a latent pixel."""
    channels = {Image: 3, Mask: 1, Latent: 4}[kind]
    tensor = noise.draw((batch, channels, side, side), seed, 0).sigmoid()
    return Latent(tensor, SPACE) if kind is Latent else kind(tensor)


def tensor_of(value: Any) -> Tensor:
    return next(found for name in ("pixels", "weight", "samples") if (found := getattr(value, name, None)) is not None)


def tensor_inputs(type: NodeType) -> list[str]:
    return [i.name for i in type.inputs if i.type in TENSORS]


SEVERAL = [id for id, type in sorted(registry().items()) if len(tensor_inputs(type)) > 1 and type.kind == "call"]
LISTS = ["list.images", "text.encode_with_pictures"]  # what they hold is never joined
READ = ["conditioning.inpaint", "control.apply"]  # by a VAE: see families/test_inpainting.py and test_qwenimage.py


def run(type: NodeType, args: Mapping[str, Any]) -> tuple[Any, ...]:
    return as_outputs(type.fn(**args))


def outlined(type: NodeType, args: Mapping[str, Any]) -> tuple[Any, ...]:
    assert type.outline is not None
    return type.outline(**{k: tuple(tensor_of(v).shape) if isinstance(v, TENSORS) else v for k, v in args.items()})


def item(value: Any, index: int) -> Any:
    """One item of a batch; what is alone goes with every one."""
    name = next(name for name in ("pixels", "weight", "samples") if hasattr(value, name))
    tensor = getattr(value, name)
    return replace(value, **{name: tensor[index : index + 1] if len(tensor) > 1 else tensor})


def test_every_node_that_takes_several_tensors_is_known_here():
    assert [*READ, "image.blend", "image.difference", "image.distance", "latent.keep_outside", *LISTS] == SEVERAL


def cases() -> list[tuple[str, tuple[int, ...]]]:
    ids = [id for id in SEVERAL if id not in (*LISTS, *READ)]
    return [(id, batches) for id in ids for batches in product((1, 2, 3), repeat=len(tensor_inputs(registry()[id])))]


@each(("id", "batches"), cases())
def test_batches_go_together_item_by_item_or_are_refused_in_a_sentence(id: str, batches: tuple[int, ...]):
    type = registry()[id]
    names = tensor_inputs(type)
    kinds = [type.input_by_name[name].type for name in names]
    args = {n: value(k, b, seed=i) for i, (n, k, b) in enumerate(zip(names, kinds, batches, strict=True))}
    if len(set(batches) - {1}) > 1:
        for refuse in (run, outlined):
            with pytest.raises(
                ValueError, match=r"batches must have one item or equally many: \w+ has \d and \w+ has \d"
            ):
                refuse(type, args)
        return
    (made,), (known,) = run(type, args), outlined(type, args)
    if not isinstance(made, TENSORS):
        return
    assert tensor_of(made).shape == known
    assert len(tensor_of(made)) == max(batches)
    for index in range(max(batches)):
        (alone,) = run(type, {name: item(given, index) for name, given in args.items()})
        torch.testing.assert_close(tensor_of(made)[index], tensor_of(alone)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("id", [id for id in SEVERAL if id not in (*LISTS, *READ)])
def test_sizes_that_differ_are_refused_in_a_sentence_that_names_both(id: str):
    type = registry()[id]
    names = tensor_inputs(type)
    for odd in names:
        sides = {name: (24, SIDE) if name == odd else (SIDE, SIDE) for name in names}
        args: dict[str, Any] = {}
        for name in names:
            whole = value(type.input_by_name[name].type, 1, 24)
            field = next(field for field in ("pixels", "weight", "samples") if hasattr(whole, field))
            height, width = sides[name]
            args[name] = replace(whole, **{field: tensor_of(whole)[..., :height, :width].contiguous()})
        for refuse in (run, outlined):
            with pytest.raises(ValueError, match=r"24.*16|16.*24"):
                refuse(type, args)


def test_every_node_that_makes_a_picture_or_a_latent_of_another_tells_its_size_beforehand():
    made = [t for t in registry().values() if t.kind == "call" and any(o.type in TENSORS for o in t.outputs)]
    unknown = {"image.grid", "list.plot", "schedule.plot", "training.lora"}  # sheets and curves: sized by their text
    assert {type.id for type in made if type.outline is None and type.group is None} == unknown


SINGLE: list[tuple[str, Any, dict[str, Any]]] = [
    ("image.resize", Image, {"width": 24, "height": 8, "fit": "crop", "method": "bilinear"}),
    ("image.crop", Image, {"left": 0, "top": 0, "width": 8, "height": 16}),
    ("image.invert", Image, {}),
    ("image.canny", Image, {}),
    ("image.from_mask", Mask, {}),
    ("mask.from_image", Image, {}),
    ("mask.invert", Mask, {}),
    ("mask.rectangle", Image, {}),
    ("image.forward_diffusion", Image, {}),
    ("latent.forward_diffusion", Latent, {}),
    ("latent.from_pixels", Image, {}),
    ("latent.multiply", Latent, {}),
    ("latent.noise", Latent, {"sigma": 1.0}),
    *(("latent.resize", Latent, {"scale": scale}) for scale in (0.3, 0.7, 1.1, 1.5, 2.35)),
]


@each(("id", "kind", "params"), SINGLE)
def test_what_is_told_beforehand_is_what_is_made(id: str, kind: Any, params: dict[str, Any]):
    type = registry()[id]
    args = {next(i.name for i in type.inputs if i.type is kind): value(kind, 2), **params}
    assert tensor_of(run(type, args)[0]).shape == outlined(type, args)[0]


def test_vaes_tell_beforehand_what_they_make(sd15_folder: Path):
    vae = checkpoints.checkpoint(str(sd15_folder)).vae
    latent, image = torch.zeros(2, 4, 8, 6), torch.zeros(1, 3, 64, 48)
    assert fit.decoded(vae, tuple(latent.shape)) == (2, 3, 64, 48)
    assert fit.encoded(vae, tuple(image.shape)) == (1, 4, 8, 6)
    with pytest.raises(ValueError, match="multiples of 8, got 47 x 64"):
        fit.encoded(vae, (1, 3, 64, 47))
    with pytest.raises(ValueError, match="decodes latents of 4 channels, got 16"):
        fit.decoded(vae, (1, 16, 8, 8))


OUTLINED = [id for id, type in sorted(registry().items()) if type.outline is not None]


@each("id", OUTLINED)
def test_what_is_not_known_beforehand_is_no_error(id: str):
    """A model may come out of a training, and any number out of a picture."""
    type = registry()[id]
    refs = {spec.name: Ref("made", "value") for spec in type.inputs}
    given = {spec.name: spec.default for spec in type.inputs if spec.default not in (REQUIRED, None)}
    outlines = Outlines()
    outlines.add("all unknown", type, refs)
    outlines.add("all given", type, refs | given)
    for name in given:
        outlines.add(f"{name} unknown", type, refs | given | {name: refs[name]})
    for name in (spec.name for spec in type.inputs if spec.default is None):
        outlines.add(f"{name} absent", type, {**refs, name: None})


@each("suffix", ["png", "jpg", "webp", "gif", "bmp", "tif"])
@each("orientation", [1, 6])
def test_the_size_of_a_file_is_told_as_it_is_loaded(suffix: str, orientation: int, tmp_path: Path):
    from nodes.backend import picture_files

    path = tmp_path / f"a.{suffix}"
    picture = Pillow.new("RGB", (24, 16))
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    if suffix in ("gif", "bmp"):
        picture.save(path)
    else:
        picture.save(path, exif=exif)
    assert picture_size.read(path) == tuple(picture_files.load(path)[0].shape[-2:])


def test_the_size_of_a_damaged_file_is_not_known(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(9))
    (tmp_path / "b.png").write_bytes(b"nothing")
    assert picture_size.read(tmp_path / "a.png") is picture_size.read(tmp_path / "b.png") is None


def graph(nodes: dict[str, Node], *links: str) -> Graph:
    """links: "from.socket to.socket"."""
    pairs = [link.split() for link in links]
    ends = [[Port(*end.split(".")) for end in pair] for pair in pairs]
    return Graph(nodes, {end: start for start, end in ends})


def problems(flow: Graph) -> list[str]:
    return [problem.message for problem in plan(flow, registry()).problems]


def test_checking_a_workflow_finds_a_mask_of_another_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    Pillow.new("RGBA", (64, 48)).save(tmp_path / "mask.png")
    small = Node("image.grey", {"width": 32, "height": 32})
    nodes = {"a": small, "mask": Node("image.load", {"path": str(tmp_path / "mask.png")}), "blend": Node("image.blend")}
    flow = graph(nodes, "a.image blend.image", "a.image blend.over", "mask.mask blend.mask")
    workflow.save(flow, str(tmp_path / "blend.json"))
    assert headless.main(["check", str(tmp_path / "blend.json")]) == 1
    assert "image is 32 x 32 and over is 32 x 32 and mask is 64 x 48; use Resize first" in capsys.readouterr().err


def test_a_mask_that_is_replaced_is_looked_at_again(tmp_path: Path):
    from nodegraph.planning.plan import Planner

    path = tmp_path / "mask.png"
    nodes = {
        "a": Node("image.grey", {"width": 32, "height": 32}),
        "mask": Node("image.load", {"path": str(path)}),
        "blend": Node("image.blend"),
    }
    flow = graph(nodes, "a.image blend.image", "a.image blend.over", "mask.mask blend.mask")
    planner, found = Planner(registry()), list[bool]()
    for side in (64, 32, 48):
        Pillow.new("RGBA", (side, side)).save(path)
        found.append(bool(planner.plan(flow).problems))
    assert found == [True, False, True]


def test_a_mask_is_checked_through_zones_and_lists():
    nodes = {
        "a": Node("image.grey", {"width": 32, "height": 32}),
        "b": Node("image.grey", {"width": 64, "height": 32}),
        "list": Node("list.images"),
        "pick": Node("list.image_at", {"index": 1}),
        "begin": Node("repeat.begin", {"count": 2}),
        "invert": Node("image.invert"),
        "end": Node("repeat.end"),
        "difference": Node("image.difference"),
    }
    flow = graph(
        nodes,
        "a.image list.image",
        "b.image list.image_2",
        "list.value pick.images",
        "pick.image begin.initial",
        "begin.zone end.zone",
        "begin.state invert.image",
        "invert.image end.next",
        "end.value difference.image",
        "a.image difference.other",
    )
    assert any("image is 64 x 32 and other is 32 x 32" in message for message in problems(flow))


@pytest.fixture(scope="module")
def other_controlnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for models that read wider prompts."""
    unet = tiny_models._sd_unet(0, cross_attention_dim=48)
    return tiny_models._build_controlnet(tmp_path_factory.mktemp("models") / "wide", 0, unet)


def test_a_controlnet_of_another_family_is_refused_while_planning(
    sd15_folder: Path, controlnet_folder: Path, other_controlnet: Path
):
    flow = workflow.load(program.FOLDER / "workflows" / "controlnet.json")

    def message(folder: Path) -> list[str]:
        paths = {"load.checkpoint": sd15_folder, "control.load": folder}
        nodes = {
            id: replace(node, params={**node.params, "path": str(paths[node.type])}) if node.type in paths else node
            for id, node in flow.nodes.items()
        }
        return [text for text in problems(replace(flow, nodes=nodes)) if "ControlNet" in text]

    assert not message(controlnet_folder)
    (text, *_) = message(other_controlnet)
    assert re.search(r"wide is a ControlNet for another model than .*sd15: prompts of width 48, not 32", text)


def test_a_controlnet_of_another_family_is_refused_at_the_node(sd15_folder: Path, other_controlnet: Path):
    from nodes.backend.denoise import denoiser

    pool.configure("cpu")
    model = checkpoints.checkpoint(str(sd15_folder)).model
    hint = Hint(checkpoints.controlnet(str(other_controlnet)), torch.zeros(1, 3, 64, 64), 1.0, 0.0, 1.0)
    prompt = Conditioning("sd1", "", torch.zeros(1, 77, 32))
    with pytest.raises(ValueError, match="is a ControlNet for another model"):
        denoiser(model, prompt, prompt, 3.0, Control((hint,)), lambda done, total: None)


@pytest.mark.parametrize("guidance_scale", [1.0, 3.0])
def test_pictures_of_a_controlnet_go_with_the_items_of_a_batch(
    sd15_folder: Path, controlnet_folder: Path, guidance_scale: float
):
    """Guidance doubles the batch inside the network; four pictures for two latents are none the less too many."""
    from nodes.backend.denoise import denoiser

    pool.configure("cpu")
    model, net = checkpoints.checkpoint(str(sd15_folder)).model, checkpoints.controlnet(str(controlnet_folder))
    pictures, x, embeds = (noise.draw(shape, 3, 0) for shape in ((4, 3, 64, 64), (2, 4, 8, 8), (1, 77, 32)))

    def denoised(x: Tensor, pixels: Tensor) -> Tensor:
        control = Control((Hint(net, pixels, 1.0, 0.0, 1.0),))
        prompts = (Conditioning("sd1", "", states) for states in (embeds, -embeds))
        return denoiser(model, *prompts, guidance_scale, control, lambda done, total: None)(x, 2.0)

    with pytest.raises(ValueError, match="a ControlNet got 4 pictures for a batch of 2"):
        denoised(x, pictures)
    both = denoised(x, pictures[:2])
    for index in range(2):
        alone = denoised(x[index : index + 1], pictures[index : index + 1])
        torch.testing.assert_close(both[index : index + 1], alone, rtol=0, atol=1e-4)  # kernels sum in another order


def test_a_history_of_another_latent_is_refused(sd15_folder: Path):
    from nodegraph.node import Context
    from nodes.sampling import unet_step

    model = checkpoints.checkpoint(str(sd15_folder)).model
    history = History((torch.zeros(1, 4, 8, 8),), (2.0,))
    prompt = Conditioning("sd1", "", torch.zeros(1, 77, 32))
    with pytest.raises(ValueError, match="the history is that of a latent of another shape"):
        unet_step(Context(), model, Latent(torch.zeros(2, 4, 8, 8), SPACE), prompt, prompt, 2.0, 1.0, history=history)


FOREIGN = replace(SPACE, name="sdxl")
"""Of as many channels, and of other pictures."""


def test_a_latent_of_another_family_is_refused_in_a_sentence_that_names_both(sd15_folder: Path):
    from nodegraph.node import Context
    from nodes.sampling import unet_step
    from nodes.vae import decode

    model, _, vae = checkpoints.checkpoint(str(sd15_folder))
    latent, prompt = Latent(torch.zeros(1, 4, 8, 8), FOREIGN), Conditioning("sd1", "", torch.zeros(1, 77, 32))
    named = "the latent is one of Stable Diffusion XL.*, the {} of Stable Diffusion .*1.x"
    with pytest.raises(ValueError, match=named.format("VAE")):
        decode(Context(), vae, latent)
    with pytest.raises(ValueError, match=named.format("model")):
        unet_step(Context(), model, latent, prompt, prompt, 2.0, 1.0)


@pytest.mark.parametrize("through", ["latent.resize", "latent.multiply", "latent.noise"])
def test_whose_space_a_latent_is_in_is_known_before_the_run(
    through: str, sd15_folder: Path, tmp_path_factory: pytest.TempPathFactory
):
    other = tiny_models.build_sdxl(tmp_path_factory.mktemp("models") / "sdxl")
    nodes = {
        "one": Node("load.checkpoint", {"path": str(sd15_folder)}),
        "other": Node("load.checkpoint", {"path": str(other)}),
        "empty": Node("latent.empty", {"width": 64, "height": 64}),
        "through": Node(through, {"sigma": 1.0} if through == "latent.noise" else {}),
        "decode": Node("vae.decode"),
    }
    links = ("one.vae empty.vae", "empty.latent through.latent", "through.latent decode.latent", "other.vae decode.vae")
    (problem,) = problems(graph(nodes, *links))
    assert problem.startswith("the latent is one of Stable Diffusion 2.x or Stable Diffusion 1.x, the VAE of Stable")
    assert problems(graph(nodes, *links[:3], "one.vae decode.vae")) == []
