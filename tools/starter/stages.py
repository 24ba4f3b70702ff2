"""The stages of a training run: each reads its predecessors' files in the work folder and writes its own."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from PIL import Image
from torch import Tensor

from tools.starter import artwork, autoencoder, compose, gpu
from tools.starter.checkpoint import load_tensors, save_tensors
from tools.starter.concepts import CONCEPTS, HELD_OUT_PACK, INK_PACK, PACKS, Concept
from tools.starter.crowd import Shelf, Uploaded
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget, ProgressLine

VAE_SEED, PICTURE_SEED, WHITENING_SEED = 1, 2, 3
REFRESHED = 25  # steps after which newly drawn pictures are taken in
VAE_OTHER_SHARE = 0.25  # of the autoencoder's pictures: icons that are no concept, for pictures from outside
OTHER_ICONS = 400
VAE_RECIPE = Recipe(learning_rate=1.5e-3, decay_from=0.4, ema_decay=0.998, weight_decay=0.0, final_rate=0.02)


@dataclass(frozen=True)
class Sizes:
    """How much of everything a run uses.

    minutes: for all stages. pictures: drawn for the denoiser, other stages in proportion; captions: drawn for the text
    encoder; pairs: of a noise and its picture, made for the few-step LoRA. batch: pictures of a step of the denoiser,
    twice those of the parts beside it; the others: pictures of the autoencoder's steps, captions of the text encoder's,
    pictures that the guided denoiser makes at once. ahead: steps whose batches are drawn at once, which a GPU does in
    the time of one.
    """

    minutes: float
    pictures: int
    captions: int
    pairs: int
    batch: int
    vae_batch: int
    text_batch: int
    pair_batch: int
    ahead: int


PROCESSOR = Sizes(240, 24_000, 96_000, 1_000, 32, 8, 64, 64, 1)
GPU = Sizes(8, 196_608, 262_144, 32_768, 512, 48, 512, 1024, 16)


@dataclass(frozen=True)
class Run:
    """Where a run keeps its files, what it computes on and how much; workers: processes that draw pictures."""

    work: Path
    device: torch.device
    concepts: tuple[Concept, ...] = CONCEPTS
    sizes: Sizes = PROCESSOR
    workers: int = 2

    def file(self, name: str) -> Path:
        """A file of this run."""
        return self.work / name

    def begin(self, network: gpu.Network, name: str) -> gpu.Network:
        """The network on the run's device, with the weights of start_<name>.safetensors if a model was adopted."""
        start = self.file(f"start_{name}.safetensors")
        if start.is_file():
            network.load_state_dict(load_tensors(start))
        return gpu.place(network, self.device)

    def autocast(self) -> torch.autocast:
        """The precision that this run trains in."""
        return gpu.autocast(self.device)


def render_artwork(run: Run) -> None:
    """sprites, others (more shapes), held_out (never trained on) and ink_sprites .safetensors."""
    if run.file("ink_sprites.safetensors").is_file():
        return
    packs = (*PACKS, HELD_OUT_PACK, INK_PACK)
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
        ("ink_sprites", (INK_PACK,), names),
    ):
        sprites: compose.Sprites = {}
        for pack in file_packs:
            sprites |= artwork.render_pack(pack, icons[pack], file_names, advance)
        save_tensors(run.file(f"{file}.safetensors"), sprites)


def load_sprites(run: Run) -> compose.Sprites:
    """The concepts' sprites."""
    return load_tensors(run.file("sprites.safetensors"))


def train_autoencoder(run: Run, pictures: Shelf, others: Shelf, budget: Budget) -> None:
    """autoencoder.pt (the training) and vae.safetensors (its average, whitened)."""
    vae = gpu.place(autoencoder.build_autoencoder(), run.device)
    training = Training("autoencoder", vae, VAE_RECIPE, run.file("autoencoder.pt"))
    training.restore()
    images_at = Images(run, pictures, others)

    def loss_of(images: Tensor, noise: Tensor) -> Tensor:
        with run.autocast():
            return autoencoder.reconstruction_loss(vae, images, noise)

    training.run(images_at, loss_of, budget)
    training.load_ema()
    autoencoder.whiten(vae, images_at.first(1024))
    save_tensors(run.file("vae.safetensors"), vae.state_dict())
    report_autoencoder(run, vae, "autoencoder")


class Images:
    """The autoencoder's batches by step: compositions of the concepts and other icons on other colours, and noise.

    They are drawn from what the workers have finished, so that the first steps need not wait for all pictures.
    """

    def __init__(self, run: Run, pictures: Shelf, others: Shelf) -> None:
        self.run = run
        other_count = round(run.sizes.vae_batch * VAE_OTHER_SHARE)
        self.sources = {Uploaded(others, "pixels", run.device): other_count}
        self.sources[Uploaded(pictures, "pixels", run.device)] = run.sizes.vae_batch - other_count

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        device = self.run.device
        generator = torch.Generator(device).manual_seed(VAE_SEED * 1_000_003 + step)
        chosen: list[Tensor] = []
        for source, count in self.sources.items():
            ready = source.refresh() if step % REFRESHED == 0 else source.count or source.refresh()
            chosen.append(source.rows[torch.randint(0, ready, (count,), generator=generator, device=device)])
        side = compose.IMAGE_SIZE // autoencoder.FACTOR
        shape = (self.run.sizes.vae_batch, autoencoder.LATENT_CHANNELS, side, side)
        noise = torch.randn(shape, generator=generator, device=device)
        return to_images(torch.cat(chosen)), noise

    def first(self, count: int) -> Tensor:
        """The first compositions of the concepts."""
        source = list(self.sources)[-1]
        source.refresh(min(count, source.shelf.count))
        return to_images(source.rows[:count])


def to_images(pixels: Tensor) -> Tensor:
    """uint8 [pictures, height, width, 3] as float [pictures, 3, height, width] in [-1, 1]."""
    return pixels.permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()


def report_autoencoder(run: Run, vae: AutoencoderKL, name: str) -> float:
    """<name>.png, fresh compositions above what becomes of them; their PSNR in dB."""
    sprites = load_sprites(run)
    fresh = [compose.compose(sprites, WHITENING_SEED, i, run.concepts).pixels for i in range(32)]
    images = compose.to_tensor(fresh).to(run.device)
    decoded = autoencoder.decode(vae, autoencoder.encode(vae, images))
    quality = autoencoder.psnr(images, decoded)
    print(f"{name}: PSNR {quality:.1f} dB on fresh compositions of trained sprites", flush=True)
    rows = [part[first : first + 12] for first in (0, 12) for part in (images, decoded)]
    save_sheet(run.file(f"{name}.png"), torch.cat(rows), columns=12)
    return quality


def load_autoencoder(run: Run) -> AutoencoderKL:
    """The trained autoencoder, for use."""
    vae = autoencoder.build_autoencoder()
    trained = [run.file(f"{name}.safetensors") for name in ("decoder", "vae")]
    vae.load_state_dict(load_tensors(next(file for file in trained if file.is_file())))
    return gpu.place(vae, run.device).eval().requires_grad_(False)


def save_sheet(path: Path, images: Tensor, columns: int) -> None:
    """Pictures [pictures, 3, height, width] in [-1, 1] as one PNG, row by row."""
    pixels = images.float().cpu().add(1).mul(127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    height, width = pixels.shape[1:3]
    rows = -(-len(pixels) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    for index, picture in enumerate(np.ascontiguousarray(pixels)):
        sheet.paste(Image.fromarray(picture), (index % columns * width, index // columns * height))
    sheet.save(path)
