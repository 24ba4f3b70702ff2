"""Networks whose weights stay packed are those of the numbers that the weights stand for, in every family."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nodes.backend import (
    autoencoder,
    checkpoints,
    denoise,
    labels,
    loading,
    parts,
    placing,
    pool,
    quantised_layers,
    weight_files,
    weight_tensors,
)
from nodes.backend.additions import Adapted
from nodes.backend.quantised_layers import QuantisedEmbedding, QuantisedLinear
from nodes.backend.training import Settings, Training
from nodes.backend.training_data import Examples
from nodes.brought import file_becomes
from nodes.text import prompt
from nodes.types import Model, Network
from tests import quantised_files, tiny_modern, tiny_split, wide_models
from tests.nodes.families.oracle import Parts, relative, same_numbers, sample_flow
from tests.quantised_files import COMFY, GGUF

CPU = torch.device("cpu")
LAYOUTS = (*COMFY, *GGUF)
DAILY = ("scaled_fp8", "int8_convrot", "w4a8", "nvfp4", "Q4_K")


def some_slow(layouts: Iterable[str], daily: Collection[str] = DAILY) -> list[Any]:
    """What a layout's numbers are, `test_layouts` tries for all of them; not every one has to make pictures daily."""
    return [layout if layout in daily else pytest.param(layout, marks=pytest.mark.slow) for layout in layouts]


pytestmark = pytest.mark.usefixtures("empty_pool")


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of a small Z-Image, among its settings."""
    folder = wide_models.build_wide(tmp_path_factory.mktemp("models") / "wide")
    return tiny_split.beside_settings(folder, tmp_path_factory.mktemp("split") / "wide")


@pytest.fixture(scope="module")
def wide_qwen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same of Qwen-Image."""
    folder = wide_models.build_wide_qwen(tmp_path_factory.mktemp("models") / "wide_qwen")
    return tiny_split.beside_settings(folder, tmp_path_factory.mktemp("split") / "wide_qwen")


def beside(place: Path, layout: str) -> Path:
    """Where a file of a layout lies that is to be read with the settings of another."""
    return place.with_name(f"{place.stem}_{layout}.{'gguf' if layout in GGUF else 'safetensors'}")


def packed_and_plain(place: Path, layout: str, **how: Any) -> tuple[Path, Path]:
    """A file's weights in a layout, and the numbers that those stand for, each written once."""
    packed = beside(place, layout)
    plain = packed.with_name(f"{packed.name}_plain.safetensors")
    if plain.exists():
        return packed, plain
    packed = quantised_files.write(beside(place, layout), load_file(place), layout, **how)
    save_file({name: tensor.contiguous() for name, tensor in quantised_files.dequantised(packed).items()}, plain)
    return packed, plain


def made(files: dict[str, Path], model: Model, positive: str = "a red cat") -> Tensor:
    """A latent in four steps."""
    text_encoder = checkpoints.text_encoders(model, [str(files["text_encoder"])])
    vae = checkpoints.autoencoder(model, str(files["vae"]))
    return sample_flow(Parts(model, text_encoder, vae), (prompt(text_encoder, positive), prompt(text_encoder, "")))


def packed_layers(network: nn.Module) -> list[Any]:
    return [layer for layer in network.modules() if isinstance(layer, QuantisedLinear | QuantisedEmbedding)]


@pytest.mark.parametrize("layout", some_slow(LAYOUTS, ("int8_convrot", "Q4_K")))
def test_a_denoiser_makes_the_picture_of_the_numbers_that_its_weights_stand_for(wide: dict[str, Path], layout: str):
    makes_the_picture_of_its_numbers(wide, layout)


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_so_does_that_of_qwen_image(wide_qwen: dict[str, Path], layout: str):
    makes_the_picture_of_its_numbers(wide_qwen, layout)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["scaled_fp8", "int8", "nvfp4", "Q8_0"])
@pytest.mark.parametrize("build", [tiny_modern.build_krea2_turbo, tiny_modern.build_qwen_21])
def test_so_do_those_of_krea_2_and_qwen_image_2_1(tmp_path: Path, build: Callable[[Path], Path], layout: str):
    makes_the_picture_of_its_numbers(tiny_split.beside_settings(build(tmp_path / "whole"), tmp_path / "split"), layout)


def makes_the_picture_of_its_numbers(files: dict[str, Path], layout: str) -> None:
    packed, plain = packed_and_plain(files["transformer"], layout)
    model = checkpoints.denoiser(str(packed))
    assert len(packed_layers(pool.network(model.network))) > 15
    ours, expected = made(files, model), made(files, checkpoints.denoiser(str(plain)))
    # Of rotated weights one third of a projection is turned back by itself, which may add in another order.
    assert relative(ours, expected) < 1e-5 if layout in ("int8_convrot", "w4a8") else same_numbers(ours, expected)
    rough = 0.9 if layout in ("Q2_K", "Q3_K", "w4a8") else 0.5
    assert relative(ours, made(files, checkpoints.denoiser(str(files["transformer"])))) < rough


@pytest.mark.parametrize("layout", some_slow(["int8", "scaled_fp8", "plain_fp8", "Q8_0", "Q4_0"], ("int8", "Q8_0")))
def test_a_text_encoder_reads_as_the_numbers_that_its_weights_stand_for(wide: dict[str, Path], layout: str):
    packed, plain = packed_and_plain(wide["text_encoder"], layout)
    model = checkpoints.denoiser(str(wide["transformer"]))
    ours, expected = (prompt(checkpoints.text_encoders(model, [str(file)]), "a red cat") for file in (packed, plain))
    assert same_numbers(ours.embeds, expected.embeds)


def test_a_table_of_words_is_kept_packed(wide: dict[str, Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(quantised_files, "is_layer", lambda name, tensor: tensor.ndim == 2)
    packed, plain = packed_and_plain(wide["text_encoder"], "Q4_1")
    model = checkpoints.denoiser(str(wide["transformer"]))
    ours, expected = (checkpoints.text_encoders(model, [str(file)]) for file in (packed, plain))
    (network,) = ours.encoders
    assert isinstance(pool.network(network).embed_tokens, QuantisedEmbedding)
    assert same_numbers(prompt(ours, "a red cat").embeds, prompt(expected, "a red cat").embeds)


def test_a_text_encoder_in_gguf_bears_the_names_of_llama_cpp(wide: dict[str, Path]):
    tensors = load_file(wide["text_encoder"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, 3)
    renamed = {theirs: tensor for name, tensor in tensors.items() if (theirs := names.get_name(name, (".weight",)))}
    assert len(renamed) == len(tensors)
    packed = beside(wide["text_encoder"], "Q5_0")
    quantised_files.write_gguf(packed, renamed, "Q5_0", architecture="qwen3")
    plain = packed.with_name("of_gguf.safetensors")
    save_file({name: tensor.contiguous() for name, tensor in quantised_files.dequantised(packed).items()}, plain)
    model = checkpoints.denoiser(str(wide["transformer"]))
    ours, expected = (prompt(checkpoints.text_encoders(model, [str(file)]), "a red cat") for file in (packed, plain))
    assert same_numbers(ours.embeds, expected.embeds)


def test_an_autoencoder_of_eight_bit_floats_decodes_as_their_numbers(wide: dict[str, Path]):
    tensors = load_file(wide["vae"])
    packed, plain = beside(wide["vae"], "fp8"), beside(wide["vae"], "of_fp8")
    save_file({name: tensor.to(torch.float8_e4m3fn) for name, tensor in tensors.items()}, packed)
    save_file({name: tensor.to(torch.float8_e4m3fn).float() for name, tensor in tensors.items()}, plain)
    model = checkpoints.denoiser(str(wide["transformer"]))
    latent = made(wide, model)
    vaes = (checkpoints.autoencoder(model, str(file)) for file in (packed, plain))
    ours, expected = (autoencoder.decode(pool.network(vae.network), latent) for vae in vaes)
    assert same_numbers(ours, expected)


# Other families -----------------------------------------------------------------------------------------------


def outputs(network: Network, *given: Any, **named: Any) -> Tensor:
    with torch.inference_mode():
        return pool.network(network)(*given, **named)[0]


FLUX = {
    "hidden_states": torch.randn(1, 16, 64),
    "encoder_hidden_states": torch.randn(1, 7, 96),
    "pooled_projections": torch.randn(1, 32),
    "timestep": torch.tensor([0.5]),
    "img_ids": torch.zeros(16, 3),
    "txt_ids": torch.zeros(7, 3),
    "guidance": torch.tensor([3.5]),
}


@pytest.mark.parametrize("layout", some_slow(["nvfp4", "int8", "scaled_fp8", "Q4_1"], ("nvfp4",)))
def test_a_flux_of_the_original_names_has_fused_rows_and_swapped_halves(
    flux_folder: Path, single_file: Callable[..., Path], layout: str
):
    packed, plain = packed_and_plain(single_file(flux_folder), layout)
    ours, expected = (checkpoints.denoiser(str(file)).network for file in (packed, plain))
    assert len(packed_layers(pool.network(ours))) > 20
    assert same_numbers(outputs(ours, **FLUX), outputs(expected, **FLUX))


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["Q8_0", "Q5_0", "plain_fp8", "float8_e5m2"])
def test_of_a_whole_checkpoint_every_network_is_that_of_its_numbers(
    sdxl_folder: Path, single_file: Callable[..., Path], layout: str
):
    packed, plain = packed_and_plain(single_file(sdxl_folder), layout)
    ours, expected = (checkpoints.checkpoint(str(file)) for file in (packed, plain))
    settings = parts.settings(ours.model.network)
    sizes = {
        "text_embeds": torch.randn(1, settings["projection_class_embeddings_input_dim"] - 6 * 8),
        "time_ids": torch.zeros(1, 6),
    }
    given = torch.randn(1, 4, 8, 8), 500, torch.randn(1, 7, settings["cross_attention_dim"])
    pairs = [
        (outputs(found.model.network, *given, added_cond_kwargs=sizes), prompt(found.text_encoder, "a cat").embeds)
        for found in (ours, expected)
    ]
    assert packed_layers(pool.network(ours.model.network))
    assert packed_layers(pool.network(ours.text_encoder.encoders[0]))
    for one, other in zip(*pairs, strict=True):
        assert same_numbers(one, other)


def test_a_convolution_of_gguf_is_made_into_numbers_when_it_is_read(wide: dict[str, Path], tmp_path: Path):
    """Its own sides are told beside it, where it was laid out anew to fill blocks."""
    weight = torch.randn(12, 8, 3, 3)
    path = tmp_path / "a.gguf"
    quantised_files.write_gguf(
        path, {"c.weight": weight.reshape(27, 32)}, "Q8_0", original={"c.weight": tuple(weight.shape)}
    )
    assert weight_files.shapes(path) == {"c.weight": (12, 8, 3, 3)}
    module = nn.Sequential()
    module.add_module("c", nn.Conv2d(8, 12, 3))
    (packed,) = weight_files.packed(path).values()
    with weight_tensors.opened(path) as file:
        kept = quantised_layers.Kept(packed, {"weight": file.get_tensor("c.weight")})
    found = quantised_layers.put_in(module, {"c.weight": kept}, torch.float32)["c.weight"]
    assert isinstance(module.get_submodule("c"), nn.Conv2d)
    assert relative(found, weight) < 0.01


def test_vectors_that_gguf_packs_are_made_into_numbers(wide: dict[str, Path], monkeypatch: pytest.MonkeyPatch):
    tensors = load_file(wide["transformer"])
    rows = {name: tensor.reshape(1, -1) for name, tensor in tensors.items() if name.endswith("embedder.bias")}
    packed = beside(wide["transformer"], "Q5_1")
    shapes = {name: tuple(tensors[name].shape) for name in rows}
    quantised_files.write_gguf(packed, tensors | rows, "Q5_1", original=shapes)
    assert rows.keys() <= weight_files.packed(packed).keys()
    network = loading.load(checkpoints.denoiser(str(packed)).network, CPU, torch.float32)
    numbers = quantised_files.dequantised(packed)
    bias = network.get_submodule("all_x_embedder.2-1").bias
    assert isinstance(network.get_submodule("all_x_embedder.2-1"), QuantisedLinear)
    assert bias.equal(numbers["x_embedder.bias"])


@pytest.mark.slow
def test_a_whole_checkpoint_may_be_marked_in_its_metadata_without_what_begins_its_names(
    sd15_folder: Path, single_file: Callable[..., Path]
):
    whole, prefix = single_file(sd15_folder), "model.diffusion_model."
    tensors = load_file(whole)
    others = {name for name in tensors if not name.startswith(prefix)}
    packed = quantised_files.write(
        whole.with_name("int8.safetensors"), tensors, "int8", skip=others, marked="metadata", strip=prefix
    )
    found = checkpoints.checkpoint(str(packed))
    assert packed_layers(pool.network(found.model.network))
    assert not packed_layers(pool.network(found.text_encoder.encoders[0]))
    plain = packed.with_name("plain.safetensors")
    save_file({name: tensor.contiguous() for name, tensor in quantised_files.dequantised(packed).items()}, plain)
    expected = checkpoints.checkpoint(str(plain))
    given = torch.randn(1, 4, 8, 8), 500, torch.randn(1, 77, 32)
    assert same_numbers(outputs(found.model.network, *given), outputs(expected.model.network, *given))


@pytest.mark.parametrize(("part", "type"), [("transformer", "load.denoiser"), ("text_encoder", "load.text_encoders")])
@pytest.mark.parametrize("layout", ["int8", "Q8_0"])
def test_a_quantised_file_becomes_the_node_that_takes_it(
    wide: dict[str, Path], tmp_path: Path, part: str, type: str, layout: str
):
    lone = Path(shutil.copy(packed_and_plain(wide[part], layout)[0], tmp_path))  # without settings beside it
    made = file_becomes(lone)
    assert made is not None
    assert made.type == type
    assert labels.look(lone).layout == weight_files.layout(lone)


NEWER = {
    "qwenimage": tiny_modern.build_qwen_image,
    "qwenimage21": tiny_modern.build_qwen_21,
    "klein": tiny_modern.build_klein,
    "krea2": tiny_modern.build_krea2,
}


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["int8", "nvfp4", "scaled_fp8", "Q8_0"])
@pytest.mark.parametrize("family", NEWER)
def test_the_files_of_newer_families_are_those_of_their_numbers(tmp_path: Path, family: str, layout: str):
    """In the names of ComfyUI, of the denoiser and of the text encoder."""
    files = tiny_split.beside_settings(NEWER[family](tmp_path / "model"), tmp_path / "split")
    pairs = {part: packed_and_plain(files[part], layout) for part in ("transformer", "text_encoder")}
    x = torch.randn(1, checkpoints.denoiser(str(files["transformer"])).space.channels, 8, 8)
    asked: list[tuple[Tensor, Tensor]] = []
    for denoiser_file, encoder_file in zip(*pairs.values(), strict=True):
        model = checkpoints.denoiser(str(denoiser_file))
        text_encoder = checkpoints.text_encoders(model, [str(encoder_file)])
        read = prompt(text_encoder, "a red cat")
        assert denoiser_file.stem.endswith("plain") or packed_layers(pool.network(text_encoder.encoders[0]))
        asked.append((read.embeds, denoise.denoiser(model, read, read, 1.0, None, lambda *_: None)(x, 0.5)))
        pool.free()
    for ours, expected in zip(*asked, strict=True):
        assert same_numbers(ours, expected)


# LoRA ---------------------------------------------------------------------------------------------------------


def a_lora(path: Path, *, magnitude: bool = False) -> Path:
    """Of rank 2, for a fused projection and for a layer that is in no fused one."""
    generator = torch.Generator().manual_seed(3)
    sides = {"layers.0.attention.to_q": (256, 256), "layers.0.feed_forward.w1": (682, 256)}
    tensors: dict[str, Tensor] = {}
    for layer, (out, inputs) in sides.items():
        name = f"transformer.{layer}"
        tensors[f"{name}.lora_A.weight"] = torch.randn(2, inputs, generator=generator) / 16
        tensors[f"{name}.lora_B.weight"] = torch.randn(out, 2, generator=generator)
        if magnitude:
            tensors[f"{name}.lora_magnitude_vector"] = torch.rand(out, generator=generator) + 0.5
    save_file(tensors, path)
    return path


@pytest.mark.parametrize("magnitude", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("layout", some_slow(DAILY, ("int8_convrot",)))
def test_a_lora_lies_beside_packed_layers_and_never_in_them(
    wide: dict[str, Path], tmp_path: Path, layout: str, magnitude: bool
):
    packed, plain = packed_and_plain(wide["transformer"], layout)
    path = a_lora(tmp_path / "lora.safetensors", magnitude=magnitude)
    ours, expected = (adapted(checkpoints.denoiser(str(file)), path) for file in (packed, plain))
    base = pool.network(ours.network)
    bytes_before = {name: part.clone() for name, part in base.named_parameters() if quantised_layers.is_part(name)}
    with_lora = pool.network(ours.network, ours.loras)
    layer = with_lora.get_submodule("layers.0.attention.to_q")
    assert isinstance(layer, Adapted)
    assert isinstance(layer.base, QuantisedLinear)
    assert relative(made(wide, ours), made(wide, expected)) < 1e-5
    assert relative(made(wide, ours), made(wide, checkpoints.denoiser(str(packed)))) > 1e-3
    assert all(dict(base.named_parameters())[name].equal(part) for name, part in bytes_before.items())


def adapted(model: Model, path: Path) -> Model:
    return replace(model, loras=(replace(checkpoints.lora(str(path), model), strength=0.7),))


@pytest.mark.slow
def test_a_lora_can_be_trained_on_packed_weights(sd15_folder: Path, single_file: Callable[..., Path]):
    whole = single_file(sd15_folder)
    packed = quantised_files.write(whole.with_name("packed.safetensors"), load_file(whole), "int8")
    plain = whole.with_name("plain.safetensors")
    save_file({name: tensor.contiguous() for name, tensor in quantised_files.dequantised(packed).items()}, plain)
    ours, expected = (trained(checkpoints.checkpoint(str(file))) for file in (packed, plain))
    assert all(one.equal(other) for one, other in zip(ours, expected, strict=True))


def trained(found: checkpoints.Checkpoint) -> list[Tensor]:
    """What two steps make of the layers of a LoRA."""
    embeds = prompt(found.text_encoder, "a red cat")
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    examples = Examples(latents, (embeds, embeds), embeds)
    run = Training(found.model, Settings("attention", 2, 0.01, 2, 0), examples)
    for _ in range(2):
        run.advance()
    return [parameter.detach().clone() for parameter in run.parameters]


# Memory -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", some_slow(LAYOUTS))
def test_room_is_counted_in_packed_bytes(wide: dict[str, Path], layout: str):
    packed, _ = packed_and_plain(wide["transformer"], layout)
    network = checkpoints.denoiser(str(packed)).network
    expected, _ = pool._expected(network)
    held = placing.nbytes(placing.tensors([pool.network(network)]))
    weights = sum(weight.nbytes for weight in weight_files.packed(packed).values())
    assert weights <= held
    assert abs(pool.nbytes() - expected) < 0.02 * expected


@pytest.mark.parametrize("layout", ["int8", "Q4_K"])
def test_packed_weights_are_the_bytes_of_the_file_in_place(wide: dict[str, Path], layout: str):
    packed, _ = packed_and_plain(wide["transformer"], layout)
    network = loading.load(checkpoints.denoiser(str(packed)).network, CPU, torch.float32)
    bytes_of = Path("/proc/self/maps")
    if not bytes_of.exists():
        pytest.skip("only Linux tells what is mapped where")
    places = [
        tuple(int(end, 16) for end in line.split()[0].split("-"))
        for line in bytes_of.read_text().splitlines()
        if line.endswith(packed.name)
    ]
    for layer in packed_layers(network):
        assert any(first <= layer.packed_weight.data_ptr() < end for first, end in places)


@pytest.mark.parametrize("layout", some_slow(["int8_convrot", "nvfp4", "Q4_K", "scaled_fp8"], ("nvfp4", "Q4_K")))
def test_what_is_read_in_pieces_for_a_card_is_what_is_mapped(
    wide: dict[str, Path], layout: str, monkeypatch: pytest.MonkeyPatch
):
    packed, _ = packed_and_plain(wide["transformer"], layout)
    network = checkpoints.denoiser(str(packed)).network
    mapped = loading.load(network, CPU, torch.bfloat16).state_dict()
    monkeypatch.setattr(loading, "COPIED", ("cpu",))
    copied = loading.load(network, CPU, torch.bfloat16).state_dict()
    assert mapped.keys() == copied.keys()
    assert all(tensor.to(copied[name].dtype).equal(copied[name]) for name, tensor in mapped.items())
