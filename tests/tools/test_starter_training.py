"""The starter model's training: it learns, stops, goes on, and starts where it should."""

import pytest
import torch
from torch import nn

from tools.starter import autoencoder, compose, denoiser, text
from tools.starter.concepts import BACKGROUNDS, CONCEPTS, HUES, PACKS
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget
from tools.starter.scene import Scene, Thing, captions

RECIPE = Recipe(learning_rate=1e-2, decay_from=0.5, ema_decay=0.9)


class StoppedError(Exception):
    """Stands for the end of the process."""


def tiny_model() -> nn.Module:
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 1))


def regression_loss(model: nn.Module, step: int) -> torch.Tensor:
    inputs = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
    return (model(inputs) - inputs.sum(1, keepdim=True)).square().mean()


def test_training_resumed_after_a_stop_ends_with_the_same_bits(tmp_path):
    whole = Training("test", tiny_model(), RECIPE, tmp_path / "whole.pt")
    whole.run(lambda step: regression_loss(whole.model, step), Budget(steps=12))

    stopped = Training("test", tiny_model(), RECIPE, tmp_path / "stopped.pt")

    def loss_until_the_end_of_the_process(step: int) -> torch.Tensor:
        if step == 5:
            stopped.save()
            raise StoppedError
        return regression_loss(stopped.model, step)

    with pytest.raises(StoppedError):
        stopped.run(loss_until_the_end_of_the_process, Budget(steps=12))
    resumed = Training("test", tiny_model(), RECIPE, tmp_path / "stopped.pt")
    assert resumed.restore()
    resumed.run(lambda step: regression_loss(resumed.model, step), Budget(steps=12))
    assert resumed.losses == whole.losses
    for name, parameter in whole.parameters.items():
        assert torch.equal(parameter, resumed.parameters[name])
        assert torch.equal(whole.ema[name], resumed.ema[name])


def test_a_budget_ends_with_whichever_limit_comes_first():
    assert Budget(steps=10).progress(5, 1e6) == 0.5
    assert Budget(minutes=1).progress(10**6, 30) == 0.5
    assert Budget(steps=10, minutes=1).progress(2, 60) == 1
    with pytest.raises(ValueError, match="steps or of minutes"):
        Budget()


def test_the_denoiser_learns_from_a_few_steps(tmp_path):
    unet, scheduler = denoiser.build_unet(channels=(16, 16)), denoiser.build_scheduler()
    latents = torch.ones(8, 4, 16, 16)
    embeds = torch.zeros(8, text.CONTEXT, text.WIDTH)
    training = Training("test", unet, RECIPE, tmp_path / "unet.pt")
    training.run(
        lambda step: denoiser.velocity_loss(unet, scheduler, latents, embeds, torch.Generator().manual_seed(step)),
        Budget(steps=25),
    )
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
    vae = autoencoder.build_autoencoder(channels=(16, 16, 16))
    decoded = autoencoder.decode(vae, autoencoder.encode(vae, images))
    assert autoencoder.psnr(images, decoded) > 15  # averaging 4x4 pixels; default weights give about 5


def test_whitening_changes_the_latents_and_not_the_pictures(sprites):
    images = compose.to_tensor([compose.compose(sprites, 0, index).pixels for index in range(16)])
    vae = autoencoder.build_autoencoder(channels=(16, 16, 16))
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
        posterior = autoencoder.build_autoencoder(channels=(16, 16, 16)).encode(images).latent_dist
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
