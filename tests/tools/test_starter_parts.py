"""What stands beside the starter's base: ControlNet, LoRAs, few steps, the pixel model."""

import copy

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionPipeline
from safetensors.torch import load_file

from nodes.backend import adapters
from nodes.types import Network, Weights
from tools.starter import (
    autoencoder,
    control,
    crowd,
    denoiser,
    export,
    few_step,
    gpu,
    lora,
    parts_report,
    pixel,
    poses,
    stock,
    text,
)
from tools.starter.concepts import CONCEPTS, INK_PACK, PACKS
from tools.starter.crowd import Shelf
from tools.starter.examples import Batches, Embedder, Examples
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget
from tools.starter.scene import Scene, Thing
from tools.starter.stages import Run

pytestmark = pytest.mark.slow  # of what trains the starter model: test_starter_training tries a training by default

RECIPE = Recipe(learning_rate=5e-2, decay_from=0.5, ema_decay=0.9)


@pytest.fixture
def unet():
    """A small untrained denoiser."""
    return denoiser.build_unet(channels=(16, 16, 16))


@pytest.fixture
def batch():
    """Noisy latents, timesteps, embeddings and edges of two pictures."""
    generator = torch.Generator().manual_seed(0)
    edges = torch.cat([control.edges(square(left)) for left in (4, 40)])
    latents = torch.randn(2, 4, 16, 16, generator=generator)
    return latents, torch.tensor([10, 900]), torch.randn(2, text.CONTEXT, text.WIDTH, generator=generator), edges


def square(left: int) -> torch.Tensor:
    """A white square on black, [1, 3, 128, 128]."""
    picture = torch.zeros(1, 3, 128, 128)
    picture[:, :, 20:40, left : left + 20] = 1
    return picture


def test_a_controlnet_starts_without_effect(unet, batch):
    noisy, timesteps, embeds, edges = batch
    controlled = control.Controlled(unet, control.build_controlnet(unet), edges)
    with torch.no_grad():
        plain = unet(noisy, timesteps, encoder_hidden_states=embeds).sample
        assert torch.equal(controlled(noisy, timesteps, embeds).sample, plain)


def test_a_controlnet_is_a_copy_of_the_encoder_that_fits_into_eight_megabytes():
    unet = denoiser.build_unet()
    controlnet = control.build_controlnet(unet)
    ours, theirs = controlnet.state_dict(), unet.state_dict()
    copied = [name for name in ours if name.startswith(("conv_in", "time_embedding", "down_blocks", "mid_block"))]
    assert all(torch.equal(ours[name], theirs[name]) for name in copied)
    assert sum(tensor.numel() for tensor in ours.values()) * 2 < 8e6


@pytest.mark.slow  # the denoiser learns by the same steps in test_starter_training
def test_a_controlnet_learns_to_follow_its_edges(unet, batch, tmp_path):
    noisy, timesteps, embeds, edges = batch
    unet.requires_grad_(False)
    controlnet = control.build_controlnet(unet)
    wanted = torch.nn.functional.max_pool2d(edges, 32).repeat_interleave(4, 2).repeat_interleave(4, 3)
    training = Training("test", controlnet, RECIPE, tmp_path / "control.pt")

    def loss_of(edges: torch.Tensor) -> torch.Tensor:
        predicted = control.Controlled(unet, controlnet, edges)(noisy, timesteps, embeds).sample
        return (predicted - wanted).square().mean()

    training.run(lambda step: (edges,), loss_of, Budget(steps=20))
    assert training.losses[-1] < 0.7 * training.losses[0]


def test_edges_within_two_pixels_agree_and_others_do_not():
    edges = [control.edges(square(left)) for left in (20, 22, 27)]
    assert control.edge_f1(edges[0], edges[0]) == pytest.approx(1)
    assert control.edge_f1(edges[1], edges[0]) == pytest.approx(1)
    assert control.edge_f1(edges[2], edges[0]) < 0.8  # top and bottom still meet
    assert control.edge_f1(torch.zeros_like(edges[0]), edges[0]) == 0


def test_a_posed_thing_stays_in_the_picture(sprites):
    scene = Scene((Thing(CONCEPTS[0]),), PACKS[0], "white")
    places = set()
    for seed in range(20):
        picture = poses.pose(sprites, scene, np.random.default_rng(seed))
        inked = np.argwhere(picture[..., 1] < 200)
        assert len(inked) > 50
        places.add(tuple(inked.mean(0).round().astype(int)))
    assert len(places) > 15


def test_both_layouts_of_a_lora_give_one_picture(unet, batch, tmp_path):
    adapted = lora.add_adapter(copy.deepcopy(unet), rank=2, layers=(*lora.ATTENTION, *lora.CONVOLUTIONS))
    generator = torch.Generator().manual_seed(0)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:  # they start at zero
            parameter.data = (torch.randn(parameter.shape, generator=generator) * 0.1).half().float()
        elif "lora_A" in name:
            parameter.data = parameter.data.half().float()
    layers = lora.adapter_layers(adapted)
    lora.save_diffusers(tmp_path / "ours.safetensors", layers)
    lora.save_kohya(tmp_path / "ours_kohya.safetensors", layers)
    noisy, timesteps, embeds, _ = batch
    unet.save_pretrained(tmp_path / "unet")  # files are read for a network that was described
    network = Network("sd1", "unet", Weights(str(tmp_path), ""))
    with torch.no_grad():
        trained = adapted(noisy, timesteps, encoder_hidden_states=embeds).sample
        assert not torch.allclose(trained, unet(noisy, timesteps, encoder_hidden_states=embeds).sample, atol=1e-2)
        for file in ("ours", "ours_kohya"):
            loaded = adapters.with_loras(unet, network, [Weights(str(tmp_path / f"{file}.safetensors"), "")])
            assert torch.allclose(loaded(noisy, timesteps, encoder_hidden_states=embeds).sample, trained, atol=1e-5)


def test_the_stock_pipeline_reads_both_layouts(unet, tmp_path):
    layers = lora.adapter_layers(lora.add_adapter(unet, rank=2))
    lora.save_diffusers(tmp_path / "ours.safetensors", layers)
    lora.save_kohya(tmp_path / "ours_kohya.safetensors", layers)
    assert any(name.endswith(".alpha") for name in load_file(tmp_path / "ours_kohya.safetensors"))
    read = [
        StableDiffusionPipeline.lora_state_dict(tmp_path, weight_name=f"{file}.safetensors", unet_config=unet.config)
        for file in ("ours", "ours_kohya")
    ]
    pairs = [sum("lora" in name for name in tensors) for tensors, _ in read]
    assert pairs[0] == pairs[1] == len(layers)


def test_a_pairs_noise_is_the_one_its_picture_started_from(unet):
    embeds = torch.zeros(1, text.CONTEXT, text.WIDTH)
    start = denoiser.noise_of(5, unet)
    scheduler = denoiser.build_scheduler()
    scheduler.set_timesteps(1)
    with torch.inference_mode():
        velocity = unet(start[None], scheduler.timesteps[0], encoder_hidden_states=embeds).sample
    once = scheduler.step(velocity, scheduler.timesteps[0], start[None]).prev_sample
    assert torch.allclose(denoiser.sample(unet, embeds, embeds[0], 1.0, [5], num_steps=1), once, atol=1e-5)


def test_the_captions_of_pairs_never_change():
    told = torch.arange(20 * 11 * 2).reshape(20, 11, 2)
    drawn = few_step.draw_tokens(told, 9)
    assert torch.equal(drawn, few_step.draw_tokens(told, 9))
    assert len(drawn.unique(dim=0)) > 5


def test_what_the_student_learns_leads_from_every_mixture_of_a_pair_to_its_picture(embedder):
    generator = torch.Generator().manual_seed(1)
    noises, latents = torch.randn(2, 1, 4, 16, 16, generator=generator)
    batches = few_step.PairBatches(embedder, torch.zeros(1, text.CONTEXT), noises, latents, 8)
    mixed, timesteps, velocity, _ = batches(3)
    signal = batches.scheduler.alphas_cumprod[timesteps][:, None, None, None]
    assert torch.allclose(
        signal.sqrt() * mixed - (1 - signal).sqrt() * velocity, latents.expand(8, 4, 16, 16), atol=1e-4
    )
    assert len(timesteps.unique()) > 3


@pytest.fixture
def embedder():
    """An untrained text encoder."""
    vocabulary = text.learn_vocabulary({"cat": 1}, 4)
    return Embedder(text.build_text_encoder(vocabulary), torch.zeros(text.CONTEXT, dtype=torch.int16))


def numbered_shelf(count: int, ready: int) -> Shelf:
    """Pictures of one gray each, their numbers; every third one shows one thing."""
    shelf = Shelf(
        "numbers",
        count,
        lambda index: {
            "pixels": np.full((128, 128, 3), index, np.uint8),
            "tokens": np.full((11, text.CONTEXT), index % 9, np.int16),
            "alone": np.array(index % 3 == 0),
        },
    )
    shelf.allocate()
    shelf.fill(0, ready)
    shelf.ready = ready
    return shelf


def gray(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The picture's number as its latents, and again as what stands beside them."""
    number = pixels[:, :1, 0, 0].float()
    return number[:, :, None, None].expand(-1, 4, 16, 16), number + 0.5


def test_training_begins_with_the_pictures_that_are_drawn_and_takes_in_the_rest(tmp_path):
    run, shelf = Run(tmp_path, torch.device("cpu")), numbered_shelf(40, ready=10)
    examples = Examples(run, shelf, gray)
    examples.extend(8)
    assert examples.count == 8
    examples.extend(8)
    assert examples.count == 10
    shelf.fill(10, 40)
    shelf.ready = 40
    examples.extend(100)
    assert examples.rows[0][:, 0, 0, 0].tolist() == list(range(40))


def test_pictures_that_do_not_count_are_left_out(tmp_path):
    examples = Examples(Run(tmp_path, torch.device("cpu")), numbered_shelf(12, ready=12), gray, only="alone")
    examples.extend(12)
    assert examples.rows[0][: examples.count, 0, 0, 0].tolist() == [0, 3, 6, 9]


def test_what_stands_beside_a_picture_comes_with_it(tmp_path, embedder):
    examples = Examples(Run(tmp_path, torch.device("cpu")), numbered_shelf(12, ready=12), gray)
    batches = Batches(examples, embedder, 4, seed=3, ahead=2)
    for step in range(4):
        noisy, timesteps, velocity, _, beside = batches(step)
        signal = batches.alphas_cumprod[timesteps][:, None, None, None]
        clean = signal.sqrt() * noisy - (1 - signal).sqrt() * velocity
        assert torch.allclose(clean[:, 0, 0, 0], beside[:, 0] - 0.5, atol=1e-3)


def test_workers_fill_every_shelf_with_the_rows_of_their_numbers():
    shelves = [Shelf(name, 150, lambda index: {"row": np.array([index, index**2])}) for name in ("one", "two")]
    crowd.start(shelves, workers=2)
    for shelf in shelves:
        assert shelf.take("row").tolist() == [[index, index**2] for index in range(150)]


def test_a_low_rank_adapter_goes_on_from_a_file_of_it(unet, tmp_path):
    trained = lora.add_adapter(copy.deepcopy(unet), rank=2)
    for parameter in trained.parameters():
        if parameter.requires_grad:
            parameter.data = torch.full_like(parameter, 0.25)
    lora.save_diffusers(tmp_path / "start.safetensors", lora.adapter_layers(trained))
    again = lora.add_adapter(unet, rank=2)
    lora.begin(again, tmp_path / "start.safetensors")
    for name, layer in lora.adapter_layers(trained).items():
        assert torch.equal(lora.adapter_layers(again)[name], layer)


def test_normalisation_in_bfloat16_is_that_of_float32():
    network = torch.nn.Sequential(torch.nn.GroupNorm(4, 16))
    torch.nn.init.normal_(network[0].weight)
    features = torch.randn(2, 16, 8, 8)
    usual = network(features)
    network[0].__class__ = gpu.HalfNorm
    assert torch.equal(network(features), usual)
    with torch.autocast("cpu", torch.bfloat16):
        half = network(features.bfloat16())
    assert half.dtype == torch.bfloat16
    assert torch.allclose(half.float(), usual, atol=0.05)


def test_ink_scenes_show_black_on_something_else(tmp_path):
    run = Run(tmp_path, torch.device("cpu"))
    scenes = [stock.draw_ink_scene(run, np.random.default_rng(seed)) for seed in range(50)]
    assert {scene.pack for scene in scenes} == {INK_PACK}
    assert not any(word in scene.background for scene in scenes for word in ("black", "night", "space"))
    assert not any(thing.colour for scene in scenes for thing in scene.things)


def test_the_pixel_model_is_small():
    unet = pixel.build_unet()
    assert sum(parameter.numel() for parameter in unet.parameters()) * 2 < 1.5e6
    embeds = torch.zeros(2, text.CONTEXT, text.WIDTH)
    assert denoiser.sample(unet, embeds, embeds[0], 2.0, [0, 1], num_steps=2).shape == (2, 3, 32, 32)


def test_a_network_of_its_own_is_read_back_by_its_stock_class(unet, tmp_path):
    export.export_network(tmp_path / "controlnet", control.build_controlnet(unet))
    again = ControlNetModel.from_pretrained(str(tmp_path / "controlnet"), local_files_only=True)
    assert tuple(again.config.conditioning_embedding_out_channels) == control.EMBEDDING_CHANNELS
    tensors = load_file(tmp_path / "controlnet" / "diffusion_pytorch_model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}


def test_ink_is_black_among_what_is_drawn():
    pictures = torch.ones(2, 3, 128, 128)
    pictures[:, :, 20:40, 20:30] = 0.05
    assert parts_report.ink_share(pictures) == 1
    pictures[:, 0, 20:40, 20:30] = 0.9
    assert parts_report.ink_share(pictures) == 0


def test_the_autoencoder_needs_as_many_halvings_as_the_edges_get():
    assert 2 ** (len(control.EMBEDDING_CHANNELS) - 1) == autoencoder.FACTOR
