"""What is no number does not leave the node that made it: the node fails, and says where it comes from if it can."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import nodes
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, set_param
from nodegraph.planning.plan import plan
from nodegraph.running.engine import Engine, Settings
from nodegraph.running.messages import Event, Failed, Run
from nodes.backend import finite, prompt
from nodes.sampling import Denoised
from nodes.types import Conditioning, History, Image, Latent, Mask, Weights
from tests import quantised_files
from tests.examples import each
from tests.nodes.descriptions import SPACE
from tests.nodes.test_read_from_disk import (
    folder,
    linked,
    of_folder,
    one_of_everything,
    with_controlnet,
    with_lora,
)

__all__ = ["folder", "one_of_everything"]

GOOD, NAN, INF = torch.zeros(2, 3), torch.tensor([[0.0, float("nan")]]), torch.tensor([float("inf"), float("-inf")])


# --- what is noticed ---


@each("bad", [NAN, INF, NAN.half(), INF.bfloat16(), NAN.T])
@each(
    "wrap",
    [
        lambda t: t,
        lambda t: Image(t),
        lambda t: Mask(t),
        lambda t: Latent(t, SPACE),
        lambda t: Conditioning("sd1", "a cat", t),
        lambda t: (Image(GOOD), Image(t)),
        lambda t: History((GOOD, t), (1.0,)),
        lambda t: History((), (), (t,)),
        lambda t: Denoised(Latent(GOOD, SPACE), Latent(GOOD, SPACE), History((t,))),
    ],
)
def test_a_tensor_that_is_no_number_is_noticed_wherever_it_is(wrap: Any, bad: torch.Tensor):
    assert "result came out with values that are no numbers" in str(nodes.complaint({"result": wrap(bad)}, {}))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_plain_number_that_is_none_is_noticed(number: float):
    assert nodes.complaint({"distance": number}, {}) is not None
    assert nodes.complaint({"history": History((), (number,))}, {}) is not None


@each(
    "sound",
    [GOOD, torch.full((100,), 3e38), torch.full((9000,), 60000.0).half(), torch.tensor([2**62]), 1.5, "nan", None],
)
def test_what_is_finite_is_let_through_whatever_its_sum(sound: Any):
    assert nodes.complaint({"result": sound}, {}) is None


def test_a_tensor_that_several_outputs_share_is_read_once():
    shared = torch.zeros(4)
    assert len(list(finite.numbers(Denoised(Latent(shared, SPACE), Latent(shared, SPACE), History((shared,)))))) == 1


# --- in a run ---


def failures(graph: Graph, target: str = "result") -> list[Failed]:
    engine, events = Engine(Settings(device="cpu", cache=None)), list[Event]()
    planned = engine.plan(graph, (target,))
    assert not planned.problems
    engine.execute(planned, Run(graph, (target,)), events.append)
    return [event for event in events if isinstance(event, Failed)]


def poisoned(path: Path, part: str, value: float = float("nan")) -> str:
    """One number of one tensor becomes none; the name of the tensor."""
    tensors = load_file(path)
    name = next(name for name in tensors if part in name)
    tensors[name] = tensors[name].clone()
    tensors[name].view(-1)[0] = value
    save_file(tensors, path, {"format": "pt"})
    return name


@pytest.mark.parametrize(
    ("make", "file", "part", "node"),
    [
        (of_folder, "model/unet/diffusion_pytorch_model.safetensors", "conv_in.weight", "denoise/step"),
        (of_folder, "model/vae/diffusion_pytorch_model.safetensors", "decoder.conv_in.weight", "result"),
        (of_folder, "model/text_encoder/model.safetensors", "layers.0.mlp.fc1.weight", "positive"),
        (with_lora, "lora.safetensors", "unet", "denoise/step"),
        pytest.param(
            *(with_controlnet, "controlnet/diffusion_pytorch_model.safetensors", "conv_in.weight", "denoise/step"),
            marks=pytest.mark.slow,  # as the weights of a U-Net
        ),
    ],
)
def test_nan_in_a_file_fails_the_first_node_it_reaches_and_names_the_file(
    folder: Path, make: Any, file: str, part: str, node: str
):
    tensor = poisoned(folder / file, part)
    (failed,) = failures(make(folder))
    assert failed.node == node
    assert f"{folder / file} holds such values, in {tensor}" in failed.message
    assert not failed.traceback


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("layout", [*quantised_files.COMFY, *quantised_files.GGUF])
def test_of_weights_that_are_packed_the_one_that_is_no_number_is_named_too(tmp_path: Path, layout: str):
    tensors = {f"model.{name}.weight": torch.ones(4, 256) for name in "ab"}
    tensors["model.b.weight"][1, 3] = math.nan
    name = "packed.gguf" if layout in quantised_files.GGUF else "packed.safetensors"
    file = quantised_files.write(tmp_path / name, tensors, layout)
    said = finite.complaint({"latent": NAN}, {"model": Weights.of(file, [file])})
    assert said is not None
    assert f"{file} holds such values, in model.b." in said


def test_a_factor_that_is_too_large_fails_where_the_numbers_end(folder: Path):
    links = "noise.latent times.latent, times.latent denoise.latent"
    graph = linked(of_folder(folder), links, times=Node("latent.multiply", {"factor": 1e39}))
    (failed,) = failures(graph)
    assert (failed.node, "factor is 1e+39, which is too large" in failed.message) == ("times", True)
    (failed,) = failures(set_param(graph, "times", "factor", 1e30))
    assert failed.node == "denoise/step"
    assert "no numbers" in failed.message


def test_infinity_in_the_decoder_is_no_white_picture(folder: Path):
    path = folder / "model" / "vae" / "diffusion_pytorch_model.safetensors"
    poisoned(path, "decoder.conv_out.bias", float("inf"))
    (failed,) = failures(of_folder(folder))
    assert failed.node == "result"
    assert f"{path} holds such values" in failed.message


def test_a_result_that_is_refused_is_not_kept(folder: Path):
    graph = linked(of_folder(folder), "noise.latent times.latent", times=Node("latent.multiply", {"factor": 1e39}))
    engine = Engine(Settings(device="cpu", cache=None))
    planned = engine.plan(graph, ("times",))
    engine.execute(planned, Run(graph, ("times",)), lambda _: None)
    assert planned.keys["times"] not in engine.cache


# --- prompts ---


@each(
    "text",
    [
        "a (cat:9999999999999999999999999999999)",
        "a (cat:101)",
        "(cat:-101)",
        "((cat:20):20)",
        f"(cat:{'9' * 400})",
        f"((cat:{'9' * 400}):0)",
        "(" * 60 + "cat",
    ],
)
def test_a_weight_beyond_all_reason_is_refused_with_its_limits(text: str):
    with pytest.raises(ValueError, match=r"the weight of 'cat' must be between -100 and 100, got "):
        prompt.parse(text)


@pytest.mark.parametrize("weight", ["100", "-100", "0", "1.3"])
def test_a_weight_within_the_limits_is_taken(weight: str):
    assert prompt.parse(f"(cat:{weight})") == (prompt.Piece("cat", float(weight)),)


# --- numbers in workflows ---


@each(
    "params",
    [
        {"type": "list.range", "params": {"start": -1e308, "stop": 1e308}},
        {"type": "math.expression", "params": {"formula": "a * b", "a": 1e200, "b": 1e200}},
        {"type": "math.expression", "params": {"formula": "log(a)", "a": 0.0}},
        {"type": "math.number", "params": json.loads('{"value": 1e400}')},
        {"type": "math.number", "params": json.loads('{"value": NaN}')},
        {"type": "list.numbers", "params": {"values": (1.0, float("inf"))}},
    ],
)
def test_a_number_that_is_none_is_a_problem_before_the_run(params: dict[str, Any]):
    graph = Graph({"a": Node(params["type"], params["params"])})
    (problem,) = plan(graph, discover("nodes")).problems
    assert problem.node == "a"
    assert "finite" in problem.message or "no value" in problem.message


def test_every_step_of_a_training_that_diverges_is_refused(folder: Path):
    from nodes.backend import checkpoints, training, training_data

    parts = checkpoints.checkpoint(str(folder / "model"))
    examples = training_data.encode(
        training_data.read_folder(folder / "pictures", ""), parts.vae, parts.text_encoder, 64, lambda: None
    )
    made = training.Training(parts.model, training.Settings("attention", 1, 0.001, 1, 0), examples)
    made.examples = replace_latents(made.examples, float("nan"))
    with pytest.raises(ValueError, match="the training diverged at step 1"):
        made.advance()


def replace_latents(examples: Any, value: float) -> Any:
    return examples._replace(latents=torch.full_like(examples.latents, value))
