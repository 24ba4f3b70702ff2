"""What is known of Flux.2's transformer and autoencoder is what diffusers builds, and what published files hold."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_flux2_transformer_checkpoint_to_diffusers
from hypothesis import given
from hypothesis import strategies as st

from nodes.backend.fields import check_fields
from nodes.backend.networks import flux2, vae_flux2
from nodes.backend.networks.architecture import Architecture, Settings
from tests.examples import each, examples
from tests.nodes.networks import files
from tests.nodes.networks.files import PLACE, Tensors, settings
from tests.tiny_split import flux2_to_original, vae_to_flux2

TINY = {
    "num_layers": 2,
    "num_single_layers": 1,
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "joint_attention_dim": 6,
    "in_channels": 4,
    "axes_dims_rope": [4, 4, 4, 4],
}
KLEIN_4B = {
    "num_layers": 5,
    "num_single_layers": 20,
    "num_attention_heads": 24,
    "joint_attention_dim": 7680,
    "guidance_embeds": False,
}
KLEIN_9B = KLEIN_4B | {
    "num_layers": 8,
    "num_single_layers": 24,
    "num_attention_heads": 32,
    "joint_attention_dim": 12_288,
}
PUBLISHED: dict[str, dict[str, Any]] = {"dev": {}, "Klein 4B": KLEIN_4B, "Klein 9B": KLEIN_9B, "tiny": TINY}

TINY_VAE = {"block_out_channels": [4, 8], "norm_num_groups": 4, "layers_per_block": 1, "latent_channels": 3} | {
    f"{side}_block_types": [f"{name}Block2D"] * 2 for side, name in (("down", "DownEncoder"), ("up", "UpDecoder"))
}
VAES: dict[str, dict[str, Any]] = {
    "published": {},
    "small decoder": {"decoder_block_out_channels": [96, 192, 384, 384]},
    "tiny": TINY_VAE,
    "bare": TINY_VAE | {"use_quant_conv": False, "use_post_quant_conv": False, "mid_block_add_attention": False},
}


@st.composite
def any_settings(draw: st.DrawFn) -> Settings:
    """Small ones without a contradiction."""
    axes = [2 * draw(st.integers(1, 2)) for _ in range(4)]
    change: dict[str, Any] = {"axes_dims_rope": axes, "attention_head_dim": sum(axes)}
    change |= {name: draw(st.integers(1, 5)) for name in ("in_channels", "joint_attention_dim", "num_attention_heads")}
    change |= {name: draw(st.integers(1, 2)) for name in ("num_layers", "num_single_layers")}
    change |= {"mlp_ratio": draw(st.sampled_from((3.0, 4.0, 2.3))), "guidance_embeds": draw(st.booleans())}
    return settings(flux2.ARCHITECTURE, change)


def original(architecture: Architecture, given_settings: Settings, tensors: Tensors) -> Tensors:
    """As Black Forest Labs and ComfyUI name them."""
    rename = flux2_to_original if architecture is flux2.ARCHITECTURE else vae_to_flux2
    return rename(tensors, given_settings)


def test_names_and_defaults_are_the_librarys():
    ours = {name: field.default for name, field in flux2.ARCHITECTURE.schema.items()}
    assert ours == files.library_defaults(flux2.ARCHITECTURE)
    ours = {name: field.default for name, field in vae_flux2.ARCHITECTURE.schema.items()}
    theirs = files.library_defaults(vae_flux2.ARCHITECTURE)
    assert ours == {name: value for name, value in theirs.items() if name != "sample_size"}  # of its own tiles


CASES = [
    *((flux2.ARCHITECTURE, change) for change in PUBLISHED.values()),
    *((vae_flux2.ARCHITECTURE, change) for change in VAES.values()),
]
NAMES = [*PUBLISHED, *(f"VAE, {name}" for name in VAES)]


@pytest.mark.parametrize(("architecture", "change"), CASES, ids=NAMES)
def test_published_networks_have_the_tensors_of_the_library(architecture: Architecture, change: dict[str, Any]):
    found = settings(architecture, change)
    assert not [*architecture.contradictions(found)]
    assert architecture.shapes(found) == files.library_shapes(architecture, found)


@examples(40)
@given(any_settings())
def test_any_settings_give_the_tensors_of_the_library(found: Settings):
    assert not [*flux2.ARCHITECTURE.contradictions(found)]
    assert flux2.ARCHITECTURE.shapes(found) == files.library_shapes(flux2.ARCHITECTURE, found)


@examples(10)
@given(any_settings())
def test_settings_without_a_contradiction_make_a_network_that_runs(found: Settings):
    module = files.library_class(flux2.ARCHITECTURE)(**found).eval()
    with torch.inference_mode():
        (made,) = module(
            hidden_states=torch.zeros(1, 2, found["in_channels"]),
            encoder_hidden_states=torch.zeros(1, 3, found["joint_attention_dim"]),
            timestep=torch.tensor([0.5]),
            guidance=torch.tensor([1.0]),
            img_ids=torch.zeros(2, 4),
            txt_ids=torch.zeros(3, 4),
            return_dict=False,
        )
    assert made.shape == (1, 2, found["out_channels"] or found["in_channels"])


@each(
    ("change", "sentence"),
    [
        ({"axes_dims_rope": [4, 4, 4, 2]}, "must be 4 even numbers that add up to attention_head_dim, 16"),
        ({"axes_dims_rope": [5, 3, 4, 4]}, "must be 4 even numbers"),
        ({"axes_dims_rope": [8, 8]}, "must be 4 even numbers"),
        ({"mlp_ratio": 0.01}, "mlp_ratio 0.01 leaves nothing of width 32"),
        ({"timestep_guidance_channels": 7}, "timestep_guidance_channels is 7, which is odd"),
    ],
)
def test_settings_that_cannot_be_meant_together_are_one_sentence(change: dict[str, Any], sentence: str):
    assert files.wrong(flux2.ARCHITECTURE, TINY) == []
    assert sentence in files.wrong(flux2.ARCHITECTURE, {**TINY, **change})[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"norm_num_groups": 3}, "block_out_channels has 4, no multiple of norm_num_groups 3"),
        ({"decoder_block_out_channels": [4]}, "decoder_block_out_channels 1"),
        ({"decoder_block_out_channels": [4, 6]}, "decoder_block_out_channels has 6, no multiple of norm_num_groups 4"),
        ({"patch_size": [2]}, "patch_size is [2]; it must be two numbers"),
    ],
)
def test_settings_of_an_autoencoder_that_cannot_be_meant_are_one_sentence(change: dict[str, Any], sentence: str):
    assert files.wrong(vae_flux2.ARCHITECTURE, TINY_VAE) == []
    assert sentence in files.wrong(vae_flux2.ARCHITECTURE, {**TINY_VAE, **change})[0]


@examples(40)
@given(any_settings())
def test_files_of_either_layout_give_the_librarys_tensors(found: Settings):
    files.assert_is_read_in_either_layout(flux2.ARCHITECTURE, found, original)


@pytest.mark.parametrize("change", [TINY_VAE, VAES["bare"], TINY_VAE | {"decoder_block_out_channels": [8, 4]}])
def test_autoencoders_of_either_layout_give_the_librarys_tensors(change: dict[str, Any]):
    found = settings(vae_flux2.ARCHITECTURE, change)
    tensors = files.library_shapes(vae_flux2.ARCHITECTURE, found)
    numbered = {name: torch.full(shape or (1,), float(number)) for number, (name, shape) in enumerate(tensors.items())}
    assert files.same(files.read(vae_flux2.ARCHITECTURE, found, numbered), numbered)
    read = files.read(vae_flux2.ARCHITECTURE, found, original(vae_flux2.ARCHITECTURE, found, numbered))
    # an attention's layers may be convolutions of one pixel
    assert files.same({name: tensor.reshape(numbered[name].shape) for name, tensor in read.items()}, numbered)


def test_original_files_are_read_as_diffusers_reads_them():
    found = settings(flux2.ARCHITECTURE, TINY)
    tensors = original(flux2.ARCHITECTURE, found, files.numbered(flux2.ARCHITECTURE.shapes(found)))
    theirs = convert_flux2_transformer_checkpoint_to_diffusers(dict(tensors))
    assert files.same(files.read(flux2.ARCHITECTURE, found, tensors), theirs)


def test_norms_may_have_weights_where_others_have_scales():
    found = settings(flux2.ARCHITECTURE, TINY)
    numbered = files.numbered(flux2.ARCHITECTURE.shapes(found))
    named = {
        name.replace("_norm.scale", "_norm.weight"): tensor
        for name, tensor in original(flux2.ARCHITECTURE, found, numbered).items()
    }
    assert files.same(files.read(flux2.ARCHITECTURE, found, named), numbered)


@each(("architecture", "change"), CASES)
@each("is_original", [False, True])
def test_a_published_file_tells_its_settings(architecture: Architecture, change: dict[str, Any], is_original: bool):
    wanted = settings(architecture, change)
    blocks = {name: wanted[name] for name in ("down_block_types", "up_block_types") if name in wanted}
    start = {"block_out_channels": [128] * len(blocks["up_block_types"]), "norm_num_groups": 32} if blocks else {}
    tensors = files.on_meta(architecture, wanted)
    found = files.shapes_of(original(architecture, wanted, tensors) if is_original else tensors)
    told = architecture.told(settings(architecture, blocks | start), found)
    assert told == wanted
    assert check_fields(PLACE, told, architecture.schema) == told


@pytest.mark.parametrize(("architecture", "change"), [(flux2.ARCHITECTURE, TINY), (vae_flux2.ARCHITECTURE, TINY_VAE)])
def test_a_damaged_file_tells_something_without_an_error(architecture: Architecture, change: dict[str, Any]):
    files.assert_tells_something_of_any_damage(architecture, settings(architecture, change), original)
