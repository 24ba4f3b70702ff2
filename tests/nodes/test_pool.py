"""Descriptions become networks: the same ones whatever the file, adapted without touching the base."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import nodes
from nodes.adapter import lora
from nodes.backend import checkpoints, loading, pool, widening
from nodes.backend.checkpoints import Checkpoint
from nodes.backend.families import sd1
from nodes.types import Model, Network, TextEncoder, Weights
from tests import tiny_models

OF_A_FILE = Network(sd1.FAMILY.name, "text_encoder", Weights("model.safetensors", ""))


pytestmark = pytest.mark.usefixtures("empty_pool")


@pytest.fixture
def tiny(sd15_folder: Path) -> Checkpoint:
    return checkpoints.checkpoint(str(sd15_folder))


@pytest.fixture(scope="session")
def lora_file(sd15_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.build_lora(tmp_path_factory.mktemp("loras") / "a.safetensors", sd15_folder)


@pytest.fixture(scope="session")
def other_lora_file(sd15_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.build_lora(tmp_path_factory.mktemp("loras") / "b.safetensors", sd15_folder, seed=1)


def unet(model: Model) -> Any:
    return pool.network(model.network, model.loras)


def encoder(text: TextEncoder) -> Any:
    return pool.network(text.encoders[0], text.loras)


def noise_pred(network: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    x, embeds = torch.randn(1, 4, 8, 8, generator=generator), torch.randn(1, 77, 32, generator=generator)
    with torch.inference_mode():
        return network(x, 500, embeds).sample


def embeds(text_encoder: nn.Module) -> Tensor:
    with torch.inference_mode():
        return text_encoder(torch.arange(77)[None]).last_hidden_state


def difference(a: Tensor, b: Tensor) -> float:
    return ((a - b).norm() / b.norm()).item()


def networks(parts: Checkpoint) -> tuple[Any, Any, Any]:
    return unet(parts.model), encoder(parts.text_encoder), pool.network(parts.vae.network)


def test_one_file_and_the_folder_give_the_same_networks_bit_for_bit(
    tiny: Checkpoint, sd15_folder: Path, single_file: Callable[[Path], Path]
):
    one_file = checkpoints.checkpoint(str(single_file(sd15_folder)))
    for ours, theirs in zip(networks(one_file), networks(tiny), strict=True):
        a, b = ours.state_dict(), theirs.state_dict()
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_controlnet_is_ready_to_run(controlnet_folder: Path):
    network = pool.network(checkpoints.controlnet(str(controlnet_folder)).network)
    assert not network.training
    assert not any(parameter.requires_grad or parameter.is_meta for parameter in network.parameters())


def test_a_half_precision_file_is_computed_in_single_precision(sd15_folder: Path, single_file: Callable[..., Path]):
    parts = checkpoints.checkpoint(str(single_file(sd15_folder, dtype=torch.float16)))
    assert {widening.computed_in(network) for network in networks(parts)} == {torch.float32}
    assert noise_pred(unet(parts.model)).dtype == embeds(encoder(parts.text_encoder)).dtype == torch.float32


def test_the_tokenizer_belongs_to_the_text_encoder(tiny: Checkpoint):
    reader = pool.reader(tiny.text_encoder.encoders[0])
    assert len(reader.tokenizer) == reader.encoder.config.vocab_size


def test_the_shipped_tokenizer_is_that_of_clip():
    tokenizer = loading.tokenizer(OF_A_FILE, 49408)
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]


def test_a_tokenizer_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="has 49408 words, its text encoder 739"):
        loading.tokenizer(OF_A_FILE, 739)


def test_a_network_is_loaded_once(tiny: Checkpoint):
    assert unet(tiny.model) is unet(tiny.model)


def test_weights_that_do_not_fit_their_settings_are_named(tiny: Checkpoint, sd21_folder: Path, tmp_path: Path):
    folder = shutil.copytree(sd21_folder, tmp_path / "mixed")
    shutil.copytree(Path(tiny.model.network.weights.path) / "unet", folder / "unet", dirs_exist_ok=True)
    shutil.copy(sd21_folder / "unet" / "config.json", folder / "unet" / "config.json")
    with pytest.raises(ValueError, match=r"the unet of .*mixed does not fit its settings: down_blocks"):
        unet(checkpoints.checkpoint(str(folder)).model)


def test_freeing_memory_invalidates_no_description(tiny: Checkpoint):
    before = noise_pred(unet(tiny.model))
    pool.free()
    assert pool.nbytes() == 0
    assert torch.equal(noise_pred(unet(tiny.model)), before)


def test_the_oldest_network_makes_room(tiny: Checkpoint, sd21_folder: Path, monkeypatch: pytest.MonkeyPatch):
    first = unet(tiny.model)
    has(monkeypatch, 1)
    other = unet(checkpoints.checkpoint(str(sd21_folder)).model)
    assert unet(checkpoints.checkpoint(str(sd21_folder)).model) is other
    assert unet(tiny.model) is not first


def test_what_was_used_longest_ago_makes_room(tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch):
    networks(tiny)
    denoiser, text, vae = (held.nbytes for held in pool.loaded())
    pool.free()
    has(monkeypatch, memory_for(max(denoiser + vae, text + vae)))
    unet(tiny.model)
    encoder(tiny.text_encoder)
    unet(tiny.model)  # the text encoder was loaded later, and is used less
    pool.network(tiny.vae.network)
    assert [held.network.role for held in pool.loaded()] == ["unet", "vae"]


@pytest.mark.parametrize(("spare", "left"), [(0, ["unet", "text_encoder", "vae"]), (-1, ["text_encoder", "vae"])])
def test_networks_take_three_quarters_of_the_memory(
    spare: int, left: list[str], tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
):
    networks(tiny)
    memory = memory_for(pool.nbytes())
    pool.free()
    has(monkeypatch, memory + spare)
    networks(tiny)
    assert [held.network.role for held in pool.loaded()] == left


def has(monkeypatch: pytest.MonkeyPatch, memory: int) -> None:
    """Let the machine have so many bytes."""
    monkeypatch.setattr(pool.device_memory, "host_memory", lambda: (memory, memory))


def memory_for(nbytes: int) -> int:
    """The least memory that has room for so many bytes of networks; the rest is for what they compute."""
    return -(-nbytes * 4 // 3)


def test_an_unknown_device_is_refused():
    with pytest.raises(ValueError, match=r"device must be auto or one of cuda, xpu, mps, cpu.*; got 'tpu'"):
        pool.configure("tpu")


def adapted(parts: Checkpoint, path: Path, strength: float, text_strength: float = 0.0) -> Any:
    return lora(parts.model, parts.text_encoder, str(path), strength, text_strength)


def test_a_lora_changes_the_prediction_and_not_the_base(tiny: Checkpoint, lora_file: Path):
    base = unet(tiny.model)
    before = noise_pred(base)
    model = adapted(tiny, lora_file, 1.0).model
    assert difference(noise_pred(unet(model)), before) > 0.01
    assert unet(tiny.model) is base
    assert torch.equal(noise_pred(base), before)


def test_a_lora_shares_the_weights_of_the_base(tiny: Checkpoint, lora_file: Path):
    base = {id(parameter) for parameter in unet(tiny.model).parameters()}
    twin = unet(adapted(tiny, lora_file, 1.0).model)
    own = [(name, p) for name, p in twin.named_parameters() if id(p) not in base]
    assert base <= {id(parameter) for parameter in twin.parameters()}
    assert all("lora_" in name for name, _ in own)


def test_strength_zero_on_both_leaves_the_descriptions_as_they_are(tiny: Checkpoint, lora_file: Path):
    assert adapted(tiny, lora_file, 0.0, 0.0) == (tiny.model, tiny.text_encoder)


def test_the_two_strengths_are_independent(tiny: Checkpoint, lora_file: Path):
    text_only = adapted(tiny, lora_file, 0.0, 1.0)
    assert text_only.model == tiny.model
    plain = embeds(encoder(tiny.text_encoder))
    assert difference(embeds(encoder(text_only.text_encoder)), plain) > 0.01


def test_files_of_diffusers_and_of_kohya_act_alike(
    tiny: Checkpoint, lora_file: Path, sd15_folder: Path, tmp_path: Path
):
    kohya = tiny_models.build_lora(tmp_path / "kohya.safetensors", sd15_folder, key_format="kohya")
    one, other = adapted(tiny, lora_file, 0.7, 0.7), adapted(tiny, kohya, 0.7, 0.7)
    # One stores alpha / rank, the other has it multiplied in: the products round differently in the last bit.
    assert difference(noise_pred(unet(one.model)), noise_pred(unet(other.model))) < 1e-6
    texts = [embeds(encoder(a.text_encoder)) for a in (one, other)]
    assert difference(*texts) < 1e-6


def test_the_effect_grows_with_the_strength(tiny: Checkpoint, lora_file: Path):
    base = noise_pred(unet(tiny.model))
    weak, strong = (noise_pred(unet(adapted(tiny, lora_file, s).model)) for s in (0.2, 0.8))
    assert difference(weak, base) < difference(strong, base)


def test_a_change_of_strength_reads_no_file(tiny: Checkpoint, lora_file: Path, monkeypatch: pytest.MonkeyPatch):
    unet(adapted(tiny, lora_file, 0.5).model)

    def read(*_: object) -> None:
        raise AssertionError("a file was read")

    monkeypatch.setattr(pool.adapters, "load_file", read)
    monkeypatch.setattr(loading, "load", read)
    assert unet(adapted(tiny, lora_file, 0.6).model) is not unet(adapted(tiny, lora_file, 0.5).model)


def test_a_change_of_strength_leaves_the_other_variant_as_it_was(tiny: Checkpoint, lora_file: Path):
    weak = unet(adapted(tiny, lora_file, 0.2).model)
    before = noise_pred(weak)
    unet(adapted(tiny, lora_file, 0.9).model)
    assert torch.equal(noise_pred(weak), before)


def test_several_loras_add_up_in_any_order(tiny: Checkpoint, lora_file: Path, other_lora_file: Path):
    def both(first: Path, second: Path) -> Model:
        model = adapted(tiny, first, 0.7).model
        return lora(model, tiny.text_encoder, str(second), 0.7, 0.0).model

    one, other = both(lora_file, other_lora_file), both(other_lora_file, lora_file)
    assert difference(noise_pred(unet(one)), noise_pred(unet(adapted(tiny, lora_file, 0.7).model))) > 0.01
    # float32: the two updates are added in another order.
    assert difference(noise_pred(unet(one)), noise_pred(unet(other))) < 1e-5


def test_a_lora_that_fits_by_name_alone_is_refused(
    tiny: Checkpoint, lora_file: Path, sd15_folder: Path, tmp_path: Path
):
    tensors = load_file(lora_file)
    name = next(name for name in tensors if "attn1.to_q.lora_B" in name)
    tensors[name] = torch.zeros(7, tensors[name].shape[1])
    save_file(tensors, tmp_path / "odd.safetensors")
    with pytest.raises(ValueError, match=r"odd.safetensors does not fit this model"):
        unet(adapted(tiny, tmp_path / "odd.safetensors", 1.0).model)


def test_only_a_few_variants_are_kept(tiny: Checkpoint, lora_file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pool, "MAX_TWINS", 2)
    model = adapted(tiny, lora_file, 1.0).model
    for step in range(4):
        unet(replace(model, loras=(replace(model.loras[0], strength=step / 10),)))
    assert len(pool.shelf.slots[model.network].twins) == 2


def test_what_is_loaded_is_listed_and_one_network_can_be_freed_alone(tiny: Checkpoint):
    unet(tiny.model)
    encoder(tiny.text_encoder)
    assert [held.network for held in pool.loaded()] == [tiny.model.network, *tiny.text_encoder.encoders]
    assert all(held.nbytes > 0 for held in pool.loaded())
    pool.free(tiny.model.network)
    assert [held.network.role for held in pool.loaded()] == ["text_encoder"]
    assert unet(tiny.model) is not None


def test_a_holding_goes_by_the_network_that_its_descriptions_name(tiny: Checkpoint, lora_file: Path):
    adapted = lora(tiny.model, tiny.text_encoder, str(lora_file), 0.5).model
    unet(adapted)
    (holding,) = nodes.models()
    assert holding.name == f"U-Net of {Path(tiny.model.network.weights.path).name}, 1 adapted"
    assert (holding.id,) == adapted.networks == tiny.model.networks
    assert holding.id not in (*tiny.vae.networks, *tiny.text_encoder.networks)
    nodes.free(holding.id)
    assert nodes.models() == ()
