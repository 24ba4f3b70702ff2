"""Every tensor of a LoRA acts, or the file is refused with a sentence that names it, before anything runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from denoodle import headless
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.planning.plan import plan
from nodegraph.program import FOLDER as ROOT
from nodes.adapter import lora
from nodes.backend import checkpoints, lora_file
from nodes.backend.checkpoints import Checkpoint
from nodes.backend.families import sd1
from nodes.backend.headers import shapes
from nodes.backend.networks.architecture import Settings
from nodes.backend.parts import Part
from nodes.backend.strict_json import MAX_QUOTED
from tests import tiny_models
from tests.nodegraph.toys import build

STARTER = ROOT / "models" / "starter"
DIFFUSERS, KOHYA = (STARTER / "lora" / name for name in ("ink.safetensors", "ink_kohya.safetensors"))
LAYER = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_k"
CONV = "lora_unet_down_blocks_0_resnets_0_conv1"


@pytest.fixture(scope="module")
def starter() -> Checkpoint:
    return checkpoints.checkpoint(str(STARTER))


def settings_of(role: str) -> Settings:
    return Part(STARTER, sd1.FAMILY, role).settings()


def refusal(starter: Checkpoint, path: Path) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        lora(starter.model, starter.text_encoder, str(path))
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    return message


def with_tensors(path: Path, source: Path, more: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> Path:
    save_file(load_file(source) | dict(more), path, metadata)
    return path


KINDS = {
    "OFT": [f"{LAYER}.oft_blocks", f"{LAYER}.oft_diag"],
    "GLoRA": [f"{LAYER}.a1.weight"],
    "(IA)3": [f"{LAYER}.on_input", "base_model.model.mid_block.attentions.0.proj_in.ia3_l"],
    "whole differences of weights": [f"{LAYER}.diff", f"{LAYER}.diff_b"],
    "trained norms": [f"{LAYER}.w_norm"],
    "LoRA of embeddings or with biases": [
        "text_encoder.embeddings.token_embedding.lora_embedding_A",
        "unet.mid_block.attentions.0.proj_in.lora_B.bias",
    ],
    "LoRA with trained scalars": [f"{LAYER}.scalar"],
    "embeddings in a LoRA file": ["bundle_emb.style.string_to_param.*"],
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in KINDS.items() for name in names])
@pytest.mark.parametrize("beside", ["alone", "beside pairs"])
def test_what_cannot_be_applied_yet_is_called_what_it_is(
    starter: Checkpoint, kind: str, name: str, beside: str, tmp_path: Path
):
    path = tmp_path / "other.safetensors"
    more = {name: torch.ones(4, 4)}
    save_file(more, path) if beside == "alone" else with_tensors(path, KOHYA, more)
    assert f"holds {kind} ({name})" in refusal(starter, path)


@pytest.mark.parametrize(
    "name",
    [
        "lora_unet_mid_block_attentions_9_proj_in.lora_down.weight",
        "unet.mid_block.attentions.9.proj_in.lora_A.weight",
        "other.mid_block.attentions.0.proj_in.lora_A.weight",
        "lora_te_text_model_encoder_layers_7_mlp_fc1.lora_down.weight",
        f"{LAYER}.lora_down.bias_2",
        "extra",
    ],
)
def test_a_tensor_for_no_layer_of_the_model_is_refused_by_name(starter: Checkpoint, name: str, tmp_path: Path):
    path = with_tensors(tmp_path / "more.safetensors", KOHYA, {name: torch.ones(4, 4)})
    assert f"has tensors for no layer of this model: {name}" in refusal(starter, path)


def test_half_a_pair_is_refused_by_name(starter: Checkpoint, tmp_path: Path):
    tensors = load_file(KOHYA)
    for kept, lost in (("down", "up"), ("up", "down")):
        half = {name: t for name, t in tensors.items() if name != f"{LAYER}.lora_{lost}.weight"}
        save_file(half, tmp_path / "half.safetensors")
        message = refusal(starter, tmp_path / "half.safetensors")
        assert f"{LAYER}.lora_{kept}.weight has no {lost} factor beside it" in message


def test_an_alpha_without_its_pair_is_refused_by_name(starter: Checkpoint, tmp_path: Path):
    path = with_tensors(tmp_path / "alpha.safetensors", KOHYA, {f"{CONV}.alpha": torch.ones(())})
    assert f"{CONV}.alpha has no down factor beside it" in refusal(starter, path)


def test_two_pairs_for_one_layer_are_refused_by_name(starter: Checkpoint, tmp_path: Path):
    path = with_tensors(tmp_path / "both.safetensors", KOHYA, load_file(DIFFUSERS))
    assert "has two tensors for one layer: " in refusal(starter, path)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        (f"{LAYER}.lora_down.weight", (8, 127)),
        (f"{LAYER}.lora_down.weight", (4, 128)),
        (f"{LAYER}.lora_down.weight", (8, 128, 3, 3)),
        (f"{LAYER}.lora_down.weight", (0, 128)),
        (f"{LAYER}.lora_up.weight", (128, 9)),
        (f"{LAYER}.lora_up.weight", (128,)),
        (f"{LAYER}.lora_up.weight", ()),
    ],
)
def test_a_pair_that_does_not_fit_its_layer_is_refused_by_name(
    starter: Checkpoint, name: str, shape: tuple[int, ...], tmp_path: Path
):
    path = with_tensors(tmp_path / "odd.safetensors", KOHYA, {name: torch.ones(shape)})
    assert "does not fit this model: " + LAYER in refusal(starter, path)


def test_several_alphas_for_one_layer_are_refused(starter: Checkpoint, tmp_path: Path):
    path = with_tensors(tmp_path / "alpha.safetensors", KOHYA, {f"{LAYER}.alpha": torch.ones(3)})
    assert f"{LAYER}.alpha must be one number" in refusal(starter, path)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"unet.use_dora": True}, "was made with use_dora"),
        ({"unet.peft_type": "OFT"}, "holds 'OFT'"),
        ({"unet.peft_type": "LOHA"}, "has settings of 'LOHA', and tensors of LoRA"),
        ({"unet.r": 0, "unet.peft_type": "LOKR"}, "has settings of 'LOKR', and tensors of LoRA"),
        ({"unet.lora_alpha": "8"}, "lora_alpha must be a finite number"),
        ({"unet.lora_alpha": True}, "lora_alpha must be a finite number"),
        ({"unet.alpha_pattern": ["a"]}, "alpha_pattern must be an object"),
        ({"unet.alpha_pattern": {"(a+)+$": 1}}, "is no name of a layer"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused(
    starter: Checkpoint, settings: dict[str, object], reason: str, tmp_path: Path
):
    metadata = {"lora_adapter_metadata": json.dumps(settings)}
    path = with_tensors(tmp_path / "told.safetensors", DIFFUSERS, {}, metadata)
    assert reason in refusal(starter, path)


def test_a_message_quotes_little_of_a_file(starter: Checkpoint, tmp_path: Path):
    names = {f"{'x' * 300}{index}": torch.ones(1) for index in range(9)}
    message = refusal(starter, with_tensors(tmp_path / "long.safetensors", KOHYA, names))
    assert len(message.partition("this model: ")[2]) <= MAX_QUOTED + len("... and 8 more")


@pytest.mark.parametrize("prefix", ["", "base_model.model.", "unet.base_model.model."])
def test_names_without_a_prefix_and_with_that_of_peft_are_understood(starter: Checkpoint, prefix: str, tmp_path: Path):
    tensors = {prefix + name.removeprefix("unet."): tensor for name, tensor in load_file(DIFFUSERS).items()}
    save_file(tensors, tmp_path / "renamed.safetensors")
    part = Part(STARTER, sd1.FAMILY, "unet")
    layers = lora_file.layers(part.spec.architecture.shapes(part.settings()))
    one, other = (
        lora_file.read(path, shapes(path), part.spec, layers, part.settings())
        for path in (DIFFUSERS, tmp_path / "renamed.safetensors")
    )
    assert one.additions.keys() == other.additions.keys()
    assert not other.unknown


EARLIER = [
    ("unet.{}.lora.down.weight", "unet.{}.lora.up.weight", "unet"),
    ("{}.lora_A.default.weight", "{}.lora_B.default.weight", "unet"),
    ("unet.{}.lora_down.weight", "unet.{}.lora_up.weight", "unet"),
    ("text_encoder.{}.lora_linear_layer.down.weight", "text_encoder.{}.lora_linear_layer.up.weight", "text_encoder"),
]


@pytest.mark.parametrize(("down", "up", "network"), EARLIER)
def test_every_spelling_of_diffusers_is_understood(down: str, up: str, network: str):
    layer, stored = "x.to_q", "x.to_q" if network == "unet" else "text_model.x.to_q"
    found = {down.format(stored): (2, 8), up.format(stored): (8, 2)}
    content = lora_file.read(Path("a"), found, sd1.FAMILY.roles[network], {layer: (8, 8)}, settings_of(network))
    names = {"down": down.format(stored), "up": up.format(stored)}
    assert content == ({layer: ("LoRA", names, content.additions[layer].stored)}, ())


@pytest.mark.parametrize(
    ("network", "stored", "layer"),
    [
        ("unet", "unet.a.attn1.processor.to_q", "a.attn1.to_q"),
        ("unet", "a.attn1.processor.to_out", "a.attn1.to_out.0"),
        ("text_encoder", "text_encoder.text_model.a.self_attn.to_q", "a.self_attn.q_proj"),
        ("text_encoder", "text_encoder.text_model.a.self_attn.to_out", "a.self_attn.out_proj"),
    ],
)
def test_layers_that_stood_beside_an_attention_are_found(network: str, stored: str, layer: str):
    found = {f"{stored}_lora.down.weight": (2, 8), f"{stored}_lora.up.weight": (8, 2)}
    assert list(
        lora_file.read(Path("a"), found, sd1.FAMILY.roles[network], {layer: (8, 8)}, settings_of(network)).additions
    ) == [layer]


def test_layers_under_their_original_names_are_found(starter: Checkpoint):
    name = "lora_unet_input_blocks_1_0_in_layers_2"
    found = {f"{name}.lora_down.weight": (2, 64, 3, 3), f"{name}.lora_up.weight": (64, 2, 1, 1)}
    role, settings = sd1.FAMILY.roles["unet"], settings_of("unet")
    content = lora_file.read(Path("a"), found, role, {"down_blocks.0.resnets.0.conv1": (64, 64, 3, 3)}, settings)
    assert list(content.additions) == ["down_blocks.0.resnets.0.conv1"]


@pytest.mark.parametrize(
    ("build", "layout"),
    [
        pytest.param(tiny_models.build_sdxl, "diffusers", marks=pytest.mark.slow),
        (tiny_models.build_sdxl, "kohya"),
        (tiny_models.build_flux, "diffusers"),
    ],
)
def test_a_lora_of_another_family_is_refused(
    starter: Checkpoint, build: Callable[[Path], Path], layout: tiny_models.LoraFormat, tmp_path: Path
):
    path = tiny_models.build_lora(tmp_path / "lora.safetensors", build(tmp_path / "pipeline"), key_format=layout)
    assert "is a LoRA for another family of models than this one" in refusal(starter, path)


def test_checking_a_workflow_finds_a_lora_that_cannot_be_applied(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = with_tensors(tmp_path / "whole.safetensors", KOHYA, {f"{CONV}.diff": torch.ones(4, 4, 3, 3)})
    graph = json.loads(workflow.dumps(workflow.load(ROOT / "workflows" / "lora.json")))
    for node in graph["nodes"].values():
        if node["type"] == "adapter.lora":
            node["params"]["path"] = str(path)
    (tmp_path / "flow.json").write_text(json.dumps(graph), "utf-8")
    assert headless.main(["check", str(tmp_path / "flow.json")]) == 1
    assert "holds whole differences of weights" in capsys.readouterr().err


def test_a_lora_acts_on_the_model_alone_where_there_is_no_text_encoder(starter):
    alone = lora(starter.model, path=str(DIFFUSERS))
    assert alone.model == lora(starter.model, starter.text_encoder, str(DIFFUSERS)).model
    assert alone.text_encoder is None


def test_what_is_for_the_text_encoder_is_left_out_without_one_and_nothing_else(starter, tmp_path):
    text = {f"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_{way}.weight": torch.ones(1) for way in ("up", "down")}
    checkpoints.lora(str(with_tensors(tmp_path / "text.safetensors", KOHYA, text)), starter.model)
    odd = with_tensors(tmp_path / "odd.safetensors", KOHYA, text | {"lora_odd.alpha": torch.ones(1)})
    with pytest.raises(ValueError, match=r"odd.safetensors has tensors for no layer of this model: .?lora_odd.alpha"):
        checkpoints.lora(str(odd), starter.model)


def test_a_workflow_with_a_lora_needs_no_text_encoder_for_it_and_says_so_where_one_is_taken():
    nodes = {
        "load": ("load.checkpoint", {"path": str(STARTER)}),
        "lora": ("adapter.lora", {"path": str(DIFFUSERS)}),
        "schedule": "schedule.noise_scheduler",
    }
    links = "load.model > lora.model", "lora.model > schedule.model"
    assert not plan(build(nodes, *links), discover("nodes")).problems
    nodes["prompt"] = "text.encode"
    (problem,) = plan(build(nodes, *links, "lora.text_encoder > prompt.text_encoder"), discover("nodes")).problems
    print(problem)
    assert problem.node == "prompt"
