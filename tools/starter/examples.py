"""What denoisers learn from: pictures made into latents while they are still being drawn, and batches of them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import CLIPTextModel

from tools.starter import autoencoder, denoiser, text
from tools.starter.crowd import Shelf
from tools.starter.stages import Run, load_autoencoder, to_images
from tools.starter.text_stage import load_text

EMBED_BATCH = 4096
ENCODE_BATCH = 256
FRESH = 2  # pictures that are taken in for each one that is drawn, as long as there are more

Encode = Callable[[Tensor], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Embedder:
    """The trained text encoder for rows of tokens; empty: [32], the empty caption.

    Captions are embedded as they are drawn: the embeddings of all would take gigabytes.
    """

    text_encoder: CLIPTextModel
    empty: Tensor

    @classmethod
    def of(cls, run: Run) -> "Embedder":
        """The run's."""
        tokenizer, text_encoder = load_text(run)
        return cls(text_encoder, text.tokenise(tokenizer, [""])[0].to(run.device, torch.int16))

    @torch.no_grad()
    def embed(self, tokens: Tensor) -> Tensor:
        """Embeddings [texts, 32, 192] of tokens [texts, 32]."""
        batches = torch.split(tokens.long(), EMBED_BATCH)
        return torch.cat([self.text_encoder(batch).last_hidden_state for batch in batches])


def latents_of(run: Run) -> Encode:
    """Latents, float16 [pictures, 4, 16, 16], of uint8 pictures [pictures, 128, 128, 3]."""
    vae = load_autoencoder(run)

    def encode(pixels: Tensor) -> tuple[Tensor, ...]:
        with run.autocast():
            return (autoencoder.encode(vae, to_images(pixels), ENCODE_BATCH).half(),)

    return encode


class Examples:
    """A shelf's pictures as a denoiser sees them, and their captions, on the run's device.

    encode: makes of uint8 pictures [pictures, 128, 128, 3] what is denoised and whatever else a step is given, each
    [pictures, ...]. only: an array of the shelf that says which of its pictures count. rows: what is taken in so far,
    int16 tokens [pictures, captions, 32] last.
    """

    def __init__(self, run: Run, shelf: Shelf, encode: Encode, only: str | None = None) -> None:
        self.shelf, self.encode, self.only, self.device = shelf, encode, only, run.device
        self.rows: tuple[Tensor, ...] = ()
        self.count = 0
        self._read = 0  # of the shelf

    def extend(self, count: int) -> None:
        """Takes in up to `count` more pictures, as many as are drawn; waits only where there are none yet."""
        if not self.count:
            self.shelf.wait(count)
        last = min(self._read + count, self.shelf.ready)
        for first in range(self._read, last, ENCODE_BATCH):
            self._take(slice(first, min(first + ENCODE_BATCH, last)))
        self._read = last

    def _take(self, part: slice) -> None:
        pixels, tokens = (torch.from_numpy(self.shelf.arrays[name][part]) for name in ("pixels", "tokens"))
        if self.only:
            wanted = torch.from_numpy(self.shelf.arrays[self.only][part])
            pixels, tokens = pixels[wanted], tokens[wanted]
        if not len(pixels):
            return
        new = (*self.encode(pixels.to(self.device)), tokens.to(self.device))
        if not self.rows:
            self.rows = tuple(each.new_empty((self.shelf.count, *each.shape[1:])) for each in new)
        for rows, each in zip(self.rows, new, strict=True):
            rows[self.count : self.count + len(each)] = each
        self.count += len(pixels)


class Batches:
    """A denoiser's batches by step: noisy latents, timesteps, v, embeddings, and what else the examples have.

    ahead: of so many steps the batches are drawn at once, which a GPU does in the time of one.
    """

    def __init__(self, examples: Examples, embedder: Embedder, batch_size: int, seed: int, ahead: int = 1) -> None:
        self.examples, self.embedder = examples, embedder
        self.batch_size, self.seed, self.ahead = batch_size, seed, ahead
        self.scheduler = denoiser.build_scheduler()
        self.alphas_cumprod = self.scheduler.alphas_cumprod.to(examples.device)
        self.block: int | None = None
        self.drawn: tuple[Tensor, ...] = ()

    def __call__(self, step: int) -> tuple[Tensor, ...]:
        """The step's batch."""
        block = step // self.ahead
        if block != self.block:
            self.examples.extend(FRESH * self.ahead * self.batch_size)
            self.block, self.drawn = block, self._draw(block, self.ahead * self.batch_size)
        first = step % self.ahead * self.batch_size
        return tuple(tensor[first : first + self.batch_size] for tensor in self.drawn)

    @torch.no_grad()
    def _draw(self, block: int, count: int) -> tuple[Tensor, ...]:
        clean, *others, tokens = self.examples.rows
        device = self.examples.device
        generator = torch.Generator(device).manual_seed(self.seed * 1_000_003 + block)
        pictures = torch.randint(0, self.examples.count, (count,), generator=generator, device=device)
        wordings = torch.randint(0, tokens.shape[1], (count,), generator=generator, device=device)
        silent = torch.rand(count, generator=generator, device=device) < denoiser.UNCONDITIONAL_PROBABILITY
        embeds = self.embedder.embed(torch.where(silent[:, None], self.embedder.empty, tokens[pictures, wordings]))
        latents = clean[pictures].float()
        noise = torch.randn(latents.shape, generator=generator, device=device)
        timesteps = denoiser.draw_timesteps(self.alphas_cumprod, count, generator)
        noised = denoiser.add_noise(latents, noise, timesteps, self.scheduler)
        return noised.noisy, noised.timesteps, noised.velocity, embeds, *(each[pictures].float() for each in others)
