"""A checkpoint folder's settings are input from anywhere: each is in its limits, or one sentence says which is not."""

import inspect
import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from transformers import CLIPTextConfig

from nodes.backend import checkpoints, loading
from nodes.backend.families import sd1
from nodes.backend.fields import Field
from nodes.backend.process import sigma_at, timestep_at, training_sigmas
from nodes.backend.scheduler_settings import DIFFUSION
from nodes.backend.strict_json import MAX_QUOTED
from tests.examples import examples

CPU = torch.device("cpu")
LIBRARY = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "controlnet": ControlNetModel}
SCHEMAS = {role: spec.architecture.schema for role, spec in sd1.FAMILY.roles.items()}
FILES = {
    "unet": "unet/config.json",
    "vae": "vae/config.json",
    "text_encoder": "text_encoder/config.json",
    "controlnet": "config.json",
}


@pytest.fixture(scope="module")
def folder(sd15_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint to spoil; `spoiled` mends it again."""
    return Path(shutil.copytree(sd15_folder, tmp_path_factory.mktemp("hostile") / "sd15"))


@pytest.fixture(scope="module")
def control(controlnet_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(controlnet_folder, tmp_path_factory.mktemp("hostile") / "controlnet"))


def spoiled(path: Path, change: dict[str, Any] | bytes, use: Callable[[], object]) -> str | None:
    """What is said of a settings file with this change; None when it is used. Only a ValueError is let pass."""
    before = path.read_bytes()
    path.write_bytes(change if isinstance(change, bytes) else json.dumps(json.loads(before) | change).encode())
    try:
        use()
    except ValueError as error:
        message = str(error)
        assert "\n" not in message
        assert len(message) <= 3 * MAX_QUOTED + 2 * len(str(path))
        return message
    finally:
        path.write_bytes(before)
    return None


def describe_and_build(folder: Path, control: Path, part: str) -> None:
    """All that planning and loading do with one part."""
    if part == "controlnet":
        loading.load(checkpoints.controlnet(str(control)).network, CPU, torch.float32)
        return
    model, text, vae = checkpoints.checkpoint(str(folder))
    network = {"unet": model.network, "vae": vae.network, "text_encoder": text.encoders[0]}[part]
    loading.load(network, CPU, torch.float32)


@pytest.mark.parametrize("part", LIBRARY)
def test_names_and_defaults_are_the_librarys(part: str):
    known = inspect.signature(LIBRARY[part].__init__).parameters
    assert {name: field.default for name, field in SCHEMAS[part].items()} == {
        name: known[name].default for name in SCHEMAS[part]
    }


def test_names_and_defaults_of_the_text_encoder_are_the_librarys():
    theirs = CLIPTextConfig()
    for name, field in SCHEMAS["text_encoder"].items():
        assert getattr(theirs, name) == field.default


ABSURD: list[tuple[str, dict[str, Any], str]] = [
    ("text_encoder", {"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000; it must be a whole number from 1"),
    ("text_encoder", {"num_hidden_layers": 200}, "lacks encoder.layers.3."),
    ("text_encoder", {"hidden_size": 16_000}, "embeddings.token_embedding.weight is"),
    ("text_encoder", {"intermediate_size": 60_000}, "mlp.fc1.weight is"),
    ("text_encoder", {"max_position_embeddings": 8000}, "position_embedding.weight is"),
    ("text_encoder", {"num_attention_heads": 5}, "is no multiple of num_attention_heads 5"),
    ("text_encoder", {"num_attention_heads": 0}, "num_attention_heads is 0"),
    ("text_encoder", {"hidden_act": "os.system"}, "hidden_act is 'os.system'; it must be quick_gelu or gelu"),
    ("text_encoder", {"layer_norm_eps": 1}, "layer_norm_eps is 1; it must be a number from 1e-12 to 0.9"),
    ("unet", {"layers_per_block": 16}, "lacks down_blocks.0.resnets."),
    ("unet", {"layers_per_block": [2, 2, 2, 2]}, "layers_per_block is [2, 2, 2, 2]"),
    ("unet", {"transformer_layers_per_block": 16}, "lacks down_blocks."),
    ("unet", {"block_out_channels": [16_000] * 2}, "conv_in.weight is"),
    ("unet", {"block_out_channels": []}, "block_out_channels is []"),
    ("unet", {"block_out_channels": [8] * 1000}, "block_out_channels is [8, 8,"),
    ("unet", {"block_out_channels": [16, 32, 32]}, "has 2 values, block_out_channels 3"),
    ("unet", {"norm_num_groups": 7}, "no multiple of norm_num_groups 7"),
    ("unet", {"attention_head_dim": 3}, "no multiple of attention_head_dim 3"),
    ("unet", {"attention_head_dim": [4, 4, 4]}, "attention_head_dim has 3 values"),
    ("unet", {"cross_attention_dim": 16_000}, "attn2.to_k.weight is"),
    ("unet", {"cross_attention_dim": "768"}, "cross_attention_dim is '768'"),
    ("unet", {"in_channels": True}, "in_channels is True"),
    ("unet", {"sample_size": 4096}, "sample_size 4096 means pictures of 32,768 pixels"),
    ("unet", {"act_fn": "__import__"}, "act_fn is '__import__'; it must be silu or swish"),
    ("unet", {"down_block_types": ["os.system"] * 4}, "down_block_types is ['os.system',"),
    ("unet", {"attention_type": "gated"}, "attention_type is 'gated'; it must be default"),
    ("unet", {"num_class_embeds": 10**9}, "num_class_embeds is 1000000000; it must be null"),
    ("unet", {"time_embedding_type": "fourier"}, "time_embedding_type is 'fourier'"),
    ("unet", {"only_cross_attention": 0}, "only_cross_attention is 0; it must be false"),
    ("unet", {"_class_name": "UNet2DModel"}, "is a StableDiffusionPipeline with a UNet2DModel"),
    ("unet", {"_class_name": ["a"]}, "_class_name is ['a']"),
    ("unet", {"_class_name": "a\nb"}, r"_class_name is 'a\nb'; it must be one line"),
    ("vae", {"scaling_factor": 0}, "scaling_factor is 0"),
    ("vae", {"latents_mean": [0.0] * 4}, "latents_mean is [0.0,"),
    ("vae", {"latent_channels": 16_000}, "does not fit its settings"),
    ("vae", {"layers_per_block": 16}, "lacks encoder.down_blocks.0.resnets.1."),
    ("controlnet", {"conditioning_embedding_out_channels": [16_000, 4]}, "controlnet_cond_embedding.conv_in.weight is"),
    ("controlnet", {"conditioning_channels": 4}, "conditioning_channels is 4"),
    ("controlnet", {"addition_embed_type": "text_time"}, "addition_embed_type is text_time"),
    ("unet", {"addition_embed_type": "text_time"}, "is a StableDiffusionPipeline with a UNet2DConditionModel"),
]


@pytest.mark.parametrize(("part", "change", "message"), ABSURD, ids=[str(case[1])[:40] for case in ABSURD])
def test_an_absurd_setting_is_found_before_anything_is_built(
    folder: Path, control: Path, part: str, change: dict[str, Any], message: str
):
    place, plan = (control, checkpoints.controlnet) if part == "controlnet" else (folder, checkpoints.checkpoint)
    said = spoiled(place / FILES[part], change, lambda: plan(str(place)))
    assert message in (said or "accepted")
    assert str(place) in (said or "")


DEEP = b'{"in_channels": ' + b"[" * 100_000
BAD_JSON = {
    "deep": (DEEP, "is nested too deeply"),
    "large": (b'{"a": "' + b"x" * 2_000_000 + b'"}', "is larger than 1,000,000 bytes"),
    "twice": (b'{"in_channels": 4, "in_channels": 5}', "'in_channels' stands twice"),
    "NaN": (b'{"norm_eps": NaN}', "NaN is no number"),
    "infinite": (b'{"norm_eps": 1e999}', "a number that is too large"),
    "5,000 digits": (b'{"in_channels": ' + b"9" * 5000 + b"}", "a number that is too large"),
    "list": (b"[1, 2]", "holds no JSON object"),
    "null": (b"null", "holds no JSON object"),
    "empty": (b"", "is not valid JSON"),
    "UTF-16": ('{"in_channels": 4}'.encode("utf-16"), "is no UTF-8"),
}


@pytest.mark.parametrize("name", BAD_JSON)
@pytest.mark.parametrize("file", ["unet/config.json", "vae/config.json", "scheduler/scheduler_config.json"])
def test_a_file_that_is_no_settings_is_one_sentence(folder: Path, file: str, name: str):
    text, message = BAD_JSON[name]
    assert message in (spoiled(folder / file, text, lambda: checkpoints.checkpoint(str(folder))) or "accepted")


def test_what_is_not_known_is_not_handed_on(folder: Path, control: Path):
    change = {"auto_map": {"AutoModel": "evil.py"}, "attn_implementation": "evil/kernel", "torch_dtype": "evil"}
    change |= {"_attn_implementation": "evil/kernel", "quantization_config": {"load_in_4bit": True}, "dtype": "evil"}
    for part in SCHEMAS:
        path = (control if part == "controlnet" else folder) / FILES[part]
        assert spoiled(path, change, lambda part=part: describe_and_build(folder, control, part)) is None


SCHEDULES: list[tuple[dict[str, Any], str]] = [
    ({"num_train_timesteps": 10**8}, "num_train_timesteps is 100000000; it must be a whole number from 2 to 10,000"),
    ({"num_train_timesteps": 1}, "num_train_timesteps is 1"),
    ({"beta_start": "0.1"}, "beta_start is '0.1'"),
    ({"beta_start": 0.5, "beta_end": 0.1}, "beta_start is 0.5, above beta_end"),
    ({"beta_end": 0.9}, "is too much noise"),
    ({"beta_end": 1.5}, "beta_end is 1.5"),
    ({"beta_schedule": "exp"}, "it must be linear, scaled_linear or squaredcos_cap_v2"),
    ({"prediction_type": None}, "prediction_type is None"),
    ({"rescale_betas_zero_snr": 1}, "rescale_betas_zero_snr is 1; it must be true or false or null"),
    ({"trained_betas": [0.1]}, "trained_betas is [0.1]; it must be null"),
]


@pytest.mark.parametrize(("change", "message"), SCHEDULES)
def test_an_absurd_schedule_is_one_sentence(folder: Path, change: dict[str, Any], message: str):
    path = folder / "scheduler" / "scheduler_config.json"
    assert message in (spoiled(path, change, lambda: checkpoints.checkpoint(str(folder))) or "accepted")


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.sampled_from([0, 1, 2, 3, 4, 8, 10**4, 0.0, 0.5, 1.0, 1e-30, "", "x", "silu", "gelu", "default", "text_time"])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=9,
)


def near(field: Field) -> st.SearchStrategy[Any]:
    """Values of the right kind, most of which do not fit the weights, and anything else."""
    options = getattr(field.kind, "options", ())
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    return st.sampled_from([*options, default]) | ANYTHING | st.lists(st.sampled_from([1, 4, 8, 16, 32]), max_size=5)


@pytest.mark.parametrize("part", SCHEMAS)
@examples(20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_a_part_says_it_is_built_or_refused_in_a_sentence(
    folder: Path, control: Path, part: str, data: st.DataObject
):
    schema = SCHEMAS[part]
    names = data.draw(st.lists(st.sampled_from(sorted(schema)), min_size=1, max_size=2, unique=True))
    change = {name: data.draw(near(schema[name]), label=name) for name in names}
    path = (control if part == "controlnet" else folder) / FILES[part]
    spoiled(path, change, lambda: describe_and_build(folder, control, part))


@examples(80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_schedule_says_its_noise_levels_rise_or_it_is_refused(folder: Path, data: st.DataObject):
    kinds = {
        "beta_start": st.floats(1e-9, 1.0),
        "beta_end": st.floats(1e-9, 1.0),
        "num_train_timesteps": st.integers(1, 300),
        "beta_schedule": st.sampled_from(["linear", "scaled_linear", "squaredcos_cap_v2"]),
    }
    change = {name: data.draw(kind | ANYTHING if data.draw(st.booleans()) else kind) for name, kind in kinds.items()}

    def use() -> None:
        schedule = checkpoints.checkpoint(str(folder)).model.process
        levels = training_sigmas(schedule)
        assert all(low < high for low, high in pairwise(levels))
        assert timestep_at(schedule, sigma_at(schedule, 1)) == pytest.approx(1)

    assert DIFFUSION.keys() >= change.keys()
    spoiled(folder / "scheduler" / "scheduler_config.json", change, use)
