"""The stages of a training run: each reads its predecessors' files in the work folder and writes its own."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor

from tools.starter import artwork, autoencoder, compose
from tools.starter.checkpoint import load_tensors, save_tensors
from tools.starter.concepts import CONCEPTS, HELD_OUT_PACK, PACKS, Concept
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget, ProgressLine

VAE_SEED, PICTURE_SEED, WHITENING_SEED = 1, 2, 3
VAE_BATCH = 8
VAE_OTHER_SHARE = 0.25  # of the autoencoder's pictures: icons that are no concept, for pictures from outside
OTHER_ICONS = 200
VAE_RECIPE = Recipe(learning_rate=1.5e-3, decay_from=0.4, ema_decay=0.998, weight_decay=0.0, final_rate=0.02)


@dataclass(frozen=True)
class Run:
    """Where a run keeps its files, what it computes on, and how many of the concepts it learns."""

    work: Path
    device: torch.device
    concepts: tuple[Concept, ...] = CONCEPTS

    def file(self, name: str) -> Path:
        """A file of this run."""
        return self.work / name

    def autocast(self) -> torch.autocast:
        """bfloat16 for convolutions and products; weights and sums of squares stay float32."""
        return torch.autocast(self.device.type, torch.bfloat16)


def render_artwork(run: Run) -> None:
    """sprites.safetensors (concepts), others.safetensors (more shapes), held_out.safetensors (never trained on)."""
    if run.file("held_out.safetensors").is_file():
        return
    packs = (*PACKS, HELD_OUT_PACK)
    icons = {pack: artwork.read_pack(pack, run.file("npm")) for pack in packs}
    names = [concept.icon for concept in run.concepts]
    others = artwork.other_icons([icons[pack] for pack in PACKS], {c.icon for c in CONCEPTS}, OTHER_ICONS)
    line = ProgressLine("artwork")
    total, done = len(packs) * len(names) + len(PACKS) * len(others), 0

    def advance() -> None:
        nonlocal done
        done += 1
        line.update(done / total)

    for file, file_packs, file_names in (
        ("sprites", PACKS, names),
        ("others", PACKS, others),
        ("held_out", (HELD_OUT_PACK,), names),
    ):
        sprites: compose.Sprites = {}
        for pack in file_packs:
            sprites |= artwork.render_pack(pack, icons[pack], file_names, advance)
        save_tensors(run.file(f"{file}.safetensors"), sprites)


def load_sprites(run: Run) -> compose.Sprites:
    """The concepts' sprites."""
    return load_tensors(run.file("sprites.safetensors"))


def train_autoencoder(run: Run, budget: Budget) -> None:
    """autoencoder.pt (the training) and vae.safetensors (its average, whitened)."""
    if run.file("vae.safetensors").is_file():
        return
    sprites, others = load_sprites(run), load_tensors(run.file("others.safetensors"))
    vae = autoencoder.build_autoencoder().to(run.device)
    training = Training("autoencoder", vae, VAE_RECIPE, run.file("autoencoder.pt"))
    training.restore()

    def loss_at(step: int) -> Tensor:
        images = autoencoder_batch(run, sprites, others, step).to(run.device)
        generator = torch.Generator(run.device).manual_seed(step)
        with run.autocast():
            return autoencoder.reconstruction_loss(vae, images, generator)

    training.run(loss_at, budget)
    training.load_ema()
    probe = compose.to_tensor(
        [compose.compose(sprites, WHITENING_SEED, i, run.concepts).pixels for i in range(512)]
    ).to(run.device)
    autoencoder.whiten(vae, probe)
    save_tensors(run.file("vae.safetensors"), vae.state_dict())
    decoded = autoencoder.decode(vae, autoencoder.encode(vae, probe))
    print(f"autoencoder: PSNR {autoencoder.psnr(probe, decoded):.1f} dB on fresh compositions of trained sprites")
    save_sheet(run.file("autoencoder.png"), torch.cat([probe[:16], decoded[:16]]), columns=16)


def autoencoder_batch(run: Run, sprites: compose.Sprites, others: compose.Sprites, step: int) -> Tensor:
    """The pictures of one step: compositions of the concepts, and other icons on other colours."""
    first = step * VAE_BATCH
    other_count = round(VAE_BATCH * VAE_OTHER_SHARE)
    pictures = [compose.compose_any(others, VAE_SEED, first + i) for i in range(other_count)]
    for i in range(other_count, VAE_BATCH):
        pictures.append(compose.compose(sprites, VAE_SEED, first + i, run.concepts).pixels)
    return compose.to_tensor(pictures)


def load_autoencoder(run: Run) -> AutoencoderKL:
    """The trained autoencoder, for use."""
    vae = autoencoder.build_autoencoder()
    vae.load_state_dict(load_tensors(run.file("vae.safetensors")))
    return vae.to(run.device).eval().requires_grad_(False)


def save_sheet(path: Path, images: Tensor, columns: int) -> None:
    """Pictures [pictures, 3, height, width] in [-1, 1] as one PNG, row by row."""
    pixels = images.float().cpu().add(1).mul(127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    height, width = pixels.shape[1:3]
    rows = -(-len(pixels) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    for index, picture in enumerate(np.ascontiguousarray(pixels)):
        sheet.paste(Image.fromarray(picture), (index % columns * width, index // columns * height))
    sheet.save(path)
