"""The text stage of a training run: vocabulary, tokenizer, and the encoder's training on captions alone."""

import random

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from tools.starter import artwork, gpu, text
from tools.starter.checkpoint import load_json, load_tensors, save_json, save_tensors
from tools.starter.compose import draw_scene
from tools.starter.concepts import PACKS
from tools.starter.crowd import Shelf
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget
from tools.starter.scene import captions
from tools.starter.stages import Run

TEXT_SEED = 4
TEXT_RECIPE = Recipe(learning_rate=1e-3, decay_from=0.4, ema_decay=0.99)


def icon_names(run: Run) -> list[str]:
    """All names in the packs, sorted, each once."""
    file = run.file("icon_names.json")
    if not file.is_file():
        save_json(file, sorted(set().union(*(artwork.read_pack(pack, run.file("npm")) for pack in PACKS))))
    return load_json(file)


def load_vocabulary(run: Run) -> text.Vocabulary:
    """The run's vocabulary, learnt once from its captions' words and the packs' icon names; kept as vocabulary.json."""
    file = run.file("vocabulary.json")
    if file.is_file():
        kept = load_json(file)
        return text.Vocabulary(kept["numbers"], tuple((first, second) for first, second in kept["merges"]))
    vocabulary = text.learn_vocabulary(text.word_weights(icon_names(run)))
    save_json(file, {"numbers": vocabulary.numbers, "merges": vocabulary.merges})
    return vocabulary


def train_text(run: Run, captions_shelf: Shelf, budget: Budget) -> None:
    """text.pt (the training) and text_encoder.safetensors."""
    vocabulary = load_vocabulary(run)
    text_encoder = text.build_text_encoder(vocabulary)
    if run.file("start_text.safetensors").is_file():  # another vocabulary's, of an adopted model
        known = load_json(run.file("start_vocabulary.json"))
        text.carry_over(text_encoder, vocabulary, load_tensors(run.file("start_text.safetensors")), known)
    reader = gpu.place(text.CaptionReader(text_encoder), run.device)
    training = Training("text", reader, TEXT_RECIPE, run.file("text.pt"), recorded=False)
    training.restore()
    end = vocabulary.numbers[text.END]
    tokens, classes = (captions_shelf.take(name).to(run.device) for name in ("tokens", "labels"))
    kept = len(tokens) // 64  # for the check at the end
    batch_size = run.sizes.text_batch

    def batch_at(step: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator(run.device).manual_seed(TEXT_SEED * 1_000_003 + step)
        chosen = torch.randint(kept, len(tokens), (batch_size,), generator=generator, device=run.device)
        return tokens[chosen].long(), classes[chosen].long()

    training.run(batch_at, lambda numbers, answers: reader.loss(numbers, answers, end), budget)
    training.load_ema()
    save_tensors(run.file("text_encoder.safetensors"), reader.text_encoder.state_dict())
    right = accuracy(reader, tokens[:kept].long(), classes[:kept].long(), end)
    print(f"text: {right:.2%} of the labels read right", flush=True)


def other_words(run: Run) -> list[str]:
    """Words of icon names that are in no caption."""
    said = text.word_weights(())
    return sorted(word for word in text.word_weights(icon_names(run)) if word not in said and len(word) > 2)


def draw_caption(run: Run, index: int, unused: list[str]) -> tuple[str, tuple[int, ...]]:
    """Caption number `index`, disturbed or not, and its answers."""
    rng, words = np.random.default_rng((TEXT_SEED, index)), random.Random(TEXT_SEED * 1_000_003 + index)
    scene = draw_scene(rng, run.concepts)
    caption = words.choice(captions(scene))
    return text.disturb(caption, unused, words), text.labels(scene, caption)


@torch.inference_mode()
def accuracy(reader: text.CaptionReader, tokens: Tensor, classes: Tensor, end: int) -> float:
    """Share of labels that the heads read right from the end token and the padding after it."""
    guesses = torch.stack([logits.argmax(-1) for logits in reader(tokens)], -1)
    return float((guesses == classes[:, None]).float().mean(-1)[tokens == end].mean())


def load_text(run: Run) -> tuple[CLIPTokenizer, CLIPTextModel]:
    """The tokenizer and the trained encoder, for use."""
    vocabulary = load_vocabulary(run)
    text_encoder = text.build_text_encoder(vocabulary)
    text_encoder.load_state_dict(load_tensors(run.file("text_encoder.safetensors")))
    return text.build_tokenizer(vocabulary), gpu.place(text_encoder, run.device).eval().requires_grad_(False)
