"""The text stage of a training run: vocabulary, tokenizer, and the encoder's training on captions alone."""

import random

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from tools.starter import artwork, text
from tools.starter.checkpoint import load_json, load_tensors, save_json, save_tensors
from tools.starter.compose import draw_scene
from tools.starter.concepts import PACKS
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget
from tools.starter.scene import captions
from tools.starter.stages import Run

TEXT_SEED = 4
TEXT_BATCH = 64
TEXT_STEPS = 1500
TEXT_RECIPE = Recipe(learning_rate=1e-3, decay_from=0.4, ema_decay=0.99)


def icon_names(run: Run) -> list[str]:
    """All names in the packs, sorted, each once."""
    names: set[str] = set()
    for pack in PACKS:
        names |= artwork.read_pack(pack, run.file("npm")).keys()
    return sorted(names)


def load_vocabulary(run: Run) -> text.Vocabulary:
    """The run's vocabulary, learnt from its captions' words and the packs' icon names; kept as vocabulary.json."""
    vocabulary = text.learn_vocabulary(text.word_weights(icon_names(run)))
    save_json(run.file("vocabulary.json"), vocabulary.numbers)
    return vocabulary


def train_text(run: Run) -> None:
    """text.pt (the training) and text_encoder.safetensors."""
    if run.file("text_encoder.safetensors").is_file():
        return
    vocabulary = load_vocabulary(run)
    tokenizer = text.build_tokenizer(vocabulary)
    text_encoder = text.build_text_encoder(vocabulary)
    if run.file("start_text.safetensors").is_file():
        known = load_json(run.file("start_vocabulary.json"))
        text.carry_over(text_encoder, vocabulary, load_tensors(run.file("start_text.safetensors")), known)
    reader = text.CaptionReader(text_encoder).to(run.device)
    training = Training("text", reader, TEXT_RECIPE, run.file("text.pt"))
    training.restore()
    end = vocabulary.numbers[text.END]
    unused = other_words(run)

    def loss_at(step: int) -> Tensor:
        texts, classes = caption_batch(run, step, unused)
        return reader.loss(text.tokenise(tokenizer, texts).to(run.device), classes.to(run.device), end)

    training.run(loss_at, Budget(steps=TEXT_STEPS))
    training.load_ema()
    save_tensors(run.file("text_encoder.safetensors"), reader.text_encoder.state_dict())
    print(f"text: {accuracy(run, reader, tokenizer, end, unused):.1%} of the labels read right")


def other_words(run: Run) -> list[str]:
    """Words of icon names that are in no caption."""
    said = text.word_weights(())
    return sorted(word for word in text.word_weights(icon_names(run)) if word not in said and len(word) > 2)


def caption_batch(run: Run, step: int, unused: list[str]) -> tuple[list[str], Tensor]:
    """The captions of one step, some of them disturbed, and their classes [captions, answers]."""
    rng, words = np.random.default_rng((TEXT_SEED, step)), random.Random(TEXT_SEED * 1_000_003 + step)
    texts, classes = [], []
    for _ in range(TEXT_BATCH):
        scene = draw_scene(rng, run.concepts)
        caption = words.choice(captions(scene))
        texts.append(text.disturb(caption, unused, words))
        classes.append(text.labels(scene, caption))
    return texts, torch.tensor(classes)


@torch.inference_mode()
def accuracy(run: Run, reader: text.CaptionReader, tokenizer: CLIPTokenizer, end: int, unused: list[str]) -> float:
    """Share of labels that the heads read right from fresh captions."""
    texts, classes = caption_batch(run, TEXT_STEPS + 1, unused)
    numbers = text.tokenise(tokenizer, texts).to(run.device)
    rows = (numbers == end).nonzero()[:, 0]
    guesses = torch.stack([head.argmax(-1) for head in reader(numbers, end)], 1)
    return float((guesses == classes.to(run.device)[rows]).float().mean())


def load_text(run: Run) -> tuple[CLIPTokenizer, CLIPTextModel]:
    """The tokenizer and the trained encoder, for use."""
    vocabulary = load_vocabulary(run)
    text_encoder = text.build_text_encoder(vocabulary)
    text_encoder.load_state_dict(load_tensors(run.file("text_encoder.safetensors")))
    return text.build_tokenizer(vocabulary), text_encoder.to(run.device).eval().requires_grad_(False)
