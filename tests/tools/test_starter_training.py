"""The starter model's training: it learns, stops, goes on, and starts where it should."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from tools import train_starter
from tools.starter import autoencoder, compose, denoiser, denoiser_stage, export, pixel, report, stock, text
from tools.starter.checkpoint import save_json, save_tensors
from tools.starter.concepts import BACKGROUNDS, CONCEPTS, HUES, INK_PACK, PACKS, SCENERIES
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget, end_of_first
from tools.starter.scene import Scene, Thing, captions, gradient
from tools.starter.stages import Run, Sizes

RECIPE = Recipe(learning_rate=1e-2, decay_from=0.5, ema_decay=0.9)


class StoppedError(Exception):
    """Stands for the end of the process."""


def tiny_model() -> nn.Module:
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 1))


def inputs_at(step: int) -> tuple[torch.Tensor]:
    return (torch.randn(16, 4, generator=torch.Generator().manual_seed(step)),)


def regress(training: Training, steps: int, inputs_at: Callable[[int], tuple[torch.Tensor]] = inputs_at) -> None:
    """Trains to add the inputs up."""

    def loss_of(inputs: torch.Tensor) -> torch.Tensor:
        return (training.model(inputs) - inputs.sum(1, keepdim=True)).square().mean()

    training.run(inputs_at, loss_of, Budget(steps=steps))


def test_training_resumed_after_a_stop_ends_with_the_same_bits(tmp_path):
    whole = Training("test", tiny_model(), RECIPE, tmp_path / "whole.pt")
    regress(whole, 12)

    stopped = Training("test", tiny_model(), RECIPE, tmp_path / "stopped.pt")

    def inputs_until_the_end_of_the_process(step: int) -> tuple[torch.Tensor]:
        if step == 5:
            stopped.save()
            raise StoppedError
        return inputs_at(step)

    with pytest.raises(StoppedError):
        regress(stopped, 12, inputs_until_the_end_of_the_process)
    resumed = Training("test", tiny_model(), RECIPE, tmp_path / "stopped.pt")
    assert resumed.restore()
    regress(resumed, 12)
    assert resumed.losses == whole.losses
    for name, parameter in whole.parameters.items():
        assert torch.equal(parameter, resumed.parameters[name])
        assert torch.equal(whole.ema[name], resumed.ema[name])


def test_a_budget_ends_with_whichever_limit_comes_first():
    past, far = time.monotonic() - 1, time.monotonic() + 1e9
    assert Budget(steps=10).progress(5, 1e6) == 0.5
    assert Budget(steps=10, ends_at=far).progress(5, 1) == 0.5
    assert Budget(steps=10, ends_at=past).progress(2, 60) == 1
    with pytest.raises(ValueError, match="steps or a moment"):
        Budget()


def test_a_stage_that_goes_on_counts_the_time_it_had_before():
    assert Budget(ends_at=time.monotonic() + 1e6).progress(10**6, 3e6) == pytest.approx(0.75, abs=1e-4)


def test_the_stages_that_are_left_share_all_of_the_time():
    assert end_of_first([1, 3], now=100.0, end=108.0) == 102.0
    assert end_of_first([3], now=104.0, end=108.0) == 108.0  # the first took two seconds too long
    assert end_of_first([1, 3], now=110.0, end=108.0) == 110.0


def test_no_time_means_no_step(tmp_path):
    training = Training("test", tiny_model(), RECIPE, tmp_path / "none.pt")
    training.run(inputs_at, lambda inputs: inputs.sum(), Budget(ends_at=time.monotonic() - 1))
    assert training.step == 0


def test_the_denoiser_learns_from_a_few_steps(tmp_path):
    unet, scheduler = denoiser.build_unet(channels=(16, 16)), denoiser.build_scheduler()
    latents = torch.ones(8, 4, 16, 16)
    embeds = torch.zeros(8, text.CONTEXT, text.WIDTH)

    def batch_at(step: int) -> tuple[torch.Tensor, ...]:
        generator = torch.Generator().manual_seed(step)
        timesteps = denoiser.draw_timesteps(scheduler.alphas_cumprod, 8, generator)
        noised = denoiser.add_noise(latents, torch.randn(latents.shape, generator=generator), timesteps, scheduler)
        return noised.noisy, noised.timesteps, noised.velocity, embeds

    training = Training("test", unet, RECIPE, tmp_path / "unet.pt")
    training.run(batch_at, lambda *batch: denoiser.velocity_loss(unet, *batch), Budget(steps=25))
    assert sum(training.losses[-5:]) < 0.7 * sum(training.losses[:5])
    assert (tmp_path / "unet.loss.png").is_file()


def test_timesteps_are_drawn_over_the_whole_range():
    timesteps = denoiser.draw_timesteps(
        denoiser.build_scheduler().alphas_cumprod, 4000, torch.Generator().manual_seed(0)
    )
    assert timesteps.min() < 20
    assert timesteps.max() > 980
    assert timesteps.max() < denoiser.TRAIN_TIMESTEPS


def test_the_schedule_ends_in_noise():
    terminal = denoiser.build_scheduler().alphas_cumprod[-1]
    assert terminal < 1e-4


def test_the_autoencoder_starts_as_a_working_one(sprites):
    images = compose.to_tensor([compose.compose(sprites, 0, index).pixels for index in range(8)])
    vae = autoencoder.build_autoencoder(channels=(16, 16, 16, 16))
    decoded = autoencoder.decode(vae, autoencoder.encode(vae, images))
    assert autoencoder.psnr(images, decoded) > 15  # averaging 8x8 pixels; default weights give about 5


def test_whitening_changes_the_latents_and_not_the_pictures(sprites):
    images = compose.to_tensor([compose.compose(sprites, 0, index).pixels for index in range(16)])
    vae = autoencoder.build_autoencoder(channels=(16, 16, 16, 16))
    before = autoencoder.decode(vae, autoencoder.encode(vae, images))
    autoencoder.whiten(vae, images)
    latents = autoencoder.encode(vae, images)
    flat = latents.permute(1, 0, 2, 3).flatten(1)
    # float32 weights; the smallest variance is scaled up most
    assert torch.allclose(torch.cov(flat), torch.eye(4), atol=1e-2)
    assert torch.allclose(autoencoder.decode(vae, latents), before, atol=1e-3)


def test_the_posterior_is_narrow(sprites):
    images = compose.to_tensor([compose.compose(sprites, 0, 0).pixels])
    with torch.no_grad():
        posterior = autoencoder.build_autoencoder(channels=(16, 16, 16, 16)).encode(images).latent_dist
    assert torch.allclose(posterior.std, torch.full_like(posterior.std, 0.0498), atol=1e-3)  # exp(-6 / 2)


def test_the_vocabulary_does_not_depend_on_the_order_of_the_words():
    weights = {"red": 5, "green": 4, "greenish": 1, "tree": 3}
    reordered = dict(reversed(weights.items()))
    assert text.learn_vocabulary(weights, 10) == text.learn_vocabulary(reordered, 10)


def test_every_word_of_a_caption_is_one_token():
    tokenizer = text.build_tokenizer(text.learn_vocabulary(text.word_weights(["hot-air-balloon"])))
    for concept in CONCEPTS:
        for count in (1, 3):
            for caption in captions(Scene((Thing(concept, "red"),), PACKS[0], "purple", count)):
                assert len(tokenizer(caption).input_ids) == len(caption.replace(",", " ,").split()) + 2


def named(scene: Scene, caption: str) -> dict[str, int]:
    """The answers that are given, without those that the caption leaves open."""
    answers = zip(text.ANSWERS, text.labels(scene, caption), strict=True)
    return {question: answer for question, answer in answers if answer or question == "noun"}


def test_labels_say_what_a_caption_names_and_what_it_leaves_open():
    blue, green = list(BACKGROUNDS).index("blue") + 1, list(HUES).index("green") + 1
    cat = Scene((Thing(CONCEPTS[0]),), PACKS[0], "blue")
    assert named(cat, "a cat on a blue background") == {"noun": 0, "background": blue}
    assert named(cat, "a cat on blue") == {"noun": 0, "background": blue}
    assert named(cat, "a shaded cat on a blue background") == {"noun": 0, "background": blue, "style": 1}
    assert named(cat, "a cat") == {"noun": 0}
    pair = Scene((Thing(CONCEPTS[1]), Thing(CONCEPTS[2], "green")), PACKS[0], "blue")
    assert named(pair, "a dog and a green fox") == {"noun": 1, "second noun": 3, "second colour": green}
    placed = Scene((Thing(CONCEPTS[0]),), PACKS[0], "blue", size="small", position="left")
    assert named(placed, "a small cat on the left") == {"noun": 0, "size": 1, "position": 1}
    assert named(Scene((Thing(CONCEPTS[0]),), PACKS[0], "blue", 3), "three cats") == {"noun": 0, "number": 2}
    shaded = replace(cat, background=gradient("blue", "green"))
    lower = list(BACKGROUNDS).index("green") + 1
    told = {"noun": 0, "background": blue, "lower background": lower}
    assert named(shaded, "a cat on a blue and green gradient") == told
    beach = len(BACKGROUNDS) + list(SCENERIES).index("beach") + 1
    assert named(replace(cat, background="beach"), "a cat on a beach") == {"noun": 0, "background": beach}


def test_captions_are_read_word_by_word_as_the_tokenizer_reads_them():
    vocabulary = text.learn_vocabulary(text.word_weights(["hot-air-balloon"]))
    words, tokenizer = text.WordTokens(vocabulary), text.build_tokenizer(vocabulary)
    said = ["a cat on a red and blue gradient", "two cats, flat style", "", "a hot-air balloon!", "a cat " * 30]
    assert [words.row(caption) for caption in said] == text.tokenise(tokenizer, said).tolist()


def test_an_encoder_of_other_words_starts_with_the_embeddings_that_both_know():
    old = text.learn_vocabulary({"cat": 2, "dog": 1})
    new = text.learn_vocabulary({"cat": 2, "fox": 1})
    trained, encoder = text.build_text_encoder(old), text.build_text_encoder(new)
    torch.nn.init.ones_(trained.get_input_embeddings().weight)
    fresh = encoder.get_input_embeddings().weight.detach().clone()
    text.carry_over(encoder, new, trained.state_dict(), old.numbers)
    carried = encoder.get_input_embeddings().weight
    assert (carried[new.numbers["cat</w>"]] == 1).all()
    assert torch.equal(carried[new.numbers["fox</w>"]], fresh[new.numbers["fox</w>"]])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns of any fork
def test_every_stage_makes_its_part_from_the_drawings_alone(sprites, tmp_path, monkeypatch):
    for module in (denoiser_stage, pixel):
        monkeypatch.setattr(module, "SHEET_PROMPTS", ("a cat",))
    concepts = CONCEPTS[:3]
    icons = {concept.icon for concept in concepts}
    few = {name: sprite for name, sprite in sprites.items() if name.rpartition("/")[2] in icons}
    inks = {f"{INK_PACK.name}/{name.rpartition('/')[2]}": sprite for name, sprite in few.items()}
    save_tensors(tmp_path / "ink_sprites.safetensors", inks)
    for name in ("sprites", "others"):
        save_tensors(tmp_path / f"{name}.safetensors", few)
    save_json(tmp_path / "icon_names.json", ["cat", "abacus"])
    sizes = Sizes(0, 32, 64, pairs=2, batch=4, vae_batch=4, text_batch=4, pair_batch=2, ahead=2)
    run, model = Run(tmp_path, torch.device("cpu"), concepts, sizes), tmp_path / "model"
    stages = train_starter.stages_of(run, stock.open_stock(run, train_starter.SHARES), model)
    for stage in stages.values():
        stage(Budget(steps=1))
    picture = report.generate(report.load_pipeline(model), ["a cat"], num_steps=1)
    assert picture.shape == (1, 3, 128, 128)
    assert {path.relative_to(model).as_posix() for path in model.rglob("*.safetensors")} >= set(export.STARTS.values())


def test_a_part_that_fails_costs_the_others_nothing(tmp_path, monkeypatch, capsys):
    run, begun = Run(tmp_path, torch.device("cpu")), []

    def stage(name: str) -> Callable[[Budget], None]:
        def work(budget: Budget) -> None:
            begun.append(name)
            if name == "style":
                raise ValueError("no ink")

        return work

    monkeypatch.setattr(stock, "open_stock", lambda run, stages: None)
    monkeypatch.setattr(train_starter, "stages_of", lambda *given: {name: stage(name) for name in train_starter.SHARES})
    assert train_starter.train(run, tmp_path / "model") == ["style"]
    assert begun == list(train_starter.SHARES)
    assert "no ink" in capsys.readouterr().err
    begun.clear()
    assert train_starter.train(run, tmp_path / "model") == ["style"]
    assert begun == ["style"]  # what is done is not repeated
