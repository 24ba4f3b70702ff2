"""Training a LoRA: what it reads, that it can be stopped anywhere, and that it learns what it is shown."""

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image as Pillow
from safetensors.torch import load_file

from nodegraph.node import Cancelled, Context
from nodes.adapter import lora
from nodes.backend import checkpoints, packing, pool, share, training, training_data
from nodes.backend.checkpoints import Checkpoint
from nodes.backend.process import num_timesteps
from nodes.backend.training import Settings, Training
from nodes.backend.training_report import report
from nodes.training import Trained, train_lora
from nodes.types import Diffusion, Flow, Process
from tests.examples import each, some_slow
from tests.nodes.test_pool import noise_pred

ROOT = Path(__file__).parents[2]
DRAWINGS = ROOT / "workflows" / "learn" / "drawings"
SETTINGS = Settings("attention", 2, 0.001, 2, 0)


class Watcher(Context):
    """Writes into `out`, and gives up after a number of reports."""

    def __init__(self, out: Path, reports: int = 1_000_000) -> None:
        self.out_dir, self.left, self.files = str(out), reports, list[str]()
        self.pictures = 0

    def progress(self, done: int, total: int, preview: Any = None) -> None:
        self.left -= 1
        if self.left < 0:
            raise Cancelled
        self.pictures += preview is not None and preview() is not None

    def saved(self, path: str) -> None:
        self.files.append(path)


@pytest.fixture
def tiny(sd15_folder: Path) -> Checkpoint:
    pool.configure("cpu")
    return checkpoints.checkpoint(str(sd15_folder))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red and a blue picture; one has its caption in a file, the other in its name."""
    place = tmp_path_factory.mktemp("pictures")
    Pillow.new("RGB", (70, 64), "red").save(place / "first.png")
    (place / "first.txt").write_text("something\nred\n", "utf-8")
    Pillow.new("RGB", (64, 64), "blue").save(place / "a_blue_thing_02.png")
    return place


def train(ctx: Context, tiny: Checkpoint, folder: Path, **options: Any) -> Trained:
    options = {"steps": 4, "rank": 2, "batch": 2, "size": 64, "learning_rate": 0.01, **options}
    return train_lora(ctx, *tiny, folder=str(folder), **options)


@dataclass(frozen=True)
class Finished:
    """A training from its beginning to its end."""

    trained: Trained
    ctx: Watcher

    @property
    def bytes(self) -> bytes:
        return Path(self.trained.path).read_bytes()

    def copied(self, place: Path) -> Watcher:
        """Everything that the training left, to go on with elsewhere."""
        shutil.copytree(self.ctx.out_dir, place)
        return Watcher(place)


@pytest.fixture(scope="module")
def finished(sd15_folder: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Finished]:
    """A training with these options, which is made once for all tests. Its folder is to be copied, not written to."""

    @cache
    def make(**options: Any) -> Finished:
        pool.configure("cpu")
        ctx = Watcher(tmp_path_factory.mktemp("finished"))
        return Finished(train(ctx, checkpoints.checkpoint(str(sd15_folder)), folder, **options), ctx)

    return make


def examples(tiny: Checkpoint, folder: Path) -> training_data.Examples:
    return training_data.encode(training_data.read_folder(folder, ""), tiny.vae, tiny.text_encoder, 64, lambda: None)


def test_the_upper_half_of_a_seed_counts(tiny: Checkpoint, folder: Path):
    shown = examples(tiny, folder)
    starts = [Training(tiny.model, replace(SETTINGS, seed=seed), shown).lora() for seed in (7, 7 + 2**32)]
    assert starts[0] != starts[1]
    assert len({training._step_seed(seed, step) for seed in (7, 7 + 2**32) for step in range(1000)}) == 2000


def test_steps_of_short_seeds_draw_what_they_drew_when_only_the_lower_half_counted():
    old = [(7 + step * 0x9E3779B97F4A7C15) % 2**64 % 2**32 for step in range(100)]
    assert [training._step_seed(7, step) for step in range(100)] == old


def test_captions_come_from_the_text_beside_or_the_name(folder: Path):
    captions = [example.caption for example in training_data.read_folder(folder, "ink")]
    assert captions == ["ink, a blue thing", "ink, something red"]


def test_a_caption_that_is_no_text_is_named(folder: Path, tmp_path: Path):
    Pillow.new("RGB", (8, 8)).save(tmp_path / "cat.png")
    (tmp_path / "cat.txt").write_bytes("eine Kätzin".encode("latin-1"))
    with pytest.raises(ValueError, match=r"cat\.txt is not UTF-8 text \(byte 6\); save the caption as UTF-8"):
        training_data.read_folder(tmp_path, "")


def test_a_folder_without_pictures_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="there are no pictures in"):
        training_data.read_folder(tmp_path, "")


def test_a_file_in_place_of_a_folder_is_refused(folder: Path):
    with pytest.raises(ValueError, match="is not a folder"):
        training_data.read_folder(folder / "first.png", "")


def test_equal_trainings_give_equal_files(tiny: Checkpoint, folder: Path, tmp_path: Path, finished: Any):
    again = train(Watcher(tmp_path), tiny, folder)
    assert Path(again.path).read_bytes() == finished().bytes


def test_a_stopped_training_goes_on_to_the_same_file(tiny: Checkpoint, folder: Path, tmp_path: Path, finished: Any):
    whole, once = finished(), finished().ctx
    half = (1_000_000 - once.left) // 2
    with pytest.raises(Cancelled):
        train(Watcher(tmp_path, reports=half), tiny, folder)
    (state,) = (tmp_path / "loras").iterdir()
    assert state.name.endswith(".training")
    resumed = train(again := Watcher(tmp_path), tiny, folder)
    assert again.left > once.left  # it did not begin anew
    assert Path(resumed.path).read_bytes() == whole.bytes


def test_more_steps_go_on_from_the_fewer(tiny: Checkpoint, folder: Path, tmp_path: Path, finished: Any):
    fewer, whole = finished(steps=2), finished()
    more = train(fewer.copied(tmp_path / "a"), tiny, folder)
    assert Path(more.path).read_bytes() == whole.bytes
    assert Path(more.path).name != Path(fewer.trained.path).name


def test_fewer_steps_than_were_made_begin_anew(tiny: Checkpoint, folder: Path, tmp_path: Path, finished: Any):
    fewer = train(finished().copied(tmp_path / "a"), tiny, folder, steps=2)
    assert Path(fewer.path).read_bytes() == finished(steps=2).bytes


def test_a_damaged_state_is_named(tiny: Checkpoint, folder: Path, tmp_path: Path, finished: Any):
    ctx = finished().copied(tmp_path / "a")
    (state,) = Path(ctx.out_dir, "loras").glob(".*.training")
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(ValueError, match="is damaged; delete it to begin this training anew"):
        train(ctx, tiny, folder)


def test_another_caption_is_another_training(tiny: Checkpoint, folder: Path):
    digests = {training_data.digest(training_data.read_folder(folder, word), SETTINGS) for word in ("", "ink")}
    assert len(digests) == 2


@pytest.mark.parametrize("options", [{}, {"layers": "all"}], ids=["attention", "all"])
def test_the_file_is_a_lora_for_its_model(tiny: Checkpoint, finished: Any, options: dict[str, str]):
    trained, ctx = finished(**options).trained, finished(**options).ctx
    assert ctx.files == [trained.path]
    adapted = lora(tiny.model, tiny.text_encoder, trained.path, 1.0).model
    assert not torch.equal(
        noise_pred(pool.network(adapted.network, adapted.loras)), noise_pred(pool.network(tiny.model.network))
    )


def test_every_pair_of_the_file_is_put_to_use(tiny: Checkpoint, finished: Any):
    trained = finished(layers="all").trained
    saved = load_file(trained.path)
    adapted = lora(tiny.model, tiny.text_encoder, trained.path, 1.0).model
    network = pool.network(adapted.network, adapted.loras)
    loaded = [p for name, p in network.named_buffers() if name.endswith((".down", ".up"))]
    assert len(loaded) == len(saved)
    assert sum(p.square().sum() for p in loaded) == pytest.approx(sum(p.square().sum() for p in saved.values()))


def test_the_report_shows_loss_and_samples(
    tiny: Checkpoint, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(training, "SAMPLE_STEPS", 2)
    ctx = Watcher(tmp_path)
    trained = train(ctx, tiny, folder, sample_prompts="red\n\nblue", steps=2)
    assert ctx.pictures > 0
    curve = report([1.0, 0.5], [])
    assert trained.report.pixels.shape[-1] == curve.shape[-1]
    assert trained.report.pixels.shape[-2] > curve.shape[-2]


def test_a_model_that_predicts_velocity_is_trained_as_well(sd21_folder: Path, folder: Path):
    sd21 = checkpoints.checkpoint(str(sd21_folder))
    assert sd21.model.process == Diffusion("v_prediction")
    run = Training(sd21.model, SETTINGS, examples(sd21, folder))
    run.advance()
    assert run.step == 1


PROCESSES = [Diffusion("epsilon"), Diffusion("v_prediction"), Diffusion("sample"), Flow(), Flow(shift=3.0)]


@each("process", PROCESSES)
def test_the_target_is_what_the_denoiser_reads_back(process: Process):
    """process.denoised is checked against diffusers; both sides of it have to agree."""
    from nodes.backend.process import alpha, denoised, input_scale, sigma_at, timestep_at

    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(2, 4, 8, 8, generator=generator) for _ in range(2))
    shown, wanted, timesteps = training.noised_to(process, clean, noise, torch.tensor([0.3, 0.8]))
    for i, timestep in enumerate(timesteps.tolist()):
        sigma = sigma_at(process, timestep) if isinstance(process, Diffusion) else timestep / 1000
        assert timestep_at(process, sigma) == pytest.approx(timestep)
        x = alpha(process, sigma) * clean[i] + sigma * noise[i]
        # float32; the noise level goes through a timestep and its logarithm
        assert torch.allclose(shown[i], x * input_scale(process, sigma), atol=1e-5)
        assert torch.allclose(denoised(process, x, wanted[i], sigma), clean[i], atol=1e-5)


def test_a_model_with_loras_on_it_is_refused(tiny: Checkpoint, folder: Path, tmp_path: Path, finished: Any):
    adapted = lora(tiny.model, tiny.text_encoder, finished().trained.path, 1.0).model
    with pytest.raises(ValueError, match="link the checkpoint"):
        train(Watcher(tmp_path), tiny._replace(model=adapted), folder)


def test_a_training_that_runs_away_says_so(tiny: Checkpoint, folder: Path):
    run = Training(tiny.model, SETTINGS, examples(tiny, folder))
    with torch.no_grad():
        run.parameters[0].fill_(float("nan"))
    with pytest.raises(ValueError, match="diverged at step 1; lower the learning rate"):
        run.advance()


def test_the_starter_model_learns_to_draw_in_chalk(monkeypatch: pytest.MonkeyPatch):
    """The drawings are chalk on a board. Of a thing that is not among them, the colours fade too."""
    monkeypatch.setattr(training, "SAMPLE_STEPS", 2)
    starter = checkpoints.checkpoint("models/starter")
    data = training_data.read_folder(DRAWINGS, "chalk")
    assert len(data) == 30
    assert data[0].caption == "chalk, a banana"
    encoded = training_data.encode(data[::10], starter.vae, starter.text_encoder, 128, lambda: None)
    (prompt,) = training_data.encode_prompts(["chalk, a star"], starter.text_encoder)
    run = Training(starter.model, Settings("all", 4, 0.006, 2, 0), encoded)
    before = run.sample(prompt, 0)
    for _ in range(6):
        run.advance()
    assert sum(run.losses[3:]) < sum(run.losses[:3])
    assert colourfulness(starter, run.sample(prompt, 0)) < 0.7 * colourfulness(starter, before)


def colourfulness(starter: Checkpoint, latent: torch.Tensor) -> float:
    """The mean distance between a pixel's strongest and weakest colour."""
    from nodes.backend.autoencoder import decode

    pixels = decode(pool.network(starter.vae.network), latent)
    return (pixels.amax(1) - pixels.amin(1)).mean().item()


def test_timesteps_are_spread_over_a_batch(tiny: Checkpoint, folder: Path):
    run = Training(tiny.model, Settings("attention", 2, 0.001, 10, 0), examples(tiny, folder))
    for process in PROCESSES:
        places = run._places(torch.Generator().manual_seed(0))
        timesteps = training.noised_to(process, torch.zeros(10, 4, 8, 8), torch.zeros(10, 4, 8, 8), places)[2]
        tenths = timesteps * 10 // num_timesteps(process)
        assert sorted(tenths.tolist()) == list(range(10)), process


@pytest.mark.parametrize("layers", [pytest.param("attention", marks=pytest.mark.slow), "all"])  # some of all
@pytest.mark.parametrize("family", some_slow(["sdxl", "sd3", "flux", "zimage", "klein"], ["sd3", "flux", "zimage"]))
def test_a_lora_of_every_family_is_trained_and_read_back(
    request: pytest.FixtureRequest, family: str, layers: Any, folder: Path, tmp_path: Path, monkeypatch: Any
):
    monkeypatch.setattr(training, "SAMPLE_STEPS", 2)
    pool.configure("cpu")
    tiny = checkpoints.checkpoint(str(request.getfixturevalue(f"{family}_folder")))
    read = training_data.read_folder(folder, "")
    examples = training_data.encode(read, tiny.vae, tiny.text_encoder, 64, lambda: None)
    running = Training(tiny.model, Settings(layers, 2, 0.01, 2, 0), examples)
    running.advance()
    running.advance()
    path = tmp_path / "trained.safetensors"
    path.write_bytes(running.lora())
    adapted = pool.network(tiny.model.network, lora(tiny.model, tiny.text_encoder, str(path)).model.loras)
    names = [name for name, module in running.net.named_modules() if hasattr(module, "lora_A")]
    assert len(names) == len(running.parameters) / 2
    for name in names:
        ours, theirs = adapted.get_submodule(name), running.net.get_submodule(name)
        shape = theirs.get_base_layer().weight.shape
        x = torch.rand(1, shape[1], 8, 8) if len(shape) == 4 else torch.rand(3, shape[1])
        with torch.no_grad():
            torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)  # convolutions run packed in ours
    latent = running.sample(examples.captions[0], 0)
    assert latent.shape == examples.latents[:1].shape
    assert latent.isfinite().all()


def test_a_training_shares_the_weights_of_the_pool_and_leaves_its_network_as_it_was(tiny: Checkpoint, folder: Path):
    network = pool.network(tiny.model.network)
    before = noise_pred(network)
    running = Training(tiny.model, SETTINGS, examples(tiny, folder))
    running.advance()
    mine = {id(parameter) for parameter in network.parameters()}
    others = [p for p in running.net.parameters() if id(p) not in mine]
    assert others
    assert sum(p.numel() for p in others) == sum(p.numel() for p in running.parameters)
    assert noise_pred(pool.network(tiny.model.network)).equal(before)
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("family", some_slow(["sd15", "sdxl", "sd3", "flux", "zimage", "klein"], ("sd15", "zimage")))
def test_a_training_that_is_short_of_memory_keeps_less_of_each_step_and_learns_the_same_bits(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, family: str, folder: Path
):
    pool.configure("cpu")
    tiny = checkpoints.checkpoint(str(request.getfixturevalue(f"{family}_folder")))
    shown = examples(tiny, folder)

    def trained(halvings: int) -> Training:
        monkeypatch.setattr(training.pieces, "halvings", lambda: halvings)
        running = Training(tiny.model, SETTINGS, shown)
        running.advance()
        running.advance()
        return running

    plain, short = trained(0), trained(1)
    assert short.net.is_gradient_checkpointing
    assert not plain.net.is_gradient_checkpointing
    assert not pool.network(tiny.model.network).is_gradient_checkpointing
    assert short.lora() == plain.lora()


@pytest.mark.parametrize(
    ("good", "hardware", "expected"), [(True, True, torch.bfloat16), (True, False, None), (False, True, None)]
)
def test_bfloat16_is_for_cards_that_have_it_in_hardware(
    monkeypatch: pytest.MonkeyPatch, good: bool, hardware: bool, expected: torch.dtype | None
):
    def supported(including_emulation: bool = True) -> bool:
        return including_emulation or hardware

    monkeypatch.setattr(training.torch.cuda, "is_bf16_supported", supported)
    monkeypatch.setattr(training.pool, "dtype", lambda need: torch.bfloat16 if good else torch.float32)
    assert training.autocast(torch.device("cuda")) == expected
    assert training.autocast(torch.device("cpu")) is None
    assert training.autocast(torch.device("mps")) is None


def test_a_lora_is_learnt_in_single_precision_beside_weights_of_half(
    tiny: Checkpoint, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """As on a card: the pool's weights are of half precision, and computed with in bfloat16."""
    shown = examples(tiny, folder)
    expected = Training(tiny.model, SETTINGS, shown)
    expected.advance()
    narrow = copy.deepcopy(packing.unpacked(share.twin(pool.network(tiny.model.network)))).half()
    monkeypatch.setattr(training, "autocast", lambda device: torch.bfloat16)
    monkeypatch.setattr(training.widening, "computed_in", lambda module: torch.float16)
    monkeypatch.setattr(training.pool, "network", lambda *_, **options: narrow)
    running = Training(tiny.model, SETTINGS, shown)
    for parameter in running.parameters:  # what is done for devices other than the CPU
        parameter.data = parameter.data.float()
    running.advance()
    assert {p.dtype for p in running.parameters} == {torch.float32}
    assert {p.dtype for p in narrow.parameters()} == {torch.float16}
    assert running.sample(shown.captions[0], 0).isfinite().all()
    assert running.losses[0] == pytest.approx(expected.losses[0], rel=0.02)  # bfloat16 has 8 bits


def test_a_card_without_bfloat16_trains_on_weights_of_its_own_in_place_of_the_pools(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
):
    pool.network(tiny.model.network)
    monkeypatch.setattr(training.widening, "computed_in", lambda module: torch.float16)
    net = training._trainable(tiny.model.network, None)
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    assert tiny.model.network not in pool.shelf.slots
